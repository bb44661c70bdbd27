"""Builds the seed: the main company as asked, the second one smaller, with the same keys and other content."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from random import Random

from connector.sandbox.seed.history import pay
from connector.sandbox.seed.invoices import InvoiceWriter
from connector.sandbox.seed.orders import add_orders
from connector.sandbox.seed.reference import add_chart, add_terms_and_money
from connector.sandbox.seed.rows import Company, Seed
from connector.sandbox.seed.vendors import add_vendors, is_clean
from connector.sandbox.seed.writer import Writer, stamp


def build(*, vendors: int, invoices: int, seed: int, today: date) -> Seed:
    """Return the data set for ``vendors`` vendors and ``invoices`` invoices in EPIC06 (EPIC07 has about a tenth).

    The same numbers and day give the same rows, to the last SysRevID. Raises ``ValueError`` below 10 vendors, for
    which there is no meaningful company.
    """
    if vendors < 10 or invoices < 0:
        raise ValueError("a sandbox needs at least 10 vendors and no fewer than 0 invoices")
    writer = Writer()
    main = Company(code="EPIC06", name="Sandbox Industrial Distribution")
    other = Company(code="EPIC07", name="Sandbox Industrial Distribution North")
    _fill(writer, main, vendors=vendors, invoices=invoices, rng=Random(seed), today=today)
    _fill(writer, other, vendors=min(vendors, 12 + vendors // 10), invoices=min(invoices, 8 + invoices // 10),
          rng=Random(seed + 1), today=today)  # fmt: skip
    return Seed(companies={main.code: main, other.code: other}, today=today, seed=seed)


def _fill(writer: Writer, company: Company, *, vendors: int, invoices: int, rng: Random, today: date) -> None:
    add_terms_and_money(writer, company)
    chart = add_chart(writer, company, today=today)
    rows = add_vendors(writer, company, count=vendors, rng=rng)
    ordering = [row for row in rows[:600] if is_clean(row) and row["CurrencyCode"] == "USD"]
    add_orders(writer, company, ordering, count=max(12, invoices // 3), rng=rng, today=today)
    for group, owner, day in (("APOPEN", "", today), ("LOCKED", "ap.clerk", today)):
        writer.add(company, "APInvGrp", GroupID=group, CreatedBy="ap.clerk", ActiveUserID=owner, ApplyDate=stamp(day),
                   FiscalYear=day.year, FiscalPeriod=day.month)  # fmt: skip
    scribe = InvoiceWriter(writer, company, chart, rng=rng, today=today)
    for place in range(invoices):
        header, kind = scribe.add(place)
        if kind in {"closed", "partly"}:
            pay(writer, company, header, part=Decimal(1) if kind == "closed" else Decimal("0.4"), today=today)
