"""Reading AvidXchange's payments so that none is missed: by the days they changed, and by id (avidxchange.md 6.4).

By id are asked, whatever window they changed in: those that have not come to their end, those that cleared within the
last 120 days (once a day), and those that replace a reissued one. Every page is decided about, stored, told of and
counted in one transaction; payments that the run goes on with are counted when it has.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date

from django.db.models import Q
from django.db.models.functions import Now

from connector.avidxchange import statuses
from connector.avidxchange.decode import BadRow, Records
from connector.avidxchange.records import Payment as PaymentRecord
from connector.translate import payments as translation
from connector.translate.codebook import Rules
from syncjobs.engine import cursors, payment_drafts, payment_moves, problems, reversals
from syncjobs.engine.context import StageContext
from syncjobs.engine.payment_moves import FOR_REVIEW, Known
from syncjobs.engine.payment_store import Told, known, record_of, recordings, resolve, store, touched
from syncjobs.engine.problems import Finding
from syncjobs.models import Payment, Posting
from syncjobs.states import PaymentState
from tenants import audit

STREAM = "payments"
#: Where we have recorded nothing, as far as we know.
UNRECORDED = frozenset({PaymentState.SEEN, PaymentState.READY, PaymentState.HELD})
#: What the run goes on with.
LATER = frozenset({PaymentState.READY, PaymentState.HELD, PaymentState.REVERSING})


def read(ctx: StageContext, rules: Rules) -> None:
    """Store every payment that may have news, whatever window it changed in."""
    mark = cursors.get(ctx, STREAM)
    high, whole = mark, True
    bad: set[str] = set()
    for page in ctx.avidxchange.payments_modified(*_window(ctx, mark)):
        _take(ctx, page, rules=rules, bad=bad)
        whole = whole and not page.bad
        stamps = [payment.modified_at.date().isoformat() for payment in page if payment.modified_at is not None]
        high = cursors.raised(high, "change_date", stamps)
    if whole:
        # Pages come in no promised order, so the mark moves only when all of them are stored.
        with ctx.commit():
            cursors.put(ctx, STREAM, high)
    for ids in _by_id(ctx):
        found = ctx.avidxchange.payments_by_id(ids)
        _take(ctx, found, rules=rules, bad=bad)
        _report_gone(ctx, set(ids) - {payment.id for payment in found} - bad)


def _window(ctx: StageContext, mark: dict[str, str]) -> tuple[date, date]:
    """Return the days to ask for. What was paid before the tenant came to us was somebody else's to record."""
    first = (ctx.tenant.created_at - cursors.AHEAD).date()
    start = cursors.overlap_start(mark, ctx.avidxchange.profile.window_overlap_days)
    if start is None or ctx.run.full_read:
        start = first if start is None else min(start, first)
    return start, max(ctx.today(), start) + cursors.AHEAD


def _by_id(ctx: StageContext) -> Iterator[list[str]]:
    """Yield the ids of payments to ask for beyond the window, a few at a time, none that this run has read."""
    rows = Payment.objects.filter(tenant=ctx.tenant)
    asked = Q(final=False)
    tail = cursors.get(ctx, f"{STREAM}_tail")
    if ctx.run.full_read or tail.get("polled") != ctx.today().isoformat():
        asked |= Q(tail_until__gt=Now())
    unread = rows.filter(asked).exclude(seen_run=ctx.run.pk)
    size, last = ctx.avidxchange.profile.ids_max, 0
    while page := list(unread.filter(pk__gt=last).order_by("pk").values_list("pk", "avid_id")[:size]):
        yield [avid_id for _, avid_id in page]
        last = page[-1][0]
    with ctx.commit():
        cursors.put(ctx, f"{STREAM}_tail", {"polled": ctx.today().isoformat()})
    successors = reversals.successors_wanted(ctx)
    for start in range(0, len(successors), size):
        yield successors[start : start + size]


def _take(ctx: StageContext, page: Records[PaymentRecord], *, rules: Rules, bad: set[str]) -> None:
    """Decide about a page of payments and store it. Those that this run goes on with are counted then."""
    old = known(ctx, [payment.id for payment in page])
    begun = recordings(old.values())
    policy = payment_moves.Policy(
        record_on=ctx.options.record_on,
        heals=lambda codes: statuses.heals_by_itself(codes, ctx.avidxchange.profile.exception_map),
    )
    page_of = {payment.id: payment for payment in page}
    stands = _standing(ctx, page_of.values(), old, begun, rules)
    told = [
        Told(payment, payment_moves.decide(_known(payment, old, begun, stands), payment, policy))
        for payment in page_of.values()
    ]
    named = resolve(ctx, list(page_of.values()), rules)
    unread = [row for row in page.bad if row.key not in bad]
    with ctx.commit():
        store(ctx, told, old, named, rules)
        _tell(ctx, told)
        _report_bad(ctx, unread, good=page_of)
        _count_read(ctx, told, old)
        audit.record_many(ctx.tenant, _moved(told, old), actor=ctx.actor, run=ctx.run.pk)
    bad.update(row.key for row in page.bad)
    ctx.say(f"Read {len(page_of)} payments")


def _standing(
    ctx: StageContext,
    page: Iterable[PaymentRecord],
    old: Mapping[str, Payment],
    begun: Mapping[int, Posting],
    rules: Rules,
) -> Collection[str]:
    """Return which payments that were taken back stand in Epicor although we know of no recording.

    A database that was put back from a backup may have forgotten that it recorded them.
    """
    back = [payment.id for payment in page if translation.reverses(payment.status)]
    doubtful = [
        name
        for name in back
        if name not in old or (old[name].state in UNRECORDED and not touched(begun.get(old[name].pk)))
    ]
    return payment_drafts.standing(ctx, doubtful, rules).keys()


def _known(
    news: PaymentRecord, old: Mapping[str, Payment], begun: Mapping[int, Posting], stands: Collection[str]
) -> Known | None:
    row = old.get(news.id)
    if row is None:
        return Known(state=PaymentState.SEEN, record=news, touched=True) if news.id in stands else None
    return Known(
        state=PaymentState(row.state),
        record=record_of(row),
        hold_code=row.hold_code,
        touched=touched(begun.get(row.pk)) or news.id in stands,
    )


def _tell(ctx: StageContext, told: Sequence[Told]) -> None:
    """Report what is wrong with a page's payments; what recording found is for recording to close."""
    rows = known(ctx, [one.record.id for one in told])
    found: dict[str, Finding | None] = {}
    for one in told:
        payment, decision = rows[one.record.id], one.decision
        if decision.finding is not None or decision.state not in LATER:
            found[payment.avid_id] = about(payment, decision.finding) if decision.finding is not None else None
    problems.report_page(ctx, "payment", found, keep=FOR_REVIEW)
    for one in told:
        for review in one.decision.review:
            problems.report(ctx, "payment", one.record.id, about(rows[one.record.id], review))


def about(payment: Payment, finding: Finding) -> Finding:
    """Return a finding with the payment and the money it is about."""
    return Finding(
        code=finding.code,
        message=finding.message,
        hint=finding.hint,
        field=finding.field,
        subject_id=payment.pk,
        amount=payment.amount,
        currency=payment.currency,
    )


def _count_read(ctx: StageContext, told: Sequence[Told], old: Mapping[str, Payment]) -> None:
    for one in told:
        before, decision = old.get(one.record.id), one.decision
        if (before is not None and before.seen_run == ctx.run.pk) or decision.state in LATER:
            continue
        if decision.finding is not None:
            ctx.settle_count("held")
            continue
        news = before is None or before.state != decision.state or before.status != one.record.status
        ours = decision.state == PaymentState.RECORDED or (before is not None and decision.state == PaymentState.CLOSED)
        ctx.settle_count("updated" if news and ours else "unchanged")


def _moved(told: Sequence[Told], old: Mapping[str, Payment]) -> Iterator[audit.Entry]:
    for one in told:
        before, state = old.get(one.record.id), one.decision.state
        was = before.state if before is not None else ""
        if was != state and (was or state not in (PaymentState.SEEN, PaymentState.READY)):
            yield audit.Entry(
                action="payment.moved",
                subject=("payment", one.record.id),
                before={"state": was, "status": before.status if before is not None else ""},
                after={"state": str(state), "status": str(one.record.status)},
            )


def _report_bad(ctx: StageContext, rows: Sequence[BadRow], *, good: Collection[str]) -> None:
    """Hold the rows that cannot be read; they are asked for again by every run until they can."""
    found: dict[str, Finding | None] = dict.fromkeys(good)
    for row in rows:
        found[row.key or "no id"] = Finding(
            code="bad_row",
            message=f"AvidXchange sent a payment that cannot be read ({row.key or 'no id'}): {row.reason}",
            hint="It is asked for again in the next run. If it stays, tell AvidXchange which payment it is.",
        )
    problems.report_page(ctx, f"{STREAM}_row", found)
    if rows:
        ctx.settle_count("held", len(rows))


def _report_gone(ctx: StageContext, ids: Collection[str]) -> None:
    """Report payments that AvidXchange does not show any more, and read none of them as anything else."""
    rows = [row for row in known(ctx, ids).values() if row.state not in LATER]
    if not ids:
        return
    with ctx.commit():
        for row in known(ctx, ids).values():
            message = (
                f"AvidXchange does not show payment {row.avid_id} any more; it was {row.status_text or row.status}."
            )
            hint = "Ask AvidXchange what became of it. Nothing was changed in Epicor."
            gone = about(row, Finding(code="payment_gone", message=message, hint=hint))
            problems.report_page(ctx, "payment", {row.avid_id: gone}, codes=("payment_gone",))
    if rows:
        ctx.settle_count("held", len(rows))
