"""The states that runs begin with, made once a process by the product itself in calm weather."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from connector.sandbox.server import Sandbox
from connector.stages import Stage
from syncjobs.engine import review
from syncjobs.models import StageSchedule
from tests.simulation import data, database
from tests.simulation.world import BUILDER, CALM, Start, World, make_tenants

MASTER = (Stage.VENDORS_OUT, Stage.GL_CODES_OUT, Stage.PURCHASE_ORDERS_OUT)
DOCUMENTS = (Stage.INVOICES_OUT, Stage.APPROVALS_IN, Stage.INVOICES_IN)


def prepare(world: World) -> dict[str, Start]:
    """Return the prepared states by name: nothing done; master data mapped; everything but payments; everything.

    The tables must be empty. No time passes, so every state is of the moment at which runs begin.
    """
    world.clock.restart(ours=timedelta(), database=timedelta())
    world.sandbox = Sandbox(data=data.small_seed(), clock=world.clock.far_now, avidxchange_options=dict(CALM))
    data.thin_captured(world.sandbox)
    world.sandbox.avidxchange.settled()
    make_tenants()
    found = {"new": _keep(world, "new")}
    _cycles(world, MASTER, 3)
    found["mapped"] = _keep(world, "mapped")
    _cycles(world, DOCUMENTS, 2)
    found["paid"] = _keep(world, "paid")
    _cycles(world, tuple(Stage), 2)
    found["settled"] = _keep(world, "settled")
    return found


def _keep(world: World, name: str) -> Start:
    StageSchedule.objects.update(next_due=None)
    return Start(data.put_away(world.sandbox), database.put_away(name))


def _cycles(world: World, stages: Iterable[Stage], times: int) -> None:
    from syncjobs import tasks

    for _ in range(times):
        for tenant in world.tenants():
            for stage in stages:
                tasks.run_stage.run(tenant.pk, str(stage), "command")
            for mapping in list(review.waiting(tenant)):
                review.approve(mapping, actor=BUILDER)
        world.broker.bells.clear()
