"""Captured invoices as rows: stored with their batch, changed and withdrawn with it, each exactly once.

``captured`` is the invoice as read and ``captured_hash`` the hash of what of it matters in Epicor; an empty hash means
that AvidXchange has taken the invoice out of its batch. Whatever a batch that was closed again brings, only the row
changes here: what of it stands in Epicor is looked at when the invoice is worked on (``ap_invoices``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec
from django.db.models import F, Q
from django.db.models.functions import Now

from connector.avidxchange.records import CapturedInvoice
from syncjobs.engine import problems
from syncjobs.engine.context import StageContext
from syncjobs.models import Batch, InvoiceLink, Posting
from syncjobs.states import POSTING_OPEN, InvoiceState, PostingState

#: Columns of an amount hold fifteen digits before the point; what does not fit is told by ``captured`` only.
_LARGEST = Decimal(10) ** 15
_MILLE = Decimal("0.001")
GONE = "AvidXchange has taken it out of its batch."
#: The problem of an invoice that was taken out of its batch when Epicor had posted it already.
REMOVED = "removed_after_posting"
_ENCODER = msgspec.json.Encoder(order="deterministic")

_CHANGED = (
    "vendor_name", "invoice_num", "currency", "gross_amount", "debit_memo", "invoice_date", "due_date", "po_number",
    "captured", "captured_hash", "captured_batch", "vendor_num", "state", "state_reason", "hold_code", "hold_message",
    "seen_run", "outcome",
)  # fmt: skip


def invoice_of(link: InvoiceLink) -> CapturedInvoice:
    """Return the captured invoice as it was last read."""
    return msgspec.json.decode(link.captured, type=CapturedInvoice)


def content_hash(invoice: CapturedInvoice) -> str:
    """Return the hash of what matters in Epicor: not where the image is, nor how the vendor is called just now."""
    core = msgspec.structs.replace(invoice, vendor_name="", image_url="", changed_at=None)
    return hashlib.sha256(_ENCODER.encode(core)).hexdigest()


def key(link: InvoiceLink) -> str:
    """Return the key under which a captured invoice's problems and audit rows stand: Epicor's, once it has one."""
    if link.vendor_num is None:
        return f"{link.company}|AvidXchange {link.avid_id or invoice_of(link).id}"
    return f"{link.company}|{link.vendor_num}|{link.invoice_num}"


def column(amount: Decimal) -> Decimal:
    """Return an amount as its column can hold it."""
    return amount.quantize(_MILLE) if abs(amount) < _LARGEST else Decimal(0)


def store(ctx: StageContext, batch: Batch, invoices: Sequence[CapturedInvoice]) -> None:
    """Store what was read of a whole batch; call it inside ``ctx.commit()``."""
    read = {invoice.id[:100]: invoice for invoice in invoices}
    known = _known(ctx, batch, read)
    _insert(ctx, batch, [invoice for name, invoice in read.items() if name not in known])
    changed: list[InvoiceLink] = []
    seen: list[InvoiceLink] = []
    gone: list[InvoiceLink] = []
    for name, link in known.items():
        if name in read:
            (changed if _take_over(ctx, link, read[name]) else seen).append(link)
            link.captured_batch = batch
        elif link.captured_hash:
            gone.append(link)
    for link in (*changed, *seen, *gone):
        link.seen_run, link.outcome = ctx.run.pk, ""
    _let_go(ctx, gone)
    give_up(ctx, [*changed, *gone], why="AvidXchange has closed the batch again with other content.")
    InvoiceLink.objects.bulk_update([*changed, *seen, *gone], _CHANGED, batch_size=200)


def give_up(ctx: StageContext, links: Iterable[InvoiceLink], *, why: str) -> None:
    """End the open postings of invoices whose draft no longer holds; what stands of them is looked up later.

    The fence rises, so that a worker which still has one cannot go on.
    """
    mine = Posting.objects.filter(tenant=ctx.tenant, kind="ap_invoice", invoice__in=[link.pk for link in links])
    mine.filter(state__in=POSTING_OPEN).update(
        state=PostingState.ABANDONED, fence=F("fence") + 1, owner="", lease_until=None, message=why, updated_at=Now()
    )


def _known(ctx: StageContext, batch: Batch, read: Collection[str]) -> dict[str, InvoiceLink]:
    """Return our rows of the invoices read and of the batch, by AvidXchange's id.

    An invoice that moved from another batch is the same invoice. One that began in Epicor keeps its row to itself; its
    capture stands beside it without the id (``_insert``), and is known by what was read.
    """
    rows = InvoiceLink.objects.filter(
        Q(avid_id__in=read) | Q(captured_batch=batch), tenant=ctx.tenant, direction=InvoiceLink.IN
    ).defer("desired")
    return {link.avid_id or invoice_of(link).id[:100]: link for link in rows}


def _insert(ctx: StageContext, batch: Batch, invoices: Sequence[CapturedInvoice]) -> None:
    ids = [invoice.id[:100] for invoice in invoices]
    taken = set(InvoiceLink.objects.filter(tenant=ctx.tenant, avid_id__in=ids).values_list("avid_id", flat=True))
    rows = [
        InvoiceLink(
            tenant=ctx.tenant,
            direction=InvoiceLink.IN,
            company=ctx.company,
            avid_id="" if invoice.id[:100] in taken else invoice.id[:100],
            captured_batch=batch,
            state=InvoiceState.CAPTURED,
            seen_run=ctx.run.pk,
            **_facts(invoice),
        )
        for invoice in invoices
    ]
    InvoiceLink.objects.bulk_create(rows, batch_size=200)


def _facts(invoice: CapturedInvoice) -> dict[str, Any]:
    return {
        "vendor_name": invoice.vendor_name[:500],
        "invoice_num": invoice.number.strip()[:100],
        "currency": invoice.currency[:10],
        "gross_amount": column(invoice.gross_amount),
        "debit_memo": invoice.gross_amount < 0,
        "invoice_date": invoice.invoice_date,
        "due_date": invoice.due_date,
        "po_number": invoice.po_number[:60],
        "captured": _ENCODER.encode(invoice).decode(),
        "captured_hash": content_hash(invoice),
    }


def _take_over(ctx: StageContext, link: InvoiceLink, invoice: CapturedInvoice) -> bool:
    """Put down what was read; True if the invoice has to be worked on because of it.

    That is when its content changed, or when it is back in a batch after it was taken out and out of Epicor too.
    """
    facts = _facts(invoice)
    was_gone = not link.captured_hash
    same = facts["captured_hash"] == (link.captured_hash or content_hash(invoice_of(link)))
    if link.vendor_num is not None:
        del facts["invoice_num"]  # the row stands for its key in Epicor, and moves only when that is free
    _set(link, facts)
    if same and not (was_gone and link.state != InvoiceState.WRITTEN):
        if was_gone:
            why = "AvidXchange has put it back into its batch."
            problems.resolve(ctx, "invoice", key(link), codes=(REMOVED,), why=why)
        return False
    _set(link, {"state": InvoiceState.CAPTURED, "state_reason": "", "hold_code": "", "hold_message": ""})
    return True


def _let_go(ctx: StageContext, gone: Sequence[InvoiceLink]) -> None:
    """Mark what AvidXchange has taken out of its batch: withdrawn if nothing of it was ever written, else to be
    taken out of Epicor, which is done where it is worked on."""
    written = set(
        Posting.objects.filter(tenant=ctx.tenant, kind="ap_invoice", invoice__in=[link.pk for link in gone])
        .exclude(steps=[])
        .values_list("invoice_id", flat=True)
    )
    for link in gone:
        _set(link, {"captured_hash": "", "hold_code": "", "hold_message": "", "state_reason": GONE})
        link.state = InvoiceState.WRITING
    unwritten = [link for link in gone if link.pk not in written]
    problems.report_page(ctx, "invoice", {key(link): None for link in unwritten})
    for link in unwritten:
        # Its number may come again with another invoice, so it lets go of its key.
        _set(link, {"state": InvoiceState.WITHDRAWN, "vendor_num": None, "outcome": "updated"})


def _set(link: InvoiceLink, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        setattr(link, name, value)
