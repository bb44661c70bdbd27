"""Settled payments from AvidXchange to Epicor: recorded once, against vendor and invoices, and undone when taken back.

1. Payments with news are read and stored (``payment_news``).
2. What was taken back is undone in Epicor first, so that a replacing payment finds its invoices open.
3. What is settled is translated against Epicor's balances of this moment, entered in check groups and posted.

AvidXchange alone decides how and when is paid; an unknown status or method never posts. Nothing is corrected here: a
payment that does not fit to the cent waits, with the reason, until it does or a person has settled it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from django.db.models import QuerySet

from connector.epicor.drafts import PaymentDraft
from connector.stages import Stage
from connector.translate.codebook import Hold, Rules
from syncjobs.engine import codebook, payment_drafts, payment_news, postings, problems, recording, reversals
from syncjobs.engine.context import StageContext
from syncjobs.engine.payment_moves import FOR_REVIEW, WAITS_FOR_NEWS
from syncjobs.engine.payment_store import recordings
from syncjobs.engine.problems import Finding
from syncjobs.engine.recording import Recorder
from syncjobs.models import Payment, Posting
from syncjobs.states import PaymentState, PostingState

#: Payments worked on in one go: one look-up of their invoices, one of their balances.
SLICE = 50
#: Tries after which a person is told that a document does not come to its end.
DOUBTFUL = 4


def run(ctx: StageContext) -> None:
    """Bring Epicor's AP payments up to what AvidXchange has paid."""
    rules = codebook.rules_for(ctx.tenant)
    payment_news.read(ctx, rules)
    postings.live(ctx, Stage.PAYMENTS_IN)  # gives back what a dead worker had claimed
    undo(ctx, rules)
    record(ctx, rules)
    replay(ctx)


# --- undoing ---------------------------------------------------------------------------------------------------------


def undo(ctx: StageContext, rules: Rules) -> None:
    """Undo what AvidXchange took back, payment by payment: each is money that was said to be gone and is not."""
    for rows in _slices(Payment.objects.filter(tenant=ctx.tenant, state=PaymentState.REVERSING)):
        done = [reversals.undo(ctx, payment, rules) for payment in rows]
        reversals.settle(ctx, done)
        ctx.say(f"Looked at {len(done)} payments that were taken back")


# --- recording -------------------------------------------------------------------------------------------------------


@dataclass
class Work:
    """The payments of one slice on their way: whose posting is to be built, and what holds the others."""

    build: list[Posting] = field(default_factory=list)
    holds: dict[int, Hold] = field(default_factory=dict)
    doubts: dict[int, Hold] = field(default_factory=dict)
    outcomes: dict[int, str] = field(default_factory=dict)


def record(ctx: StageContext, rules: Rules) -> None:
    """Enter what is settled and not recorded yet, slice by slice, and post it group by group at the end."""
    recorder = _recorder(ctx)
    waiting: dict[int, int] = {}
    for rows in _slices(_to_record(ctx)):
        work = _prepare(ctx, rows, rules)
        if ctx.dry_run:
            _conclude(ctx, rows, work)
            continue
        entered = _enter(recorder, work)
        waiting |= {posting.pk: posting.payment_id for posting in entered if posting.payment_id is not None}
        later = set(_payments(entered))
        _conclude(ctx, [row for row in rows if row.pk not in later], work)
        ctx.say(f"Entered {len(entered)} payments")
    for posted in _groups(recorder):
        rows = list(Payment.objects.filter(pk__in=[waiting[posting.pk] for posting in posted]).order_by("pk"))
        work = Work()
        for posting in posted:
            _judge(work, posting)
        _conclude(ctx, rows, work)
        ctx.say(f"Posted {len(posted)} payments")


def _to_record(ctx: StageContext) -> QuerySet[Payment]:
    return Payment.objects.filter(tenant=ctx.tenant, state__in=(PaymentState.READY, PaymentState.HELD))


def _slices(rows: QuerySet[Payment]) -> Iterator[list[Payment]]:
    """Yield rows in key order, a slice at a time, each once, whatever becomes of them meanwhile."""
    last = 0
    while page := list(rows.filter(pk__gt=last).order_by("pk")[:SLICE]):
        yield page
        last = page[-1].pk


def _prepare(ctx: StageContext, rows: Sequence[Payment], rules: Rules) -> Work:
    """Decide about a slice: which payments are to be built now, with their intents committed, and what holds others."""
    work, begun = Work(), recordings(rows)
    due = recording.due(ctx, begun.values())
    fresh: list[Payment] = []
    for payment in rows:
        posting = begun.get(payment.pk)
        if payment.state == PaymentState.HELD and payment.hold_code in WAITS_FOR_NEWS:
            work.outcomes[payment.pk] = "held"
        elif posting is None or _anew(posting, due):
            fresh.append(payment)
        else:
            _go_on(work, posting, due=posting.pk in due)
    stands = payment_drafts.standing(ctx, [payment.avid_id for payment in fresh], rules)
    drafts = payment_drafts.translate(ctx, fresh, rules, stands=stands)
    work.holds = {pk: draft for pk, draft in drafts.items() if isinstance(draft, Hold)}
    work.outcomes |= dict.fromkeys(work.holds, "held")
    if ctx.dry_run:
        work.outcomes |= dict.fromkeys([*(drafts.keys() - work.holds.keys()), *_payments(work.build)], "created")
        return work
    with ctx.commit():
        for payment in fresh:
            draft = drafts[payment.pk]
            if not isinstance(draft, Hold):
                posting = _intend(ctx, payment, draft, begun.get(payment.pk))
                if payment.avid_id in stands:
                    recording.take_over(ctx, posting, stands[payment.avid_id])
                work.build.append(posting)
    return work


def _payments(rows: Sequence[Posting]) -> list[int]:
    return [row.payment_id for row in rows if row.payment_id is not None]


def _anew(posting: Posting, due: Collection[int]) -> bool:
    """Tell whether a payment is translated again: nothing of its document stands in Epicor, and it may be tried."""
    if posting.state == PostingState.HELD:
        return posting.head_num is None and posting.pk in due
    untouched = posting.state == PostingState.READY and not posting.steps and posting.replay_of_id is None
    return untouched or posting.state == PostingState.ABANDONED


def _go_on(work: Work, posting: Posting, *, due: bool) -> None:
    """Go on with a document that was begun earlier, when its pause is over."""
    payment_id = posting.payment_id or 0
    if posting.state == PostingState.DONE:
        work.outcomes[payment_id] = "created"
    elif posting.state == PostingState.HELD:
        if due:
            work.build.append(posting)
        else:
            work.outcomes[payment_id] = "held"
    elif posting.state in (PostingState.READY, PostingState.UNCERTAIN) and due:
        work.build.append(posting)
    else:
        work.outcomes[payment_id] = "uncertain"


def _intend(ctx: StageContext, payment: Payment, draft: PaymentDraft, before: Posting | None) -> Posting:
    """Commit the intent to record a payment; a held document of which nothing stands takes the newer draft."""
    version = before.version + 1 if before is not None and before.state == PostingState.ABANDONED else None
    posting = postings.ensure(ctx, "ap_payment", payment.avid_id, draft, payment=payment, version=version)
    if posting.state == PostingState.HELD:
        postings.redraft(posting, draft)
    return posting


def _enter(recorder: Recorder, work: Work) -> list[Posting]:
    """Build a slice's payments in Epicor; returns those that wait for their group to be posted."""
    entered = []
    for posting in work.build:
        if posting.state == PostingState.HELD and not recording.reopen(posting):
            continue
        recorder.build(posting)
        if posting.state == PostingState.READY and recorder.posts and recording.is_built(posting):
            entered.append(posting)
        else:
            _judge(work, posting)
    return entered


def _groups(recorder: Recorder) -> Iterator[list[Posting]]:
    """Post the groups and yield their payments, a slice at a time."""
    page: list[Posting] = []
    for posting in recorder.post():
        page.append(posting)
        if len(page) == SLICE:
            yield page
            page = []
    if page:
        yield page


def _judge(work: Work, posting: Posting) -> None:
    """Say what came of a document in this run."""
    payment_id = posting.payment_id or 0
    if posting.state in (PostingState.DONE, PostingState.ABANDONED):
        work.outcomes[payment_id] = "created"
    elif posting.state == PostingState.HELD:
        work.outcomes[payment_id] = "held"
        work.holds[payment_id] = Hold(posting.code or "held", posting.message)
    else:
        work.outcomes[payment_id] = "uncertain"
        if posting.tries >= DOUBTFUL:
            message = f"What came of entering payment {posting.natural_key} is still not known. {posting.message}"
            work.doubts[payment_id] = Hold(
                "outcome_unknown", message, hint="It is looked up in Epicor again and again."
            )


def _conclude(ctx: StageContext, rows: Sequence[Payment], work: Work) -> None:
    """Store and count what came of payments: recorded with its invoices' balances, held with its reason."""
    recorded = [row for row in rows if work.outcomes.get(row.pk) == "created" and not ctx.dry_run]
    links = reversals.invoices_of(recorded)
    shown = reversals.shown(ctx, links) if links else {}
    notes = _notes(ctx, recorded)
    with ctx.commit():
        found: dict[str, Finding | None] = {}
        for row in rows:
            outcome = work.outcomes.get(row.pk, "uncertain")
            ctx.settle_count(outcome)
            hold = work.holds.get(row.pk)
            if hold is not None:
                row.state, row.hold_code = PaymentState.HELD, hold.code[:60]
                row.hold_message = f"{hold.message} {hold.hint}".strip()
                found[row.avid_id] = payment_news.about(row, Finding.of(hold))
            elif row.pk in work.doubts:
                found[row.avid_id] = payment_news.about(row, Finding.of(work.doubts[row.pk]))
            elif row in recorded:
                row.state, row.hold_code, row.hold_message = PaymentState.RECORDED, "", notes.get(row.pk, "")
                found[row.avid_id] = None
        changed = [row for row in rows if row.avid_id in found]
        Payment.objects.bulk_update(changed, ["state", "hold_code", "hold_message"], batch_size=SLICE)
        reversals.refresh(ctx, links, shown)
        problems.report_page(ctx, "payment", found, keep=FOR_REVIEW)


def _notes(ctx: StageContext, recorded: Sequence[Payment]) -> dict[int, str]:
    """Return what a person should know of payments that were entered and not posted."""
    if ctx.tenant.epicor_connection.post_payments:
        return {}
    return {
        pk: f"Entered as payment {posting.head_num}; it waits unposted in Epicor, in group {posting.group_id}."
        for pk, posting in recordings(recorded).items()
    }


# --- looking again ---------------------------------------------------------------------------------------------------


def replay(ctx: StageContext) -> None:
    """Look again at documents that a person replayed although their payment waits for nothing: what Epicor shows is
    left alone, what is missing is written again."""
    if ctx.dry_run:
        return
    waiting = (PaymentState.READY, PaymentState.HELD, PaymentState.REVERSING)
    live = postings.live(ctx, Stage.PAYMENTS_IN).exclude(payment__state__in=waiting).select_related("payment")
    recorder, rows = _recorder(ctx), list(live)
    for posting in rows:
        if posting.kind == "ap_payment_void":
            reversals.work_void(ctx, posting)
        elif posting.payment is not None and posting.payment.state == PaymentState.RECORDED:
            recorder.build(posting)
        else:
            reversals.abandon(posting)
    for posted in recorder.post():
        rows = [posted if row.pk == posted.pk else row for row in rows]
    work = Work()
    with ctx.commit():
        for posting in rows:
            _judge(work, posting)
            outcome = work.outcomes[posting.payment_id or 0]
            nothing = posting.state == PostingState.ABANDONED or postings.fact(posting, "found")
            ctx.settle_count("unchanged" if outcome == "created" and nothing else outcome)
            hold = work.holds.get(posting.payment_id or 0)
            if hold is not None and posting.payment is not None:
                about = payment_news.about(posting.payment, Finding.of(hold))
                problems.report(ctx, "payment", posting.payment.avid_id, about)


def _recorder(ctx: StageContext) -> Recorder:
    connection = ctx.tenant.epicor_connection
    return Recorder(ctx, connection.ap_group_prefix, connection.post_payments, patience_s=ctx.patience_s)
