"""Doorbells. A task takes ids, loads, and calls one function of the engine; the rows are the queue.

So a bell may ring twice (claims decide who runs), ring late (tenant and schedule are asked again) or get lost (the next
tick finds what is still due). Bells are rung on commit only, or a worker could look before the row is there.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

from celery import shared_task
from django.db import transaction

from connector.stages import NEEDS, Stage
from syncjobs import stages
from syncjobs.engine import locks, loop, outages, schedule, under_way
from syncjobs.engine import prune as pruning
from syncjobs.stages import approvals_in
from tenants.audit import Actor
from tenants.models import Tenant, TenantStatus

SCHEDULE = Actor.system("schedule")
#: How often beat rings: pauses shorter than that get a bell of their own.
TICK = timedelta(minutes=1)
#: How long a scheduled run waits for verdicts: a worker has better things to do, and polls come by themselves.
PATIENCE_S = 5.0
#: What a person asks for, which is done, or said to wait, whatever the schedule says.
ASKED = ("person", "replay")


def ring(tenant_id: int, stage: str, *, trigger: str, actor: Actor = SCHEDULE, **options: Any) -> None:
    """Have a worker run a stage, once the transaction is committed; ``options`` are those of ``run_stage``."""
    _on_commit(partial(run_stage.delay, tenant_id, str(stage), trigger, actor.name, actor.id, **options))


@shared_task
def tick(stage: str) -> None:
    """Ring for every tenant whose stage is due. Beat rings this each minute, for each stage."""
    for tenant in schedule.take_due(Stage(stage)):
        ring(tenant.pk, stage, trigger="schedule")


@shared_task
def run_stage(
    tenant_id: int, stage: str, trigger: str, actor_name: str = "schedule", actor_id: int | None = None, **options: Any
) -> None:
    """Run a stage (``dry_run``, ``full_read``, ``reason``), unless it may not run now; then ring for what follows."""
    tenant, name = Tenant.objects.get(pk=tenant_id), Stage(stage)
    if _allowed(tenant, name, trigger):
        if not options.get("dry_run"):
            schedule.take(tenant, name)
        _run(tenant, name, stages.policy(name), trigger=trigger, actor=Actor(actor_name, actor_id), **options)


@shared_task
def poll(tenant_id: int | None = None) -> None:
    """Ask about submitted batches whose pause is over: beat rings for all tenants, a submission for its own."""
    for owner_id, stage in under_way.due_polls(tenant_id):
        if stage == Stage.INVOICES_OUT:
            _on_commit(partial(poll_invoices.delay, owner_id))
        else:
            ring(owner_id, stage, trigger="poll")


@shared_task
def poll_invoices(tenant_id: int) -> None:
    """Ask about a tenant's submitted invoices and nothing else."""
    tenant = Tenant.objects.get(pk=tenant_id)
    if schedule.may_run(tenant, Stage.APPROVALS_IN):
        _run(tenant, Stage.APPROVALS_IN, approvals_in.poll_open, trigger="poll", actor=SCHEDULE)


@shared_task
def sweep() -> None:
    """Ring for full reads, which find what polls have missed."""
    for tenant, stage in schedule.take_sweeps():
        ring(tenant.pk, stage, trigger="sweep", full_read=True)


@shared_task
def reap() -> None:
    """Give back what dead workers held."""
    loop.reap()
    locks.reap()


@shared_task
def prune() -> None:
    """Delete history that has served its time."""
    pruning.prune()


def _run(tenant: Tenant, stage: Stage, policy: loop.Policy, *, trigger: str, **options: Any) -> None:
    if trigger not in ASKED and _waits(tenant, stage, trigger):
        return
    try:
        loop.run_stage(tenant, stage, policy, trigger=trigger, patience_s=PATIENCE_S, **options)
    except loop.Busy:
        # Whoever is at it polls as well; anything else may have come too late for that run and is due after it.
        if trigger != "poll" and not options.get("dry_run"):
            schedule.make_due(tenant, [stage])
        return
    for later in (name for name in Stage if stage in NEEDS[name] and schedule.take(tenant, name)):
        ring(tenant.pk, later, trigger="schedule")
    pause = under_way.next_poll_in(tenant.pk)
    if pause is not None and pause < TICK:
        _on_commit(partial(poll.apply_async, (tenant.pk,), countdown=math.ceil(pause.total_seconds())))


def _allowed(tenant: Tenant, stage: Stage, trigger: str) -> bool:
    """A person may run a stage that is switched off, or a tenant that is being set up; nobody runs a paused tenant."""
    return tenant.status != TenantStatus.PAUSED if trigger in ASKED else schedule.may_run(tenant, stage)


def _waits(tenant: Tenant, stage: Stage, trigger: str) -> bool:
    """Whether a system that a stage needs is not called at present; then a run that was due comes back afterwards."""
    until = outages.waits_until(tenant, stage)
    if until is not None and trigger == "schedule":
        schedule.put_off(tenant, [stage], until, taken=True)
    return until is not None


def _on_commit(bell: Callable[[], object]) -> None:
    def rung() -> None:
        bell()

    # Robust: a broker that is away must not undo what was committed; the tick makes up for the bell. And by a function
    # that has a name: Django's log of the failure asks for it, and would raise instead for a ``partial`` or a task.
    transaction.on_commit(rung, robust=True)
