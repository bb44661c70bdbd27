"""What people and machines do to the data over there while we work: the data faults of the field lessons."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.simulation.run import Run


def happen(run: Run, random: Random) -> None:
    """Let one thing happen."""
