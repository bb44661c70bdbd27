"""A simulator in one process: prepared once on an empty, migrated database, then run after run from seeds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.backends.signals import connection_created
from django.test.utils import override_settings

from tests.simulation import clock, database, plan, product
from tests.simulation.preparing import prepare
from tests.simulation.run import Outcome, Run
from tests.simulation.world import Start, World


@dataclass
class Simulator:
    """Runs seeds."""

    world: World
    starts: dict[str, Start]

    def run(self, seed: int, *, without: frozenset[int] = frozenset(), first: int | None = None) -> Outcome:
        """Run a seed; ``without`` leaves out steps by their numbers, ``first`` all steps from that number on."""
        whole = plan.draw(seed)
        kept = tuple(one for number, one in enumerate(whole.steps[:first]) if number not in without)
        return Run(self.world, replace(whole, steps=kept), self.starts).play()

    def shrink(self, seed: int, without: frozenset[int] = frozenset()) -> frozenset[int]:
        """Return which steps of a failing seed can be left out, one by one, so that it still fails."""
        for number in reversed(range(len(plan.draw(seed).steps))):
            if number not in without and not self.run(seed, without=without | {number}).ok:
                without |= {number}
        return without


def _use_virtual_time(*, connection: Any, **_signal: Any) -> None:
    clock.use_virtual_time(connection)


@contextmanager
def simulator() -> Iterator[Simulator]:
    """Prepare a simulator on the current database and leave its schema as it was."""
    numbers = database.sequences()
    clock.make_clock_functions()
    clock.use_virtual_time(connection)
    connection_created.connect(_use_virtual_time)
    world = World()
    try:
        with override_settings(ALLOW_PRIVATE_HOSTS=True, LOGGING_CONFIG=settings.LOGGING_CONFIG), product.under(world):
            database.empty()
            yield Simulator(world, prepare(world))
    finally:
        connection_created.disconnect(_use_virtual_time)
        database.empty()
        clock.use_real_time(connection)
        database.forget()
        clock.drop_clock_functions()
        # Other tests of this process count on keys that are never given out twice.
        database.set_sequences(numbers)
