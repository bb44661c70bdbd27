"""Submissions to AvidXchange by the write protocol of design section 5: intent, claim, call, outcome, look first.

``push`` is what a stage calls. It finishes what an earlier worker left (``resume``), plans what is due, sends each
batch once, and waits a little for verdicts that come later. A batch with an AvidXchange id is never sent again; an
item that surely never arrived is dropped from its batch and becomes due again under the same external id.
Long, but of one topic: the way of a batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from connector.avidxchange.records import BatchAnswer, BatchState, Verdict
from connector.transport.errors import Misconfigured, Rejected, Retry, Uncertain, Waits
from syncjobs.engine import first_look, intents, locks, problems, verdicts
from syncjobs.engine.context import StageContext
from syncjobs.engine.outbox import Outbox
from syncjobs.engine.problems import Finding
from syncjobs.models import Batch, BatchItem
from syncjobs.states import BatchStatus, ItemState, advance

#: Contract section 8: absent for two look-ups and this long before a patient kind may be sent again.
PATIENT_LOOK_UPS, PATIENT_WAIT = 2, timedelta(minutes=15)
ABSENT = "It never arrived over there; it is sent again in another batch."
#: After this long a submitted batch should have a verdict on every item (contract 2.7: some cannot be matched).
LATE = timedelta(hours=1)
#: Growing pauses between polls of a batch, in seconds; the last one repeats.
PAUSES = (1, 2, 4, 8, 15, 30, 60, 120, 300, 900)
#: How long a wish to wait (Retry-After) is honoured inside a run before the rest is left to the next one.
SHORT_WAIT_S = 30.0


def push(ctx: StageContext, outbox: Outbox) -> None:
    """Bring everything due in ``outbox`` to AvidXchange, or note exactly why not."""
    if not ctx.dry_run:
        _push(ctx, outbox)
    with ctx.commit():
        outbox.note_in_flight(ctx)


def _push(ctx: StageContext, outbox: Outbox) -> None:
    resume(ctx, outbox)
    # The second pass takes up items that the first one found never to have arrived; mostly it finds nothing due.
    for _pass in range(2):
        for rows in outbox.slices(ctx, ctx.avidxchange.profile.batch_max_items):
            batch = intents.plan(ctx, outbox, rows)
            if batch is not None:
                send(ctx, outbox, batch)
                ctx.say(f"Sent {batch.item_count} {outbox.kind} in {batch.external_id}")
    settle(ctx, outbox)


def send(ctx: StageContext, outbox: Outbox, batch: Batch) -> None:
    """Claim a ready batch and submit it once, if it is not there already; settle whatever is known afterwards."""
    # The time of sending is part of the claim: a batch without one could never count as surely absent.
    if not locks.claim(batch, {BatchStatus.READY}, BatchStatus.SENDING, sends=F("sends") + 1, sent_at=Now()):
        return
    if not first_look.clear(ctx, outbox, batch):
        return
    items = list(batch.items.filter(state=ItemState.PENDING).order_by("pk"))
    payloads = [(item.external_id, item.payload.encode()) for item in items]
    try:
        answer = _submit(ctx, outbox, batch, payloads)
    except Uncertain as lost:
        ctx.calls.flush(batch_id=batch.pk)
        if locks.release(batch, BatchStatus.UNCERTAIN, message=lost.message, next_poll_at=Now()):
            resolve(ctx, outbox, batch)
    except Rejected as refusal:
        ctx.calls.flush(batch_id=batch.pk)
        _refuse_all(ctx, outbox, batch, items, refusal)
    except (Retry, Misconfigured):
        # Not carried out, and everything after it would meet the same: leave it ready and end the run.
        ctx.calls.flush(batch_id=batch.pk)
        locks.release(batch, BatchStatus.READY)
        raise
    else:
        ctx.calls.flush(batch_id=batch.pk)
        record(ctx, outbox, batch, items, answer)


def _submit(ctx: StageContext, outbox: Outbox, batch: Batch, payloads: Sequence[tuple[str, bytes]]) -> BatchAnswer:
    """Submit, waiting through short wishes to slow down: a ``Retry`` says that nothing was carried out."""
    for last_try in (False, False, True):
        try:
            return ctx.avidxchange.submit(outbox.kind, batch.external_id, payloads)
        except Waits:
            raise
        except Retry as wish:
            delay = wish.delay_s if wish.delay_s is not None else 5.0
            if last_try or delay > SHORT_WAIT_S:
                raise
            ctx.clock.sleep(delay)
            ctx.renew()
    raise AssertionError("unreachable: the last try either returns or raises")


def record(ctx: StageContext, outbox: Outbox, batch: Batch, items: Sequence[BatchItem], answer: BatchAnswer) -> None:
    """Store one verdict an item and the batch's state, in one transaction of their own."""
    said = {verdict.external_id: verdict for verdict in answer.verdicts if verdict.successful is not None}
    said |= outbox.second_look(ctx, items, said)
    with ctx.commit():
        open_items = _still_open(batch, items)
        if open_items is None:
            return
        items = open_items
        decided = verdicts.decide(ctx, outbox, items, said)
        waiting = len(items) - len(decided)
        facts: dict[str, Any] = {"status_text": answer.status_text[:200], "message": ""}
        if answer.avid_batch_id and not batch.avid_batch_id:
            facts["avid_batch_id"] = answer.avid_batch_id
        if waiting == 0:
            _move(batch, BatchStatus.SETTLED, settled_at=Now(), next_poll_at=None, **facts)
        elif answer.avid_batch_id or batch.avid_batch_id:
            _move(batch, BatchStatus.SUBMITTED, next_poll_at=Now() + _pause(batch.polls), **facts)
        else:
            # Accepted without a batch id and without verdicts for all: only a look-up can tell (contract 2.7).
            _move(batch, BatchStatus.UNCERTAIN, next_poll_at=Now() + _pause(batch.polls), **facts)
        if waiting == 0:
            _known(ctx, batch)
        verdicts.trail(ctx, batch, decided)


def poll(ctx: StageContext, outbox: Outbox, batch: Batch) -> None:
    """Ask AvidXchange about a submitted batch once; reads need no claim."""
    # All items in the order sent, decided ones too: verdicts without an echo correlate by place (contract 2.7).
    items = list(batch.items.order_by("pk"))
    try:
        answer = ctx.avidxchange.batch(outbox.kind, batch.avid_batch_id, [item.external_id for item in items])
    except Rejected:
        # It knows nothing of the batch (any more), so it is not at work on it either: its items tell.
        resolve(ctx, outbox, batch)
        return
    ctx.calls.flush(batch_id=batch.pk)
    Batch.objects.filter(pk=batch.pk).update(polls=batch.polls + 1)
    batch.polls += 1
    record(ctx, outbox, batch, [item for item in items if item.state == ItemState.PENDING], answer)
    if batch.state == BatchStatus.SUBMITTED and _older(batch, LATE):
        _overdue(ctx, outbox, batch)


def resolve(ctx: StageContext, outbox: Outbox, batch: Batch) -> None:
    """Look on the other side for a batch whose outcome is unknown: found settles; surely absent becomes due again."""
    items = list(batch.items.filter(state=ItemState.PENDING).order_by("pk"))
    found: Mapping[str, Verdict] = outbox.look_up(ctx, items) if outbox.look_up else {}
    ctx.calls.flush(batch_id=batch.pk)
    looked = batch.look_ups + 1
    sure = not outbox.patient or (looked >= PATIENT_LOOK_UPS and _older(batch, PATIENT_WAIT))
    with ctx.commit():
        open_items = _still_open(batch, items)
        if open_items is None:
            return
        items = open_items
        decided = verdicts.decide(ctx, outbox, items, found)
        absent = [item for item in items if item.state == ItemState.PENDING]
        if absent and sure:
            verdicts.drop(ctx, outbox, absent, why=ABSENT, outcome="uncertain")
        done = not absent or sure
        facts: dict[str, Any] = {"look_ups": looked, "next_poll_at": None if done else Now() + timedelta(minutes=5)}
        if done:
            facts |= {"settled_at": Now(), "message": "" if decided else "It never arrived; its items are due again."}
        _move(batch, BatchStatus.SETTLED if done else BatchStatus.UNCERTAIN, **facts)
        if done:
            _known(ctx, batch)
        else:
            _report_unknown(ctx, batch, len(absent))
        verdicts.trail(ctx, batch, decided)


def _overdue(ctx: StageContext, outbox: Outbox, batch: Batch) -> None:
    """Look for items that never got a verdict. AvidXchange may still be at work on the batch, so a patient kind is
    never given up here: what is found settles, for the rest a person is told."""
    if not outbox.patient:
        resolve(ctx, outbox, batch)
        return
    items = list(batch.items.filter(state=ItemState.PENDING).order_by("pk"))
    found = outbox.look_up(ctx, items) if outbox.look_up else {}
    ctx.calls.flush(batch_id=batch.pk)
    answer = BatchAnswer(
        avid_batch_id=batch.avid_batch_id,
        external_id=batch.external_id,
        status_text=batch.status_text,
        state=BatchState.PROCESSING,
        verdicts=tuple(found.values()),
    )
    record(ctx, outbox, batch, items, answer)
    if batch.state == BatchStatus.SUBMITTED:
        with ctx.commit():
            _report_unknown(ctx, batch, len(items) - len(found))


def resume(ctx: StageContext, outbox: Outbox) -> None:
    """Take up what earlier workers left: expired claims, unknown outcomes, unsent intents, verdicts still to come."""
    mine = _batches(ctx, outbox)
    # A worker that died while sending may have sent: its batch is uncertain, never simply ready again.
    mine.filter(state=BatchStatus.SENDING, lease_until__lt=Now()).update(
        state=BatchStatus.UNCERTAIN, owner="", lease_until=None, next_poll_at=Now()
    )
    for batch in mine.filter(state=BatchStatus.UNCERTAIN).order_by("pk"):
        resolve(ctx, outbox, batch)
    for batch in mine.filter(state=BatchStatus.READY).order_by("pk"):
        if intents.withdraw_outdated(ctx, outbox, batch):
            send(ctx, outbox, batch)
    for batch in mine.filter(state=BatchStatus.SUBMITTED).order_by("pk"):
        poll(ctx, outbox, batch)


def settle(ctx: StageContext, outbox: Outbox) -> None:
    """Poll this kind's unsettled batches with growing pauses, for as long as the run has patience."""
    waited = 0.0
    tries = 0
    while waited < ctx.patience_s:
        open_batches = list(_batches(ctx, outbox).filter(state=BatchStatus.SUBMITTED).order_by("pk"))
        if not open_batches:
            return
        pause = min(PAUSES[min(tries, len(PAUSES) - 1)] / 4, ctx.patience_s - waited)
        ctx.clock.sleep(pause)
        waited, tries = waited + pause, tries + 1
        for batch in open_batches:
            poll(ctx, outbox, batch)


def _batches(ctx: StageContext, outbox: Outbox) -> QuerySet[Batch]:
    """Return the outbox's batches; another outbox may send the same kind (old account numbers beside accounts)."""
    items = BatchItem.objects.filter(batch=OuterRef("pk"), subject_kind=outbox.subject_kind)
    return Batch.objects.filter(Exists(items), tenant=ctx.tenant, kind=outbox.kind)


def due_for_poll(tenant_id: int, kind: str) -> bool:
    """Return whether a batch of this kind waits for an answer and its pause is over."""
    waiting = Q(state__in=[BatchStatus.SUBMITTED, BatchStatus.UNCERTAIN]) & Q(next_poll_at__lte=Now())
    return Batch.objects.filter(waiting, tenant_id=tenant_id, kind=kind).exists()


def _refuse_all(ctx: StageContext, outbox: Outbox, batch: Batch, items: Sequence[BatchItem], refusal: Rejected) -> None:
    refused = {
        item.external_id: Verdict(
            external_id=item.external_id, successful=False, code=refusal.code, message=refusal.message
        )
        for item in items
    }
    with ctx.commit():
        open_items = _still_open(batch, items)
        if open_items is None:
            return
        decided = verdicts.decide(ctx, outbox, open_items, refused)
        _move(batch, BatchStatus.FAILED, settled_at=Now(), message=refusal.message)
        verdicts.trail(ctx, batch, decided)


def _move(batch: Batch, to: BatchStatus, **facts: Any) -> None:
    """Move a batch on; a batch that stays where it is (still waiting) only takes the facts."""
    facts = {"owner": "", "lease_until": None, **facts}
    if batch.state == to:
        Batch.objects.filter(pk=batch.pk).update(updated_at=Now(), **facts)
    elif not advance(batch, to, **facts):
        raise RuntimeError(f"batch {batch.external_id} was moved by someone else")
    batch.refresh_from_db()


def _still_open(batch: Batch, items: Sequence[BatchItem]) -> list[BatchItem] | None:
    """Return the items that still wait for a verdict, None if somebody else has moved the batch while we asked.

    Two stages may ask about one batch at the same time. The row is locked until our transaction ends, never over HTTP.
    """
    same = Batch.objects.select_for_update().filter(pk=batch.pk, state=batch.state, fence=batch.fence)
    if same.first() is None:
        return None
    waiting = set(batch.items.filter(state=ItemState.PENDING).values_list("pk", flat=True))
    return [item for item in items if item.pk in waiting]


def _older(batch: Batch, than: timedelta) -> bool:
    return Batch.objects.filter(pk=batch.pk, sent_at__lt=Now() - than).exists()


def _known(ctx: StageContext, batch: Batch) -> None:
    why = "AvidXchange was asked and the outcome is known."
    problems.resolve(ctx, "batch", batch.external_id, codes=("outcome_unknown",), why=why)


def _pause(polls: int) -> timedelta:
    return timedelta(seconds=PAUSES[min(polls, len(PAUSES) - 1)])


def _report_unknown(ctx: StageContext, batch: Batch, absent: int) -> None:
    problems.report(
        ctx,
        "batch",
        batch.external_id,
        Finding(
            code="outcome_unknown",
            subject_id=batch.pk,
            message=f"Of a batch of {batch.item_count}, AvidXchange has not said what became of {absent}, and they are "
            "not to be found there yet.",
            hint="Nothing to do: they are looked up again, and sent again only when they surely never arrived.",
            amount=batch.total,
        ),
    )
