"""One run: claimed by one, counted to the last record, ended in its own row whatever happened."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.utils import timezone

from connector.stages import Stage
from connector.transport.client import Attempt as RemoteCall
from connector.transport.errors import Misconfigured, Retry, System
from syncjobs.engine import loop
from syncjobs.engine.context import LEASE, LeaseLost, StageContext
from syncjobs.engine.loop import Busy
from syncjobs.models import COUNTS, Attempt, Problem, StageRun, StageSchedule
from tenants.models import AuditEvent, Tenant
from tests.engine.conftest import LONG_AGO, SYSTEM, Sleeper

pytestmark = pytest.mark.django_db
STAGE = Stage.VENDORS_OUT

Run = Callable[..., StageRun]


@pytest.fixture
def run(tenant: Tenant, sleeper: Sleeper) -> Run:
    def begin(policy: Callable[[StageContext], None] = lambda ctx: None, **options: Any) -> StageRun:
        facts = {"trigger": "command", "actor": SYSTEM, "clock": sleeper.clock, **options}
        return loop.run_stage(facts.pop("tenant", tenant), facts.pop("stage", STAGE), policy, **facts)

    return begin


def schedule_of(tenant: Tenant, stage: Stage = STAGE) -> StageSchedule:
    return StageSchedule.objects.get(tenant=tenant, stage=stage)


def test_a_run_ends_with_its_counts_and_a_row_in_the_trail(run: Run) -> None:
    def policy(ctx: StageContext) -> None:
        ctx.settle_count("created", 2)
        ctx.settle_count("unchanged", 3)

    ended = run(policy)
    assert (ended.status, ended.ended_at is not None, ended.error) == ("done", True, "")
    assert ended.counts == {**dict.fromkeys(COUNTS, 0), "read": 5, "created": 2, "unchanged": 3}
    event = AuditEvent.objects.get(action="vendors_out.ran")
    assert event.after == {"status": "done", "counts": ended.counts}


@pytest.mark.parametrize("outcome", ["held", "rejected", "uncertain"])
def test_a_run_that_leaves_something_is_done_with_problems(outcome: str, run: Run) -> None:
    assert run(lambda ctx: ctx.settle_count(outcome)).status == "done_with_problems"


@pytest.mark.parametrize("counts", [{"read": 2, "created": 1}, {"created": 1}, {"read": 1, "created": 2}])
def test_counts_that_do_not_add_up_are_our_own_fault(counts: dict[str, int], run: Run) -> None:
    def policy(ctx: StageContext) -> None:
        for name, number in counts.items():
            ctx.count(name, number)

    ended = run(policy)
    assert (ended.status, ended.error_code) == ("errored", "errored")
    assert "counts do not add up" in ended.error_detail


def test_only_one_may_run_a_stage_of_a_tenant(run: Run, tenant: Tenant, other: Tenant) -> None:
    met = []

    def policy(ctx: StageContext) -> None:
        with pytest.raises(Busy) as busy:
            run()
        met.append(busy.value.run.pk == ctx.run.pk if busy.value.run else None)
        assert run(stage=Stage.GL_CODES_OUT).status == "done"
        assert run(tenant=other).status == "done"

    assert run(policy).status == "done"
    assert met == [True]


def test_a_dead_workers_claim_is_taken_over_with_a_higher_fence(run: Run, tenant: Tenant) -> None:
    """Field lesson 18."""
    fences = []

    def policy(ctx: StageContext) -> None:
        StageRun.objects.update(lease_until=timezone.now() - LONG_AGO)
        fences.append(ctx.run.fence)
        second = run(lambda inner: fences.append(inner.run.fence))
        assert second.status == "done"
        with pytest.raises(LeaseLost), ctx.commit():
            pass
        ctx.say("still here")

    first = run(policy)
    assert (first.status, first.error_code) == ("lost", "lease_expired")
    assert fences == [1, 2]


def test_a_frozen_worker_writes_nothing(run: Run, tenant: Tenant) -> None:
    """Field lesson 19: what it had in its transaction is rolled back with its lease."""

    def policy(ctx: StageContext) -> None:
        StageRun.objects.update(lease_until=timezone.now() - LONG_AGO)
        assert loop.reap() == 1
        with ctx.commit():
            Problem.objects.create(
                tenant=tenant, stage=STAGE, code="x", subject_kind="x", subject_key="x", message="x",
                last_seen_at=timezone.now(),
            )  # fmt: skip

    ended = run(policy)
    assert ended.status == "lost"
    assert not Problem.objects.exists()


def test_a_live_worker_without_a_rival_goes_on_after_a_pause(run: Run) -> None:
    """Its lease is over, but nobody has taken the stage: nothing is gained by giving up."""

    def policy(ctx: StageContext) -> None:
        StageRun.objects.update(lease_until=timezone.now() - LONG_AGO)
        with ctx.commit():
            ctx.settle_count("created")
        lease = StageRun.objects.get().lease_until
        assert timedelta(0) < lease - timezone.now() <= LEASE

    assert run(policy).status == "done"


def test_a_run_past_its_deadline_cannot_go_on(run: Run) -> None:
    """Field lesson 20."""

    def policy(ctx: StageContext) -> None:
        StageRun.objects.update(deadline=timezone.now() - timedelta(seconds=1))
        ctx.say("one more page")

    assert run(policy).status == "lost"


def test_the_reaper_ends_what_nobody_works_on_and_asks_for_it_again(tenant: Tenant) -> None:
    past, future = timezone.now() - timedelta(seconds=1), timezone.now() + timedelta(hours=1)
    facts = {"tenant": tenant, "trigger": "schedule", "started_at": past}
    silent = StageRun.objects.create(stage="vendors_out", lease_until=past, deadline=future, **facts)
    endless = StageRun.objects.create(stage="gl_codes_out", lease_until=future, deadline=past, **facts)
    alive = StageRun.objects.create(stage="invoices_out", lease_until=future, deadline=future, **facts)
    rehearsal = StageRun.objects.create(stage="payments_in", lease_until=past, deadline=future, dry_run=True, **facts)
    StageSchedule.objects.update(next_due=future)
    assert loop.reap() == 3
    states = {one.stage: StageRun.objects.get(pk=one.pk).status for one in (silent, endless, alive, rehearsal)}
    assert states == {"vendors_out": "lost", "gl_codes_out": "lost", "invoices_out": "running", "payments_in": "lost"}
    due = set(StageSchedule.objects.filter(next_due=None).values_list("stage", flat=True))
    assert due == {"vendors_out", "gl_codes_out"}
    assert loop.reap() == 0


def test_a_cancelled_run_stops_at_its_next_commit_and_stays_cancelled(run: Run) -> None:
    def policy(ctx: StageContext) -> None:
        ctx.settle_count("created")
        assert loop.cancel(ctx.run, actor=SYSTEM) is True
        assert loop.cancel(ctx.run, actor=SYSTEM) is False
        with ctx.commit():
            Problem.objects.all().delete()
        raise AssertionError("it went on")

    ended = run(policy)
    assert (ended.status, ended.error) == ("cancelled", f"Cancelled by {SYSTEM.name}.")
    assert AuditEvent.objects.filter(action="run.cancelled").count() == 1


def test_an_orphan_can_be_cancelled(tenant: Tenant) -> None:
    moment = timezone.now() + timedelta(hours=1)
    orphan = StageRun.objects.create(
        tenant=tenant, stage=STAGE, trigger="schedule", started_at=moment, lease_until=moment, deadline=moment
    )
    assert loop.cancel(orphan, actor=SYSTEM)
    orphan.refresh_from_db()
    assert orphan.status == "cancelled"


def test_what_is_misconfigured_pauses_this_tenants_stage_and_a_good_run_ends_the_pause(
    run: Run, tenant: Tenant, other: Tenant
) -> None:
    def policy(ctx: StageContext) -> None:
        raise Misconfigured("Company EPIC99 answered.", system=System.EPICOR, code="wrong_company", hint="Correct it.")

    ended = run(policy)
    assert (ended.status, ended.error_code, ended.error) == (
        "failed",
        "wrong_company",
        "Company EPIC99 answered. Correct it.",
    )
    assert schedule_of(tenant).paused_reason == "Company EPIC99 answered. Correct it."
    assert schedule_of(tenant, Stage.GL_CODES_OUT).paused_reason == ""
    assert schedule_of(other).paused_reason == ""
    problem = Problem.objects.get()
    assert (problem.subject_kind, problem.subject_key, problem.turn) == ("stage", "vendors_out", "implementer")
    run()
    problem.refresh_from_db()
    assert (schedule_of(tenant).paused_reason, problem.state) == ("", "resolved")


def test_what_may_come_right_by_itself_fails_the_run_and_pauses_nothing(run: Run, tenant: Tenant) -> None:
    def policy(ctx: StageContext) -> None:
        ctx.settle_count("created")
        raise Retry("AvidXchange is down.", system=System.AVIDXCHANGE, code="unavailable")

    ended = run(policy)
    assert (ended.status, ended.error_code, ended.created) == ("failed", "unavailable", 1)
    assert (schedule_of(tenant).paused_reason, Problem.objects.count()) == ("", 0)


def test_a_fault_of_our_own_is_kept_in_full_and_without_secrets(run: Run) -> None:
    """Field lessons 21 and 24."""

    def policy(ctx: StageContext) -> None:
        raise KeyError("password=hunter2-not-real")

    ended = run(policy)
    assert (ended.status, ended.error) == ("errored", "A fault in the connector itself: KeyError.")
    assert "Traceback" in ended.error_detail
    assert "hunter2" not in ended.error_detail + ended.error


def test_a_long_first_read_goes_on_in_another_run(run: Run, tenant: Tenant) -> None:
    StageSchedule.objects.update(next_due=timezone.now() + timedelta(hours=1))

    def policy(ctx: StageContext) -> None:
        raise SoftTimeLimitExceeded

    ended = run(policy)
    assert (ended.status, ended.error_code) == ("cancelled", "time_limit")
    assert schedule_of(tenant).next_due is None


def test_a_key_press_ends_the_run_and_goes_on_up(run: Run) -> None:
    def policy(ctx: StageContext) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(policy)
    assert StageRun.objects.get().status == "cancelled"


def test_calls_are_evidence_that_outlives_a_rollback(run: Run) -> None:
    def policy(ctx: StageContext) -> None:
        ctx.calls.add(_call())
        with ctx.commit():
            ctx.calls.add(_call())
            raise RuntimeError("rolled back")

    ended = run(policy)
    assert (ended.status, ended.requests, Attempt.objects.filter(run=ended).count()) == ("errored", 2, 2)


def _call() -> Any:
    return RemoteCall(
        system=System.EPICOR, operation="Vendors", method="GET", url="https://erp.example.com", seconds=0.1,
        started_at=timezone.now(), status=200, request_id="1", error="", request_bytes=0, response_bytes=2,
        request_shape=None, response_shape=None,
    )  # fmt: skip
