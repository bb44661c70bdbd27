"""Documents written to Epicor in several calls, by the write protocol of design section 5.

A ``Posting`` is committed with its whole draft before the first call. Each step is written down as *started* before
its calls and as *done* after them; a step that was started but not done is looked up in Epicor first, and so is every
step the first time where looking is cheap. A posting therefore resumes from what Epicor shows, not from memory.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import msgspec
from django.db.models import Max, Q, QuerySet
from django.db.models.functions import Now

from connector.stages import Stage
from connector.transport.errors import ConnectorError, Held, Misconfigured, Rejected, Retry, System, Uncertain, Waits
from syncjobs.engine import locks
from syncjobs.engine.context import StageContext
from syncjobs.models import InvoiceLink, Payment, Posting
from syncjobs.states import POSTING_LIVE, PostingState
from tenants import audit

Facts = dict[str, Any]
D = TypeVar("D", bound=msgspec.Struct)

#: Pauses before an uncertain or postponed posting is looked at again, in seconds; the last one repeats.
PAUSES = (5, 30, 120, 600, 1800)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a posting. ``look`` returns the facts of the step if Epicor shows it done, else None; ``do`` makes
    the calls and returns its facts (keys such as HeadNum), which later steps find in ``posting.steps``.

    ``look_first`` is for steps whose result a person or an earlier life of ours may already have made.
    """

    name: str
    look: Callable[[StageContext, Posting], Facts | None]
    do: Callable[[StageContext, Posting], Facts]
    look_first: bool = False


def ensure(
    ctx: StageContext,
    kind: str,
    natural_key: str,
    draft: msgspec.Struct,
    *,
    invoice: InvoiceLink | None = None,
    payment: Payment | None = None,
    version: int | None = None,
) -> Posting:
    """Commit the intent to write ``draft``, or return the posting that already has that key; inside ``ctx.commit()``.

    A posting that has not made its first step takes a newer draft; one that has keeps its own. Without ``version`` the
    newest is meant: a replay appends a later one to the same key.
    """
    text = msgspec.json.encode(draft).decode()
    digest = hashlib.sha256(text.encode()).hexdigest()
    if version is None:
        lives = Posting.objects.filter(tenant=ctx.tenant, kind=kind, natural_key=natural_key)
        version = lives.aggregate(newest=Max("version"))["newest"] or 1
    posting, created = Posting.objects.get_or_create(
        tenant=ctx.tenant,
        kind=kind,
        natural_key=natural_key,
        version=version,
        defaults={
            "stage": ctx.stage,
            "run": ctx.run,
            "draft": text,
            "draft_hash": digest,
            "invoice": invoice,
            "payment": payment,
        },
    )
    if not created and not posting.steps and posting.draft_hash != digest:
        open_states = [PostingState.READY, PostingState.HELD]
        Posting.objects.filter(pk=posting.pk, state__in=open_states, steps=[]).update(draft=text, draft_hash=digest)
        posting.refresh_from_db()
    return posting


def redraft(posting: Posting, draft: msgspec.Struct) -> None:
    """Give a held document another draft, of which nothing may stand in Epicor; inside ``ctx.commit()``."""
    text = msgspec.json.encode(draft).decode()
    digest = hashlib.sha256(text.encode()).hexdigest()
    Posting.objects.filter(pk=posting.pk, state=PostingState.HELD).update(draft=text, draft_hash=digest)
    posting.refresh_from_db()


def draft_of(posting: Posting, kind: type[D]) -> D:
    """Return the stored draft as what it was when it was stored."""
    return msgspec.json.decode(posting.draft, type=kind)


def fact(posting: Posting, name: str) -> Any:
    """Return the latest value that a done step noted under ``name``, or None."""
    for step in reversed(posting.steps):
        if step["state"] == "done" and step.get(name) is not None:
            return step[name]
    return None


def live(ctx: StageContext, stage: Stage) -> QuerySet[Posting]:
    """Postings of a stage that may be worked on now: ready, left behind by a dead worker, or due to be looked at."""
    Posting.objects.filter(tenant=ctx.tenant, stage=stage, state=PostingState.RUNNING, lease_until__lt=Now()).update(
        state=PostingState.UNCERTAIN, owner="", lease_until=None
    )
    now = Q(next_try_at__isnull=True) | Q(next_try_at__lte=Now())
    states = [PostingState.READY, PostingState.UNCERTAIN]
    return Posting.objects.filter(now, tenant=ctx.tenant, stage=stage, state__in=states).order_by("pk")


def work(ctx: StageContext, posting: Posting, steps: Sequence[Step], *, finish: bool = True) -> PostingState:
    """Claim ``posting`` and take it through its steps; return the state it ends in, RUNNING if another worker has it.

    Without ``finish`` it ends READY, because steps are to follow that concern several documents at once.

    ``Misconfigured`` and ``Waits`` are raised on, after the posting was given back, because every other posting would
    meet them too.
    """
    if not locks.claim(posting, {PostingState.READY, PostingState.UNCERTAIN}, PostingState.RUNNING):
        return PostingState(posting.state) if posting.state not in POSTING_LIVE else PostingState.RUNNING
    try:
        for step in steps:
            _take(ctx, posting, step)
    except (Misconfigured, Waits):
        ctx.calls.flush(posting_id=posting.pk)
        locks.release(posting, PostingState.READY)
        raise
    except Retry as wish:
        return _put_off(ctx, posting, PostingState.READY, wish, delay_s=wish.delay_s)
    except Uncertain as lost:
        return _put_off(ctx, posting, PostingState.UNCERTAIN, lost)
    except (Held, Rejected) as fault:
        ctx.calls.flush(posting_id=posting.pk)
        with ctx.commit():
            locks.release(posting, PostingState.HELD, code=fault.code[:60], message=_sentence(fault))
        return PostingState.HELD
    return _finish(ctx, posting) if finish else _pause(posting)


def _take(ctx: StageContext, posting: Posting, step: Step) -> None:
    state = next((entry["state"] for entry in reversed(posting.steps) if entry["step"] == step.name), "")
    if state == "done":
        return
    # A replayed document may be there as a whole: nothing of it is written that Epicor shows.
    if state == "started" or step.look_first or posting.replay_of_id is not None:
        shown = step.look(ctx, posting)
        if shown is not None:
            _note(ctx, posting, step.name, "done", {**shown, "found": True})
            return
    if state != "started":
        _note(ctx, posting, step.name, "started", {})
    _note(ctx, posting, step.name, "done", step.do(ctx, posting))


def _note(ctx: StageContext, posting: Posting, name: str, state: str, facts: Facts) -> None:
    """Write a step down under our fence; losing the fence means another worker has the posting now."""
    ctx.calls.flush(posting_id=posting.pk)
    posting.steps.append({"step": name, "state": state, "at": ctx.now().isoformat(), **facts})
    values: dict[str, Any] = {"steps": posting.steps}
    for column in ("group_id", "head_num"):
        if column in facts:
            values[column] = facts[column]
            setattr(posting, column, facts[column])
    with ctx.commit():
        mine = Posting.objects.filter(pk=posting.pk, fence=posting.fence, state=PostingState.RUNNING)
        if mine.update(lease_until=Now() + locks.CALL_LEASE, updated_at=Now(), **values) != 1:
            raise Uncertain("Another worker took this document over.", system=System.EPICOR, code="taken_over")


def _put_off(
    ctx: StageContext, posting: Posting, to: PostingState, fault: ConnectorError, *, delay_s: float | None = None
) -> PostingState:
    ctx.calls.flush(posting_id=posting.pk)
    pause = delay_s if delay_s is not None else PAUSES[min(posting.tries, len(PAUSES) - 1)]
    with ctx.commit():
        locks.release(
            posting,
            to,
            tries=posting.tries + 1,
            next_try_at=Now() + timedelta(seconds=pause),
            code=fault.code[:60],
            message=_sentence(fault),
        )
    return to


def _pause(posting: Posting) -> PostingState:
    mine = locks.release(posting, PostingState.READY, next_try_at=None, code="", message="")
    return PostingState.READY if mine else PostingState.RUNNING


def _finish(ctx: StageContext, posting: Posting) -> PostingState:
    ctx.calls.flush(posting_id=posting.pk)
    with ctx.commit():
        done = locks.release(posting, PostingState.DONE, done_at=Now(), next_try_at=None, code="", message="")
        if done:
            audit.record(
                ctx.tenant,
                f"{ctx.stage}.posted",
                actor=ctx.actor,
                subject=(posting.kind, posting.natural_key),
                after={"group": posting.group_id, "head_num": posting.head_num, "draft": posting.draft_hash},
                run=ctx.run.pk,
            )
    return PostingState.DONE if done else PostingState.RUNNING


def _sentence(fault: ConnectorError) -> str:
    return f"{fault.message} {fault.hint}".strip()
