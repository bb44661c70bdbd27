"""Payments in the AvidXchange stand-in: grouping, statuses step by step, what may happen to one, reading them."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Any

import pytest

from connector.sandbox.avidxchange.scripts import ACH, CARD, CHECK
from tests.sandbox.avid_world import AvidWorld, invoice, listed

BY_METHOD = {
    CHECK: ["Sent to Check Printer", "Issued to Supplier", "Cleared"],
    ACH: ["ACH Credit Issued", "Cleared"],
    CARD: ["VCC Processing", "Sent", "Cleared"],
}
START = ["Pending Approval", "Processing", "Debit Requested", "Funds Received"]


def world(pace: float = 0.0, *, stories: dict[int, str] | None = None, awkward: bool = False) -> AvidWorld:
    """A world whose payments go straight unless a test says otherwise."""
    return AvidWorld(pace=pace, awkward=awkward, stories=stories or {}, reject_percent=0)


def ready(avid: AvidWorld, vendors: int = 1) -> AvidWorld:
    avid.chart("01-10-5010")
    avid.vendors(*(f"X|{number}|MAIN" for number in range(1, vendors + 1)))
    return avid


def of_vendor(number: int, name: str, amount: str = "100.00") -> dict[str, Any]:
    external = {"Value": f"X|{number}|{name}|1"}
    return invoice(name, amount, VendorExternalSystemID=f"X|{number}|MAIN", ExternalId=external)


def read(avid: AvidWorld, **filters: Any) -> list[dict[str, Any]]:
    return avid.items("/payments", **(filters or {"lastModifiedFrom": "2026-11-01"}))


def story(name: str) -> tuple[list[dict[str, Any]], dict[int, list[str]]]:
    """Pay one invoice of 100.00 with a story; returns the ledger's payments and each one's statuses."""
    with world(stories={1: name}) as avid:
        ready(avid).send("invoices", invoice("INV-1"))
        rows = avid.ledger()["payments"]
        return rows, {row["PaymentId"]: [entry["Description"] for entry in row["History"]] for row in rows}


def money_out(rows: list[dict[str, Any]]) -> dict[int, Decimal]:
    """What each invoice was paid by payments that were not taken back."""
    paid: dict[int, Decimal] = defaultdict(Decimal)
    for row in rows:
        if row["Status"] not in ("Void", "Refunded", "Reissued"):
            for item in row["Remittances"]:
                paid[item["InvoiceId"]] += Decimal(item["Net"])
    return paid


def test_statuses_come_one_a_pace_in_the_order_of_the_method() -> None:
    with world(pace=1) as avid:
        ready(avid, 30).send("invoices", *(of_vendor(number, f"I{number}") for number in range(1, 31)))
        seen: dict[int, list[str]] = defaultdict(list)
        methods: dict[int, str] = {}
        for _ in range(14):
            for row in read(avid):
                methods[row["PaymentId"]] = row["PaymentMethod"]["Description"]
                status = row["Status"]["Description"]
                if seen[row["PaymentId"]][-1:] != [status]:
                    seen[row["PaymentId"]].append(status)
            avid.clock.forward(seconds=1)
        assert len(seen) == 30
        assert set(methods.values()) == {CHECK, ACH, CARD}
        for number, statuses in seen.items():
            assert statuses == START + BY_METHOD[methods[number]]
        before = avid.ledger()
        assert before["settled"] is True
        avid.clock.forward(days=10)
        assert avid.ledger() == before


def test_what_each_method_leaves_behind() -> None:
    with world() as avid:
        ready(avid, 30).send("invoices", *(of_vendor(number, f"I{number}") for number in range(1, 31)))
        for row in read(avid):
            method = row["PaymentMethod"]["Description"]
            numbers = (row["AvidPayChecknumber"], row["AchTraceNumber"], row["VirtualCardLast4"])
            assert [bool(number) for number in numbers] == [method == CHECK, method == ACH, method == CARD]
            assert row["Status"] == {"Id": 13, "Description": "Cleared"}
            assert row["ClearedDate"] == "2026-11-23T12:00:00.000Z"
            assert row["CheckNumber"] is None
            assert row["HasClearedCheckImages"] is (method == CHECK)
            assert row["BankAccount"] == {"ClientIds": ["OPER"]}
            if method == CARD:
                assert len(row["VirtualCardLast4"]) == 4
            if method == CHECK:
                assert int(row["AvidPayChecknumber"]) < 2**31


def grouped(avid: AvidWorld, *invoices: dict[str, Any]) -> list[dict[str, Any]]:
    ready(avid, 12)
    before = len(avid.ledger()["payments"])
    avid.send("invoices", *invoices)
    return avid.ledger()["payments"][before:]


def test_one_payment_over_three_invoices_with_a_credit() -> None:
    amounts = {"A": "100.00", "B": "50.25", "C": "10.00", "CR": "-30.50"}
    found = 0
    for number in range(1, 13):
        with world() as avid:
            rows = grouped(avid, *(of_vendor(number, name, amount) for name, amount in amounts.items()))
            if rows[0]["Method"] == CARD:
                assert [row["Amount"] for row in rows] == ["69.50", "50.25", "10.00"]
                assert [item["Number"] for item in rows[0]["Remittances"]] == ["A", "CR"]
                continue
            (row,) = rows
            found += 1
            assert row["Amount"] == "129.75"
            assert {item["Number"]: item["Net"] for item in row["Remittances"]} == amounts
            assert {item["ExternalId"] for item in row["Remittances"]} == {f"X|{number}|{name}|1" for name in amounts}
    assert 0 < found < 12


def test_a_credit_waits_for_something_to_ride_with() -> None:
    with world() as avid:
        ready(avid).send("invoices", of_vendor(1, "CR", "-30.50"))
        assert avid.ledger()["payments"] == []
        avid.send("invoices", of_vendor(1, "SMALL", "30.50"))
        assert [row["Amount"] for row in avid.ledger()["payments"]] == ["30.50"]
        avid.send("invoices", of_vendor(1, "BIG", "100.00"))
        assert [row["Amount"] for row in avid.ledger()["payments"]] == ["30.50", "69.50"]


def test_currencies_are_not_paid_together() -> None:
    with world() as avid:
        ready(avid).send("invoices", of_vendor(1, "U"), {**of_vendor(1, "C"), "Currency": "CAD"})
        assert [len(row["Remittances"]) for row in avid.ledger()["payments"]] == [1, 1]


def test_partial_payment() -> None:
    rows, _statuses = story("partial")
    assert [(row["Amount"], row["Status"]) for row in rows] == [("50.00", "Cleared"), ("50.00", "Cleared")]
    assert [row["Remittances"][0]["Gross"] for row in rows] == ["50.00", "50.00"]
    assert len({row["Remittances"][0]["InvoiceId"] for row in rows}) == 1


def test_card_turns_into_check_on_the_live_payment() -> None:
    with world(pace=1, stories={1: "card_to_check"}) as avid:
        ready(avid).send("invoices", invoice("INV-1"))
        seen = []
        for _ in range(12):
            for row in read(avid):
                method, status = row["PaymentMethod"]["Description"], row["Status"]["Description"]
                state = (
                    row["PaymentId"],
                    method,
                    status,
                    bool(row["AvidPayChecknumber"]),
                    bool(row["VirtualCardLast4"]),
                )
                if state not in seen:
                    seen.append(state)
            avid.clock.forward(seconds=1)
        number = seen[0][0]
        assert seen[-5:] == [
            (number, CARD, "VCC Processing", False, True),
            (number, CARD, "Sent", False, True),
            (number, CHECK, "Sent to Check Printer", True, False),
            (number, CHECK, "Issued to Supplier", True, False),
            (number, CHECK, "Cleared", True, False),
        ]


def test_error_with_reason_4_heals() -> None:
    with world(pace=1, stories={1: "error_heals"}) as avid:
        ready(avid).send("invoices", invoice("INV-1"))
        seen: list[tuple[str, list[Any]]] = []
        batches = set()
        for _ in range(15):
            for row in read(avid):
                reasons = [item["ReasonCode"]["Id"] for item in row["Exceptions"]]
                seen.append((row["Status"]["Description"], reasons))
                batches.add(avid.items("/payments/batches", batchIds=row["BatchId"])[0]["Status"]["Description"])
            avid.clock.forward(seconds=1)
        assert ("Error", [4]) in seen
        assert seen[-1] == ("Cleared", [])
        assert batches == {"Processing", "Processing with Exceptions", "Closed"}


def test_voided_before_it_was_paid_and_replaced() -> None:
    rows, statuses = story("void_replaced")
    old, new = rows
    assert statuses[old["PaymentId"]] == ["Pending Approval", "Processing", "Void"]
    assert (old["VoidedDate"], bool(old["VoidReason"])) == ("2026-11-23T12:00:00+00:00", True)
    assert (new["Status"], new["Remittances"], new["ReplacesPaymentId"]) == ("Cleared", old["Remittances"], None)
    assert set(money_out(rows).values()) == {Decimal("100.00")}


def test_cleared_then_refunded() -> None:
    (row,), statuses = story("refunded")
    assert statuses[row["PaymentId"]][-2:] == ["Cleared", "Refunded"]
    assert (row["RefundedAmount"], row["RefundedDate"]) == ("100.00", "2026-11-23T12:00:00+00:00")
    assert row["ClearedDate"] is not None


@pytest.mark.parametrize(("name", "linked"), [("reissued", True), ("reissued_unlinked", False)])
def test_reissued(name: str, linked: bool) -> None:
    rows, statuses = story(name)
    old, new = rows
    assert statuses[old["PaymentId"]][-2:] == ["Issued to Supplier", "Reissued"]
    assert (old["ReplacedByPaymentId"], new["ReplacesPaymentId"]) == (
        (new["PaymentId"], old["PaymentId"]) if linked else (None, None)
    )
    assert new["Status"] == "Cleared"
    assert old["AvidPayCheckNumber"] != new["AvidPayCheckNumber"]
    assert set(money_out(rows).values()) == {Decimal("100.00")}


def test_with_all_stories_no_invoice_is_paid_more_than_it_is_worth() -> None:
    with AvidWorld() as avid:
        ready(avid, 25)
        for name in ("A", "B"):
            sent = [of_vendor(number, f"{name}{number}", f"{number}7.{number:02d}") for number in range(1, 26)]
            avid.send("invoices", *sent)
            avid.send("invoices", *(of_vendor(number, f"CR{name}{number}", "-1.11") for number in range(1, 26)))
        held = avid.ledger()
        gross = {row["Id"]: Decimal(row["GrossAmount"]) for row in held["invoices"]}
        paid = money_out(held["payments"])
        told = {row["Status"] for row in held["payments"]}
        assert told == {"Cleared", "Void", "Refunded", "Reissued"}
        assert all(abs(amount) <= abs(gross[number]) and amount * gross[number] >= 0 for number, amount in paid.items())
        unpaid = {row["Number"] for row in held["invoices"] if paid.get(row["Id"], 0) != gross[row["Id"]]}
        refunded = {
            item["Number"] for row in held["payments"] if row["Status"] == "Refunded" for item in row["Remittances"]
        }
        rejected = {row["Number"] for row in held["invoices"] if row["ApprovalStatus"] == "Rejected"}
        waiting = {row["Number"] for row in held["invoices"] if row["Paid"] == "0"}
        assert refunded
        assert unpaid == refunded | rejected | waiting
        assert all(number.startswith("CR") for number in waiting - rejected)
        for row in held["payments"]:
            assert Decimal(row["Amount"]) == sum(Decimal(item["Net"]) for item in row["Remittances"]) > 0


def test_discounts_are_taken_on_request_only() -> None:
    for on, net in ((False, "100.00"), (True, "98.00")):
        with world() as avid:
            avid.state.options.discounts = on
            ready(avid).send("invoices", {**invoice("INV-1"), "DiscountAmount": Decimal("2.00")})
            (row,) = avid.ledger()["payments"]
            (item,) = row["Remittances"]
            assert (row["Amount"], item["Gross"], item["Net"]) == (net, "100.00", net)


def one_cleared(avid: AvidWorld) -> int:
    ready(avid).send("invoices", invoice("INV-1"))
    (row,) = avid.ledger()["payments"]
    return int(row["PaymentId"])


def test_unknown_words_and_the_end_of_a_payment_by_edit() -> None:
    with world() as avid:
        number = one_cleared(avid)
        assert avid.edit("payments", key={"PaymentId": number}, set={"Status": "Under Review"}).json() == {"rows": 1}
        avid.edit("payments", key={"PaymentId": number}, set={"Method": "Carrier Pigeon"})
        (row,) = read(avid)
        assert row["Status"] == {"Id": 99, "Description": "Under Review"}
        assert row["PaymentMethod"] == {"Id": 99, "Description": "Carrier Pigeon"}
        avid.edit("payments", key={"PaymentId": number}, set={"Status": "Void - stale check", "VoidReason": "stale"})
        (row,) = read(avid)
        assert (row["VoidedDate"], row["VoidReason"]) == ("2026-11-23T12:00:00.000Z", "stale")


@pytest.mark.parametrize(
    ("name", "statuses"),
    [("refunded", ["Refunded"]), ("void_replaced", ["Void", "Cleared"]), ("reissued", ["Reissued", "Cleared"])],
)
def test_a_story_may_go_on_after_clearing(name: str, statuses: list[str]) -> None:
    with world() as avid:
        number = one_cleared(avid)
        assert avid.edit("payments", key={"PaymentId": number}, story=name).json() == {"rows": 1}
        assert [row["Status"]["Description"] for row in read(avid)] == statuses
        assert avid.edit("payments", key={"PaymentId": number}, story="nonsense").status_code == 400


def test_a_late_modification_lies_outside_the_window() -> None:
    with world() as avid:
        number = one_cleared(avid)
        change = {"Status": "Refunded", "LastModified": "2026-10-01T00:00:00Z"}
        avid.edit("payments", key={"PaymentId": number}, set=change)
        assert read(avid) == []
        (row,) = read(avid, paymentIds=str(number))
        assert row["Status"]["Description"] == "Refunded"


def test_filters() -> None:
    with world() as avid:
        number = one_cleared(avid)
        avid.edit("payments", key={"PaymentId": number}, set={"ExternalPaymentIds": ["P,1", "P2"]})
        batch = read(avid)[0]["BatchId"]
        hits: list[dict[str, Any]] = [
            {"batchId": batch},
            {"paymentIds": f"1,{number},{number}"},
            {"externalPaymentIds": "P2"},
            {"lastModifiedFrom": "2026-11-23", "lastModifiedTo": "2026-11-23"},
            {"lastModifiedFrom": "2026-10-24"},
        ]
        misses: list[dict[str, Any]] = [
            {"batchId": "PB-0"},
            {"paymentIds": "1"},
            {"externalPaymentIds": "P3"},
            {"lastModifiedFrom": "2026-11-24", "lastModifiedTo": "2026-11-25"},
            {"paymentIds": str(number), "batchId": "PB-0"},
        ]
        assert [[row["PaymentId"] for row in read(avid, **query)] for query in hits] == [[number]] * 5
        assert [read(avid, **query) for query in misses] == [[]] * 5
        assert avid.get("/payments", who="EPIC07", paymentIds=str(number)).json()["Items"] == []
        refused: list[dict[str, Any]] = [
            {},
            {"lastModifiedTo": "2026-11-23"},
            {"lastModifiedFrom": "2026-10-23"},
            {"lastModifiedFrom": "2026-11-23T10:00:00Z"},
            {"paymentIds": ",".join(map(str, range(51)))},
        ]
        assert [avid.get("/payments", **query).status_code for query in refused] == [400] * 5
        assert avid.get("/payments/batches").status_code == 400


def test_history_and_cleared_check_image() -> None:
    with world() as avid:
        ready(avid, 30).send("invoices", *(of_vendor(number, f"I{number}") for number in range(1, 31)))
        kinds = set()
        for row in read(avid):
            path = f"/payments/{row['PaymentId']}"
            entries = avid.items(f"{path}/paymenthistory")
            method = row["PaymentMethod"]["Description"]
            assert [entry["Description"] for entry in entries] == START + BY_METHOD[method]
            assert {entry["PaymentID"] for entry in entries} == {row["PaymentId"]}
            image = avid.get(f"{path}/getclearedcheckimage")
            assert image.status_code == (200 if method == CHECK else 404)
            kinds.add((image.headers["Content-Type"], image.content[:4]))
        assert {("application/pdf", b"%PDF"), ("image/png", b"\x89PNG")} < kinds
        assert avid.get("/payments/1/paymenthistory").status_code == 404
        assert avid.get("/payments/500001/paymenthistory", who="EPIC07").status_code == 404


def test_awkward_shapes_of_a_payment() -> None:
    with world(awkward=True) as avid:
        ready(avid, 40).send("invoices", *(of_vendor(number, f"I{number}") for number in range(1, 41)))
        rows = read(avid)
        spelled = {name for row in rows for name in row if "check" in name.lower() and name.lower().startswith("avid")}
        assert spelled == {"AvidPayChecknumber", "AvidPayCheckNumber", "AvidpayCheckNumber"}
        assert {type(row["Amount"]) for row in rows} == {float, str}
        assert {type(row["PaymentId"]) for row in rows} == {int, str}
        assert {row["LastModified"][-1] for row in rows} == {"Z", "0"}
        assert {"VoidReason" in row for row in rows} == {True, False}
        assert {"Channel" in row for row in rows} == {True, False}


def test_bank_accounts_and_accounting_system() -> None:
    with world() as avid:
        accounts = avid.items("/bankAccounts")
        assert [(row["ClientId"], row["Status"]) for row in accounts] == [
            ("OPER", "Synced"),
            ("AVID", "Synced"),
            ("CADOP", "Pending"),
        ]
        avid.edit("bank_accounts", key={"ClientId": "AVID"}, set={"Status": "Failed"})
        assert avid.items("/bankAccounts")[1]["Status"] == "Failed"
        assert avid.items("/accountingSystems") == [{"ID": 17, "Name": "Epicor EPIC06"}]
        assert listed(avid.get("/accountingSystems", who="EPIC07").json()["Items"])[0]["ID"] == 18
