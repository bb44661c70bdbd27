"""Purchase orders from Epicor to AvidXchange, with lines, releases and receipts, for matching there.

A PO is read again when it or one of its lines changed, when something was received against it (a receipt's line has
its own change date, a release has none, epicor.md 4.2), or when it waited for a vendor that has been mapped since. It
goes out as two items: the PO itself, whatever state it is in, so that closing and voiding end the matching over there;
and, once that was accepted, everything received against it so far. On the first load closed POs stay in Epicor, unless
an open invoice names them. A full read reads the open POs, and by number those that should be among them and are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import CharField, Exists, F, OuterRef, Q
from django.db.models.functions import Cast

from connector.avidxchange.client import BatchKind
from connector.avidxchange.records import ReceiptItem
from connector.epicor import records as epicor
from connector.epicor.client import BadRow
from connector.translate import purchase_orders
from connector.translate.codebook import Codebook, Hold, Rules
from syncjobs.engine import batches, codebook, reading, refusals
from syncjobs.engine.context import StageContext
from syncjobs.engine.outbox import Outbox, tally, wanted
from syncjobs.engine.outgoing import PO_NOT_SENT
from syncjobs.engine.problems import Finding
from syncjobs.engine.storing import report_gone, store_page
from syncjobs.models import InvoiceLink, PurchaseOrderLink, VendorMapping
from syncjobs.states import InvoiceState, MappingState

ORDERS = reading.Stream("purchase_orders", epicor.PURCHASE_ORDERS, epicor.PurchaseOrder, "ChangeDate")
#: What hangs on a PO and has a change date of its own.
CHILDREN: tuple[reading.Stream[Any], ...] = (
    reading.Stream("purchase_order_lines", epicor.PO_LINES, epicor.PurchaseOrderLine, "ChangeDate", child=True),
    reading.Stream("receipt_lines", epicor.RECEIPT_LINES, epicor.ReceiptLine, "ChangeDate", child=True),
)
#: POs read again in one go; each brings its lines, releases and receipts along.
SLICE = 100


@dataclass(frozen=True, slots=True)
class Children:
    """What hangs on one PO, and the first row of it that cannot be read."""

    lines: list[epicor.PurchaseOrderLine]
    releases: list[epicor.PurchaseOrderRelease]
    received: list[epicor.ReceiptLine]
    unreadable: BadRow | None


def run(ctx: StageContext) -> None:
    """Bring AvidXchange's purchase orders and receipts up to Epicor's."""
    rules = codebook.rules_for(ctx.tenant)
    listed: set[int] = set()
    for page in reading.changed(ctx, ORDERS, first="OpenOrder eq true and VoidOrder eq false"):
        listed |= {order.po_num for order in page.rows}
        rows = _translated(ctx, page.rows, rules=rules)
        with ctx.commit():
            _store(ctx, rows)
            page.place()
    for stream in CHILDREN:
        _read_children(ctx, stream, rules=rules)
    for numbers in [*_released(ctx), *_asked_for(ctx)]:
        rows = _reread(ctx, numbers, rules=rules)
        with ctx.commit():
            _store(ctx, rows)
    if ctx.run.full_read:
        _read_unlisted(ctx, listed, rules=rules)
    batches.push(ctx, ORDER_BOX)
    batches.push(ctx, RECEIPT_BOX)
    tally(ctx, PurchaseOrderLink, OUTCOMES)


def _read_children(ctx: StageContext, stream: reading.Stream[Any], *, rules: Rules) -> None:
    """Read the POs again, among those we keep and did not just read, of which a line or a receipt's line changed."""
    with ctx.commit():
        reading.follow(ctx, stream, ORDERS)
    for page in reading.changed(ctx, stream):
        kept = PurchaseOrderLink.objects.filter(
            tenant=ctx.tenant, company=ctx.company, po_num__in={line.po_num for line in page.rows}
        )
        numbers = kept.exclude(seen_run=ctx.run.pk).order_by("po_num").values_list("po_num", flat=True)
        rows = _reread(ctx, list(numbers), rules=rules)
        with ctx.commit():
            _store(ctx, rows)
            page.place()


def _read_unlisted(ctx: StageContext, listed: set[int], *, rules: Rules) -> None:
    """Read the POs again that are open over there and were not among Epicor's open ones; tell about those it lost."""
    there = PurchaseOrderLink.objects.filter(tenant=ctx.tenant, company=ctx.company, status="Open").exclude(
        sent_hash=""
    )
    unlisted = {number: pk for number, pk in there.values_list("po_num", "pk") if number not in listed}
    for numbers in _slices(sorted(unlisted)):
        found, bad = reading.belonging(ctx, epicor.PURCHASE_ORDERS, epicor.PurchaseOrder, "PONum", numbers)
        rows = _translated(ctx, found, rules=rules)
        with ctx.commit():
            _store(ctx, rows)
        known = {order.po_num for order in found} | reading.owners(bad, numbers).keys()
        gone = {f"{ctx.company}|{number}": unlisted[number] for number in numbers if number not in known}
        report_gone(ctx, "purchase_order", gone, words="Purchase order")


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
    # A PO that cannot be read is told about when it is read for its own sake.
    orders, _bad = reading.belonging(ctx, epicor.PURCHASE_ORDERS, epicor.PurchaseOrder, "PONum", numbers)
    return _translated(ctx, orders, rules=rules)


def _translated(ctx: StageContext, orders: Sequence[epicor.PurchaseOrder], *, rules: Rules) -> list[dict[str, Any]]:
    """Fetch what hangs on the POs, by their numbers, and make their rows."""
    numbers = [order.po_num for order in orders]
    lines, bad = reading.belonging(ctx, epicor.PO_LINES, epicor.PurchaseOrderLine, "PONUM", numbers)
    releases, more = reading.belonging(ctx, epicor.PO_RELEASES, epicor.PurchaseOrderRelease, "PONum", numbers)
    received, slips = reading.belonging(ctx, epicor.RECEIPT_LINES, epicor.ReceiptLine, "PONum", numbers)
    # A receipt's line has its vendor in its key, not its PO.
    vendors = {order.vendor_num for order in orders}
    by_order, by_vendor = reading.owners([*bad, *more], numbers), reading.owners(slips, sorted(vendors))
    book = codebook.load(ctx, vendor_nums=vendors)
    rows = []
    for order in orders:
        children = Children(
            [line for line in lines if line.po_num == order.po_num],
            [release for release in releases if release.po_num == order.po_num],
            [line for line in received if line.po_num == order.po_num],
            by_order.get(order.po_num) or by_vendor.get(order.vendor_num),
        )
        rows.append(_row(ctx, order, children, book=book, rules=rules))
    return rows


def _row(
    ctx: StageContext, order: epicor.PurchaseOrder, children: Children, *, book: Codebook, rules: Rules
) -> dict[str, Any]:
    item = purchase_orders.to_avidxchange(order, children.lines, children.releases, codebook=book, rules=rules)
    receipts = purchase_orders.receipts_to_avidxchange(order, children.received, codebook=book, rules=rules)
    hold = item if isinstance(item, Hold) else receipts if isinstance(receipts, Hold) else None
    hold = hold or (_not_whole(order, children.unreadable) if children.unreadable else None)
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
        "_hold": hold and Finding.of(hold, amount=order.doc_total_order, currency=epicor.text(order.currency_code)),
    }


def _not_whole(order: epicor.PurchaseOrder, bad: BadRow) -> Hold:
    return Hold(
        "bad_row",
        f"Something of purchase order {order.po_num} cannot be read ({bad.key}): {bad.reason}.",
        hint="Epicor: Purchase Order Entry or Receipt Entry, correct the value.",
    )


def _store(ctx: StageContext, rows: Sequence[dict[str, Any]]) -> None:
    store_page(
        ctx,
        PurchaseOrderLink,
        rows,
        subject_kind="purchase_order",
        key=("company", "po_num"),
        changed=("vendor_num", "status", "total", "desired_hash", "receipts_desired_hash", "hold_code"),
        or_when="old.hold_code <> ''"
        " OR (old.desired_hash <> old.sent_hash AND (old.status = 'Open' OR old.sent_hash <> ''))"
        " OR (old.receipts_desired_hash <> old.receipts_sent_hash AND old.sent_hash <> '')",
    )


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
    "rejected": ~Q(refused_hash="") & Q(refused_hash=F("desired_hash"))
    | ~Q(receipts_refused_hash="") & Q(receipts_refused_hash=F("receipts_desired_hash")),
    # Only a rehearsal leaves translated POs unsent; it counts what it would have done.
    "created": Q(sent_hash="", status="Open"),
    "updated": KNOWN_THERE & ~Q(sent_hash=F("desired_hash")),
}
