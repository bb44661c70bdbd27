"""What may happen to a payment in the AvidXchange stand-in, and that no invoice is ever paid too much."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Any

import pytest

from connector.sandbox.avidxchange.scripts import CARD, CHECK
from tests.sandbox.avid_world import AvidWorld, invoice, of_vendor, one_cleared, paid, ready, straight


def story(name: str) -> tuple[list[dict[str, Any]], dict[int, list[str]]]:
    """Pay one invoice of 100.00 with a story; returns the ledger's payments and each one's statuses."""
    with straight(stories={1: name}) as avid:
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


def test_partial_payment() -> None:
    rows, _statuses = story("partial")
    assert [(row["Amount"], row["Status"]) for row in rows] == [("50.00", "Cleared"), ("50.00", "Cleared")]
    assert [row["Remittances"][0]["Gross"] for row in rows] == ["50.00", "50.00"]
    assert len({row["Remittances"][0]["InvoiceId"] for row in rows}) == 1


def test_card_turns_into_check_on_the_live_payment() -> None:
    with straight(pace=1, stories={1: "card_to_check"}) as avid:
        ready(avid).send("invoices", invoice("INV-1"))
        seen = []
        for _ in range(12):
            for row in paid(avid):
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
    with straight(pace=1, stories={1: "error_heals"}) as avid:
        ready(avid).send("invoices", invoice("INV-1"))
        seen: list[tuple[str, list[Any]]] = []
        batches = set()
        for _ in range(15):
            for row in paid(avid):
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


@pytest.mark.parametrize(
    ("name", "statuses"),
    [("refunded", ["Refunded"]), ("void_replaced", ["Void", "Cleared"]), ("reissued", ["Reissued", "Cleared"])],
)
def test_a_story_may_go_on_after_clearing(name: str, statuses: list[str]) -> None:
    with straight() as avid:
        number = one_cleared(avid)
        assert avid.edit("payments", key={"PaymentId": number}, story=name).json() == {"rows": 1}
        assert [row["Status"]["Description"] for row in paid(avid)] == statuses
        assert avid.edit("payments", key={"PaymentId": number}, story="nonsense").status_code == 400
