"""A worker that waits for a far side is alive; one that was killed, cancelled or overtaken gets no more time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError
from django.utils import timezone

from connector.stages import Stage
from syncjobs.engine import heartbeat, loop
from syncjobs.engine.context import LEASE, StageContext
from syncjobs.models import StageRun
from tenants.models import Tenant
from tests.engine.conftest import SYSTEM

pytestmark = pytest.mark.django_db(transaction=True)
BEAT = 0.01


def run(tenant: Tenant, **values: Any) -> StageRun:
    """A run whose lease is almost over."""
    moment = timezone.now()
    facts = {
        "lease_until": moment + timedelta(seconds=1),
        "deadline": moment + timedelta(hours=1),
        "started_at": moment,
        **values,
    }
    return StageRun.objects.create(tenant=tenant, stage="vendors_out", trigger="command", **facts)


def left(row: StageRun) -> timedelta:
    row.refresh_from_db()
    return row.lease_until - timezone.now()


def wait_for(what: Callable[[], bool]) -> bool:
    end = time.monotonic() + 10
    while not what():
        if time.monotonic() > end:
            return False
        time.sleep(BEAT)
    return True


def test_a_lease_is_prolonged_while_the_worker_waits_and_not_after(tenant: Tenant) -> None:
    row = run(tenant)
    with heartbeat.beating(row, every_s=BEAT):
        assert wait_for(lambda: left(row) > LEASE - timedelta(seconds=5))
    assert not [thread for thread in threading.enumerate() if thread.name == f"heartbeat-{row.pk}"]
    StageRun.objects.update(lease_until=timezone.now())
    time.sleep(BEAT * 5)
    assert left(row) <= timedelta(0)


@pytest.mark.parametrize(
    "values",
    [{"status": "cancelled"}, {"fence": 2}, {"deadline": timezone.now() - timedelta(hours=1)}],
    ids=["cancelled", "overtaken", "past its deadline"],
)
def test_a_run_that_is_over_gets_no_more_time(values: dict[str, Any], tenant: Tenant) -> None:
    row = run(tenant)
    StageRun.objects.update(**values)
    with heartbeat.beating(row, every_s=BEAT):
        time.sleep(BEAT * 10)
    assert left(row) <= timedelta(seconds=1)


def test_a_database_that_is_away_for_a_moment_costs_one_beat(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    row, original, failed = run(tenant), StageRun.objects.filter, []

    def away(**conditions: Any) -> Any:
        if threading.current_thread().name.startswith("heartbeat") and not failed:
            failed.append(conditions)
            raise DatabaseError("the server closed the connection")
        return original(**conditions)

    monkeypatch.setattr(StageRun.objects, "filter", away)
    with heartbeat.beating(row, every_s=BEAT):
        assert wait_for(lambda: left(row) > LEASE - timedelta(seconds=5))
    assert failed


def test_a_stage_that_waits_longer_than_its_lease_is_not_taken_for_dead(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = heartbeat.beating
    monkeypatch.setattr(heartbeat, "beating", lambda row: usual(row, every_s=BEAT))

    def policy(ctx: StageContext) -> None:
        StageRun.objects.update(lease_until=timezone.now() + timedelta(seconds=0.2))
        assert wait_for(lambda: left(ctx.run) > timedelta(seconds=60))
        assert loop.reap() == 0
        ctx.settle_count("unchanged")

    ended = loop.run_stage(tenant, Stage.VENDORS_OUT, policy, trigger="command", actor=SYSTEM)
    assert ended.status == "done"
