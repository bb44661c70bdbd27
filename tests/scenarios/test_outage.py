"""A system that is down for a day: a bounded number of calls, one tenant waiting, and all made good by itself.

Time is simulated: nobody sleeps, what beat would ring is called at the minutes at which something is due, and the
database's clock goes on by moving back what it is compared with. Calls are counted by the stand-in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db.models import F
from django.utils import timezone

from connector.sandbox.server import Sandbox
from connector.stages import Stage, needing
from connector.transport.breaker import most_pings
from connector.transport.errors import System
from syncjobs import tasks
from syncjobs.engine import cadence, connections, loop
from syncjobs.engine.context import Clock
from syncjobs.models import Batch, ConnectionHealth, Posting, Problem, StageRun, StageSchedule
from tenants.models import Tenant
from tests.scenarios.books import payment_faults
from tests.stages.conftest import FakeClock

pytestmark = pytest.mark.django_db
MINUTE, DAY = 60.0, 86_400.0
CADENCE = 5 * MINUTE
#: Tries of the one call that finds the outage out; the ping that confirms it is among the pings.
FOUND_OUT = 5
#: What the database's clock is compared with.
MOMENTS = {
    ConnectionHealth: ("since", "until", "probe_until", "width_at"),
    StageSchedule: ("next_due", "next_sweep"),
    Batch: ("next_poll_at", "sent_at"),
    Posting: ("next_try_at",),
}

WELL = {"done", "done_with_problems"}

Ledger = Callable[[Tenant], dict[str, Any]]


@pytest.fixture
def sandbox_options() -> dict[str, Any]:
    return {"vendors": 12, "invoices": 8, "seed": 1, "pace": 0}


@dataclass
class Site:
    """A site with one worker, whose bells ring in order at any minute that is asked for."""

    clock: FakeClock
    rings: list[Callable[[], object]] = field(default_factory=list)
    passed: float = 0.0

    def minute(self) -> None:
        """Ring what beat rings each minute, and whatever follows from it."""
        for bell in (*(partial(tasks.tick, str(stage)) for stage in Stage), tasks.poll):
            bell()
            while self.rings:
                self.rings.pop(0)()
                errored = StageRun.objects.filter(status="errored").first()
                assert errored is None, errored.error_detail

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.passed += seconds
        self.clock.moment += timedelta(seconds=seconds)
        for model, names in MOMENTS.items():
            back = {name: F(name) - timedelta(seconds=seconds) for name in names}
            model._default_manager.update(**back)

    def until_due(self) -> None:
        """Let the minutes pass in which nothing is due: ringing then would find nothing."""
        schedules = StageSchedule.objects.order_by(F("next_due").asc(nulls_first=True))
        first = schedules.values_list("next_due", flat=True)[0]
        left = 0.0 if first is None else (first - timezone.now()).total_seconds()
        self.wait(max(1.0, -(-left // MINUTE)) * MINUTE)

    def go_on(self, seconds: float) -> None:
        """Let so much time pass, ringing whenever something is due."""
        end = self.passed + seconds
        while self.passed < end:
            self.minute()
            self.until_due()


@pytest.fixture
def site(clock: FakeClock, monkeypatch: pytest.MonkeyPatch, tenant: Tenant) -> Site:
    """All seven stages every five minutes."""
    made = Site(clock)
    StageSchedule.objects.update(interval=cadence.every(5), crontab=None, next_due=None)
    monkeypatch.setattr(loop, "run_stage", partial(loop.run_stage, clock=Clock(now=clock.now, sleep=clock.sleep)))
    monkeypatch.setattr(tasks, "_on_commit", made.rings.append)
    for task in (tasks.run_stage, tasks.poll_invoices):
        monkeypatch.setattr(task, "delay", task.run)
    monkeypatch.setattr(tasks.poll, "apply_async", lambda args, countdown: tasks.poll.run(*args))
    return made


def down(sandbox: Sandbox, system: str, path: str = "") -> Callable[[], int]:
    """Let a system answer 503 to whatever has ``path``; returns how to ask how often it was called."""
    sandbox.faults.add([{"system": system, "path": path, "kind": "status", "status": 503, "times": -1}])
    return lambda: int(sandbox.faults.report()[0]["fired"])


def outage(tenant: Tenant) -> Problem:
    return Problem.objects.get(tenant=tenant, subject_kind="connection")


def not_well(tenant: Tenant) -> list[StageRun]:
    return list(StageRun.objects.filter(tenant=tenant, status__in=("failed", "errored", "lost", "cancelled")))


def names_there(ledger: dict[str, Any]) -> list[str]:
    return [vendor["VendorName"] for vendor in ledger["avidxchange"]["vendors"]]


def rename(sandbox: Sandbox, name: str) -> None:
    """Rename a vendor that AvidXchange has."""
    there = {vendor["VendorName"] for vendor in sandbox.ledger()["avidxchange"]["EPIC06"]["vendors"]}
    row = next(row for row in sandbox.epicor.companies["EPIC06"]["Vendor"].all() if row["Name"] in there)
    key = {"VendorNum": row["VendorNum"]}
    sandbox.epicor.edit({"company": "EPIC06", "table": "Vendor", "key": key, "set": {"Name": name}})


def settled(site: Site, ledger: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Let cycles run until one writes nothing on either side; returns what is there then."""
    for _ in range(8):
        before = ledger()
        site.go_on(CADENCE)
        if ledger() == before:
            return before
    raise AssertionError("it never comes to rest")


def test_a_day_of_outage_costs_a_bounded_number_of_calls_and_is_made_good_within_two_polls(
    site: Site, sandbox: Sandbox, tenant: Tenant, ledger: Ledger
) -> None:
    # One cycle: batches without verdicts and payments on their way are caught in the middle.
    site.minute()
    calls = down(sandbox, "avidxchange")
    site.go_on(DAY)

    bound = FOUND_OUT + most_pings(connections.POLICY, DAY)
    assert DAY / connections.POLICY.cap_s < calls() <= bound == 74
    assert outage(tenant).state == "open"
    assert not_well(tenant) == [], "an outage is no stage's failure"
    waited = StageRun.objects.filter(tenant=tenant, status="waiting").count()
    assert waited <= bound, "bells that find the connection open leave no run behind"

    rename(sandbox, "Renamed meanwhile")
    rows = {stage: StageRun.objects.filter(tenant=tenant, stage=stage).count() for stage in Stage}
    sandbox.faults.clear()
    site.until_due()
    site.go_on(CADENCE)
    for stage in Stage:
        runs = StageRun.objects.filter(tenant=tenant, stage=stage).order_by("pk")[rows[stage] :]
        assert {run.status for run in runs if run.trigger == "schedule"} <= WELL, stage
        assert runs, stage
    assert names_there(ledger(tenant)).count("Renamed meanwhile") == 1
    assert outage(tenant).state == "resolved"

    rest = settled(site, lambda: ledger(tenant))
    assert payment_faults(rest) == []
    invoices = [row["ExternalId"] for row in rest["avidxchange"]["invoices"] if row["ExternalId"]]
    assert len(set(invoices)) == len(invoices) > 0


def test_the_other_tenant_and_the_other_systems_stage_go_on(
    site: Site, sandbox: Sandbox, tenant: Tenant, other: Tenant, ledger: Ledger
) -> None:
    StageSchedule.objects.filter(tenant=other).update(interval=cadence.every(5), next_due=None)
    moment = timezone.now()
    facts = {"trigger": "command", "started_at": moment, "lease_until": moment, "deadline": moment, "status": "done"}
    for stage in Stage:  # no stage waits for another's first run
        StageRun.objects.create(tenant=tenant, stage=stage, **facts)
    calls = down(sandbox, "epicor", "/EPIC06/")
    site.go_on(CADENCE + MINUTE)

    runs = StageRun.objects.filter(trigger="schedule")
    assert set(runs.filter(tenant=other).values_list("stage", flat=True)) == set(Stage)
    assert not_well(other) == not_well(tenant) == []
    assert not runs.filter(tenant=other, status="waiting").exists()
    mine = runs.filter(tenant=tenant)
    assert set(mine.exclude(status="waiting").values_list("stage", flat=True)) <= {"approvals_in"}
    assert mine.filter(stage="approvals_in", status="done").count() >= 2
    assert calls() <= FOUND_OUT + most_pings(connections.POLICY, 2 * CADENCE)
    assert list(ConnectionHealth.objects.filter(since__isnull=False).values_list("tenant__slug", "system")) == [
        (tenant.slug, "epicor")
    ]
    assert {Stage(one.stage) for one in mine.filter(status="waiting")} <= set(needing(System.EPICOR))
