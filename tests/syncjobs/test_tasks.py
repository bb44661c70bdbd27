"""Bells: rung on commit, harmless when they ring twice, late or for nobody."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.db import transaction
from django.utils import timezone

from connector.stages import Stage
from syncjobs import tasks
from syncjobs.engine import schedule
from syncjobs.engine.context import StageContext
from syncjobs.models import Attempt, Batch, Posting, StageRun, StageSchedule
from syncjobs.stages import approvals_in
from syncjobs.states import BatchStatus, PostingState, RunStatus
from tenants.audit import Actor
from tenants.models import Tenant, TenantStatus

pytestmark = pytest.mark.django_db
Bells = Callable[[], Any]


def later(**parts: float) -> Any:
    return timezone.now() + timedelta(**parts)


def running(tenant: Tenant, stage: str, **values: Any) -> StageRun:
    facts = {"started_at": later(), "lease_until": later(minutes=2), "deadline": later(hours=6), **values}
    return StageRun.objects.create(tenant=tenant, stage=stage, trigger="schedule", **facts)


def batch(tenant: Tenant, stage: str, kind: str, **values: Any) -> Batch:
    facts = {"external_id": f"{kind}-1", "state": BatchStatus.SUBMITTED, **values}
    return Batch.objects.create(tenant=tenant, stage=stage, kind=kind, **facts)


def test_a_tick_rings_once_for_each_tenant_that_is_due(north: Tenant, south: Tenant, bells: Bells) -> None:
    StageSchedule.objects.filter(tenant=south).update(next_due=later(minutes=5))
    with bells() as rung:
        tasks.tick("vendors_out")
        tasks.tick("vendors_out")
    assert rung == [(north.pk, "vendors_out", "schedule")]


def test_a_bell_of_a_transaction_that_is_rolled_back_never_rings(north: Tenant, bells: Bells) -> None:
    with bells() as rung:
        try:
            with transaction.atomic():
                tasks.ring(north.pk, "vendors_out", trigger="person")
                raise RuntimeError
        except RuntimeError:
            pass
    assert rung == []


@pytest.mark.django_db(transaction=True)
def test_a_broker_that_is_away_is_logged_and_not_raised(
    north: Tenant, south: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found by the simulator: committed for real, the failure of a bell raised an AttributeError out of Django's own
    log line, so that the tick stopped at the first tenant and a person's request ended with an error."""

    def away(*_args: Any, **_options: Any) -> None:
        raise ConnectionError("no broker")

    monkeypatch.setattr(tasks.run_stage, "apply_async", away)
    tasks.tick("vendors_out")
    with transaction.atomic():
        tasks.ring(north.pk, "gl_codes_out", trigger="person")
    assert not StageSchedule.objects.filter(stage="vendors_out", next_due=None).exists()


def test_a_broker_that_is_away_harms_nobody(
    north: Tenant, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    def away(*_args: Any, **_options: Any) -> None:
        raise ConnectionError("no broker")

    monkeypatch.setattr(tasks.run_stage, "delay", away)
    with django_capture_on_commit_callbacks() as callbacks:
        tasks.ring(north.pk, "vendors_out", trigger="person")
    assert len(callbacks) == 1
    # Committed for real the callback is robust; here it is enough that it was registered so.
    from django.db import connection

    with transaction.atomic():
        tasks.ring(north.pk, "vendors_out", trigger="person")
        assert connection.run_on_commit[-1][2] is True


def test_a_run_rings_for_what_needs_it_when_it_moved_something(
    north: Tenant, bells: Bells, policies: dict[str, Any], ran: Any
) -> None:
    ran(north, "gl_codes_out")
    StageSchedule.objects.update(next_due=later(minutes=10))
    policies["vendors_out"] = lambda ctx: ctx.settle_count("created")
    with bells() as rung:
        tasks.run_stage(north.pk, "vendors_out", "schedule")
    # Invoices wait for the first purchase orders; they go on when those have run.
    assert rung == [
        (north.pk, "purchase_orders_out", "schedule"),
        (north.pk, "invoices_in", "schedule"),
        (north.pk, "payments_in", "schedule"),
    ]
    assert StageRun.objects.get(tenant=north, stage="vendors_out").asked_by == "schedule"
    policies.clear()
    StageSchedule.objects.update(next_due=later(minutes=10))
    with bells() as rung:
        tasks.run_stage(north.pk, "vendors_out", "schedule")
    assert rung == []


@pytest.mark.parametrize("how", ["tenant paused", "stage paused", "stage off"])
def test_a_queued_bell_of_somebody_paused_does_nothing(north: Tenant, policies: dict[str, Any], how: str) -> None:
    if how == "tenant paused":
        Tenant.objects.filter(pk=north.pk).update(status=TenantStatus.PAUSED)
    elif how == "stage paused":
        schedule.pause(north, Stage.VENDORS_OUT, actor=Actor.system("ann"), reason="year end")
    else:
        StageSchedule.objects.filter(tenant=north).update(enabled=False)
    tasks.run_stage(north.pk, "vendors_out", "schedule")
    tasks.run_stage(north.pk, "vendors_out", "sweep", full_read=True)
    tasks.poll_invoices(north.pk) if how == "tenant paused" else None
    assert not StageRun.objects.exists()


def test_a_person_may_run_what_is_switched_off_but_not_a_paused_tenant(north: Tenant, policies: dict[str, Any]) -> None:
    StageSchedule.objects.filter(tenant=north).update(enabled=False)
    Tenant.objects.filter(pk=north.pk).update(status=TenantStatus.SETTING_UP)
    tasks.run_stage(north.pk, "vendors_out", "person", "ann", 7, dry_run=True, reason="a rehearsal")
    run = StageRun.objects.get()
    assert (run.trigger, run.asked_by, run.dry_run, run.reason) == ("person", "ann", True, "a rehearsal")
    Tenant.objects.filter(pk=north.pk).update(status=TenantStatus.PAUSED)
    tasks.run_stage(north.pk, "vendors_out", "person", "ann", 7)
    assert StageRun.objects.count() == 1


def test_a_persons_run_takes_the_place_of_the_one_that_was_due(north: Tenant, policies: dict[str, Any]) -> None:
    tasks.run_stage(north.pk, "vendors_out", "person", "ann", 7)
    assert list(schedule.take_due(Stage.VENDORS_OUT)) == []


def test_a_bell_for_a_stage_that_is_running_makes_it_due_again(
    north: Tenant, policies: dict[str, Any], bells: Bells
) -> None:
    run = running(north, "vendors_out")
    StageSchedule.objects.update(next_due=later(minutes=10))
    with bells() as rung:
        tasks.run_stage(north.pk, "vendors_out", "schedule")
        tasks.tick("vendors_out")
    assert rung == []
    assert StageSchedule.objects.get(tenant=north, stage="vendors_out").next_due is None
    StageRun.objects.filter(pk=run.pk).update(status=RunStatus.DONE)
    with bells() as rung:
        tasks.tick("vendors_out")
    assert rung == [(north.pk, "vendors_out", "schedule")]


def test_a_rehearsal_that_met_a_run_does_not_become_a_real_one(north: Tenant, policies: dict[str, Any]) -> None:
    running(north, "vendors_out")
    StageSchedule.objects.update(next_due=later(minutes=10))
    tasks.run_stage(north.pk, "vendors_out", "person", "ann", 7, dry_run=True)
    assert not StageSchedule.objects.filter(next_due=None).exists()


def test_a_run_out_of_time_goes_on_at_once(north: Tenant, policies: dict[str, Any]) -> None:
    def long(_ctx: StageContext) -> None:
        raise SoftTimeLimitExceeded

    policies["vendors_out"] = long
    tasks.run_stage(north.pk, "vendors_out", "schedule")
    run = StageRun.objects.get()
    assert (run.status, run.error_code) == (RunStatus.CANCELLED, "time_limit")
    assert list(schedule.take_due(Stage.VENDORS_OUT)) == [north]


def test_due_batches_are_asked_about_between_cadences(north: Tenant, south: Tenant, bells: Bells) -> None:
    batch(north, "invoices_out", "invoices", next_poll_at=later(seconds=-1))
    batch(north, "vendors_out", "vendors", next_poll_at=later(seconds=-1), state=BatchStatus.UNCERTAIN)
    batch(south, "invoices_out", "invoices", next_poll_at=later(seconds=30))
    with bells() as rung:
        tasks.poll()
    assert rung == [(north.pk, "poll_invoices"), (north.pk, "vendors_out", "poll")]
    Tenant.objects.filter(pk=north.pk).update(status=TenantStatus.PAUSED)
    with bells() as rung:
        tasks.poll()
    assert rung == []


def test_a_submission_rings_for_its_verdicts_after_its_pause(
    north: Tenant, bells: Bells, policies: dict[str, Any], ran: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for stage in ("vendors_out", "gl_codes_out", "purchase_orders_out"):
        ran(north, stage)
    StageSchedule.objects.update(next_due=later(minutes=10))
    policies["invoices_out"] = lambda ctx: (
        batch(ctx.tenant, "invoices_out", "invoices", next_poll_at=later(seconds=7.5)) and None
    )
    with bells() as rung:
        tasks.run_stage(north.pk, "invoices_out", "schedule")
    assert rung == [(north.pk, "poll", 8)]

    asked = []
    monkeypatch.setattr(approvals_in, "poll_open", lambda ctx: asked.append(ctx.stage))
    Batch.objects.update(next_poll_at=later(seconds=200))
    with bells() as rung:
        tasks.poll_invoices(north.pk)
    assert asked == [Stage.APPROVALS_IN]
    assert rung == []  # a longer pause is the tick's business
    run = StageRun.objects.get(stage="approvals_in")
    assert (run.trigger, run.status) == ("poll", RunStatus.DONE)
    assert StageSchedule.objects.get(tenant=north, stage="approvals_in").next_due is not None


def test_a_poll_that_meets_the_stage_itself_leaves_it_to_it(north: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    running(north, "approvals_in")
    StageSchedule.objects.update(next_due=later(minutes=10))
    monkeypatch.setattr(approvals_in, "poll_open", lambda ctx: pytest.fail("polled twice"))
    tasks.poll_invoices(north.pk)
    assert not StageSchedule.objects.filter(next_due=None).exists()


def test_sweeps_are_rung_as_full_reads(
    north: Tenant, policies: dict[str, Any], django_capture_on_commit_callbacks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    StageSchedule.objects.update(next_due=later(minutes=10))
    StageSchedule.objects.filter(stage="vendors_out").update(next_sweep=None)
    monkeypatch.setattr(tasks.run_stage, "delay", tasks.run_stage)
    with django_capture_on_commit_callbacks(execute=True):
        tasks.sweep()
    run = StageRun.objects.get()
    assert (run.stage, run.trigger, run.full_read) == ("vendors_out", "sweep", True)


def test_the_reaper_gives_back_what_dead_workers_held(north: Tenant) -> None:
    StageSchedule.objects.update(next_due=later(minutes=10))
    dead = running(north, "vendors_out", lease_until=later(seconds=-1))
    overdue = running(north, "gl_codes_out", deadline=later(seconds=-1))
    alive = running(north, "invoices_out")
    sending = batch(north, "vendors_out", "vendors", state=BatchStatus.SENDING, lease_until=later(seconds=-1))
    sent = batch(
        north, "vendors_out", "vendors", external_id="v2", state=BatchStatus.SENDING, lease_until=later(minutes=1)
    )
    posting = Posting.objects.create(
        tenant=north,
        stage="invoices_in",
        kind="ap_invoice",
        natural_key="EPIC06|104|INV-77",
        draft="{}",
        draft_hash="x",
        state=PostingState.RUNNING,
        lease_until=later(seconds=-1),
    )
    tasks.reap()
    for one in (dead, overdue, alive, sending, sent, posting):
        one.refresh_from_db()
    assert [dead.status, overdue.status, alive.status] == [RunStatus.LOST, RunStatus.LOST, RunStatus.RUNNING]
    assert [sending.state, sent.state] == [BatchStatus.UNCERTAIN, BatchStatus.SENDING]
    assert posting.state == PostingState.UNCERTAIN
    due = StageSchedule.objects.filter(next_due=None).values_list("stage", flat=True)
    assert set(due) == {"vendors_out", "gl_codes_out"}


def test_only_history_that_told_nothing_is_pruned(north: Tenant, ran: Any, settings: Any) -> None:
    quiet, told, newest = (ran(north, "vendors_out", **counts) for counts in ({}, {"created": 1}, {}))
    failed = running(north, "gl_codes_out", status=RunStatus.FAILED)
    long_ago = later(days=-settings.KEEP_HISTORY_DAYS - 1)
    StageRun.objects.update(ended_at=long_ago)
    for moment in (long_ago, later(days=-settings.KEEP_HISTORY_DAYS + 1)):
        Attempt.objects.create(
            tenant=north,
            run=quiet,
            system="epicor",
            operation="read",
            method="GET",
            url="/",
            started_at=moment,
            seconds=1,
        )
    tasks.prune()
    assert set(StageRun.objects.all()) == {told, newest, failed}
    assert [attempt.run for attempt in Attempt.objects.all()] == [None]
