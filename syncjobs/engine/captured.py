"""Closed batches of invoices that AvidXchange captured: listed, read, checked and stored, each as a whole.

A batch is read when it is new, when its DateClosed differs from what we hold (it was closed again, contract 5.3), when
an earlier read of it did not come to its end, and when a vendor was mapped since that one of its invoices waits for:
only AvidXchange can say which external id that vendor has now. One whose control totals do not fit goes to review:
nothing of it is stored, written or acknowledged, and it is read again in the next run.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Now

from connector.avidxchange import control
from connector.avidxchange.decode import BadRow, Records
from connector.avidxchange.records import CapturedBatch, CapturedInvoice
from connector.transport.errors import Rejected, Retry
from syncjobs.engine import captured_links, cursors, problems
from syncjobs.engine.context import StageContext
from syncjobs.engine.problems import Finding
from syncjobs.models import Batch, InvoiceLink, VendorMapping
from syncjobs.states import BatchStatus, InvoiceState, MappingState, advance

STREAM = "captured_batches"
KIND = "captured_invoices"
#: How far back a first read and a full one look. What was closed before was somebody else's to import.
FIRST_DAYS = 90
#: A batch in one of these was not read to its end.
UNREAD = frozenset({BatchStatus.READING, BatchStatus.REVIEW})
#: The subject of rows of the list of batches that do not even say which batch they are.
NAMELESS = "closed batches"

_REVIEW_HINT = (
    "Nothing of it was written or acknowledged. It is read again in the next run; if that does not help, ask "
    "AvidXchange to close the batch again."
)


def read(ctx: StageContext) -> list[Retry]:
    """Bring our captured invoices up to AvidXchange's closed batches.

    Returns why batches could not be read just now; the others are stored all the same. The list itself failing raises.
    """
    late: list[Retry] = []
    seen: set[str] = set()
    mark = cursors.get(ctx, STREAM)
    high, whole = mark, True
    for page in ctx.avidxchange.captured_batches(*_window(ctx, mark)):
        known = {row.avid_batch_id: row for row in batches(ctx).filter(avid_batch_id__in=[one.guid for one in page])}
        for found in page:
            row = known.get(found.guid)
            if row is None or row.closed_at != found.closed_at or row.state in UNREAD:
                late += _take(ctx, found, row)
                seen.add(found.guid)
        whole = _report_bad(ctx, page.bad) and whole
        high = cursors.raised(high, "change_date", [found.closed_at.date().isoformat() for found in page])
    for row in _left_over(ctx).exclude(avid_batch_id__in=seen):
        late += _again(ctx, row)
    if whole:
        # Batches come in no promised order, so the mark moves only when all of them are dealt with. One that could not
        # be read has a row of its own by now and is asked for by its GUID.
        with ctx.commit():
            cursors.put(ctx, STREAM, high)
            problems.report_page(ctx, "batch", {NAMELESS: None})
    return late


def batches(ctx: StageContext) -> QuerySet[Batch]:
    """Return the tenant's captured batches."""
    return Batch.objects.filter(tenant=ctx.tenant, kind=KIND)


def _window(ctx: StageContext, mark: dict[str, str]) -> tuple[date, date]:
    """Return the days to ask for, some of them ahead of our clock."""
    first = ctx.today() - timedelta(days=FIRST_DAYS)
    start = cursors.overlap_start(mark, ctx.avidxchange.profile.window_overlap_days)
    if start is None or ctx.run.full_read:
        start = first if start is None else min(start, first)
    return start, max(ctx.today(), start) + cursors.AHEAD


def _left_over(ctx: StageContext) -> QuerySet[Batch]:
    """Batches to be read again whatever the list shows, because the list may not go back to them."""
    mapped = VendorMapping.objects.filter(tenant=ctx.tenant, state=MappingState.APPROVED).exclude(sent_hash="")
    waiting = InvoiceLink.objects.filter(
        captured_batch=OuterRef("pk"), state=InvoiceState.HELD, hold_code="vendor_not_mapped"
    )
    unread = batches(ctx).filter(state__in=UNREAD)
    by_vendor = batches(ctx).filter(Exists(waiting), Exists(mapped.filter(sent_at__gte=OuterRef("settled_at"))))
    return batches(ctx).filter(pk__in=[*unread.values_list("pk", flat=True), *by_vendor.values_list("pk", flat=True)])


def _again(ctx: StageContext, row: Batch) -> Iterator[Retry]:
    try:
        found = ctx.avidxchange.captured_batch(row.avid_batch_id)
    except Rejected as fault:
        # One that was read before stays as it was read; there is nothing more to learn about it.
        if row.state in UNREAD:
            with ctx.commit():
                _to_review(ctx, row, [f"AvidXchange does not show the batch any more: {fault.message}"])
            ctx.settle_count("held")
    except Retry as fault:
        yield fault
    else:
        yield from _take(ctx, found, row)


def _take(ctx: StageContext, found: CapturedBatch, row: Batch | None) -> Iterator[Retry]:
    """Read one batch and store it, or put it to review."""
    row = _begin(ctx, found, row)
    try:
        invoices = ctx.avidxchange.captured_invoices(found)
        faults = control.faults(found, invoices)
    except Rejected as fault:
        invoices, faults = Records[CapturedInvoice](), [fault.message]
    except Retry as fault:
        yield fault
        return
    with ctx.commit():
        if faults:
            _to_review(ctx, row, faults)
        else:
            captured_links.store(ctx, row, invoices)
            _move(row, BatchStatus.STORED, settled_at=Now(), message="")
            if row.acknowledged_at is not None:
                _move(row, BatchStatus.ACKNOWLEDGED)  # only closing it again asks for another acknowledgement
            problems.report_page(ctx, "batch", {row.external_id: None})
    if faults:
        ctx.settle_count("held", max(1, len(invoices) + len(invoices.bad)))
    ctx.say(f"Read batch {found.name or found.guid}")


def _begin(ctx: StageContext, found: CapturedBatch, row: Batch | None) -> Batch:
    """Note what AvidXchange says of the batch, as being read: a crash from here on leads to another read."""
    facts: dict[str, Any] = {
        "status_text": found.name[:200],
        "item_count": found.invoice_count,
        "total": captured_links.column(found.total),
        "closed_at": found.closed_at,
        "details_href": found.details_href,
        "run": ctx.run,
    }
    with ctx.commit():
        if row is None:
            return Batch.objects.create(
                tenant=ctx.tenant,
                stage=ctx.stage,
                kind=KIND,
                external_id=found.guid,
                avid_batch_id=found.guid,
                state=BatchStatus.READING,
                **facts,
            )
        if row.closed_at != found.closed_at:
            facts["acknowledged_at"] = None
        _move(row, BatchStatus.READING, **facts)
    return row


def _to_review(ctx: StageContext, row: Batch, faults: Sequence[str]) -> None:
    words = " ".join(faults)
    _move(row, BatchStatus.READING)
    _move(row, BatchStatus.REVIEW, message=words)
    finding = Finding(
        code="control_totals",
        message=f"Batch {row.status_text or row.external_id} of captured invoices does not add up. {words}",
        hint=_REVIEW_HINT,
        subject_id=row.pk,
        amount=Decimal(row.total),
    )
    problems.report_page(ctx, "batch", {row.external_id: finding})


def _move(row: Batch, to: BatchStatus, **facts: Any) -> None:
    if row.state == to:
        Batch.objects.filter(pk=row.pk).update(updated_at=Now(), **facts)
        for name, value in facts.items():
            setattr(row, name, value)
    elif not advance(row, to, **facts):
        raise RuntimeError(f"batch {row.external_id} was moved by someone else")


def _report_bad(ctx: StageContext, bad: Collection[BadRow]) -> bool:
    """Hold the rows of the list that cannot be read; False if there were any, and then the mark stays before them."""
    found = {
        row.key[:100] or NAMELESS: Finding(
            code="bad_row",
            message=f"AvidXchange lists a closed batch that cannot be read ({row.key or 'no id'}): {row.reason}",
            hint="It is asked for again in the next run. If it stays, tell AvidXchange which batch it is.",
        )
        for row in bad
    }
    if found:
        with ctx.commit():
            problems.report_page(ctx, "batch", dict(found))
        ctx.settle_count("held", len(bad))
    return not found
