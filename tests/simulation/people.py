"""What our own people do at any time: decide about mappings and problems, replay, pause and resume."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.simulation.run import Run


def act(run: Run, random: Random) -> None:
    """Let somebody do one thing."""
