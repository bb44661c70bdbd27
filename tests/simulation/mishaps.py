"""The data faults of the field lessons: one of them, anywhere, at any time."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from tests.simulation import mishaps_at_avidxchange, mishaps_in_epicor
from tests.simulation.places import MISHAPS, Place

if TYPE_CHECKING:
    from tests.simulation.run import Run

__all__ = ["happen", "mishaps_at_avidxchange", "mishaps_in_epicor"]


def happen(run: Run, random: Random) -> None:
    """Let one thing happen somewhere; nothing does where it has nothing to happen to."""
    possible = [mishap for needs, mishap in MISHAPS if needs <= run.plan.theme.stages]
    mishap = random.choice(possible)
    place = Place(run, random.choice(run.plan.companies), random)
    what = mishap(place)
    if what:
        run.tell(f"  {place.company} {mishap.__name__.strip('_').replace('_', ' ')}: {what}")
