"""One cycle of a tenant's stages, inline and in order, and waiting for what it set in motion on the far side.

A cycle is one pass over the stages that were asked for. ``settle`` then makes further passes, with growing pauses, over
what is still under way: the stages that bring results in, stages whose submissions wait for verdicts, and stages that
may go on because a stage they need has just moved something. What all passes moved is reported as one entry a stage.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from connector.stages import NEEDS, Stage
from syncjobs import stages
from syncjobs.engine import loop
from syncjobs.engine.under_way import unfinished
from syncjobs.models.runs import COUNTS, StageRun
from syncjobs.states import RUN_OK, RunStatus
from tenants.audit import Actor
from tenants.models import Tenant

Say = Callable[[str], object]

#: How long a stage that somebody else is running is waited for.
BUSY_WAIT_S = 60.0
#: Pauses between passes, in seconds; the last one repeats.
PAUSES = (1, 2, 4, 8, 15)
#: Passes without any movement after which approved invoices are no longer waited for: nobody promised to pay them now.
QUIET_PASSES = 2
#: Stages that bring results of the far side's own doing.
BRING_IN = (Stage.APPROVALS_IN, Stage.INVOICES_IN, Stage.PAYMENTS_IN)
#: What is counted afresh by every pass; of these only the last pass's numbers say how things stand.
STANDING = ("unchanged", "held", "uncertain")
BUSY = "busy"


@dataclass(slots=True)
class Entry:
    """What one stage did, all its passes together. ``counts`` add up to what was read, as those of a run do."""

    stage: Stage
    status: str = ""
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0))
    requests: int = 0
    seconds: float = 0.0
    error: str = ""
    passes: int = 0

    @property
    def failed(self) -> bool:
        """Whether the stage's last run did not end well, or any run met a fault of ours."""
        return self.status not in RUN_OK

    def add(self, run: StageRun) -> None:
        """Take up one more run: what moved adds up, what stands is replaced."""
        for name in COUNTS[1:]:
            number = getattr(run, name)
            self.counts[name] = number if name in STANDING else self.counts[name] + number
        self.counts["read"] = sum(self.counts[name] for name in COUNTS[1:])
        self.requests += run.requests
        if run.ended_at is not None:
            self.seconds += (run.ended_at - run.started_at).total_seconds()
        self.passes += 1
        # A later pass makes up for one that was throttled or cut off, but never for a bug.
        if self.status != RunStatus.ERRORED:
            self.status, self.error = run.status, run.error
        if self.status == RunStatus.DONE and any(self.counts[name] for name in ("held", "rejected", "uncertain")):
            self.status = str(RunStatus.DONE_WITH_PROBLEMS)

    def as_json(self, *, with_passes: bool) -> dict[str, Any]:
        """Return the entry in the shape of design section 7."""
        plain = {
            "stage": str(self.stage),
            "status": str(self.status),
            "counts": self.counts,
            "requests": self.requests,
            "seconds": round(self.seconds, 3),
            "error": self.error,
        }
        return plain | ({"passes": self.passes} if with_passes else {})


@dataclass(slots=True)
class Cycle:
    """Runs a tenant's stages one after the other; ``sleep`` and ``monotonic`` are injected by tests."""

    tenant: Tenant
    wanted: Sequence[Stage]
    actor: Actor
    say: Say
    dry_run: bool = False
    trigger: str = "command"
    reason: str = ""
    replay_of: int | None = None
    sleep: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic
    entries: dict[Stage, Entry] = field(default_factory=dict)

    def run(self, *, full_read: bool = False) -> None:
        """Make the first pass: every stage that was asked for."""
        for stage in self.wanted:
            self.one(stage, full_read=full_read)

    def settle(self, seconds: float) -> None:
        """Make further passes for at most ``seconds``, until everything that was set in motion has come to its end."""
        if self.dry_run:
            self.say("Nothing to wait for: a rehearsal sets nothing in motion.")
            return
        deadline = self.monotonic() + seconds
        tries = quiet = 0
        while (left := deadline - self.monotonic()) > 0:
            rest = unfinished(self.tenant, self.wanted)
            if not rest or (not rest.certain and quiet >= QUIET_PASSES):
                return
            pause = min(float(PAUSES[min(tries, len(PAUSES) - 1)]), left)
            self.say(f"Waiting {pause:.0f} s for {rest.words}")
            self.sleep(pause)
            moved = self._pass(rest.stages)
            tries, quiet = tries + 1, 0 if moved else quiet + 1
        if rest := unfinished(self.tenant, self.wanted):
            self.say(f"Still under way: {rest.words}")

    def _pass(self, at_work: Iterable[Stage]) -> bool:
        """Run what brings results in, what waits for verdicts, and what may go on because of these."""
        base = {*BRING_IN, *at_work}
        moved: set[Stage] = set()
        for stage in self.wanted:
            if (stage in base or moved.intersection(NEEDS[stage])) and self.one(stage):
                moved.add(stage)
        return bool(moved)

    def one(self, stage: Stage, *, full_read: bool = False) -> bool:
        """Run one stage, waiting for whoever has it now; return whether it moved anything."""
        entry = self.entries.setdefault(stage, Entry(stage))
        run = self._patiently(stage, full_read=full_read)
        if isinstance(run, loop.Busy):
            entry.status = BUSY
            entry.error = f"Another run has been at it for more than {BUSY_WAIT_S:.0f} seconds ({run.run})."
            self.say(f"{stage}: {entry.error}")
            return False
        entry.add(run)
        counts = ", ".join(f"{number:,} {name}" for name, number in run.counts.items() if number)
        error = f": {run.error}" if run.error else ""
        self.say(f"{stage}: {run.get_status_display().lower()}{error} ({counts or 'nothing to do'})")
        return bool(run.created or run.updated)

    def _patiently(self, stage: Stage, *, full_read: bool) -> StageRun | loop.Busy:
        waited = 0.0
        while True:
            try:
                return loop.run_stage(
                    Tenant.objects.get(pk=self.tenant.pk),
                    stage,
                    stages.policy(stage),
                    trigger=self.trigger,
                    actor=self.actor,
                    reason=self.reason,
                    replay_of=self.replay_of,
                    dry_run=self.dry_run,
                    full_read=full_read,
                )
            except loop.Busy as busy:
                if waited >= BUSY_WAIT_S:
                    return busy
                if not waited:
                    self.say(f"{stage}: waiting for another run of it to end")
                self.sleep(1)
                waited += 1
