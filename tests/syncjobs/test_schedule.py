"""When a stage is due, who takes it, and what a good run changes about that."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule, IntervalSchedule

from connector.stages import Stage
from syncjobs.engine import schedule
from syncjobs.models import StageRun, StageSchedule
from tenants.audit import Actor
from tenants.models import AuditEvent, Tenant, TenantStatus

pytestmark = pytest.mark.django_db
TESTER = Actor.system("test")


def row(tenant: Tenant, stage: str) -> StageSchedule:
    return StageSchedule.objects.get(tenant=tenant, stage=stage)


def change(tenant: Tenant, stage: str, **values: Any) -> None:
    StageSchedule.objects.filter(tenant=tenant, stage=stage).update(**values)


def due(stage: str) -> list[str]:
    return [tenant.slug for tenant in schedule.take_due(Stage(stage))]


def test_a_due_stage_is_taken_once_and_moved_on_by_its_cadence(north: Tenant, south: Tenant) -> None:
    change(north, "vendors_out", next_due=timezone.now() - timedelta(hours=3))
    change(south, "vendors_out", next_due=timezone.now() + timedelta(minutes=1))
    before = timezone.now()
    assert due("vendors_out") == ["north"]
    moved = row(north, "vendors_out").next_due
    assert moved is not None
    # Three missed hours are one run, and the next one is a whole cadence from now.
    assert timedelta(minutes=15) <= moved - before < timedelta(minutes=15, seconds=30)
    assert due("vendors_out") == []


def test_two_ticks_never_take_the_same_row(north: Tenant) -> None:
    first, second = schedule.take_due(Stage.VENDORS_OUT), schedule.take_due(Stage.VENDORS_OUT)
    assert [tenant.slug for tenant in first] == ["north"]
    assert list(second) == []


@pytest.mark.parametrize(
    "values",
    [{"enabled": False}, {"paused_reason": "The company is wrong."}, {"paused_reason": "Paused by ann: year end"}],
)
def test_a_stage_that_is_off_or_paused_is_never_due(north: Tenant, values: dict[str, Any]) -> None:
    change(north, "vendors_out", **values)
    assert due("vendors_out") == []
    assert schedule.may_run(north, Stage.VENDORS_OUT) is False
    assert schedule.take(north, Stage.VENDORS_OUT) is False


@pytest.mark.parametrize("status", [TenantStatus.PAUSED, TenantStatus.SETTING_UP])
def test_only_a_live_tenant_is_due(north: Tenant, status: str) -> None:
    Tenant.objects.filter(pk=north.pk).update(status=status)
    change(north, "vendors_out", next_sweep=None)
    assert due("vendors_out") == []
    assert list(schedule.take_sweeps()) == []


def test_a_running_stage_stays_due_until_it_has_ended(north: Tenant, south: Tenant) -> None:
    moment = timezone.now()
    run = StageRun.objects.create(
        tenant=north, stage="vendors_out", trigger="command", started_at=moment, lease_until=moment, deadline=moment
    )
    assert due("vendors_out") == ["south"]
    StageRun.objects.filter(pk=run.pk).update(status="done")
    assert due("vendors_out") == ["north"]


def test_a_stage_waits_until_what_it_needs_has_run_well_once(north: Tenant, ran: Callable[..., StageRun]) -> None:
    assert due("purchase_orders_out") == []
    ran(north, "vendors_out")
    ran(north, "gl_codes_out", dry_run=True)
    assert due("purchase_orders_out") == []
    ran(north, "gl_codes_out", held=1)
    assert due("purchase_orders_out") == ["north"]


def test_a_needed_stage_that_is_switched_off_is_not_waited_for(north: Tenant, ran: Callable[..., StageRun]) -> None:
    change(north, "gl_codes_out", enabled=False)
    ran(north, "vendors_out")
    assert due("purchase_orders_out") == ["north"]


def test_a_run_that_moved_something_makes_due_what_needs_it(north: Tenant, south: Tenant, ran: Any) -> None:
    later = timezone.now() + timedelta(minutes=10)
    StageSchedule.objects.update(next_due=later)
    ran(north, "gl_codes_out", unchanged=5)
    assert not StageSchedule.objects.filter(next_due=None).exists()
    ran(north, "gl_codes_out", created=1)
    asked = StageSchedule.objects.filter(next_due=None).values_list("tenant__slug", "stage")
    assert set(asked) == {("north", stage) for stage in ("purchase_orders_out", "invoices_out", "invoices_in")}


def test_a_rehearsal_releases_nothing(north: Tenant, ran: Any) -> None:
    StageSchedule.objects.update(next_due=timezone.now() + timedelta(minutes=10))
    ran(north, "gl_codes_out", created=1, dry_run=True)
    assert not StageSchedule.objects.filter(next_due=None).exists()


def test_a_good_run_ends_its_own_pause_but_not_a_persons(north: Tenant, ran: Any) -> None:
    change(north, "vendors_out", paused_reason="The company is wrong.", paused_at=timezone.now())
    schedule.pause(north, Stage.GL_CODES_OUT, actor=Actor.system("ann"), reason="year end")
    ran(north, "vendors_out")
    ran(north, "gl_codes_out")
    assert row(north, "vendors_out").paused_reason == ""
    assert row(north, "gl_codes_out").paused_reason == "Paused by ann: year end"
    assert schedule.switched_on(north) == [stage for stage in Stage if stage != Stage.GL_CODES_OUT]
    schedule.resume(north, Stage.GL_CODES_OUT, actor=Actor.system("ann"))
    assert row(north, "gl_codes_out").paused_reason == ""
    assert due("gl_codes_out") == ["north"]


def test_a_sweep_counts_only_when_it_ended_well(north: Tenant, ran: Any) -> None:
    assert list(schedule.take_sweeps()) == []  # a new tenant's first runs read everything anyway
    change(north, "vendors_out", next_sweep=timezone.now() - timedelta(minutes=1))
    assert list(schedule.take_sweeps()) == [(north, Stage.VENDORS_OUT)]
    assert list(schedule.take_sweeps()) == []
    again = row(north, "vendors_out").next_sweep
    assert again is not None
    assert timedelta(minutes=59) < again - timezone.now() <= timedelta(hours=1)
    ran(north, "vendors_out", full_read=True)
    done = row(north, "vendors_out").next_sweep
    assert done is not None
    assert timedelta(days=6, hours=23) < done - timezone.now() <= timedelta(days=7)


def test_a_crontab_is_read_in_its_own_time_zone(north: Tenant) -> None:
    schedule_row = row(north, "vendors_out")
    schedule_row.interval = None
    schedule_row.crontab = CrontabSchedule.objects.create(minute="30", hour="6", timezone="America/Chicago")
    before = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)  # 06:00 in Chicago
    times = schedule.next_times(schedule_row, 2, after=before)
    assert times == [datetime(2026, 11, 23, 12, 30, tzinfo=UTC), datetime(2026, 11, 24, 12, 30, tzinfo=UTC)]


def test_a_document_changes_what_it_names_and_nothing_else(north: Tenant) -> None:
    schedule.apply(north, {"vendors_out": {"enabled": False, "every_minutes": 60}}, actor=TESTER)
    assert (row(north, "vendors_out").enabled, str(row(north, "vendors_out").interval)) == (False, "every 60 minutes")
    assert (row(north, "gl_codes_out").enabled, str(row(north, "gl_codes_out").interval)) == (True, "every 15 minutes")
    told = AuditEvent.objects.filter(tenant=north, action="schedule.changed").count()
    schedule.apply(north, {"vendors_out": {"enabled": False, "every_minutes": 60}}, actor=TESTER)
    assert AuditEvent.objects.filter(tenant=north, action="schedule.changed").count() == told


def test_a_double_of_an_interval_does_no_harm(north: Tenant) -> None:
    for _ in range(2):
        IntervalSchedule.objects.create(every=7, period=IntervalSchedule.MINUTES)
    schedule.apply(north, {"vendors_out": {"every_minutes": 7}}, actor=TESTER)
    assert str(row(north, "vendors_out").interval) == "every 7 minutes"


def test_every_fault_of_a_schedule_has_a_line() -> None:
    wrong = {
        "vendor_out": {},
        "gl_codes_out": 5,
        "vendors_out": {"enabled": "yes", "every_minutes": True, "cron": "*"},
        "invoices_out": {"every_minutes": 0},
    }
    assert schedule.faults(wrong) == [
        f"stages.vendor_out: unknown stage; known: {', '.join(Stage)}",
        'stages.gl_codes_out: must be an object such as {"enabled": true, "every_minutes": 15}',
        "stages.vendors_out.cron: unknown key",
        "stages.vendors_out.enabled: must be true or false",
        "stages.vendors_out.every_minutes: must be a whole number from 1 to 44640 (a month)",
        "stages.invoices_out.every_minutes: must be a whole number from 1 to 44640 (a month)",
    ]
    assert schedule.faults([]) == ["stages: must be an object of stage names"]
