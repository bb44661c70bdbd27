"""Set-based storing: one statement a page, whatever is in it, and untouched where nothing changed."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncjobs.engine import links
from syncjobs.models import AvidVendor, InvoiceLink, PurchaseOrderLink, VendorMapping
from tenants.models import Tenant

pytestmark = pytest.mark.django_db
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
#: Whatever a text column may hold; PostgreSQL has no NUL.
TEXTS = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=30)


def vendor(tenant: Tenant, number: int, **values: Any) -> dict[str, Any]:
    return {
        "tenant_id": tenant.pk,
        "company": "EPIC06",
        "vendor_num": number,
        "external_id": f"EPIC06|{number}|MAIN",
        "name": f"Vendor {number}",
        "desired_hash": "h",
        **values,
    }


def merge(rows: list[dict[str, Any]], **options: Any) -> int:
    facts = {"key": ("tenant_id", "company", "vendor_num"), "changed": ("name", "desired_hash"), **options}
    with transaction.atomic():
        return links.merge(VendorMapping, rows, **facts)


def test_new_rows_are_inserted_with_the_defaults_of_what_is_not_given(tenant: Tenant) -> None:
    assert merge([vendor(tenant, 101), vendor(tenant, 102)]) == 2
    row = VendorMapping.objects.get(vendor_num=101)
    assert (row.state, row.active, row.evidence, row.seen_run, row.decided_at) == ("proposed", True, [], None, None)
    assert row.created_at.tzinfo is not None
    assert row.created_at == row.updated_at


def test_only_rows_that_differ_are_touched_and_only_in_what_is_given(tenant: Tenant) -> None:
    merge([vendor(tenant, 101), vendor(tenant, 102)])
    VendorMapping.objects.update(state="approved", sent_hash="h", created_at=LONG_AGO, updated_at=LONG_AGO)
    assert merge([vendor(tenant, 101), vendor(tenant, 102, name="Renamed")]) == 1
    rows = {row.vendor_num: row for row in VendorMapping.objects.all()}
    assert (rows[102].name, rows[102].state, rows[102].sent_hash) == ("Renamed", "approved", "h")
    assert (rows[101].created_at, rows[101].updated_at) == (LONG_AGO, LONG_AGO)
    assert rows[102].created_at == LONG_AGO < rows[102].updated_at


def test_a_column_that_is_not_among_the_changed_ones_alone_changes_nothing(tenant: Tenant) -> None:
    merge([vendor(tenant, 101, row_rev=1)])
    assert merge([vendor(tenant, 101, row_rev=2)]) == 0
    assert VendorMapping.objects.get().row_rev == 1


def test_a_condition_may_ask_for_rows_that_wait(tenant: Tenant) -> None:
    merge([vendor(tenant, 101), vendor(tenant, 102)])
    VendorMapping.objects.filter(vendor_num=101).update(hold_code="missing")
    when = "old.hold_code <> '' OR new.row_rev > 5"
    assert merge([vendor(tenant, 101, row_rev=1), vendor(tenant, 102, row_rev=1)], or_when=when) == 1
    assert merge([vendor(tenant, 102, row_rev=6)], or_when=when) == 1


def test_null_and_empty_are_told_apart(tenant: Tenant) -> None:
    rows = [{"tenant_id": tenant.pk, "company": "EPIC06", "po_num": 1, "vendor_num": 1, "order_date": None}]
    with transaction.atomic():
        assert links.merge(
            PurchaseOrderLink, rows, key=("tenant_id", "company", "po_num"), changed=("order_date",)
        )  # fmt: skip
        rows[0]["order_date"] = date(2026, 1, 2)
        options: dict[str, Any] = {"key": ("tenant_id", "company", "po_num"), "changed": ("order_date",)}
        assert links.merge(PurchaseOrderLink, rows, **options) == 1
        assert links.merge(PurchaseOrderLink, rows, **options) == 0


def test_tenants_keep_apart(tenant: Tenant, other: Tenant) -> None:
    merge([vendor(tenant, 101)])
    assert merge([vendor(other, 101, name="Theirs")]) == 1
    assert sorted(VendorMapping.objects.values_list("name", flat=True)) == ["Theirs", "Vendor 101"]


def test_a_page_is_a_handful_of_statements(tenant: Tenant) -> None:
    found = []
    for size in (1, 500):
        with CaptureQueriesContext(connection) as made:
            merge([vendor(tenant, 1_000 * size + place) for place in range(size)])
        found.append(len(made))
    assert found[0] == found[1] <= 6


def test_nothing_is_asked_for_an_empty_page(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert links.merge(VendorMapping, [], key=("tenant_id",)) == 0
        links.update([], ["name"])


def test_two_pages_in_one_transaction(tenant: Tenant) -> None:
    with transaction.atomic():
        for number in (101, 102):
            assert merge([vendor(tenant, number)]) == 1
    assert VendorMapping.objects.count() == 2


def test_a_key_twice_in_a_page_and_a_key_of_another_row_are_loud(tenant: Tenant) -> None:
    with pytest.raises(Exception, match="a second time"):
        merge([vendor(tenant, 101), vendor(tenant, 101, name="Twice")])
    merge([vendor(tenant, 101)])
    with pytest.raises(IntegrityError):
        merge([vendor(tenant, 102, external_id="EPIC06|101|MAIN")])


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=TEXTS, address=TEXTS, hold=TEXTS)
def test_any_text_arrives_as_it_left(name: str, address: str, hold: str, tenant: Tenant) -> None:
    """Tabs, backslashes, line ends and \\N are COPY's own signs."""
    AvidVendor.objects.all().delete()
    row = {"tenant_id": tenant.pk, "avid_id": "1", "name": name, "line1": address, "city": hold}
    options: dict[str, Any] = {"key": ("tenant_id", "avid_id"), "changed": ("name", "line1", "city")}
    with transaction.atomic():
        assert links.merge(AvidVendor, [row], **options) == 1
        assert links.merge(AvidVendor, [row], **options) == 0
    kept = AvidVendor.objects.get()
    assert (kept.name, kept.line1, kept.city) == (name, address, hold)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    amount=st.decimals(Decimal("-999999999999999.999"), Decimal("999999999999999.999"), places=3, allow_nan=False),
    day=st.dates(date(1990, 1, 1)),
)
def test_any_amount_and_day_arrive_as_they_left(amount: Decimal, day: date, tenant: Tenant) -> None:
    InvoiceLink.objects.all().delete()
    row = {
        "tenant_id": tenant.pk,
        "company": "EPIC06",
        "vendor_num": 104,
        "invoice_num": "A",
        "direction": "out",
        "gross_amount": amount,
        "due_date": day,
    }
    with transaction.atomic():
        links.merge(InvoiceLink, [row], key=("tenant_id", "company", "vendor_num", "invoice_num"))
    kept = InvoiceLink.objects.get()
    assert (kept.gross_amount, kept.due_date) == (amount, day)


def test_many_rows_are_updated_by_their_keys_in_what_is_named(tenant: Tenant) -> None:
    merge([vendor(tenant, number) for number in (101, 102, 103)])
    VendorMapping.objects.update(updated_at=LONG_AGO)
    rows = list(VendorMapping.objects.order_by("vendor_num")[:2])
    moment = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
    for place, row in enumerate(rows):
        row.name, row.evidence, row.decided_at = f"New {place}", [{"score": place, "reasons": ["a\tb"]}], moment
        row.state = "approved"  # not named below
    with transaction.atomic():
        links.update(rows, ["name", "evidence", "decided_at"])
    kept = list(VendorMapping.objects.order_by("vendor_num"))
    assert [row.name for row in kept] == ["New 0", "New 1", "Vendor 103"]
    assert kept[1].evidence == [{"score": 1, "reasons": ["a\tb"]}]
    assert (kept[0].decided_at, kept[2].decided_at) == (moment, None)
    assert {row.state for row in kept} == {"proposed"}
    assert kept[0].updated_at > kept[2].updated_at == LONG_AGO
