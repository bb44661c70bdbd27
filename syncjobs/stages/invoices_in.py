"""Invoices that AvidXchange captured, written to Epicor: header and GL lines together, each exactly once.

1. Closed batches are read, checked against their control totals and stored; one closed again is compared with what we
   have of it (``engine/captured``).
2. Every captured invoice that is not in Epicor yet is translated and written, one posting each: the UpdateMaster
   sequence, resumed from what Epicor shows, and verified by reading it again (``engine/ap_invoices``). What AvidXchange
   changed or withdrew is first taken back, as long as nobody has posted it. GL codes are never written back.
3. A batch of which every invoice is written or held here is acknowledged. An acknowledgement whose answer was lost is
   made again: a second one changes nothing over there.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from connector.translate.codebook import Hold
from connector.transport.errors import Rejected, Retry, System, Uncertain
from syncjobs.engine import ap_invoice_history as history
from syncjobs.engine import captured, codebook, invoice_groups, postings, problems
from syncjobs.engine import captured_outcomes as outcomes
from syncjobs.engine.ap_invoice_history import Next
from syncjobs.engine.ap_invoices import LOCKED, POSTED, steps
from syncjobs.engine.captured_cases import Case, cases, claim
from syncjobs.engine.context import StageContext
from syncjobs.engine.entry_groups import Group
from syncjobs.engine.outbox import tally
from syncjobs.engine.problems import Finding
from syncjobs.models import Batch, InvoiceLink, Posting
from syncjobs.states import POSTING_LIVE, BatchStatus, InvoiceState, PostingState, advance
from tenants import audit

#: Invoices that are translated together.
SLICE = 100
#: How long the schedule leaves a held document alone; a person who runs the stage wants it tried at once.
HELD_PAUSE = timedelta(hours=1)
BY_ITSELF = frozenset({"schedule", "sweep", "poll"})
#: What only a replay takes up again: a person has deleted the invoice in Epicor, and may have meant it.
NOT_AGAIN = frozenset({"document_gone"})
#: What keeps one invoice waiting and says nothing about the next.
ONLY_THIS = LOCKED | {"row_changed"}
OPEN = (InvoiceState.CAPTURED, InvoiceState.HELD, InvoiceState.WRITING)
AT_REST = (InvoiceState.HELD, InvoiceState.WRITTEN, InvoiceState.WITHDRAWN)


def run(ctx: StageContext) -> None:
    """Bring what AvidXchange captured into Epicor, and tell AvidXchange so."""
    late = captured.read(ctx)
    write(ctx)
    invoice_groups.post(ctx)
    if not ctx.dry_run:
        acknowledge(ctx)
    tally(ctx, InvoiceLink, {"held": Q(state=InvoiceState.HELD), "uncertain": Q(state=InvoiceState.WRITING)})
    if late:
        raise late[0]


def write(ctx: StageContext) -> None:
    """Work on every captured invoice that is not at rest, and on those that a person wants replayed."""
    group, terms = Group(ctx), None
    for links in _waiting(ctx):
        terms = codebook.terms(ctx) if terms is None else terms
        found = cases(ctx, links, terms=terms)
        held = [(case, case.item) for case in found if isinstance(case.item, Hold) and not case.past.under_way]
        outcomes.hold(ctx, held)
        done = {case.link.pk for case, _why in held}
        for case in found:
            if case.link.pk not in done:
                _settle(ctx, group, case)


def _waiting(ctx: StageContext) -> Iterator[list[InvoiceLink]]:
    postings.live(ctx, ctx.stage)  # what dead workers left behind becomes uncertain
    at_work = Posting.objects.filter(tenant=ctx.tenant, invoice=OuterRef("pk"), state__in=POSTING_LIVE)
    rows = InvoiceLink.objects.filter(Q(state__in=OPEN) | Exists(at_work), tenant=ctx.tenant, direction=InvoiceLink.IN)
    rows = rows.exclude(captured_batch__state__in=captured.UNREAD).defer("desired").order_by("pk")
    last = 0
    while page := list(rows.filter(pk__gt=last)[:SLICE]):
        yield page
        last = page[-1].pk


def _settle(ctx: StageContext, group: Group, case: Case) -> None:
    """Do what an invoice needs until it stands in Epicor as AvidXchange has it, or something keeps it from that."""
    ctx.say(f"Writing invoice {case.link.invoice_num}")
    while True:
        if isinstance(case.item, Hold) and not case.past.under_way:
            return outcomes.hold_one(ctx, case, case.item)
        plan = case.past.next(case.draft)
        if plan is Next.NOTHING:
            return outcomes.withdrawn(ctx, case) if case.draft is None else outcomes.written(ctx, case, None)
        if ctx.dry_run:
            new = plan is Next.ENTER and case.link.sent_at is None
            return outcomes.would(ctx, case, "created" if new else "updated")
        posting = _posting(ctx, case, plan)
        if posting is None:
            return None
        state = postings.work(ctx, posting, steps(ctx, posting, group))
        if state is not PostingState.DONE:
            return _stopped(ctx, case, posting)
        if not history.takes_back(posting):
            return outcomes.written(ctx, case, posting)
        if case.item is not None:
            outcomes.freed(ctx, case)


def _posting(ctx: StageContext, case: Case, plan: Next) -> Posting | None:
    """Return the posting to be worked on now; None if there is none, and then the invoice's outcome is noted."""
    waiting, draft = case.past.open, case.draft
    again = plan is Next.GO_ON or (waiting is not None and draft is not None and history.same(waiting, draft))
    if waiting is not None and again and not _is_due(ctx, waiting):
        outcomes.leave(ctx, case, waiting)
        return None
    refusal: Hold | None = None
    with ctx.commit():
        if plan is Next.REMOVE:
            waiting = history.begin_removal(ctx, case.link, case.past)
        elif plan is Next.ENTER and draft is not None:
            refusal = claim(ctx, case, draft.vendor_num, draft.invoice_num)
            waiting = None if refusal else history.begin(ctx, case.link, draft, case.past)
        if waiting is not None and waiting.state == PostingState.HELD:
            advance(waiting, PostingState.READY)
        if waiting is not None:
            InvoiceLink.objects.filter(pk=case.link.pk).update(state=InvoiceState.WRITING)
    if refusal is not None:
        outcomes.hold_one(ctx, case, refusal)
    return waiting


def _is_due(ctx: StageContext, posting: Posting) -> bool:
    if posting.state == PostingState.RUNNING or posting.code in NOT_AGAIN:
        return False
    if ctx.run.trigger not in BY_ITSELF:
        return True
    row = Posting.objects.filter(pk=posting.pk)
    if posting.state == PostingState.HELD:
        return row.filter(updated_at__lt=Now() - HELD_PAUSE).exists()
    return row.filter(Q(next_try_at__isnull=True) | Q(next_try_at__lte=Now())).exists()


def _stopped(ctx: StageContext, case: Case, posting: Posting) -> None:
    """Note why an invoice could not be written to its end. Raises ``Retry`` for what every other would meet too."""
    if posting.state == PostingState.HELD and posting.code == POSTED:
        return outcomes.too_late(ctx, case, posting)
    if posting.state == PostingState.HELD:
        return outcomes.hold_document(ctx, case, posting)
    if posting.state == PostingState.RUNNING:
        return outcomes.leave(ctx, case, posting)
    outcomes.wait(ctx, case, posting)
    if posting.state == PostingState.READY and posting.code not in ONLY_THIS:
        raise Retry(posting.message, system=System.EPICOR, code=posting.code)
    return None


def acknowledge(ctx: StageContext) -> None:
    """Acknowledge every stored batch of which all invoices are written, held or withdrawn."""
    moving = InvoiceLink.objects.filter(captured_batch=OuterRef("pk")).exclude(state__in=AT_REST)
    for batch in captured.batches(ctx).filter(~Exists(moving), state=BatchStatus.STORED).order_by("pk"):
        try:
            ctx.avidxchange.acknowledge(
                batch.avid_batch_id, started_at=ctx.run.started_at, ended_at=max(ctx.now(), ctx.run.started_at)
            )
        except (Rejected, Uncertain) as fault:
            ctx.calls.flush(batch_id=batch.pk)
            _not_acknowledged(ctx, batch, fault)
        else:
            ctx.calls.flush(batch_id=batch.pk)
            _acknowledged(ctx, batch)


def _acknowledged(ctx: StageContext, batch: Batch) -> None:
    with ctx.commit():
        advance(batch, BatchStatus.ACKNOWLEDGED, acknowledged_at=ctx.now(), message="")
        problems.report_page(ctx, "batch", {batch.external_id: None})
        audit.record(
            ctx.tenant,
            f"{ctx.stage}.acknowledged",
            actor=ctx.actor,
            subject=("batch", batch.external_id),
            after={"invoices": batch.item_count, "total": str(batch.total)},
            run=ctx.run.pk,
        )


def _not_acknowledged(ctx: StageContext, batch: Batch, fault: Rejected | Uncertain) -> None:
    finding = Finding(
        code="not_acknowledged",
        message=f"AvidXchange was told that batch {batch.status_text or batch.external_id} is imported, and did not "
        f"confirm it: {fault.message}",
        hint="It is told again in the next run, which changes nothing if it has understood. Everything is stored here.",
        subject_id=batch.pk,
        amount=batch.total,
    )
    with ctx.commit():
        Batch.objects.filter(pk=batch.pk).update(message=fault.message, updated_at=Now())
        problems.report_page(ctx, "batch", {batch.external_id: finding})
