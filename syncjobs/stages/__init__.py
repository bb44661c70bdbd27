"""Policy: one file a stage. ``policy()`` finds a stage's function by its name."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from connector.stages import Stage

if TYPE_CHECKING:
    from syncjobs.engine.context import StageContext
    from syncjobs.engine.loop import Policy


def policy(stage: Stage) -> Policy:
    """Return the function that runs a stage."""
    run: Policy = import_module(f"syncjobs.stages.{stage}").run
    return run


def poll_open(ctx: StageContext) -> None:
    """Ask about submitted invoices whose pause is over and do nothing else: a policy for between two cadences."""
    import_module("syncjobs.stages.approvals_in").poll_open(ctx)
