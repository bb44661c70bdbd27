"""One run of one stage: claim, policy, counts that add up, and an end that says what happened.

The engine imports no stage; whoever starts a run hands in the stage's function.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from datetime import timedelta

from celery.exceptions import SoftTimeLimitExceeded
from django.db import IntegrityError, transaction
from django.db.models import Max
from django.db.models.functions import Now

from connector.stages import SYSTEMS, Stage
from connector.transport.errors import ConnectorError, Misconfigured, Retry, Uncertain, Waits
from connector.transport.redact import redact_text
from syncjobs.engine import heartbeat, locks, outages, problems, schedule
from syncjobs.engine.context import LEASE, Clock, LeaseLost, StageContext
from syncjobs.models import StageRun, StageSchedule
from syncjobs.models.runs import COUNTS
from syncjobs.states import RunStatus
from tenants import audit
from tenants.audit import Actor
from tenants.models import Tenant

log = logging.getLogger(__name__)

#: What a run does; whatever it returns is nobody's business.
Policy = Callable[[StageContext], object]

#: No run may go on for longer, whatever it is doing (field lesson 20).
DEADLINE = timedelta(hours=6)


class Busy(Exception):
    """The stage is already running for this tenant; ``run`` is who has it."""

    def __init__(self, run: StageRun | None) -> None:
        super().__init__(f"already running: {run}" if run else "already running")
        self.run = run


def run_stage(
    tenant: Tenant,
    stage: Stage,
    policy: Policy,
    *,
    trigger: str,
    actor: Actor,
    dry_run: bool = False,
    full_read: bool = False,
    reason: str = "",
    replay_of: int | None = None,
    clock: Clock | None = None,
    patience_s: float = 20.0,
) -> StageRun:
    """Run a stage to its end and return the ended run; raises ``Busy`` when someone else is running it.

    ``replay_of`` is the key of the run that this one replays.

    Every failure ends in the run's own row: nothing is raised for it, and nothing is sampled away (lesson 21).
    """
    clock = clock or Clock()
    options = tenant.typed_options
    asked = StageRun(
        tenant=tenant,
        stage=stage,
        trigger=trigger,
        asked_by=actor.name,
        reason=reason[:500],
        dry_run=dry_run,
        full_read=full_read,
        replay_of_id=replay_of,
    )
    run = _claim(asked)
    ctx = StageContext(tenant=tenant, run=run, actor=actor, options=options, clock=clock, patience_s=patience_s)
    try:
        with heartbeat.beating(run):
            _work(ctx, policy)
        _end(ctx, _verdict(ctx))
    except LeaseLost as lost:
        log.warning("stage.lease_lost", extra={"stage": stage, "tenant": tenant.slug, "run": run.pk})
        _end(ctx, RunStatus.LOST, code="lease_lost", error=str(lost))
    except Misconfigured as fault:
        _pause(ctx, fault)
        _end(ctx, RunStatus.FAILED, code=fault.code or "misconfigured", error=_sentence(fault))
    except Waits as wait:
        # Not a fault of this stage: what was stored stays, and the rest is done when the system can be called again.
        _end(ctx, RunStatus.WAITING, code=wait.code, error=_sentence(wait))
        # A stage that needs that system for a part of its work only keeps its own cadence.
        due_again = wait.system in SYSTEMS[stage] and not dry_run
        schedule.come_back(tenant, [stage] if due_again else [], in_s=wait.delay_s or 0)
    except ConnectorError as fault:
        _end(ctx, RunStatus.FAILED, code=fault.code or type(fault).__name__.lower(), error=_sentence(fault))
    except SoftTimeLimitExceeded:
        # Not a fault: a long first read takes several runs, each going on from the last page that was stored.
        _end(ctx, RunStatus.CANCELLED, code="time_limit", error="Its time was up; the next run goes on from there.")
        schedule.make_due(tenant, [] if dry_run else [stage])
    except KeyboardInterrupt:
        _end(ctx, RunStatus.CANCELLED, code="cancelled", error="Stopped from the keyboard.")
        raise
    except Exception as bug:  # noqa: BLE001  (a bug ends in the run's row, in full, and never in a worker's crash)
        detail = redact_text(traceback.format_exc())
        facts = {"stage": stage, "tenant": tenant.slug, "run": run.pk, "detail": detail}
        log.error("stage.errored", extra=facts)  # noqa: TRY400  (the traceback goes out redacted, not as it is)
        words = f"A fault in the connector itself: {type(bug).__name__}."
        _end(ctx, RunStatus.ERRORED, code="errored", error=words, detail=detail)
    finally:
        ctx.close()
    run.refresh_from_db()
    return run


def _work(ctx: StageContext, policy: Policy) -> None:
    """Do the stage's work, unless a system that it needs is not called at present; raises ``Waits`` then."""
    outages.arrive(ctx)
    try:
        policy(ctx)
    except (Retry, Uncertain) as fault:
        reason = outages.leave(ctx, fault)
        if reason is not fault and reason is not None:
            raise reason from None
        raise
    outages.leave(ctx)


def reap() -> int:
    """End every run whose lease or deadline has passed as lost; return how many there were (lesson 18)."""
    expired = StageRun.objects.filter(status=RunStatus.RUNNING)
    ended = 0
    for run in (expired.filter(lease_until__lt=Now()) | expired.filter(deadline__lt=Now())).select_related("tenant"):
        ended += _lose(run)
    return ended


def cancel(run: StageRun, *, actor: Actor) -> bool:
    """End a run at a person's wish; its worker stops at its next commit. Works on orphans too (lesson 20)."""
    with transaction.atomic():
        done = StageRun.objects.filter(pk=run.pk, status=RunStatus.RUNNING).update(
            status=RunStatus.CANCELLED, ended_at=Now(), error_code="cancelled", error=f"Cancelled by {actor.name}."
        )
        if done:
            audit.record(run.tenant, "run.cancelled", actor=actor, subject=("run", str(run.pk)), run=run.pk)
    return done == 1


def _lose(run: StageRun) -> int:
    with transaction.atomic():
        lost = StageRun.objects.filter(pk=run.pk, fence=run.fence, status=RunStatus.RUNNING).update(
            status=RunStatus.LOST,
            ended_at=Now(),
            error_code="lease_expired",
            error="The worker stopped without a word; the next run goes on from what was stored.",
        )
        if lost and not run.dry_run:
            schedule.make_due(run.tenant, [Stage(run.stage)])
    return lost


def _claim(run: StageRun) -> StageRun:
    """Insert ``run`` as the one that is running, with the next fence; raises ``Busy`` when another one is."""
    same = StageRun.objects.filter(tenant=run.tenant, stage=run.stage)
    for last_try in (False, True):
        try:
            with transaction.atomic():
                run.owner = locks.owner()
                run.fence = (same.aggregate(top=Max("fence"))["top"] or 0) + 1
                run.started_at = Now()
                run.lease_until, run.deadline = Now() + LEASE, Now() + DEADLINE
                run.save(force_insert=True)
        except IntegrityError:
            live = same.filter(status=RunStatus.RUNNING).first()
            if last_try or not reap():
                raise Busy(live) from None
        else:
            run.refresh_from_db()
            return run
    raise AssertionError("unreachable: the second try either claims or raises")


def _verdict(ctx: StageContext) -> RunStatus:
    """Check that the counts add up to what was read, and say how the run ended."""
    outcomes = {name: ctx.counts.get(name, 0) for name in COUNTS[1:]}
    read = ctx.counts.get("read", 0)
    if sum(outcomes.values()) != read:
        raise AssertionError(f"counts do not add up: read {read}, but {outcomes}")
    needs_someone = outcomes["held"] + outcomes["rejected"] + outcomes["uncertain"]
    return RunStatus.DONE_WITH_PROBLEMS if needs_someone else RunStatus.DONE


def _end(ctx: StageContext, status: RunStatus, *, code: str = "", error: str = "", detail: str = "") -> None:
    values = {name: ctx.counts.get(name, 0) for name in COUNTS}
    with transaction.atomic():
        ended = StageRun.objects.filter(pk=ctx.run.pk, fence=ctx.run.fence, status=RunStatus.RUNNING).update(
            status=status,
            ended_at=Now(),
            requests=ctx.calls.total,
            error_code=code[:60],
            error=error,
            error_detail=detail,
            **values,
        )
        if ended and status in (RunStatus.DONE, RunStatus.DONE_WITH_PROBLEMS):
            problems.resolve_run(ctx)
            ctx.run.refresh_from_db()
            schedule.ended_well(ctx.run)
        if ended:
            after = {"status": str(status), "counts": values}
            audit.record(
                ctx.tenant,
                f"{ctx.stage}.{'rehearsed' if ctx.dry_run else 'ran'}",
                actor=ctx.actor,
                subject=("run", str(ctx.run.pk)),
                after=after,
                run=ctx.run.pk,
            )


def _sentence(fault: ConnectorError) -> str:
    return f"{fault.message} {fault.hint}".strip()


def _pause(ctx: StageContext, fault: Misconfigured) -> None:
    """Every record would fail: pause this tenant's stage, and say so to whoever can mend it."""
    with transaction.atomic():
        StageSchedule.objects.filter(tenant=ctx.tenant, stage=ctx.stage).update(
            paused_reason=_sentence(fault)[:500], paused_at=Now()
        )
        problems.report_run(ctx, code=fault.code or "misconfigured", message=fault.message, hint=fault.hint)
