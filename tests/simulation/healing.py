"""After the storm: faults stop, leases pass, blocks are lifted, and polls go on until nothing is left to do.

It must come to rest within ``MOST`` polls, and the last of them, which found nothing to do, is the further cycle that
writes nothing on either side.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from connector.stages import Stage
from syncjobs import tasks
from syncjobs.engine import review, schedule
from syncjobs.models import Problem, StageSchedule
from tests.simulation import books
from tests.simulation.world import BUILDER

if TYPE_CHECKING:
    from tests.simulation.run import Run

#: Pauses before each poll, in seconds: past every lease; past the time after which a submission surely never arrived;
#: then as a schedule goes on, through the pauses of held documents.
PAUSES = (400, 1000, 1000, 4000, 8000, 22_000, 22_000, 22_000)
MOST = len(PAUSES)


def heal(run: Run) -> None:
    """Bring a run to rest and check it."""
    random = Random(run.plan.seed)
    run.tell("healing")
    run.world.broker.down = False
    run.world.clock.ours = timedelta()
    for worker in run.crew.frozen:
        run.crew.thaw(worker)
    run.go(random)
    for lift in reversed(run.lift):
        lift()
    before, resting = "", False
    for number, pause in enumerate(PAUSES):
        run.pass_time(pause)
        poll(run, random)
        if run.faults:
            return
        after = _state(run)
        resting = number > 0 and after == before and not run.world.broker.bells and not run.unfinished()
        if resting and not run.broken():
            run.tell(f"at rest after {number} polls")
            return
        before = after
    run.faults += run.broken()
    if not resting:
        run.fail(f"it did not come to rest within {MOST} polls")


def poll(run: Run, random: Random) -> None:
    """Do what beat does in a quarter of an hour, and what people do who look at their queues."""
    run.worker(lambda: (tasks.reap.run(), tasks.poll.run()), "reap, poll")
    run.go(random)
    for company in run.plan.companies:
        tenant = run.tenants[company]
        for mapping in list(review.waiting(tenant)):
            review.approve(mapping, actor=BUILDER)
        for row in StageSchedule.objects.filter(tenant=tenant, enabled=True).exclude(paused_reason=""):
            schedule.resume(tenant, Stage(row.stage), actor=BUILDER)
        # What the schedule leaves to a person once Epicor has refused it.
        if Problem.objects.filter(tenant=tenant, state="open", subject_kind="ap_invoice_group").exists():
            run.worker(partial(tasks.run_stage.run, tenant.pk, str(Stage.INVOICES_IN), "person"), "a person's run")
            run.go(random)
    for stage in Stage:
        if stage in run.plan.theme.stages:
            run.worker(lambda stage=stage: tasks.tick.run(str(stage)), f"tick {stage}")
            run.go(random)
            deliver(run, random)


def deliver(run: Run, random: Random) -> None:
    """Deliver everything the broker has, in order."""
    for _ in range(100):
        waiting = run.world.broker.due()
        if not waiting:
            return
        run.world.broker.take(waiting[0])
        run.ring(waiting[0], random)
        run.go(random)
        if run.faults:
            return
    run.fail("the bells do not come to an end")


def _state(run: Run) -> str:
    return "".join(books.everything(run.world.sandbox, company) for company in run.plan.companies)
