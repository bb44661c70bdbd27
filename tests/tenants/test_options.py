"""Options: typed, with defaults that reach whoever did not choose, and every fault told."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec
import pytest

from connector.translate.holds import LIMITS
from tenants.models import EpicorConnection, Tenant
from tenants.option_fields import PREFIX, option_fields
from tenants.options import GROUPS, OptionFaults, TenantOptions, option_faults, stored_form
from tenants.rules import rules


def test_only_what_was_chosen_is_stored() -> None:
    given = {"invoices_since": "2026-01-31", "country_codes": {"1": "US"}, "currencies": ["CAD"], "discounts": True}
    assert stored_form(given) == given
    assert TenantOptions.from_mapping({}) == TenantOptions()


def test_options_are_typed() -> None:
    options = TenantOptions.from_mapping({"invoices_since": "2026-01-31", "country_codes": {"1": "US"}})
    assert (options.invoices_since, options.country_codes) == (date(2026, 1, 31), {1: "US"})
    with pytest.raises(OptionFaults) as caught:
        TenantOptions.from_mapping({"a": 1, "record_on": "SENT"})
    assert caught.value.faults == ["a: unknown key", "record_on: must be one of ISSUED, CLEARED"]


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("payment_methods", {"cash": 1}, "payment_methods: not one of the allowed names (a name in it)"),
        ("limits", {"Zip": 1}, "limits: not one of the allowed names (a name in it)"),
        ("currencies", ["usd"], "currencies: expected text of another form at [0]"),
        ("payment_ref_field", "a b", "payment_ref_field: expected text of another form"),
        ("invoices_since", "31.01.2026", "invoices_since: invalid date (write YYYY-MM-DD)"),
        ("delta_overlap_days", -1, "delta_overlap_days: expected a whole number >= 0"),
        ("max_attachment_mb", 10.5, "max_attachment_mb: expected a whole number, got a number"),
        ("auto_create_gl_codes", "no", "auto_create_gl_codes: expected true or false, got text"),
        ("tax_gl_account", None, "tax_gl_account: expected text, got nothing"),
    ],
)
def test_a_fault_is_one_plain_line(name: str, value: Any, line: str) -> None:
    assert option_faults({name: value}) == [line]


def test_every_option_is_in_one_group_of_the_form() -> None:
    names = [field.name for field in msgspec.structs.fields(TenantOptions)]
    assert sorted(name for group in GROUPS.values() for name in group) == sorted(names)


def test_every_option_has_a_field_that_says_what_it_is_without_contract_rows() -> None:
    fields = option_fields()
    assert set(fields) == {f"{PREFIX}{field.name}" for field in msgspec.structs.fields(TenantOptions)}
    assert [name for name, field in fields.items() if len(str(field.help_text)) < 20 or ".md" in field.help_text] == []
    assert fields["option_po_match_mode"].label == "PO match mode"


@pytest.mark.django_db
def test_rules_take_the_connections_defaults_and_the_options_over_them(north: Tenant) -> None:
    plain = rules(north)
    assert (plain.company, plain.base_currency, plain.currencies) == ("EPIC06", "USD", frozenset({"USD"}))
    assert (plain.bank_accounts, plain.payment_methods) == ({"USD": "MAIN"}, {"check": 1, "ach": 1, "card": 1})
    assert (plain.separator, plain.time_zone, plain.limits) == ("|", "America/Chicago", dict(LIMITS))
    north.avidxchange_connection.profile = {"vendor_id_separator": "~"}
    north.avidxchange_connection.save()
    north.options = {
        "currencies": ["CAD"],
        "bank_accounts": {"CAD": "CANADA"},
        "payment_methods": {"ach": 7},
        "limits": {"VendorName": 40},
    }
    chosen = rules(north)
    assert (chosen.separator, chosen.currencies) == ("~", frozenset({"USD", "CAD"}))
    assert chosen.bank_accounts == {"USD": "MAIN", "CAD": "CANADA"}
    assert chosen.payment_methods == {"check": 1, "ach": 7, "card": 1}
    assert (chosen.limits["VendorName"], chosen.limits["City"]) == (40, LIMITS["City"])


@pytest.mark.django_db
def test_rules_without_defaults_have_no_bank_and_no_method(north: Tenant) -> None:
    EpicorConnection.objects.update(bank_account_id="", payment_method_id=None)
    bare = rules(Tenant.objects.get())
    assert (bare.bank_accounts, bare.payment_methods) == ({}, {})
