"""Purchase orders from Epicor to AvidXchange, with lines, releases and receipts, for matching there.

A PO is read again when it changed, when something was received against it (a receipt has its own change date, a
release has none, epicor.md 4.2), or when it waited for a vendor that has been mapped since. It goes out as two items:
the PO itself, whatever state it is in, so that closing and voiding end the matching over there; and, once that was
accepted, everything received against it so far. On the first load closed POs stay in Epicor, but for those that an
open invoice names: it could not go out without them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from django.db.models import CharField, Exists, F, OuterRef, Q
from django.db.models.functions import Cast

from connector.avidxchange.client import BatchKind
from connector.avidxchange.records import ReceiptItem
from connector.epicor import records as epicor
from connector.translate import purchase_orders
from connector.translate.codebook import Codebook, Hold, Rules
from syncjobs.engine import batches, codebook, links, problems, reading, refusals
from syncjobs.engine.context import StageContext
from syncjobs.engine.outbox import Outbox, tally, wanted
from syncjobs.engine.outgoing import PO_NOT_SENT
from syncjobs.engine.problems import Finding
from syncjobs.models import InvoiceLink, PurchaseOrderLink, VendorMapping
from syncjobs.states import InvoiceState, MappingState

ORDERS = reading.Stream("purchase_orders", epicor.PURCHASE_ORDERS, epicor.PurchaseOrder, "ChangeDate")
RECEIPTS = reading.Stream("receipts", epicor.RECEIPTS, epicor.Receipt, "ChangeDate")
#: POs read again in one go; each brings its lines, releases and receipts along.
SLICE = 100


def run(ctx: StageContext) -> None:
    """Bring AvidXchange's purchase orders and receipts up to Epicor's."""
    rules = codebook.rules_for(ctx.tenant)
    for page in reading.changed(ctx, ORDERS, first="OpenOrder eq true and VoidOrder eq false"):
        rows = _translated(ctx, page.rows, rules=rules)
        with ctx.commit():
            _store(ctx, rows)
            page.place()
    for receipts in reading.changed(ctx, RECEIPTS):
        rows = _reread(ctx, _ordered_by(ctx, receipts.rows), rules=rules)
        with ctx.commit():
            _store(ctx, rows)
            receipts.place()
    for numbers in [*_released(ctx), *_asked_for(ctx)]:
        rows = _reread(ctx, numbers, rules=rules)
        with ctx.commit():
            _store(ctx, rows)
    batches.push(ctx, ORDER_BOX)
    batches.push(ctx, RECEIPT_BOX)
    tally(ctx, PurchaseOrderLink, OUTCOMES)


def _ordered_by(ctx: StageContext, receipts: Sequence[epicor.Receipt]) -> list[int]:
    """Return the POs, among those we keep and did not just read, that receipts were booked against."""
    slips = {(receipt.vendor_num, epicor.text(receipt.pur_point), receipt.pack_slip) for receipt in receipts}
    numbers: set[int] = {receipt.po_num for receipt in receipts if receipt.po_num}
    vendors = sorted({receipt.vendor_num for receipt in receipts if not receipt.po_num})
    for lines in ctx.epicor.find_by_keys(epicor.RECEIPT_LINES, "VendorNum", vendors):
        for line in lines:
            if isinstance(line, epicor.ReceiptLine) and _slip(line) in slips and line.po_num:
                numbers.add(line.po_num)
    kept = PurchaseOrderLink.objects.filter(tenant=ctx.tenant, company=ctx.company, po_num__in=numbers)
    return sorted(kept.exclude(seen_run=ctx.run.pk).values_list("po_num", flat=True))


def _released(ctx: StageContext) -> list[list[int]]:
    """Return the POs that waited for a vendor which is mapped and accepted now, in slices."""
    mapped = VendorMapping.objects.filter(tenant=ctx.tenant, company=ctx.company, state=MappingState.APPROVED).exclude(
        sent_hash=""
    )
    waiting = PurchaseOrderLink.objects.filter(
        tenant=ctx.tenant,
        company=ctx.company,
        hold_code="vendor_not_mapped",
        vendor_num__in=mapped.values("vendor_num"),
    ).exclude(seen_run=ctx.run.pk)
    return _slices(list(waiting.order_by("po_num").values_list("po_num", flat=True)))


def _asked_for(ctx: StageContext) -> list[list[int]]:
    """Return the POs that held invoices name and we have never read, in slices: they were closed before we began."""
    held = InvoiceLink.objects.filter(
        tenant=ctx.tenant, company=ctx.company, state=InvoiceState.HELD, hold_code=PO_NOT_SENT
    )
    named = {int(number) for number in held.values_list("po_number", flat=True) if number.isdecimal()}
    kept = PurchaseOrderLink.objects.filter(tenant=ctx.tenant, company=ctx.company, po_num__in=named)
    return _slices(sorted(named - set(kept.values_list("po_num", flat=True))))


def _slices(numbers: list[int]) -> list[list[int]]:
    return [numbers[start : start + SLICE] for start in range(0, len(numbers), SLICE)]


def _reread(ctx: StageContext, numbers: Sequence[int], *, rules: Rules) -> list[dict[str, Any]]:
    orders: list[epicor.PurchaseOrder] = []
    for found in ctx.epicor.find_by_keys(epicor.PURCHASE_ORDERS, "PONum", numbers):
        orders += [order for order in found if isinstance(order, epicor.PurchaseOrder)]
    return _translated(ctx, orders, rules=rules)


def _translated(ctx: StageContext, orders: Sequence[epicor.PurchaseOrder], *, rules: Rules) -> list[dict[str, Any]]:
    """Fetch what hangs on the POs, by their numbers, and make their rows."""
    numbers = [order.po_num for order in orders]
    lines: dict[int, list[epicor.PurchaseOrderLine]] = defaultdict(list)
    releases: dict[int, list[epicor.PurchaseOrderRelease]] = defaultdict(list)
    received: dict[int, list[epicor.ReceiptLine]] = defaultdict(list)
    for found in ctx.epicor.find_by_keys(epicor.PO_LINES, "PONUM", numbers):
        for row in found:
            if isinstance(row, epicor.PurchaseOrderLine):
                lines[row.po_num].append(row)
    for found in ctx.epicor.find_by_keys(epicor.PO_RELEASES, "PONum", numbers):
        for row in found:
            if isinstance(row, epicor.PurchaseOrderRelease):
                releases[row.po_num].append(row)
    for found in ctx.epicor.find_by_keys(epicor.RECEIPT_LINES, "PONum", numbers):
        for row in found:
            if isinstance(row, epicor.ReceiptLine):
                received[row.po_num].append(row)
    book = codebook.load(ctx, vendor_nums={order.vendor_num for order in orders})
    return [
        _row(ctx, order, lines[order.po_num], releases[order.po_num], received[order.po_num], book=book, rules=rules)
        for order in orders
    ]


def _row(
    ctx: StageContext,
    order: epicor.PurchaseOrder,
    lines: Sequence[epicor.PurchaseOrderLine],
    releases: Sequence[epicor.PurchaseOrderRelease],
    received: Sequence[epicor.ReceiptLine],
    *,
    book: Codebook,
    rules: Rules,
) -> dict[str, Any]:
    item = purchase_orders.to_avidxchange(order, lines, releases, codebook=book, rules=rules)
    receipts = purchase_orders.receipts_to_avidxchange(order, received, codebook=book, rules=rules)
    hold = item if isinstance(item, Hold) else receipts if isinstance(receipts, Hold) else None
    came = wanted(receipts) if isinstance(receipts, ReceiptItem) else {"desired": "", "desired_hash": ""}
    return {
        "tenant_id": ctx.tenant.pk,
        "company": order.company,
        "po_num": order.po_num,
        "vendor_num": order.vendor_num,
        "status": purchase_orders.status(order),
        "total": order.doc_total_order if isinstance(item, Hold) else item.total_amount,
        "currency": epicor.text(order.currency_code),
        "order_date": None if isinstance(item, Hold) else item.order_date,
        **(wanted(hold) if hold else wanted(item)),
        "receipts_desired": came["desired"],
        "receipts_desired_hash": came["desired_hash"],
        "row_rev": order.sys_rev_id,
        "seen_run": ctx.run.pk,
        "outcome": "",
        "_hold": hold,
    }


def _store(ctx: StageContext, rows: Sequence[dict[str, Any]]) -> None:
    """Merge POs; the ones that neither changed nor wait for anything are only counted."""
    found: dict[str, Finding | None] = {}
    for row in rows:
        hold = row.pop("_hold")
        key = f"{row['company']}|{row['po_num']}"
        found[key] = Finding.of(hold, amount=row["total"], currency=row["currency"]) if hold is not None else None
    touched = links.merge(
        PurchaseOrderLink,
        rows,
        key=("tenant_id", "company", "po_num"),
        changed=("vendor_num", "status", "total", "desired_hash", "receipts_desired_hash", "hold_code"),
        or_when="old.hold_code <> ''"
        " OR (old.desired_hash NOT IN (old.sent_hash, old.refused_hash)"
        "     AND (old.status = 'Open' OR old.sent_hash <> ''))"
        " OR old.receipts_desired_hash NOT IN (old.receipts_sent_hash, old.receipts_refused_hash)",
    )
    ctx.settle_count("unchanged", len(rows) - touched)
    problems.report_page(ctx, "purchase_order", found)


def _slip(line: epicor.ReceiptLine) -> tuple[int, str, str]:
    return line.vendor_num, epicor.text(line.pur_point), line.pack_slip


KNOWN_THERE = ~Q(sent_hash="")
#: A held invoice names it, so AvidXchange is to have it, open or not.
ASKED_FOR = Exists(
    InvoiceLink.objects.filter(
        tenant=OuterRef("tenant"),
        company=OuterRef("company"),
        state=InvoiceState.HELD,
        hold_code=PO_NOT_SENT,
        po_number=Cast(OuterRef("po_num"), CharField()),
    )
)

ORDER_BOX = Outbox(
    kind=BatchKind.PURCHASE_ORDERS,
    model=PurchaseOrderLink,
    subject_kind="purchase_order",
    # A closed or void PO ends the matching of one that is over there; one that never was has nothing to end.
    may_send=Q(hold_code="") & (Q(status="Open") | KNOWN_THERE | Q(ASKED_FOR)),
    external_id=lambda row: str(row.po_num),
    key=lambda row: f"{row.company}|{row.po_num}",
    amount=lambda row: row.total,
    decided=refusals.tell("purchase_order", "purchase order"),
)

RECEIPT_BOX = Outbox(
    kind=BatchKind.RECEIPTS,
    model=PurchaseOrderLink,
    subject_kind="receipts",
    prefix="receipts_",
    may_send=Q(hold_code="") & KNOWN_THERE,
    external_id=lambda row: str(row.po_num),
    key=lambda row: f"{row.company}|{row.po_num}",
    decided=refusals.tell("receipts", "receipts of the purchase order"),
)

#: What becomes of a PO that was read but not sent in this run, in this order.
OUTCOMES = {
    "held": ~Q(hold_code=""),
    "rejected": Q(refused_hash=F("desired_hash")),
    # Only a rehearsal leaves translated POs unsent; it counts what it would have done.
    "created": Q(sent_hash="", status="Open"),
    "updated": KNOWN_THERE & ~Q(sent_hash=F("desired_hash")),
}
