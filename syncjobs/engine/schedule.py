"""When a tenant's stage is due, and who takes it.

``next_due`` in the database is the queue; beat and Celery only ring. A due row is taken by moving its ``next_due``
on in one conditional UPDATE, so that two ticks never start the same run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule, IntervalSchedule

from connector.stages import Stage
from syncjobs.models import StageSchedule
from tenants import audit
from tenants.audit import Actor
from tenants.models import Tenant, TenantStatus

DEFAULT_MINUTES = 15


def next_time(schedule: StageSchedule, after: datetime) -> datetime:
    """Return the next time, in UTC, that ``schedule`` is due after ``after``."""
    if schedule.crontab is not None:
        crontab = schedule.crontab
        expression = crontab.schedule
        expression.nowfun = lambda: after.astimezone(ZoneInfo(str(crontab.timezone)))
        return after + expression.remaining_estimate(after)
    interval = schedule.interval
    period = interval.schedule.run_every if interval is not None else timedelta(minutes=DEFAULT_MINUTES)
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
    """Yield the live tenants whose ``stage`` is due, each after its schedule was moved on."""
    due = StageSchedule.objects.filter(
        Q(next_due__isnull=True) | Q(next_due__lte=Now()),
        stage=stage,
        enabled=True,
        paused_reason="",
        tenant__status=TenantStatus.LIVE,
    ).select_related("tenant", "interval", "crontab")
    for schedule in due.order_by("next_due", "pk"):
        taken = StageSchedule.objects.filter(pk=schedule.pk, next_due=schedule.next_due).update(
            next_due=next_time(schedule, timezone.now())
        )
        if taken:
            yield schedule.tenant


def take_sweeps() -> Iterator[tuple[Tenant, Stage]]:
    """Yield what is due for a full read, which catches what polls by change date or SysRevID have missed."""
    due = StageSchedule.objects.filter(
        Q(next_sweep__isnull=True) | Q(next_sweep__lte=Now()),
        enabled=True,
        paused_reason="",
        tenant__status=TenantStatus.LIVE,
    ).select_related("tenant")
    for schedule in due.order_by("pk"):
        later = timezone.now() + timedelta(days=schedule.tenant.typed_options.full_reconcile_every_days)
        if StageSchedule.objects.filter(pk=schedule.pk, next_sweep=schedule.next_sweep).update(next_sweep=later):
            yield schedule.tenant, Stage(schedule.stage)


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
            lines.append(f"stages.{name}: must be an object such as {{\"enabled\": true, \"every_minutes\": 15}}")
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
            before = _plain(schedule) if known else None
            if "enabled" in wanted:
                schedule.enabled = wanted["enabled"]
            if "every_minutes" in wanted or known is None:
                schedule.interval = _interval(wanted.get("every_minutes", DEFAULT_MINUTES))
                schedule.crontab = None
                schedule.next_due = None
            schedule.save()
            if _plain(schedule) != before:
                audit.record(
                    tenant,
                    "schedule.changed",
                    actor=actor,
                    subject=("stage", str(stage)),
                    before=before,
                    after=_plain(schedule),
                )


def pause(tenant: Tenant, stage: Stage, *, actor: Actor, reason: str) -> None:
    """Stop a stage's schedule until somebody resumes it."""
    with transaction.atomic():
        StageSchedule.objects.filter(tenant=tenant, stage=stage).update(
            paused_reason=f"Paused by {actor.name}: {reason}"[:500], paused_at=Now()
        )
        audit.record(tenant, "schedule.paused", actor=actor, subject=("stage", str(stage)), reason=reason)


def resume(tenant: Tenant, stage: Stage, *, actor: Actor) -> None:
    """Let a stage's schedule go on, from now."""
    with transaction.atomic():
        StageSchedule.objects.filter(tenant=tenant, stage=stage).update(
            paused_reason="", paused_at=None, next_due=None
        )
        audit.record(tenant, "schedule.resumed", actor=actor, subject=("stage", str(stage)))


def _interval(minutes: int) -> IntervalSchedule:
    interval, _ = IntervalSchedule.objects.get_or_create(every=minutes, period=IntervalSchedule.MINUTES)
    return interval


def _plain(schedule: StageSchedule) -> dict[str, Any]:
    crontab: CrontabSchedule | None = schedule.crontab
    return {
        "enabled": schedule.enabled,
        "interval": str(schedule.interval) if schedule.interval else "",
        "crontab": str(crontab) if crontab else "",
    }
