"""Policy: one file a stage. ``policy()`` finds a stage's function by its name."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from connector.stages import Stage

if TYPE_CHECKING:
    from syncjobs.engine.loop import Policy


def policy(stage: Stage) -> Policy:
    """Return the function that runs a stage."""
    run: Policy = import_module(f"syncjobs.stages.{stage}").run
    return run
