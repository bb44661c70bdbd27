"""What AvidXchange decided about submitted invoices: verdicts of batches that came late, then each one's approval.

Approvals are read by the day of their last change, a little further back than was read before, and beside that by id
for whatever is pending since before those days, so that nothing is ever too old to be seen. The mark comes from what
was read. AvidXchange alone decides, and it may change its mind: whatever it says now is taken over, backwards too. A
rejection is a problem that finance reads with its reason. What became of the money is not told here: an approved
invoice is not a paid one (``payments_in``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date

from django.db.models import Count, Min, Q, QuerySet
from django.db.models.functions import Now

from connector.avidxchange.decode import Records
from connector.avidxchange.records import SubmittedInvoice
from syncjobs.engine import approval_marks, batches, cursors, problems, recognition
from syncjobs.engine.context import StageContext
from syncjobs.engine.problems import Finding
from syncjobs.engine.submissions import APPROVED, INVOICE_BOX, PENDING, REJECTED, key, money
from syncjobs.models import Batch, InvoiceLink
from syncjobs.states import INVOICE_THERE, BatchStatus, InvoiceState
from tenants import audit

STREAM = "approvals"
SLICE = 500
#: Where an approval puts an invoice that has not been paid.
STATES = {PENDING: InvoiceState.SUBMITTED, APPROVED: InvoiceState.APPROVED, REJECTED: InvoiceState.REJECTED}
REJECTION, UNKNOWN, VANISHED = "rejected_in_approval", "approval_unknown", "not_at_avidxchange"


def run(ctx: StageContext) -> None:
    """Bring our invoices up to what AvidXchange decided."""
    _ask(ctx, Q())
    since = _since(ctx)
    if since is not None:
        _read_changed(ctx, since)
    for links in _by_id(ctx, since):
        found = ctx.avidxchange.invoices_by_external_id([link.external_id for link in links])
        with ctx.commit():
            _store(ctx, found, links)
            _vanished(ctx, found, links)
    approval_marks.work(ctx)


def poll_open(ctx: StageContext) -> int:
    """Ask only about batches whose pause is over, between two runs; return how many were asked about."""
    return _ask(ctx, Q(next_poll_at__lte=Now()))


def _ask(ctx: StageContext, due: Q) -> int:
    """Ask about invoice batches that have no verdict on every item, and count the verdicts that came."""
    if ctx.dry_run:
        return 0
    mine = Batch.objects.filter(tenant=ctx.tenant, kind=INVOICE_BOX.kind)
    waiting = mine.filter(due, state=BatchStatus.SUBMITTED) | mine.filter(
        state=BatchStatus.UNCERTAIN, next_poll_at__lte=Now()
    )
    asked = 0
    for batch in waiting.order_by("pk"):
        ask = batches.poll if batch.state == BatchStatus.SUBMITTED else batches.resolve
        ask(ctx, INVOICE_BOX, batch)
        asked += 1
    decided = InvoiceLink.objects.filter(tenant=ctx.tenant, seen_run=ctx.run.pk).exclude(outcome="")
    for outcome, number in decided.order_by().values_list("outcome").annotate(n=Count("pk")):
        ctx.settle_count("updated" if outcome == "created" else outcome, number)
    return asked


def _since(ctx: StageContext) -> date | None:
    """Return the day from which changes are read: a little before the mark, at first the day of the first invoice."""
    marked = cursors.overlap_start(cursors.get(ctx, STREAM), ctx.avidxchange.profile.window_overlap_days)
    if marked is not None:
        return marked
    first = _ours(ctx).aggregate(first=Min("sent_at"))["first"]
    return first.astimezone(UTC).date() - cursors.AHEAD if first else None


def _ours(ctx: StageContext) -> QuerySet[InvoiceLink]:
    return InvoiceLink.objects.filter(tenant=ctx.tenant, direction=InvoiceLink.OUT, state__in=INVOICE_THERE)


def _read_changed(ctx: StageContext, since: date) -> None:
    """Read what changed since a day; the mark moves when every page is stored, because pages come in no order."""
    mark = cursors.get(ctx, STREAM)
    until = max(ctx.today() + cursors.AHEAD, since)
    for page in ctx.avidxchange.invoices_modified(since, until):
        recognition.recognise(ctx, page)
        links = _ours(ctx).filter(external_id__in=[there.external_id for there in page if there.external_id])
        with ctx.commit():
            _store(ctx, page, links.defer("desired", "captured"))
        stamps = [there.changed_at.astimezone(UTC).date().isoformat() for there in page if there.changed_at]
        mark = cursors.raised(mark, "change_date", stamps)
    with ctx.commit():
        cursors.put(ctx, STREAM, mark)


def _by_id(ctx: StageContext, since: date | None) -> Iterator[list[InvoiceLink]]:
    """Yield invoices that no reading by days shows: pending since before it began; on a full read all not paid."""
    rows = _ours(ctx).exclude(external_id="").defer("desired", "captured").order_by("pk")
    if ctx.run.full_read:
        rows = rows.filter(state__in=STATES.values())
    else:
        rows = rows.filter(state=InvoiceState.SUBMITTED)
        rows = rows.filter(sent_at__date__lt=since) if since is not None else rows
    last = 0
    while links := list(rows.filter(pk__gt=last)[:SLICE]):
        yield links
        last = links[-1].pk


def _store(ctx: StageContext, page: Records[SubmittedInvoice], links: Iterable[InvoiceLink]) -> None:
    """Take over what a page says about our invoices; call it inside ``ctx.commit()``."""
    by_id = {there.external_id: there for there in page}
    named = InvoiceLink.objects.filter(tenant=ctx.tenant, avid_id__in=[there.id for there in page])
    taken = set(named.values_list("avid_id", flat=True))
    told: dict[str, Finding | None] = {}
    entries, changed, unknown, read = [], [], 0, 0
    for link in links:
        there = by_id.get(link.external_id)
        if there is None:
            continue
        read += 1
        before = {"approval": link.approval, "state": link.state}
        status = there.approval_status.casefold()
        if status not in STATES:
            unknown += 1
            told[key(link)] = _unknown(link, there)
        elif not _take_over(link, there, status, taken):
            # A rejection is told once: a person may have dealt with it since.
            told |= {} if link.approval == REJECTED else {key(link): None}
        else:
            changed.append(link)
            told[key(link)] = _rejection(link) if link.approval == REJECTED else None
            entries.append(
                audit.Entry(
                    action=f"{ctx.stage}.{status}",
                    subject=("invoice", key(link)),
                    before=before,
                    after={"approval": link.approval, "state": link.state, "avid_id": link.avid_id},
                    reason=link.reject_reason,
                )
            )
    columns = ["approval", "approval_changed_at", "reject_reason", "state", "avid_id"]
    InvoiceLink.objects.bulk_update(changed, columns)
    problems.report_page(ctx, "invoice", told, codes=(REJECTION, UNKNOWN, VANISHED))
    audit.record_many(ctx.tenant, entries, actor=ctx.actor, run=ctx.run.pk)
    ctx.settle_count("updated", len(changed))
    ctx.settle_count("held", unknown + len(page.bad))
    ctx.settle_count("unchanged", read - len(changed) - unknown)
    problems.report_page(ctx, "approvals_row", {bad.key: _unreadable(bad.key, bad.reason) for bad in page.bad})


def _take_over(link: InvoiceLink, there: SubmittedInvoice, status: str, taken: Collection[str]) -> bool:
    """Put what AvidXchange says on the row in memory; False if that changes nothing, or is older than what we know.

    An id that came without a verdict is taken from here, unless it is another invoice's (``taken``).
    """
    known = link.approval_changed_at
    if known is not None and there.changed_at is not None and there.changed_at < known:
        return False
    reason = there.reject_reason if status == REJECTED else ""
    state = STATES[status] if link.state in STATES.values() else link.state
    avid_id = link.avid_id or ("" if there.id in taken else there.id)
    if (link.approval, link.reject_reason, link.state, link.avid_id) == (status, reason, state, avid_id):
        return False
    if link.approval != status or link.reject_reason != reason:
        link.approval_changed_at = there.changed_at
    link.approval, link.reject_reason, link.state, link.avid_id = status, reason, InvoiceState(state), avid_id
    return True


def _vanished(ctx: StageContext, found: Sequence[SubmittedInvoice], links: Sequence[InvoiceLink]) -> None:
    """Tell about invoices that AvidXchange had accepted and does not know any more."""
    if isinstance(found, Records) and found.bad:
        return  # one of these may be the one that is missing
    there = {one.external_id for one in found}
    lost: Mapping[str, Finding] = {key(link): _lost(link) for link in links if link.external_id not in there}
    problems.report_page(ctx, "invoice", lost, codes=(VANISHED,))
    ctx.settle_count("held", len(lost))


def _rejection(link: InvoiceLink) -> Finding:
    reason = link.reject_reason or "no reason was given"
    return Finding(
        code=REJECTION,
        message=f"Invoice {link.invoice_num} was rejected in AvidXchange: {reason.rstrip('.')}.",
        hint="Settle it with the approver: a new decision is taken over by itself. Else cancel it in Epicor.",
        subject_id=link.pk,
        **money(link),
    )


def _unknown(link: InvoiceLink, there: SubmittedInvoice) -> Finding:
    return Finding(
        code=UNKNOWN,
        message=f"AvidXchange shows invoice {link.invoice_num} as {there.approval_status or 'nothing'!r}, which is "
        "neither pending, approved nor rejected.",
        hint="Look it up in AvidXchange; nothing was changed here.",
        subject_id=link.pk,
        **money(link),
    )


def _lost(link: InvoiceLink) -> Finding:
    return Finding(
        code=VANISHED,
        message=f"AvidXchange accepted invoice {link.invoice_num} as {link.avid_id} and does not know it any more.",
        hint="Ask AvidXchange what became of it, and pay it in Epicor if it was deleted there.",
        subject_id=link.pk,
        **money(link),
    )


def _unreadable(row: str, reason: str) -> Finding:
    return Finding(code="bad_row", message=f"AvidXchange sent an invoice that cannot be read ({row}): {reason}")
