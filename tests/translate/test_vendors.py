"""Vendors: who they are, where they are paid, and that nothing too long or missing slips through."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.avidxchange.records import Address, VendorItem
from connector.translate.codebook import Hold
from connector.translate.vendors import (
    country_code,
    default_remit_to,
    external_id,
    parse_external_id,
    to_avidxchange,
)
from tests.translate.examples import codebook, good, held, property_test, remit_to, rules, vendor

TERMS = codebook().terms
MAIN_ADDRESS = Address(line1="1 Mill Street", city="Dayton", state="OH", postal_code="45402", country_code="US")


def translate(vendor_changes: dict[str, Any] | None = None, remit: Any = None, **options: Any) -> VendorItem | Hold:
    given_rules = options.pop("rules", rules())
    return to_avidxchange(vendor(**(vendor_changes or {})), remit, terms=TERMS, rules=given_rules, **options)


def test_a_vendor_without_remit_to_is_paid_at_its_main_address() -> None:
    changes = {
        "email": " ap@bolts.example ", "phone_num": "555-0100", "account_ref": "C-77", "address2": "", "address3": None
    }  # fmt: skip
    assert good(translate(changes)) == VendorItem(
        vendor_external_system_id="EPIC06|104|MAIN",
        vendor_name="Bolts and Nuts Inc",
        tax_id="00-1234567",
        address=MAIN_ADDRESS,
        remit_to_address=MAIN_ADDRESS,
        email_address="ap@bolts.example",
        phone_number="555-0100",
        term_type_name="Net 30",
        account_no="C-77",
        is_active=True,
        operation="Upsert",
    )


def test_an_active_default_remit_to_is_where_the_vendor_is_paid() -> None:
    item = good(translate({"email": "main@bolts.example"}, remit_to(email="lockbox@bolts.example")))

    assert item.vendor_external_system_id == "EPIC06|104|2"
    assert item.remit_to_address == Address(line1="PO Box 9", city="Chicago", state="IL", postal_code="60601")
    assert item.address == MAIN_ADDRESS
    assert item.email_address == "lockbox@bolts.example"


def test_a_remit_tos_country_is_sent_only_where_the_tenant_named_its_number() -> None:
    item = good(translate(remit=remit_to(country_num=7), rules=rules(country_codes={7: "CA"})))
    assert item.remit_to_address is not None
    assert item.remit_to_address.country_code == "CA"


@pytest.mark.parametrize("changes", [{"inactive": True}, {"default_remit_to": False}])
def test_a_remit_to_that_is_not_used_changes_nothing(changes: dict[str, bool]) -> None:
    assert translate(remit=remit_to(**changes)) == translate()


def test_an_identity_once_given_stays_when_the_address_moves() -> None:
    item = good(translate(remit=remit_to(), known_external_id="EPIC06|104|MAIN"))
    assert item.vendor_external_system_id == "EPIC06|104|MAIN"
    assert item.remit_to_address is not None
    assert item.remit_to_address.line1 == "PO Box 9"


def test_the_default_remit_to_is_the_first_active_default_one() -> None:
    rows = [
        remit_to(remit_to_seq=1, inactive=True),
        remit_to(remit_to_seq=5),
        remit_to(remit_to_seq=3),
        remit_to(remit_to_seq=2, default_remit_to=False),
    ]
    assert default_remit_to(rows) == rows[2]
    assert default_remit_to(rows[:1]) is None


@pytest.mark.parametrize(
    ("column", "field", "label"),
    [
        ("address1", "Line1", "Address line 1"),
        ("city", "City", "City"),
        ("state", "State", "State/Province"),
        ("zip", "PostalCode", "Postal Code"),
        ("name", "VendorName", "name"),
    ],
)
@pytest.mark.parametrize("empty", [None, "", "   "])
def test_a_missing_part_is_named_with_its_screen(column: str, field: str, label: str, empty: str | None) -> None:
    hold = held(translate({column: empty}))
    assert (hold.code, hold.field) == ("missing", field)
    assert hold.message == f"The {label} of vendor BOLTS is empty."
    assert hold.hint.startswith("Epicor: Supplier Entry")


def test_a_missing_part_of_a_remit_to_names_the_remit_to() -> None:
    hold = held(translate(remit=remit_to(zip="")))
    assert hold.message == "The Postal Code of remit-to 2 of vendor BOLTS is empty."
    assert hold.hint == "Epicor: Supplier Entry, Remit To 2: Postal Code."


def test_an_unpaid_main_address_with_a_gap_stays_away_whole() -> None:
    assert good(translate({"city": ""}, remit_to())).address is None


@pytest.mark.parametrize(
    ("column", "field", "limit"),
    [
        ("name", "VendorName", 255),
        ("address1", "Line1", 255),
        ("address2", "Line2", 255),
        ("address3", "Line3", 255),
        ("city", "City", 50),
        ("state", "State", 50),
        ("zip", "PostalCode", 20),
        ("email", "EmailAddress", 255),
        ("phone_num", "PhoneNumber", 20),
        ("account_ref", "AccountNo", 100),
    ],
)
def test_the_limit_passes_and_one_more_is_held_never_cut(column: str, field: str, limit: int) -> None:
    assert "x" * limit in repr(good(translate({column: "x" * limit})))

    hold = held(translate({column: "x" * (limit + 1)}))
    assert (hold.code, hold.field) == ("too_long", field)
    assert f"has {limit + 1} characters; {field} takes at most {limit}." in hold.message


@pytest.mark.parametrize(("column", "field"), [("city", "City"), ("state", "State"), ("zip", "PostalCode")])
def test_one_letter_is_no_place(column: str, field: str) -> None:
    hold = held(translate({column: "X"}))
    assert (hold.code, hold.field) == ("too_short", field)


def test_a_tenants_own_limit_replaces_the_contracts_and_leaves_the_others() -> None:
    narrow = rules(limits={"City": 5})
    assert held(translate(rules=narrow)).code == "too_long"
    assert held(translate({"city": "Reno", "zip": "9" * 21}, rules=narrow)).field == "PostalCode"


def test_an_external_id_that_is_too_long_is_held() -> None:
    hold = held(translate({"company": "C" * 100}, rules=rules(company="C" * 100)))
    assert (hold.code, hold.field) == ("too_long", "VendorExternalSystemID")


@pytest.mark.parametrize("changes", [{}, {"address1": "", "city": None}, {"phone_num": "9" * 21, "terms_code": "NEW"}])
def test_an_inactive_vendor_is_inactivated_whatever_is_wrong_with_it(changes: dict[str, Any]) -> None:
    item = good(translate({"inactive": True, **changes}))
    assert item == VendorItem(
        vendor_external_system_id="EPIC06|104|MAIN",
        vendor_name="Bolts and Nuts Inc",
        remit_to_address=None if "city" in changes else MAIN_ADDRESS,
        is_active=False,
        operation="Inactivate",
    )


def test_terms_that_nobody_described_are_held_and_no_terms_are_none() -> None:
    assert held(translate({"terms_code": "NEW"})).code == "terms_not_known"
    assert good(translate({"terms_code": " "})).term_type_name == ""


def test_a_vendor_of_another_company_is_held() -> None:
    assert held(translate({"company": "EPIC07"})).code == "other_company"
    assert held(translate(remit=remit_to(company="EPIC07"))).code == "other_company"


def test_a_remit_to_of_another_vendor_is_our_own_mistake() -> None:
    with pytest.raises(ValueError, match="remit-to of vendor 105 handed in with vendor 104"):
        translate(remit=remit_to(vendor_num=105))


@pytest.mark.parametrize(
    ("country", "code"),
    [
        ("USA", "US"), ("U.S.A.", "US"), ("united states", "US"), ("Canada", "CA"), ("MEX", "MX"), ("", ""),
        ("America", ""), ("Georgia", ""), ("XX", ""),
    ],
)  # fmt: skip
def test_a_country_is_sent_only_if_it_is_sure(country: str, code: str) -> None:
    assert country_code(country) == code


@property_test
@given(
    st.text("ABCDEFabc0123_-|", min_size=1, max_size=12).filter(str.strip),
    st.integers(min_value=0, max_value=2**31 - 1),
    st.none() | st.integers(min_value=0, max_value=999),
    st.sampled_from(["|", "::", "~", "-"]),
)
def test_an_external_id_parses_back(company: str, vendor_num: int, seq: int | None, separator: str) -> None:
    ours = rules(company=company, separator=separator)
    text = external_id(ours, vendor_num, seq)
    assert parse_external_id(ours, text) == (company, vendor_num, "MAIN" if seq is None else str(seq))


@pytest.mark.parametrize(
    "text", ["", "104", "EPIC06|104", "EPIC06|BOLTS|MAIN", "|104|MAIN", "EPIC06|104|", "EPIC06|１|2"]
)
def test_what_is_not_ours_in_form_is_no_external_id(text: str) -> None:
    assert parse_external_id(rules(), text) is None
