"""The steps that a plan is made of: what beat, broker, workers, clocks and people do, each drawn from its own seed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING

from connector.stages import Stage
from syncjobs import tasks
from tenants.models import Tenant
from tests.simulation import mishaps, people
from tests.simulation.broker import Bell

if TYPE_CHECKING:
    from tests.simulation.run import Run

#: A run is some hundred points long; killed and frozen workers are hit anywhere in it.
POINTS = 160
#: Seconds that pass between two steps.
PAUSES = (5, 45, 130, 310, 1000, 4000, 90_000)

Act = Callable[["Run", Random], None]
STEPS: dict[str, Act] = {}


def step(name: str) -> Callable[[Act], Act]:
    def register(act: Act) -> Act:
        STEPS[name] = act
        return act

    return register


def _storm(run: Run, random: Random) -> None:
    """Draw this step's weather: mostly the plan's, sometimes calm, sometimes one system being down."""
    pick = random.random()
    run.weather.random, run.weather.kinds = random, run.plan.kinds
    run.weather.systems = ("epicor", "avidxchange")
    run.weather.chance = run.plan.chance
    run.weather.tell = run.tell
    run.unrest = random.choice([0, 0, 0, 0.02, 0.1])
    if pick < 0.15:
        run.weather.chance = 0
    elif pick < 0.25:
        run.weather.chance, run.weather.systems = 1.0, (random.choice(("epicor", "avidxchange")),)
        run.weather.kinds = (random.choice(("refused", "503 with a wish", "502 instead", "timeout instead", "429")),)


def _fate(random: Random) -> dict[str, int]:
    pick = random.random()
    if pick < 0.3:
        return {"kill_at": random.randint(1, POINTS)}
    return {"freeze_at": random.randint(1, POINTS)} if pick < 0.4 else {}


def _someone(run: Run, random: Random) -> Tenant:
    return run.tenants[random.choice(run.plan.companies)]


def _stage(run: Run, random: Random) -> Stage:
    return random.choice(sorted(run.plan.theme.stages))


@step("work")
def _work(run: Run, random: Random) -> None:
    """A worker runs a stage; often another one is at something else, or at the very same, at the same time."""
    _storm(run, random)
    tenant, stage = _someone(run, random), _stage(run, random)
    jobs = [(tenant, stage)]
    if random.random() < 0.35:
        jobs.append((_someone(run, random), _stage(run, random)))
    if random.random() < 0.15:
        jobs.append((tenant, stage))
    switch = random.choice([0.02, 0.1, 0.4]) if len(jobs) > 1 else 0.0
    for whose, which in jobs:
        trigger = random.choice(["schedule", "schedule", "schedule", "person", "sweep"])
        bell = Bell(
            tasks.run_stage, (whose.pk, str(which), trigger), {"full_read": True} if trigger == "sweep" else {},
            run.world.clock.true,
        )  # fmt: skip
        run.ring(bell, random, **_fate(random))
    run.go(random, switch=switch)


@step("deliver")
def _deliver(run: Run, random: Random) -> None:
    """The broker delivers some of what it has: in any order, twice, late, or never."""
    _storm(run, random)
    switch = random.choice([0.0, 0.05, 0.3])
    for _ in range(random.randint(1, 3)):
        waiting = run.world.broker.due()
        if not waiting:
            return
        bell = random.choice(waiting)
        pick = random.random()
        if pick < 0.85:
            run.world.broker.take(bell)
        if pick >= 0.1:
            run.ring(bell, random, **_fate(random))
        else:
            run.tell(f"lost: {bell}")
        if random.random() < 0.5:
            run.go(random, switch=switch)
    run.go(random, switch=switch)


@step("tick")
def _tick(run: Run, random: Random) -> None:
    run.worker(lambda: tasks.tick.run(str(_stage(run, random))), "tick")
    run.go(random)


@step("poll")
def _poll(run: Run, random: Random) -> None:
    run.worker(tasks.poll.run, "poll")
    run.go(random)


@step("reap")
def _reap(run: Run, random: Random) -> None:
    run.worker(tasks.reap.run, "reap")
    run.go(random)


@step("sweep")
def _sweep(run: Run, random: Random) -> None:
    run.worker(tasks.sweep.run, "sweep")
    run.go(random)


@step("prune")
def _prune(run: Run, random: Random) -> None:
    run.worker(tasks.prune.run, "prune")
    run.go(random)


@step("time")
def _time(run: Run, random: Random) -> None:
    seconds = random.choice(PAUSES)
    run.tell(f"{seconds} s pass")
    run.pass_time(seconds)


@step("thaw")
def _thaw(run: Run, random: Random) -> None:
    _storm(run, random)
    for worker in run.crew.frozen:
        run.crew.thaw(worker)
    run.go(random, switch=0.1)


@step("clock")
def _clock(run: Run, random: Random) -> None:
    run.world.clock.ours = timedelta(hours=random.choice([0, 48, -48, 1, -1]))
    run.tell(f"our clock is off by {run.world.clock.ours}")


@step("broker")
def _broker(run: Run, random: Random) -> None:
    pick = random.choice(["down", "up", "emptied"])
    run.tell(f"the broker is {pick}")
    if pick == "emptied":
        run.world.broker.bells.clear()
    run.world.broker.down = pick == "down"


@step("mishap")
def _mishap(run: Run, random: Random) -> None:
    mishaps.happen(run, random)


@step("person")
def _person(run: Run, random: Random) -> None:
    people.act(run, random)
