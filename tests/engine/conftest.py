"""A tenant, runs that a test holds in its hand, and workers that die or freeze when it says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connector.stages import Stage
from syncjobs.engine import loop, schedule
from syncjobs.engine.context import Clock, StageContext
from syncjobs.models import StageRun
from tenants import services
from tenants.audit import Actor
from tenants.models import Tenant
from tests.engine.far_side import FarSide
from tests.syncjobs.conftest import document

SYSTEM = Actor.system("test")
LONG_AGO = timedelta(days=1)


@pytest.fixture
def tenant(db: None) -> Tenant:
    made = services.apply(document("north", "EPIC06"), actor=SYSTEM)
    schedule.apply(made, {}, actor=SYSTEM)
    return made


@pytest.fixture
def other(db: None) -> Tenant:
    made = services.apply(document("south", "EPIC07"), actor=SYSTEM)
    schedule.apply(made, {}, actor=SYSTEM)
    return made


@pytest.fixture
def far() -> FarSide:
    return FarSide()


class Sleeper:
    """A clock that only moves when somebody sleeps."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.moment

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.moment += timedelta(seconds=seconds)

    @property
    def clock(self) -> Clock:
        return Clock(now=self.now, sleep=self.sleep)


@pytest.fixture
def sleeper() -> Sleeper:
    return Sleeper()


Open = Callable[..., StageContext]


@pytest.fixture
def open_run(far: FarSide, sleeper: Sleeper) -> Iterator[Open]:
    """Claim a run and hand out its context, as a worker that has just begun; ``far`` is its AvidXchange.

    A worker that still has the stage is taken for dead first.
    """
    opened: list[StageContext] = []

    def begin(tenant: Tenant, stage: str = "vendors_out", *, far_side: FarSide = far, **facts: Any) -> StageContext:
        die(StageRun.objects.filter(tenant=tenant, stage=stage, status="running"))
        asked = StageRun(tenant=tenant, stage=Stage(stage), trigger="command", asked_by=SYSTEM.name, **facts)
        run = loop._claim(asked)
        fresh = Tenant.objects.get(pk=tenant.pk)
        ctx = StageContext(tenant=fresh, run=run, actor=SYSTEM, options=fresh.typed_options, clock=sleeper.clock)
        ctx.__dict__["avidxchange"] = far_side
        opened.append(ctx)
        return ctx

    yield begin
    for ctx in opened:
        ctx.calls.flush()


def die(runs: Any) -> None:
    """Let runs' workers be dead: their leases are long over, and the reaper has been."""
    moment = datetime.now(UTC) - LONG_AGO
    runs.update(lease_until=moment)
    loop.reap()
