"""Where both sides of a reconciliation meet: temporary tables of this database session.

Each side comes in its own order and neither can be asked by vendor, so both are read page by page into scratch tables
and compared by SQL: memory stays flat whatever the number of payments, and nothing of it outlives the session.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import connection

#: ``epicor``: payments with our identity. ``taken``: what they take off invoices. ``paid``: AvidXchange's payments,
#: ``due`` to be recorded or ``gone`` (taken back). ``remitted``: what these are for.
TABLES = {
    "reconcile_epicor": "head_num int, payment_id text, vendor_num int, cash numeric, posted bool, voided bool",
    "reconcile_taken": "head_num int, invoice text, amount numeric",
    "reconcile_paid": "payment_id text, due bool, gone bool, status text, amount numeric, vendor_num int",
    "reconcile_remitted": "payment_id text, invoice text, link_id bigint, gross numeric",
}
_INDEXES = (
    "reconcile_epicor (payment_id)",
    "reconcile_epicor (head_num)",
    "reconcile_taken (head_num)",
    "reconcile_paid (payment_id)",
    "reconcile_remitted (payment_id)",
    "reconcile_remitted (link_id)",
)

_UNKNOWN = """
SELECT DISTINCT payment_id FROM reconcile_epicor e
WHERE payment_id > %s AND NOT EXISTS (SELECT 1 FROM reconcile_paid p WHERE p.payment_id = e.payment_id)
ORDER BY payment_id LIMIT %s
"""
_PAYMENTS = """
SELECT p.payment_id, p.due, p.gone, p.status, p.amount, count(e.head_num), min(e.head_num), sum(e.cash)
FROM reconcile_paid p LEFT JOIN reconcile_epicor e ON e.payment_id = p.payment_id AND NOT e.voided
GROUP BY p.payment_id, p.due, p.gone, p.status, p.amount
HAVING (p.due AND (count(e.head_num) <> 1 OR sum(e.cash) <> p.amount))
    OR (NOT p.due AND count(e.head_num) > CASE WHEN p.gone THEN 0 ELSE 1 END)
ORDER BY p.payment_id
"""
_ALLOCATIONS = """
WITH single AS (
    SELECT p.payment_id, min(e.head_num) AS head_num
    FROM reconcile_paid p JOIN reconcile_epicor e ON e.payment_id = p.payment_id AND NOT e.voided
    WHERE p.due GROUP BY p.payment_id HAVING count(*) = 1
), taken AS (
    SELECT s.payment_id, t.invoice, sum(t.amount) AS amount
    FROM single s JOIN reconcile_taken t ON t.head_num = s.head_num GROUP BY s.payment_id, t.invoice
), remitted AS (
    SELECT r.payment_id, r.invoice, sum(r.gross) AS gross
    FROM single s JOIN reconcile_remitted r ON r.payment_id = s.payment_id GROUP BY r.payment_id, r.invoice
)
SELECT payment_id, invoice, coalesce(taken.amount, 0), coalesce(remitted.gross, 0)
FROM taken FULL JOIN remitted USING (payment_id, invoice)
WHERE coalesce(taken.amount, 0) <> coalesce(remitted.gross, 0)
ORDER BY payment_id, invoice
"""
_ORPHANS = """
SELECT e.payment_id, e.head_num, e.cash FROM reconcile_epicor e
WHERE NOT e.voided AND NOT EXISTS (SELECT 1 FROM reconcile_paid p WHERE p.payment_id = e.payment_id)
ORDER BY e.head_num
"""
_VENDORS = """
WITH there AS (
    SELECT coalesce(p.vendor_num, (SELECT min(e.vendor_num) FROM reconcile_epicor e WHERE e.payment_id = p.payment_id))
        AS vendor_num, sum(p.amount) AS amount
    FROM reconcile_paid p WHERE p.due GROUP BY 1
), here AS (
    SELECT e.vendor_num, sum(e.cash) AS amount FROM reconcile_epicor e
    WHERE NOT e.voided AND NOT EXISTS (
        SELECT 1 FROM reconcile_paid p WHERE p.payment_id = e.payment_id AND NOT p.due AND NOT p.gone
    ) GROUP BY e.vendor_num
)
SELECT vendor_num, coalesce(here.amount, 0), coalesce(there.amount, 0)
FROM here FULL JOIN there USING (vendor_num) ORDER BY vendor_num
"""
_PAID = """
SELECT r.link_id, sum(r.gross) FROM reconcile_remitted r JOIN reconcile_paid p USING (payment_id)
WHERE p.due AND r.link_id = ANY(%s) GROUP BY r.link_id
"""


@dataclass(frozen=True, slots=True)
class PaymentRow:
    """One AvidXchange payment that Epicor does not show as it should: ``heads`` payments stand there for it."""

    payment_id: str
    due: bool
    gone: bool
    status: str
    amount: Decimal
    heads: int
    head_num: int | None
    cash: Decimal


@contextmanager
def scratch() -> Iterator[None]:
    """Make the scratch tables for as long as the block lasts."""
    _drop()
    with connection.cursor() as cursor:
        for name, columns in TABLES.items():
            cursor.execute(f"CREATE TEMP TABLE {name} ({columns})")
        for place in _INDEXES:
            cursor.execute(f"CREATE INDEX ON {place}")
    try:
        yield
    finally:
        _drop()


def _drop() -> None:
    if connection.needs_rollback:
        return  # the failed transaction takes them with it
    with connection.cursor() as cursor:
        for name in TABLES:
            cursor.execute(f"DROP TABLE IF EXISTS pg_temp.{name}")


def add(table: str, rows: Iterable[Sequence[Any]]) -> None:
    """Copy rows into one of ``TABLES``, values in the order of its columns."""
    with connection.cursor() as cursor, cursor.cursor.copy(f"COPY {table} FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def forget_payments(ids: Sequence[str]) -> None:
    """Take payments out again that are about to be added anew: a later page may show a later status."""
    with connection.cursor() as cursor:
        for table in ("reconcile_paid", "reconcile_remitted"):
            cursor.execute(f"DELETE FROM {table} WHERE payment_id = ANY(%s)", [list(ids)])  # noqa: S608  (our names)


def kept(numbers: Sequence[int]) -> set[int]:
    """Return which of these HeadNums are kept already."""
    rows = _all("SELECT head_num FROM reconcile_epicor WHERE head_num = ANY(%s)", [list(numbers)])
    return {head_num for (head_num,) in rows}


def unknown_payments(size: int) -> Iterator[list[str]]:
    """Yield ids that Epicor's payments name and AvidXchange has not shown yet, ``size`` at a time."""
    last = ""
    while rows := _all(_UNKNOWN, [last, size]):
        yield [payment_id for (payment_id,) in rows]
        last = rows[-1][0]


def payments() -> Iterator[PaymentRow]:
    """Yield the payments of AvidXchange that Epicor does not show as it should."""
    for payment_id, due, gone, status, amount, heads, head_num, cash in _all(_PAYMENTS):
        yield PaymentRow(payment_id, due, gone, status, amount, heads, head_num, cash or Decimal(0))


def allocations() -> list[tuple[str, str, Decimal, Decimal]]:
    """Return (payment id, invoice, off it in Epicor, off it at AvidXchange) where the two differ."""
    return _all(_ALLOCATIONS)


def orphans() -> list[tuple[str, int, Decimal]]:
    """Return (payment id, HeadNum, cash) of what stands in Epicor for payments that AvidXchange does not know."""
    return _all(_ORPHANS)


def vendor_totals() -> Iterator[tuple[int | None, Decimal, Decimal]]:
    """Yield (vendor, recorded in Epicor, settled at AvidXchange) of every vendor with a payment."""
    yield from _all(_VENDORS)


def paid(link_ids: Sequence[int]) -> dict[int, Decimal]:
    """Return what AvidXchange's settled payments take off these invoices."""
    return dict(_all(_PAID, [list(link_ids)]))


def count(table: str) -> int:
    """Return how many rows one of ``TABLES`` has."""
    return int(_all(f"SELECT count(*) FROM {table}")[0][0])  # noqa: S608  (our names)


def _all(statement: str, params: Sequence[Any] = ()) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        return list(cursor.fetchall())
