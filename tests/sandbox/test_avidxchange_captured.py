"""Captured invoices and closed batches in the AvidXchange stand-in."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from tests.sandbox.avid_world import AvidWorld, listed, seed

CLOSED = "/invoices/batches/closed/acctgSysId/17"


@pytest.fixture
def avid() -> Iterator[AvidWorld]:
    with AvidWorld() as world:
        yield world


def closed(avid: AvidWorld, **filters: str) -> list[dict[str, Any]]:
    return avid.items(CLOSED, **{"closeDateFrom": "2026-11-01", **filters})


def details(avid: AvidWorld, batch: dict[str, Any]) -> list[dict[str, Any]]:
    (href,) = [link["Href"] for link in batch["Links"] if link["Rel"] == "full-details"]
    return listed(avid.get(href).json()["Items"])


def acknowledge(avid: AvidWorld, guid: str, status: int = 1) -> dict[str, Any]:
    body = {"BatchId": guid, "FileId": None, "ExportedByUserId": None, "ExportHistoryStatusId": status}
    reply = avid.post("/invoices/batches/exportHistories", {**body, "StartDate": "2026-11-23", "EndDate": "2026-11-23"})
    assert reply.status_code == 200
    (result,) = listed(reply.json()["Results"])
    return result  # type: ignore[no-any-return]


def test_control_totals_are_those_of_the_details(avid: AvidWorld) -> None:
    batches = closed(avid)
    assert len(batches) == 3
    for batch in batches:
        rows = details(avid, batch)
        assert batch["InvoiceCount"] == len(rows) > 0
        assert Decimal(str(batch["BatchTotal"])) == sum(Decimal(str(row["GrossAmount"])) for row in rows)
        for row in rows:
            total = sum(Decimal(str(line["Amount"])) for line in row["Lines"])
            assert total == Decimal(str(row["GrossAmount"]))
            assert [line["LineNumber"] for line in row["Lines"]] == list(range(1, len(row["Lines"]) + 1))


def test_what_was_captured_fits_epicor_except_two(avid: AvidWorld) -> None:
    tables = seed().companies["EPIC06"].tables
    vendors = {f"EPIC06|{row['VendorNum']}|MAIN" for row in tables["Vendor"] if not row["Inactive"]}
    active = {row["GLAcctDispGLAcctDisp"] for row in tables["GLAccount"] if row["Active"]}
    receipts = {
        (str(row["PONum"]), row["POLine"], row["PackSlip"]): row["VendorQty"] * row["VendorUnitCost"]
        for row in tables["RcvDtl"]
        if row["Received"] and not row["Invoiced"]
    }
    rows = [row for batch in closed(avid) for row in details(avid, batch)]
    stranger = [row for row in rows if row["BuyerVendor"]["VendorExternalSystemID"] not in vendors]
    miscoded = [row for row in rows if any(line["GLAccount"] not in active for line in row["Lines"])]
    credit_memos = [row for row in rows if Decimal(str(row["GrossAmount"])) < 0]
    ordered = [row for row in rows if row["PONumber"]]
    assert (len(rows), len(stranger), len(miscoded), len(credit_memos)) == (14, 1, 1, 1)
    assert stranger != miscoded
    assert ordered
    for row in ordered:
        (line,) = row["Lines"]
        expected = receipts[(str(row["PONumber"]), line["POLineNumber"], line["ReceiptNumber"])]
        assert Decimal(str(row["GrossAmount"])) == expected.quantize(Decimal("0.01"))
    assert len({(row["BuyerVendor"]["VendorExternalSystemID"], row["Number"]) for row in rows}) == 14
    assert {row["BuyerVendorAccount"]["AccountNo"] for row in rows} == {"none"}
    assert {row["TermType"]["termTypeName"] for row in rows} == {"Net 30"}


def test_images_are_pdfs_behind_credentials(avid: AvidWorld) -> None:
    row = details(avid, closed(avid)[0])[0]
    image = avid.get(row["ImageUrl"])
    assert (image.status_code, image.headers["Content-Type"]) == (200, "application/pdf")
    assert image.content.startswith(b"%PDF-")
    assert avid.session.get(row["ImageUrl"], timeout=10).status_code == 401
    assert avid.get("/images/1").status_code == 404


def test_batches_are_found_by_the_day_they_closed(avid: AvidWorld) -> None:
    names = [batch["BatchName"] for batch in closed(avid)]
    assert names == ["EPIC06 captured 001", "EPIC06 captured 002", "EPIC06 captured 003"]
    day = closed(avid, closeDateFrom="2026-11-21", closeDateTo="2026-11-21")
    assert [batch["BatchName"] for batch in day] == names[1:2]
    assert avid.get(CLOSED).status_code == 400
    assert avid.get("/invoices/batches/closed/acctgSysId/18", closeDateFrom="2026-11-01").status_code == 404


def test_one_batch_by_guid(avid: AvidWorld) -> None:
    first = closed(avid)[0]
    assert listed(avid.get(f"/invoices/batches/{first['BatchGUID']}").json()["Items"]) == [first]
    assert avid.get(f"/invoices/batches/{first['BatchGUID']}", who="EPIC07").status_code == 404
    assert avid.get(f"/invoices/batches/{first['BatchGUID']}/details", who="EPIC07").status_code == 404


def test_acknowledged_invoices_are_paid_and_no_others(avid: AvidWorld) -> None:
    batches = closed(avid)
    for batch in batches:
        assert str(acknowledge(avid, batch["BatchGUID"])["Successful"]).lower() == "true"
    held = avid.ledger()
    assert [batch["acknowledged"] for batch in held["captured_batches"]] == [True, True, True]
    rows = [row for batch in held["captured_batches"] for row in batch["invoices"]]
    assert [row["Number"] for row in rows if row["Paid"] != row["GrossAmount"]] == [
        row["Number"] for row in rows if row["OnHold"]
    ]
    remittances = [item for payment in held["payments"] for item in payment["Remittances"]]
    assert {item["InvoiceId"] for item in remittances} == {row["Id"] for row in rows if not row["OnHold"]}
    assert {item["ExternalId"] for item in remittances} == {None}
    acknowledge(avid, batches[0]["BatchGUID"])
    assert len(avid.ledger()["payments"]) == len(held["payments"])
    assert len(avid.ledger()["export_histories"]) == 4


def test_acknowledging_what_is_not_there_or_not_imported(avid: AvidWorld) -> None:
    result = acknowledge(avid, "nothing")
    assert result["Successful"] is False
    assert result["Errors"][0]["Field"] == "BatchId"
    acknowledge(avid, closed(avid)[0]["BatchGUID"], status=2)
    assert [batch["acknowledged"] for batch in avid.ledger()["captured_batches"]] == [False, False, False]
    assert avid.ledger()["payments"] == []


def test_closed_again_with_added_changed_and_removed_invoices(avid: AvidWorld) -> None:
    batch = closed(avid)[0]
    acknowledge(avid, batch["BatchGUID"])
    before = details(avid, batch)
    keep, change, gone = before[0], before[1], before[2]
    vendor = next(row for row in avid.ledger()["vendors"] if row["VendorExternalSystemID"])
    line = {"LineNumber": 1, "Amount": "12.34", "GLAccount": "01-10-5010", "Description": "Added"}
    new = {"VendorId": vendor["Id"], "Number": "ADDED-1", "GrossAmount": "12.34", "Lines": [line]}
    avid.clock.forward(hours=1)
    reply = avid.edit(
        "captured_batches",
        key={"BatchGUID": batch["BatchGUID"]},
        reclose={"add": [new], "change": [{"Id": change["Id"], "set": {"Memo": "Corrected"}}], "remove": [gone["Id"]]},
    )
    assert reply.json() == {"rows": 1}
    again = next(row for row in closed(avid) if row["BatchGUID"] == batch["BatchGUID"])
    assert (batch["DateClosed"], again["DateClosed"]) == ("2026-11-20T12:00:00.000", "2026-11-23T13:00:00.000")
    after = {row["Number"]: row for row in details(avid, again)}
    assert set(after) == {row["Number"] for row in before} - {gone["Number"]} | {"ADDED-1"}
    assert after[keep["Number"]] == keep
    assert after[change["Number"]]["Memo"] == "Corrected"
    assert after[change["Number"]]["LastChangedDate"] > change["LastChangedDate"]
    assert again["InvoiceCount"] == len(after)
    assert [row["acknowledged"] for row in avid.ledger()["captured_batches"]] == [False, False, False]
    paid = len(avid.ledger()["payments"])
    acknowledge(avid, batch["BatchGUID"])
    assert len(avid.ledger()["payments"]) == paid + 1


def test_totals_may_be_made_wrong(avid: AvidWorld) -> None:
    batch = closed(avid)[0]
    change = {"BatchTotal": "1.00", "InvoiceCount": 9}
    assert avid.edit("captured_batches", key={"BatchGUID": batch["BatchGUID"]}, set=change).json() == {"rows": 1}
    wrong = closed(avid)[0]
    assert (Decimal(str(wrong["BatchTotal"])), wrong["InvoiceCount"]) == (Decimal("1.00"), 9)
    assert details(avid, wrong) == details(avid, batch)
    assert (
        avid.edit("captured_batches", key={"BatchGUID": batch["BatchGUID"]}, set={"BatchTotal": "x"}).status_code == 400
    )


def test_po_numbers_come_as_text_and_as_numbers() -> None:
    kinds = set()
    with AvidWorld() as avid:
        batch = avid.ledger()["captured_batches"][0]
        for number in range(12):
            vendor_id, line = batch["invoices"][0]["VendorId"], {"LineNumber": 1, "Amount": "1.00", "GLAccount": "x"}
            values = {
                "BatchGUID": batch["BatchGUID"],
                "VendorId": vendor_id,
                "Number": f"P{number}",
                "PONumber": "4001",
            }
            avid.edit("captured_invoices", insert={**values, "GrossAmount": "1.00", "Lines": [line]})
        for row in details(avid, closed(avid)[0]):
            if row["PONumber"]:
                kinds.add(type(row["PONumber"]))
    assert kinds == {int, str}
