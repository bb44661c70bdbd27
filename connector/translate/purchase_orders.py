"""Purchase orders and their receipts, Epicor to AvidXchange, for matching (avidxchange.md R7, R8 and section 4).

One AvidXchange line is one release: that is what arrives and is invoiced. A line's cost is split over its releases by
quantity, to the cent. Void lines are sent with nothing ordered rather than left out, so that an upsert that merges and
one that replaces end alike. A PO is no debt, so its costs are rounded to cents; what is rounded is what is summed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal

from connector.avidxchange.records import PurchaseOrderItem, PurchaseOrderLineItem, ReceiptItem, ReceiptLineItem
from connector.epicor.records import (
    PurchaseOrder,
    PurchaseOrderLine,
    PurchaseOrderRelease,
    Receipt,
    ReceiptLine,
    text,
)
from connector.translate.codebook import Codebook, Rules
from connector.translate.holds import HoldError, dated, holding, same_company
from connector.translate.money import ZERO, apportion, cents, total


def status(po: PurchaseOrder) -> str:
    """Return what AvidXchange calls a PO's state: Void, Open or Closed."""
    if po.void_order:
        return "Void"
    return "Open" if po.open_order else "Closed"


@holding
def to_avidxchange(
    po: PurchaseOrder,
    lines: Sequence[PurchaseOrderLine],
    releases: Sequence[PurchaseOrderRelease],
    *,
    codebook: Codebook,
    rules: Rules,
) -> PurchaseOrderItem:
    """Return the item that keeps a PO current over there, or a ``Hold``.

    ``total_amount`` is always the sum of the lines, whatever the header says. An open PO that is not approved is held
    (po_not_approved): nobody promised to pay for it. A closed or void one goes out all the same, to end matching.
    """
    same_company(po.company, rules.company, what=f"purchase order {po.po_num}")
    if status(po) == "Open" and not po.approve:
        raise HoldError(
            "po_not_approved",
            f"Purchase order {po.po_num} is not approved in Epicor.",
            field="Approve",
            hint="Epicor: Purchase Order Entry, approve it; it goes out by itself then.",
        )
    vendor = codebook.vendor(po.vendor_num)
    by_line: dict[int, list[PurchaseOrderRelease]] = defaultdict(list)
    for release in sorted(releases, key=lambda release: release.po_rel_num):
        if release.po_num == po.po_num:
            by_line[release.po_line].append(release)
    ours = sorted((line for line in lines if line.po_num == po.po_num), key=lambda line: line.po_line)
    items = tuple(item for line in ours for item in _line_items(line, by_line[line.po_line], void=po.void_order))
    return PurchaseOrderItem(
        po_number=str(po.po_num),
        vendor_external_system_id=vendor.external_id,
        order_date=dated(po.order_date, what=f"order date of purchase order {po.po_num}", field="OrderDate"),
        status=status(po),
        total_amount=cents(total(item.amount for item in items)),
        currency=text(po.currency_code).upper() or rules.base_currency,
        lines=items,
        operation="Upsert",
    )


def _line_items(
    line: PurchaseOrderLine, releases: Sequence[PurchaseOrderRelease], *, void: bool
) -> Iterable[PurchaseOrderLineItem]:
    """Yield a line's items, one a release; a line without releases is one item with release 0."""
    nothing = void or line.void_line
    numbers = [release.po_rel_num for release in releases] or [0]
    ordered = [release.rel_qty for release in releases] or [line.order_qty]
    received = [release.received_qty for release in releases] or [ZERO]
    cost = cents(ZERO if nothing else line.doc_ext_cost, lossy=True)
    amounts = apportion(cost, [max(quantity, ZERO) for quantity in ordered])
    for number, quantity, came, amount in zip(numbers, ordered, received, amounts, strict=True):
        yield PurchaseOrderLineItem(
            line_number=line.po_line,
            release_number=number,
            part_number=text(line.part_num),
            description=text(line.line_desc),
            unit_of_measure=text(line.pum),
            quantity=ZERO if nothing else quantity,
            unit_price=line.doc_unit_cost,
            amount=amount,
            received_quantity=came,
        )


@holding
def receipts_to_avidxchange(
    po: PurchaseOrder,
    receipt_lines: Sequence[ReceiptLine],
    receipts: Sequence[Receipt] = (),
    *,
    codebook: Codebook,
    rules: Rules,
) -> ReceiptItem | None:
    """Return everything received against a PO so far, None if nothing was, or a ``Hold``.

    Quantities are in the vendor's unit, like the PO's. A packing slip that names a release twice on a day counts once,
    with both quantities. ``receipts`` give a line its date and its "received" mark where the line itself has none.
    """
    same_company(po.company, rules.company, what=f"purchase order {po.po_num}")
    slips = {(slip.vendor_num, text(slip.pur_point), slip.pack_slip): slip for slip in receipts}
    came: dict[tuple[int, int, str, date | None], Decimal] = defaultdict(lambda: ZERO)
    for line in receipt_lines:
        slip = slips.get((line.vendor_num, text(line.pur_point), line.pack_slip))
        if line.po_num != po.po_num or line.po_line <= 0 or not (line.received or (slip and slip.received)):
            continue
        what = f"receipt date of packing slip {line.pack_slip}"
        day = dated(line.receipt_date, what=what, field="ReceiptDate")
        day = day or (dated(slip.receipt_date, what=what, field="ReceiptDate") if slip else None)
        came[line.po_line, line.po_rel_num, text(line.pack_slip), day] += line.vendor_qty
    if not came:
        return None
    keys = sorted(came, key=lambda key: (key[0], key[1], key[3] or date.min, key[2]))
    return ReceiptItem(
        po_number=str(po.po_num),
        vendor_external_system_id=codebook.vendor(po.vendor_num).external_id,
        lines=tuple(
            ReceiptLineItem(
                line_number=line,
                release_number=release,
                received_quantity=came[line, release, slip_number, day],
                receipt_number=slip_number,
                receipt_date=day,
            )
            for line, release, slip_number, day in keys
        ),
        operation="Upsert",
    )
