"""Vendors, chart, dimensions, purchase orders and receipts in the AvidXchange stand-in."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from tests.sandbox.avid_world import ADDRESS, AvidWorld, seed, vendor

NOW = "2026-11-23T12:00:00+00:00"


@pytest.fixture
def avid() -> Iterator[AvidWorld]:
    with AvidWorld() as world:
        yield world


def held(avid: AvidWorld, external_id: str) -> list[dict[str, Any]]:
    return [row for row in avid.ledger()["vendors"] if row["VendorExternalSystemID"] == external_id]


def test_vendor_is_created_with_everything_that_was_sent(avid: AvidWorld) -> None:
    sent = vendor(
        "X|1|MAIN",
        DoingBusinessAs="X",
        TaxId={"Value": "00-0000001"},
        EmailAddress="ap@x.example",
        PhoneNumber="555-0100",
        TermTypeName="Net 30",
        AccountNo="CUST-1",
    )
    assert avid.send("vendors", sent) == [(True, [])]
    (row,) = held(avid, "X|1|MAIN")
    assert row == {
        **{name: value for name, value in sent.items() if name not in ("TaxId", "RemitToAddress")},
        "Id": row["Id"],
        "TaxId": "00-0000001",
        "Address": None,
        "RemitToAddress": {**dict.fromkeys(("Line2", "Line3", "Line4", "CountryCode"), ""), **ADDRESS},
        "LastModified": NOW,
    }


def test_vendor_with_the_same_external_id_is_updated(avid: AvidWorld) -> None:
    avid.send("vendors", vendor("X|1|MAIN", PhoneNumber="555-0100"))
    (first,) = held(avid, "X|1|MAIN")
    avid.clock.forward(hours=1)
    avid.send("vendors", vendor("X|1|MAIN", PhoneNumber="555-0100"))
    assert held(avid, "X|1|MAIN") == [first]
    avid.send("vendors", vendor("X|1|MAIN", VendorName="Renamed"))
    (second,) = held(avid, "X|1|MAIN")
    assert second == {**first, "VendorName": "Renamed", "PhoneNumber": "", "LastModified": "2026-11-23T13:00:00+00:00"}


def test_id_attaches_the_external_id_to_a_vendor_that_is_there(avid: AvidWorld) -> None:
    unlinked = next(row for row in avid.ledger()["vendors"] if row["VendorExternalSystemID"] is None)
    count = len(avid.ledger()["vendors"])
    assert avid.send("vendors", vendor("X|7|MAIN", Id=str(unlinked["Id"]))) == [(True, [])]
    assert [row["Id"] for row in held(avid, "X|7|MAIN")] == [unlinked["Id"]]
    assert len(avid.ledger()["vendors"]) == count
    assert avid.send("vendors", vendor("X|8|MAIN", Id=999999)) == [(False, ["VENDOR_NOT_FOUND"])]
    other = next(row for row in avid.ledger()["vendors"] if row["VendorExternalSystemID"] is None)
    assert avid.send("vendors", vendor("X|7|MAIN", Id=other["Id"])) == [(False, ["VALIDATION"])]


def test_inactivate_keeps_the_vendor(avid: AvidWorld) -> None:
    avid.vendors("X|1|MAIN")
    gone = {"VendorExternalSystemID": "X|1|MAIN", "Operation": "Inactivate"}
    assert avid.send("vendors", gone) == [(True, [])]
    assert [row["IsActive"] for row in held(avid, "X|1|MAIN")] == [False]
    unknown = {"VendorExternalSystemID": "X|2|MAIN", "Operation": "Inactivate"}
    assert avid.send("vendors", unknown) == [(False, ["VENDOR_NOT_FOUND"])]


@pytest.mark.parametrize(
    "changes",
    [
        {"VendorExternalSystemID": ""},
        {"VendorExternalSystemID": "x" * 101},
        {"VendorName": None},
        {"VendorName": "x" * 256},
        {"VendorName": 5},
        {"RemitToAddress": None},
        {"RemitToAddress": {**ADDRESS, "City": "D"}},
        {"RemitToAddress": {**ADDRESS, "State": ""}},
        {"RemitToAddress": {**ADDRESS, "PostalCode": "9" * 21}},
        {"RemitToAddress": {**ADDRESS, "Line1": "x" * 256}},
        {"PhoneNumber": "5" * 21},
        {"TaxId": "00-0000001"},
        {"IsActive": "yes"},
        {"IsActive": None},
        {"Operation": "Delete"},
    ],
)
def test_vendor_with_a_fault_is_refused_alone(avid: AvidWorld, changes: dict[str, Any]) -> None:
    before = avid.ledger()["vendors"]
    bad, good = vendor("X|1|MAIN", **changes), vendor("X|2|MAIN")
    assert avid.send("vendors", bad, good) == [(False, ["VALIDATION"]), (True, [])]
    assert [row["VendorExternalSystemID"] for row in avid.ledger()["vendors"][len(before) :]] == ["X|2|MAIN"]


def test_vendors_are_listed_by_the_day_of_change(avid: AvidWorld) -> None:
    total = len(avid.items("/vendors"))
    avid.clock.forward(hours=11, seconds=3599)
    avid.vendors("X|1|MAIN")
    avid.clock.forward(seconds=1)
    avid.vendors("X|2|MAIN")

    def since(day: str) -> set[str | None]:
        return {row["VendorExternalSystemID"] for row in avid.items("/vendors", lastModifiedFrom=day)}

    assert len(avid.items("/vendors", lastModifiedFrom="2026-11-23")) == total + 2
    assert since("2026-11-24") == {"X|2|MAIN"}
    assert since("2026-11-25") == set()
    assert avid.get("/vendors", lastModifiedFrom="2026-11-23T00:00:00Z").status_code == 400


def test_vendor_tax_id_is_an_identifier(avid: AvidWorld) -> None:
    avid.send("vendors", vendor("X|1|MAIN", TaxId={"Value": "00-0000001"}))
    row = next(row for row in avid.items("/vendors") if row["VendorExternalSystemID"] == "X|1|MAIN")
    assert row["TaxId"] == {"Value": "00-0000001"}


def test_vendors_known_before_the_first_sync(avid: AvidWorld) -> None:
    """Some exact, some without external id but findable, a few near-duplicates, a few known to nobody in Epicor."""
    epicor = seed().companies["EPIC06"].tables["Vendor"]
    names = {row["Name"]: row for row in epicor}
    tax_ids = {row["TaxPayerID"] for row in epicor if row["TaxPayerID"]}
    rows = avid.ledger()["vendors"]
    exact = [row for row in rows if row["VendorExternalSystemID"]]
    free = [row for row in rows if not row["VendorExternalSystemID"]]
    by_tax = [row for row in free if row["VendorName"] not in names and row["TaxId"] in tax_ids]
    by_address = [
        row
        for row in free
        if row["VendorName"] in names and row["Address"]["Line1"] == names[row["VendorName"]]["Address1"]
    ]
    near = [row for row in free if row["VendorName"].removesuffix(" West") in names and row["VendorName"] not in names]
    nobody = [row for row in free if row["VendorName"].startswith("Captured Only Vendor")]
    assert 0.10 * len(epicor) <= len(exact) <= 0.30 * len(epicor)
    assert 0.10 * len(epicor) <= len(by_tax) + len(by_address) <= 0.30 * len(epicor)
    assert min(len(by_tax), len(by_address), len(near), len(nobody)) >= 1
    assert len(exact) + len(by_tax) + len(by_address) + len(near) + len(nobody) == len(rows)
    assert {row["VendorExternalSystemID"].split("|")[0] for row in exact} == {"EPIC06"}


def test_many_vendors_go_in_and_come_out(avid: AvidWorld) -> None:
    before = len(avid.ledger()["vendors"])
    for start in range(0, 2000, 50):
        avid.vendors(*(f"M|{number}|MAIN" for number in range(start, start + 50)))
    seen: list[int] = []
    for number in range(1, 100):
        rows = avid.items("/vendors", pageNumber=number, pageSize=500)
        if not rows:
            break
        seen += [row["Id"] for row in rows]
    assert len(seen) == len(set(seen)) == before + 2000


def test_vendor_renamed_merged_and_removed_over_there(avid: AvidWorld) -> None:
    avid.vendors("X|1|MAIN", "X|2|MAIN")
    (one,), (two,) = held(avid, "X|1|MAIN"), held(avid, "X|2|MAIN")
    avid.clock.forward(days=1)
    assert avid.edit("vendors", key={"Id": one["Id"]}, set={"VendorName": "Renamed"}).json() == {"rows": 1}
    changed = avid.items("/vendors", lastModifiedFrom="2026-11-24")
    assert [row["VendorName"] for row in changed] == ["Renamed"]
    assert avid.edit("vendors", key={"Id": two["Id"]}, set={"VendorExternalSystemID": None}).json() == {"rows": 1}
    assert avid.edit("vendors", key={"Id": one["Id"]}, merge_into=two["Id"]).json() == {"rows": 1}
    rows = {row["Id"]: row for row in avid.ledger()["vendors"]}
    assert rows[two["Id"]]["VendorExternalSystemID"] == "X|1|MAIN"
    assert (rows[one["Id"]]["IsActive"], rows[one["Id"]]["MergedIntoId"]) == (False, two["Id"])
    assert avid.edit("vendors", key={"Id": two["Id"]}, delete=True).json() == {"rows": 1}
    assert held(avid, "X|1|MAIN") == []
    assert avid.edit("vendors", key={"Id": two["Id"]}, delete=True).status_code == 400


def test_chart_and_dimensions(avid: AvidWorld) -> None:
    account = {"AccountNumber": "01-10-5010", "Description": "Bearings", "IsActive": True}
    assert avid.send("glAccounts", account, {**account, "AccountNumber": "x" * 101}) == [
        (True, []),
        (False, ["VALIDATION"]),
    ]
    assert avid.send("glAccounts", {"AccountNumber": "01-10-5010", "Operation": "Inactivate"}) == [(True, [])]
    value = {"DimensionName": "Department", "Code": "20", "IsActive": True}
    assert avid.send("dimensions", value) == [(True, [])]
    held_now = avid.ledger()
    assert held_now["gl_accounts"] == [
        {
            "Id": 70001,
            "AccountNumber": "01-10-5010",
            "Description": "",
            "AccountType": "",
            "IsActive": False,
            "LastModified": NOW,
        }
    ]
    assert held_now["dimensions"] == [{"Id": 70002, **value, "Description": "", "ParentCode": "", "LastModified": NOW}]


def order(number: str = "4001", **changes: Any) -> dict[str, Any]:
    line = {"LineNumber": 1, "ReleaseNumber": 1, "Quantity": 4, "UnitPrice": Decimal("2.5"), "Amount": Decimal("10.00")}
    return {
        "PONumber": number,
        "VendorExternalSystemID": "X|1|MAIN",
        "Status": "Open",
        "TotalAmount": Decimal("10.00"),
        "Lines": [line],
        **changes,
    }


def receipt(**changes: Any) -> dict[str, Any]:
    line = {"LineNumber": 1, "ReleaseNumber": 1, "ReceivedQuantity": 4, "ReceiptNumber": "PS-1"}
    return {"PONumber": "4001", "VendorExternalSystemID": "X|1|MAIN", "Lines": [line], **changes}


def test_orders_and_receipts_need_what_they_name(avid: AvidWorld) -> None:
    assert avid.send("purchaseOrders", order()) == [(False, ["VENDOR_NOT_FOUND"])]
    avid.vendors("X|1|MAIN", "X|2|MAIN")
    assert avid.send("receipts", receipt()) == [(False, ["PO_NOT_FOUND"])]
    coded = [{**order()["Lines"][0], "GLAccount": "nowhere"}]
    assert avid.send("purchaseOrders", order(Lines=coded)) == [(False, ["GL_NOT_FOUND"])]
    assert avid.send("purchaseOrders", order(Status="Lost")) == [(False, ["VALIDATION"])]
    assert avid.send("purchaseOrders", order(TotalAmount="10.00")) == [(False, ["VALIDATION"])]
    assert avid.send("purchaseOrders", order()) == [(True, [])]
    assert avid.send("receipts", receipt(VendorExternalSystemID="X|2|MAIN")) == [(False, ["PO_VENDOR_MISMATCH"])]
    assert avid.send("receipts", receipt(Lines=[{"LineNumber": 1, "ReceivedQuantity": 4}])) == [(False, ["VALIDATION"])]
    assert avid.send("receipts", receipt()) == [(True, [])]
    assert avid.send("purchaseOrders", order(Status="Closed")) == [(True, [])]
    held_now = avid.ledger()
    assert [(row["PONumber"], row["Status"], row["TotalAmount"]) for row in held_now["purchase_orders"]] == [
        ("4001", "Closed", "10.00")
    ]
    assert [(row["PONumber"], row["Lines"][0]["ReceiptNumber"]) for row in held_now["receipts"]] == [("4001", "PS-1")]


def test_an_inactive_vendor_takes_no_orders(avid: AvidWorld) -> None:
    avid.vendors("X|1|MAIN")
    avid.send("vendors", {"VendorExternalSystemID": "X|1|MAIN", "Operation": "Inactivate"})
    assert avid.send("purchaseOrders", order()) == [(False, ["VENDOR_NOT_FOUND"])]
