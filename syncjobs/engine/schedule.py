"""When a tenant's stage is due, and who takes it, by the database's clock alone: workers' clocks differ (lesson 9).

``next_due`` in the database is the queue; beat and Celery only ring. A due row is taken by moving its ``next_due``
on in one conditional UPDATE, so that two ticks never start the same run; a row without a ``next_due`` is due at once.
A sweep is put off by an hour when it is taken and by its whole period only when it has ended well (``loop``), so that
a bell that got lost does not cost a week.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from connector.stages import NEEDS, Stage
from syncjobs.engine import cadence
from syncjobs.models import StageRun, StageSchedule
from syncjobs.states import RUN_LIVE, RUN_OK
from tenants import audit
from tenants.audit import Actor
from tenants.models import Tenant, TenantStatus

DEFAULT_MINUTES = 15
#: How the reason of a pause begins that a person ordered. Only a person ends it; one that a stage took upon itself ends
#: with its next good run.
BY_PERSON = "Paused by "
SWEEP_AGAIN = timedelta(hours=1)


def next_time(schedule: StageSchedule, after: datetime) -> datetime:
    """Return the next time, in UTC, that ``schedule`` is due after ``after``."""
    if schedule.crontab is not None:
        crontab = schedule.crontab
        expression = crontab.schedule
        expression.nowfun = lambda: after.astimezone(ZoneInfo(str(crontab.timezone)))
        rest: timedelta = expression.remaining_estimate(after)
        # In the hour that comes twice when the clock goes back, celery names the first one, which may be over.
        return after + rest if rest > timedelta(0) else after + rest + timedelta(hours=1)
    interval = schedule.interval
    period: timedelta = interval.schedule.run_every if interval is not None else timedelta(minutes=DEFAULT_MINUTES)
    return after + period


def next_times(schedule: StageSchedule, count: int, *, after: datetime | None = None) -> list[datetime]:
    """Return the next ``count`` times, for a person to check a cadence by."""
    moment = after or timezone.now()
    times = []
    for _ in range(count):
        moment = next_time(schedule, moment)
        times.append(moment)
    return times


def take_due(stage: Stage) -> Iterator[Tenant]:
    """Yield the live tenants whose ``stage`` is due, each after its schedule was moved on.

    A stage that is running stays due until it has ended, and one that needs another waits until that has run once.
    """
    for schedule in _ready(stage=stage).order_by("next_due", "pk"):
        if not _waits(schedule.tenant, stage) and _take(schedule):
            yield schedule.tenant


def take(tenant: Tenant, stage: Stage) -> bool:
    """Take one tenant's stage if it is due; False when it is not, or when somebody else has just taken it."""
    schedule = _ready(tenant=tenant, stage=stage).first()
    return schedule is not None and not _waits(tenant, stage) and _take(schedule)


def take_sweeps() -> Iterator[tuple[Tenant, Stage]]:
    """Yield what is due for a full read, which catches what polls by change date or SysRevID have missed."""
    for schedule in _scheduled().filter(Q(next_sweep__isnull=True) | Q(next_sweep__lte=Now())).order_by("pk"):
        still = StageSchedule.objects.filter(pk=schedule.pk, next_sweep=schedule.next_sweep)
        if still.update(next_sweep=Now() + SWEEP_AGAIN):
            yield schedule.tenant, Stage(schedule.stage)


def make_due(tenant: Tenant, stages: Iterable[Stage]) -> None:
    """Let stages run at the next tick, whatever their cadence: there is something new for them."""
    StageSchedule.objects.filter(tenant=tenant, stage__in=list(stages)).update(next_due=None)


def put_off(tenant: Tenant, stages: Iterable[Stage], until: datetime | None, *, taken: bool = False) -> None:
    """Let no stage that is due before ``until`` run before it; one that was ``taken`` is due again then."""
    earlier = Q() if taken else Q(next_due__isnull=True) | Q(next_due__lt=until)
    StageSchedule.objects.filter(earlier, tenant=tenant, stage__in=list(stages)).update(next_due=until)


def bring_forward(tenant: Tenant, stages: Iterable[Stage], until: datetime | None) -> None:
    """Let stages that were put off until ``until`` run at the next tick."""
    if until is None:
        return
    # A run that came back to wait has counted from a moment later.
    put_off_ones = StageSchedule.objects.filter(tenant=tenant, next_due__lte=until + timedelta(seconds=5))
    put_off_ones.filter(stage__in=list(stages)).update(next_due=None)


def come_back(tenant: Tenant, stages: Iterable[Stage], *, in_s: float) -> None:
    """Let stages that could not do their work run again after so many seconds, whatever their cadence."""
    again = Now() + timedelta(seconds=in_s)
    StageSchedule.objects.filter(tenant=tenant, stage__in=list(stages)).update(next_due=again)


def ended_well(run: StageRun) -> None:
    """Draw the schedule's consequences of a good run: its own pause is over, a sweep is done, what needs it may go on.

    Call it in the transaction that ends the run.
    """
    own = StageSchedule.objects.filter(tenant=run.tenant, stage=run.stage)
    own.exclude(paused_reason__startswith=BY_PERSON).update(paused_reason="", paused_at=None)
    if run.dry_run:
        return
    if run.full_read:
        days = run.tenant.typed_options.full_reconcile_every_days
        own.update(next_sweep=Now() + timedelta(days=days))
    if run.created or run.updated:
        make_due(run.tenant, (stage for stage in Stage if Stage(run.stage) in NEEDS[stage]))


def may_run(tenant: Tenant, stage: Stage) -> bool:
    """Whether the schedule may run a stage now: the tenant live, the stage switched on and not paused."""
    return _scheduled(tenant=tenant, stage=stage).exists()


def switched_on(tenant: Tenant) -> list[Stage]:
    """Return the stages that a person who names none means: all but those switched off or paused by a person."""
    out = StageSchedule.objects.filter(tenant=tenant).filter(Q(enabled=False) | Q(paused_reason__startswith=BY_PERSON))
    left_out = set(out.values_list("stage", flat=True))
    return [stage for stage in Stage if stage not in left_out]


def _scheduled(**conditions: Any) -> QuerySet[StageSchedule]:
    """Schedules that run: their tenant live, switched on and not paused."""
    return StageSchedule.objects.filter(
        enabled=True, paused_reason="", tenant__status=TenantStatus.LIVE, **conditions
    ).select_related("tenant")


def _ready(**conditions: Any) -> QuerySet[StageSchedule]:
    """Schedules that run, are due, and whose stage nobody is running."""
    at_work = StageRun.objects.filter(tenant=OuterRef("tenant"), stage=OuterRef("stage"), status__in=RUN_LIVE)
    due = _scheduled(**conditions).filter(Q(next_due__isnull=True) | Q(next_due__lte=Now()))
    return due.exclude(Exists(at_work)).select_related("tenant", "interval", "crontab").annotate(asked_at=Now())


def _take(schedule: StageSchedule) -> bool:
    """Take a row of ``_ready``; the next time is counted from the moment it was found due."""
    still = StageSchedule.objects.filter(pk=schedule.pk, next_due=schedule.next_due)
    asked_at: datetime = getattr(schedule, "asked_at")  # noqa: B009  (an annotation, which types do not know)
    return still.update(next_due=next_time(schedule, asked_at)) == 1


def _waits(tenant: Tenant, stage: Stage) -> bool:
    """Whether a stage that ``stage`` needs is scheduled and has never run well."""
    needed = _scheduled(tenant=tenant, stage__in=NEEDS[stage])
    good = StageRun.objects.filter(tenant=tenant, stage=OuterRef("stage"), status__in=RUN_OK, dry_run=False)
    return needed.exclude(Exists(good)).exists()


def faults(stages: Any) -> list[str]:
    """Return one line for each fault in a ``load_tenant`` document's ``stages``; none when it can be applied."""
    if not isinstance(stages, Mapping):
        return ["stages: must be an object of stage names"]
    lines = []
    for name, wanted in stages.items():
        if name not in set(Stage):
            lines.append(f"stages.{name}: unknown stage; known: {', '.join(Stage)}")
            continue
        if not isinstance(wanted, Mapping):
            lines.append(f'stages.{name}: must be an object such as {{"enabled": true, "every_minutes": 15}}')
            continue
        lines += [f"stages.{name}.{key}: unknown key" for key in wanted if key not in ("enabled", "every_minutes")]
        if not isinstance(wanted.get("enabled", True), bool):
            lines.append(f"stages.{name}.enabled: must be true or false")
        minutes = wanted.get("every_minutes", DEFAULT_MINUTES)
        if isinstance(minutes, bool) or not isinstance(minutes, int) or not 1 <= minutes <= 44_640:
            lines.append(f"stages.{name}.every_minutes: must be a whole number from 1 to 44640 (a month)")
    return lines


def apply(tenant: Tenant, stages: Mapping[str, Any], *, actor: Actor) -> None:
    """Create or change a tenant's schedules from a checked document; stages not named keep what they have.

    A new tenant gets every stage, on, every 15 minutes, unless the document says otherwise.
    """
    with transaction.atomic():
        for stage in Stage:
            wanted = stages.get(stage)
            known = StageSchedule.objects.filter(tenant=tenant, stage=stage).first()
            if wanted is None and known is not None:
                continue
            wanted = wanted or {}
            schedule = known or StageSchedule(tenant=tenant, stage=stage)
            before = cadence.described(schedule) if known else None
            if "enabled" in wanted:
                schedule.enabled = wanted["enabled"]
            if known is None:
                # Its first runs read everything anyway.
                schedule.next_sweep = timezone.now() + timedelta(days=tenant.typed_options.full_reconcile_every_days)
            if "every_minutes" in wanted or known is None:
                schedule.interval = cadence.every(wanted.get("every_minutes", DEFAULT_MINUTES))
                schedule.crontab = None
                schedule.next_due = None
            schedule.save()
            if cadence.described(schedule) != before:
                audit.record(
                    tenant,
                    "schedule.changed",
                    actor=actor,
                    subject=("stage", str(stage)),
                    before=before,
                    after=cadence.described(schedule),
                )


def change(row: StageSchedule, *, minutes: int | None, times: str, actor: Actor) -> None:
    """Give a schedule, whose ``enabled`` is set already, minutes or a checked crontab line; audited if that differs.

    By minutes it is due at once, by times only when the next one comes.
    """
    with transaction.atomic():
        before = cadence.described(StageSchedule.objects.select_related("interval", "crontab").get(pk=row.pk))
        row.interval = cadence.every(minutes) if minutes else None
        row.crontab = cadence.at_times(times, row.tenant.time_zone) if times else None
        after = cadence.described(row)
        if after == before:
            return
        row.next_due = next_time(row, timezone.now()) if times else None
        row.save(update_fields=["enabled", "interval", "crontab", "next_due", "updated_at"])
        subject = ("stage", row.stage)
        audit.record(row.tenant, "schedule.changed", actor=actor, subject=subject, before=before, after=after)


def pause(tenant: Tenant, stage: Stage, *, actor: Actor, reason: str) -> None:
    """Stop a stage's schedule until somebody resumes it."""
    with transaction.atomic():
        StageSchedule.objects.filter(tenant=tenant, stage=stage).update(
            paused_reason=f"{BY_PERSON}{actor.name}: {reason}"[:500], paused_at=Now()
        )
        audit.record(tenant, "schedule.paused", actor=actor, subject=("stage", str(stage)), reason=reason)


def resume(tenant: Tenant, stage: Stage, *, actor: Actor) -> None:
    """Let a stage's schedule go on, from now."""
    with transaction.atomic():
        StageSchedule.objects.filter(tenant=tenant, stage=stage).update(paused_reason="", paused_at=None, next_due=None)
        audit.record(tenant, "schedule.resumed", actor=actor, subject=("stage", str(stage)))
