"""Submitted invoices in the AvidXchange stand-in: refusals, duplicates, approval, reading back."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from tests.sandbox.avid_world import AvidWorld, invoice, listed, vendor

LINE = {"LineNumber": 1, "Amount": Decimal("100.00"), "GLAccount": "01-10-5010"}


def ready(world: AvidWorld) -> AvidWorld:
    """Two vendors, two accounts (one inactive), an order of vendor X|1|MAIN, no rejections by chance."""
    world.state.options.reject_percent = 0
    world.vendors("X|1|MAIN", "X|2|MAIN")
    world.chart("01-10-5010", "01-10-5020")
    world.send("glAccounts", {"AccountNumber": "01-10-5020", "Operation": "Inactivate"})
    line = {"LineNumber": 1, "Quantity": 1}
    order = {"PONumber": "4001", "VendorExternalSystemID": "X|1|MAIN", "TotalAmount": 1, "Lines": [line]}
    assert world.send("purchaseOrders", {**order, "Status": "Open"}) == [(True, [])]
    return world


@pytest.fixture
def avid() -> Iterator[AvidWorld]:
    with AvidWorld() as world:
        yield ready(world)


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        ({"VendorExternalSystemID": "X|9|MAIN"}, ["VENDOR_NOT_FOUND"]),
        ({"Lines": [{**LINE, "GLAccount": "99"}]}, ["GL_NOT_FOUND"]),
        ({"Lines": [{**LINE, "GLAccount": "01-10-5020"}]}, ["GL_NOT_FOUND"]),
        ({"Lines": [{**LINE, "GLAccount": None}]}, ["GL_NOT_FOUND"]),
        ({"Lines": [{**LINE, "Amount": Decimal("99.99")}]}, ["AMOUNT_MISMATCH"]),
        ({"DocumentType": "CreditMemo"}, ["AMOUNT_MISMATCH"]),
        ({"PONumber": "4002"}, ["PO_NOT_FOUND"]),
        ({"PONumber": "4001", "VendorExternalSystemID": "X|2|MAIN"}, ["PO_VENDOR_MISMATCH"]),
        ({"PONumber": "4001", "Lines": [{**LINE, "POLineNumber": 2}]}, ["UNEXPECTED_MATCH_ERROR"]),
        ({"Lines": [{**LINE, "Dimensions": [{"Name": "Department", "Code": "20"}]}]}, ["DIMENSION_NOT_FOUND"]),
        ({"Lines": [{**LINE, "Dimensions": ["Department"]}]}, ["VALIDATION"]),
        ({"GrossAmount": Decimal("1E+400")}, ["AMOUNT_MISMATCH"]),
        ({"ExternalId": None}, ["VALIDATION"]),
        ({"ExternalId": "X|1|INV-1|1"}, ["VALIDATION"]),
        ({"Number": ""}, ["VALIDATION"]),
        ({"InvoiceDate": "11/02/2026"}, ["VALIDATION"]),
        ({"InvoiceDate": None}, ["VALIDATION"]),
        ({"GrossAmount": "100.00"}, ["VALIDATION"]),
        ({"GrossAmount": Decimal("100.001")}, ["VALIDATION", "AMOUNT_MISMATCH"]),
        ({"Lines": None}, ["VALIDATION", "AMOUNT_MISMATCH"]),
        ({"DocumentType": "Bill"}, ["VALIDATION"]),
    ],
)
def test_refused_item_leaves_nothing_behind(avid: AvidWorld, changes: dict[str, Any], codes: list[str]) -> None:
    said = avid.send("invoices", invoice("INV-1", **changes), invoice("INV-2"))
    assert said == [(False, codes), (True, [])]
    assert [row["Number"] for row in avid.ledger()["invoices"]] == ["INV-2"]


def test_taken_invoice_is_held_as_it_was_sent(avid: AvidWorld) -> None:
    lines = [
        {**LINE, "Amount": Decimal("33.33"), "POLineNumber": 1, "ReceiptNumber": "PS-1"},
        {**LINE, "LineNumber": 2, "Amount": Decimal("66.67")},
    ]
    sent = invoice("INV-77", PONumber="4001", Lines=lines, Memo="Freight", InvoiceDueDate="2026-12-02")
    assert avid.send("invoices", sent) == [(True, [])]
    (row,) = avid.ledger()["invoices"]
    assert (row["ExternalId"], row["VendorExternalSystemID"], row["Number"]) == ("X|1|INV-77|1", "X|1|MAIN", "INV-77")
    assert (row["GrossAmount"], row["Currency"], row["PONumber"]) == ("100.00", "USD", "4001")
    assert [(line["Amount"], line["GLAccount"], line["POLineNumber"]) for line in row["Lines"]] == [
        ("33.33", "01-10-5010", 1),
        ("66.67", "01-10-5010", None),
    ]
    assert row["image_count"] == 0


def test_the_same_external_id_is_never_a_second_invoice(avid: AvidWorld) -> None:
    avid.send("invoices", invoice("INV-1"), batch_id="FIRST")
    before = avid.ledger()["invoices"]
    reply = avid.submit("invoices", invoice("INV-1", "250.00"), batch_id="SECOND")
    if reply.status_code == 202:
        reply = avid.get("/invoices/batches/SECOND")
    (result,) = listed(reply.json()["Results"])
    assert str(result["Successful"]).lower() == "false"
    assert [error["Code"] for error in listed(result["Errors"])] == ["DUPLICATE_INVOICE"]
    assert str(result["Item"]["Id"]) == str(before[0]["Id"])
    assert avid.ledger()["invoices"] == before


def test_a_number_is_taken_once_a_vendor(avid: AvidWorld) -> None:
    again = invoice(" inv-1 ", ExternalId={"Value": "X|1|INV-1|2"})
    other = invoice("INV-1", ExternalId={"Value": "X|2|INV-1|1"}, VendorExternalSystemID="X|2|MAIN")
    said = avid.send("invoices", invoice("INV-1"), again, other)
    assert said == [(True, []), (False, ["DUPLICATE_INVOICE"]), (True, [])]
    assert avid.send("invoices", again) == [(False, ["DUPLICATE_INVOICE"])]


def test_a_captured_number_is_a_duplicate_too(avid: AvidWorld) -> None:
    captured = avid.ledger()["captured_batches"][0]["invoices"][0]
    external = next(row for row in avid.ledger()["vendors"] if row["Id"] == captured["VendorId"])[
        "VendorExternalSystemID"
    ]
    back = invoice(captured["Number"], VendorExternalSystemID=external)
    assert avid.send("invoices", back) == [(False, ["DUPLICATE_INVOICE"])]


def test_a_rejected_number_may_come_again_under_a_new_external_id(avid: AvidWorld) -> None:
    avid.state.options.reject_percent = 100
    avid.send("invoices", invoice("INV-1"))
    (row,) = avid.ledger()["invoices"]
    assert (row["ApprovalStatus"], bool(row["RejectReason"])) == ("Rejected", True)
    avid.state.options.reject_percent = 0
    assert avid.send("invoices", invoice("INV-1", ExternalId={"Value": "X|1|INV-1|2"})) == [(True, [])]
    assert [row["ApprovalStatus"] for row in avid.ledger()["invoices"]] == ["Rejected", "Approved"]


def test_approval_goes_step_by_step() -> None:
    with AvidWorld(pace=1, awkward=False) as world:
        avid = ready(world)
        avid.send("invoices", invoice("INV-1"))
        seen = []
        for _ in range(4):
            (row,) = avid.items("/invoices", externalInvoiceIds="X|1|INV-1|1")
            seen.append((row["Status"]["Description"], row["ApprovalStatus"], row["LastChangedDate"]))
            avid.clock.forward(seconds=1)
        assert seen == [
            ("Received", "Pending", "2026-11-23T12:00:00.000Z"),
            ("Pending", "Pending", "2026-11-23T12:00:01.000Z"),
            ("Approved", "Approved", "2026-11-23T12:00:02.000Z"),
            ("Approved", "Approved", "2026-11-23T12:00:02.000Z"),
        ]


def test_a_few_in_a_hundred_are_rejected_always_the_same() -> None:
    def rejected() -> list[str]:
        with AvidWorld() as world:
            world.vendors("X|1|MAIN")
            world.chart("01-10-5010")
            for start in range(0, 200, 50):
                world.send("invoices", *(invoice(f"R{number}") for number in range(start, start + 50)))
            rows = world.ledger()["invoices"]
            assert {row["ApprovalStatus"] for row in rows} == {"Approved", "Rejected"}
            return [row["Number"] for row in rows if row["ApprovalStatus"] == "Rejected"]

    first = rejected()
    assert 1 <= len(first) <= 16
    assert rejected() == first


def test_a_person_may_decide(avid: AvidWorld) -> None:
    with AvidWorld(pace=100) as world:
        ready(world).send("invoices", invoice("INV-1"))
        change = {"State": "Rejected", "RejectReason": "Not ours"}
        assert world.edit("invoices", key={"Number": "INV-1"}, set=change).status_code == 200
        world.clock.forward(seconds=500)
        (row,) = world.ledger()["invoices"]
        assert (row["ApprovalStatus"], row["RejectReason"]) == ("Rejected", "Not ours")
        assert world.ledger()["payments"] == []


def test_invoices_are_found_by_external_ids_however_odd(avid: AvidWorld) -> None:
    odd = ["X|1|A/B 1|1", "X|1|A,B+2|1", "X|1|O'Neil #3|1"]
    avid.send("invoices", *(invoice(f"N{place}", ExternalId={"Value": name}) for place, name in enumerate(odd)))
    query = ",".join(
        name.replace("|", "%7C").replace(",", "%2C").replace("+", "%2B").replace("/", "%2F").replace(" ", "%20")
        .replace("#", "%23")
        for name in [*odd, "X|1|nothing|1"]
    )  # fmt: skip
    rows = listed(avid.get(f"/invoices?externalInvoiceIds={query}").json()["Items"])
    assert [row["ExternalId"]["Value"] for row in rows] == odd


def test_invoices_are_listed_by_the_utc_day_of_change(avid: AvidWorld) -> None:
    avid.clock.forward(hours=11, seconds=3599)
    avid.send("invoices", invoice("LATE"))
    avid.clock.forward(seconds=1)
    avid.send("invoices", invoice("EARLY"))

    def between(first: str, last: str) -> list[str]:
        return [row["Number"] for row in avid.items("/invoices", lastModifiedFrom=first, lastModifiedTo=last)]

    avid.edit("invoices", key={"Number": "LATE"}, set={"Memo": "", "LastChangedDate": "2026-11-23T23:59:59.999+00:00"})
    assert between("2026-11-23", "2026-11-23") == ["LATE"]
    assert between("2026-11-24", "2026-11-24") == ["EARLY"]
    assert between("2026-11-22", "2026-11-22") == []
    assert [row["Number"] for row in avid.items("/invoices", lastModifiedFrom="2026-11-23")] == ["LATE", "EARLY"]


@pytest.mark.parametrize(
    "filters",
    [
        {},
        {"lastModifiedTo": "2026-11-23"},
        {"lastModifiedFrom": "2026-11-23", "lastModifiedTo": "2026-11-22"},
        {"lastModifiedFrom": "2026-10-01", "lastModifiedTo": "2026-11-23"},
        {"lastModifiedFrom": "2026-11-23T00:00:00"},
        {"externalInvoiceIds": ",".join(f"X|{number}" for number in range(51))},
    ],
)
def test_lists_without_a_proper_filter_are_refused(avid: AvidWorld, filters: dict[str, str]) -> None:
    assert avid.get("/invoices", **filters).status_code == 400


def test_a_vendor_attached_by_id_keeps_its_invoices(avid: AvidWorld) -> None:
    """An invoice names a vendor by external id; after an attach that is another AvidXchange vendor than before."""
    unlinked = next(row for row in avid.ledger()["vendors"] if row["VendorExternalSystemID"] is None)
    assert avid.send("vendors", vendor("X|3|MAIN", Id=unlinked["Id"])) == [(True, [])]
    assert avid.send("invoices", invoice("INV-3", VendorExternalSystemID="X|3|MAIN")) == [(True, [])]
    assert avid.ledger()["invoices"][0]["VendorId"] == unlinked["Id"]
