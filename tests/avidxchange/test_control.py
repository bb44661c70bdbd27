"""A captured batch that does not add up goes to review, and says why (contract 5.3)."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from connector.avidxchange import control
from connector.avidxchange.decode import BadRow, Records
from connector.avidxchange.records import CapturedBatch, CapturedInvoice
from tests.avidxchange.connected import connected


def batch(count: int, total: str) -> CapturedBatch:
    closed = datetime(2026, 11, 20, tzinfo=UTC)
    return CapturedBatch(
        guid="g", name="n", invoice_count=count, total=Decimal(total), closed_at=closed, details_href="/d"
    )


def invoices(*amounts: str, bad: tuple[BadRow, ...] = ()) -> Records[CapturedInvoice]:
    rows = [
        CapturedInvoice(id=str(place), number="1", invoice_date=None, gross_amount=Decimal(amount))
        for place, amount in enumerate(amounts)
    ]
    return Records(rows, bad)


@pytest.mark.parametrize(
    ("said", "read", "faults"),
    [
        (batch(2, "10.00"), invoices("12.50", "-2.5"), []),
        (batch(0, "0"), invoices(), []),
        (batch(3, "10.00"), invoices("10", "0"), ["The batch says it has 3 invoices, but 2 came."]),
        (
            batch(2, "10.00"),
            invoices("10", "0.01"),
            ["The batch says it totals 10.00, but its invoices add up to 10.01."],
        ),
        (
            batch(2, "10.00"),
            invoices("7", bad=(BadRow("9", "GrossAmount is not a number"),)),
            ["Invoice 9 cannot be read: GrossAmount is not a number."],
        ),
    ],
)
def test_control(said: CapturedBatch, read: Records[CapturedInvoice], faults: list[str]) -> None:
    assert control.faults(said, read) == faults


def test_a_wrong_total_over_there_is_seen() -> None:
    with connected() as here:
        wrong = here.world.ledger()["captured_batches"][0]["BatchGUID"]
        here.world.edit("captured_batches", key={"BatchGUID": wrong}, set={"BatchTotal": Decimal("1.23")})
        for guid in (one["BatchGUID"] for one in here.world.ledger()["captured_batches"]):
            said = here.client.captured_batch(guid)
            found = control.faults(said, here.client.captured_invoices(said))
            assert len(found) == (guid == wrong)
