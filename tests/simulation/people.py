"""What our own people do at any time: decide about mappings and problems, replay, pause, resume and cancel."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

from connector.stages import Stage
from syncjobs.engine import loop, problem_decisions, replay, review, schedule
from syncjobs.engine.replay_targets import KINDS, NoSuchTarget, Target
from syncjobs.models import Batch, InvoiceLink, Posting, Problem, StageRun, VendorMapping
from tenants.audit import Actor
from tenants.models import Tenant

if TYPE_CHECKING:
    from tests.simulation.run import Run

CLERK = Actor.system("clerk")
Deed = Callable[["Run", Tenant, Random], str]
DEEDS: list[Deed] = []


def deed(does: Deed) -> Deed:
    DEEDS.append(does)
    return does


def act(run: Run, random: Random) -> None:
    """Let somebody do one thing, in a worker of their own, as a web request does."""
    does = random.choice(DEEDS)
    tenant = run.tenants[random.choice(run.plan.companies)]

    def request() -> None:
        what = does(run, Tenant.objects.get(pk=tenant.pk), random)
        if what:
            run.tell(f"  {does.__name__.strip('_').replace('_', ' ')}: {what}")

    run.worker(request, "person")
    run.go(random)


@deed
def _approves(_run: Run, tenant: Tenant, random: Random) -> str:
    rows = list(review.waiting(tenant))
    return str(review.approve(random.choice(rows), actor=CLERK)) if rows else ""


@deed
def _takes_back(run: Run, tenant: Tenant, random: Random) -> str:
    """Takes a vendor's mapping back; it is approved again by whoever works the queue."""
    rows = list(VendorMapping.objects.filter(tenant=tenant, state="approved").order_by("pk"))
    if not rows or Stage.VENDORS_OUT not in run.plan.theme.stages:
        return ""
    row = random.choice(rows)
    return f"{row} {review.take_back(row, actor=CLERK, reason='Looked wrong.').done}"


@deed
def _ignores(_run: Run, tenant: Tenant, random: Random) -> str:
    rows = list(Problem.objects.filter(tenant=tenant, state="open").exclude(subject_kind="stage").order_by("pk"))
    if not rows:
        return ""
    row = random.choice(rows)
    close = random.choice([problem_decisions.ignore, problem_decisions.resolve])
    return f"{row.code} {row.subject_key} {close(row, actor=CLERK, reason='It may stay.') or close.__name__}"


@deed
def _pauses(run: Run, tenant: Tenant, random: Random) -> str:
    stage = random.choice(sorted(run.plan.theme.stages))
    schedule.pause(tenant, stage, actor=CLERK, reason="Month end.")
    return str(stage)


@deed
def _resumes(run: Run, tenant: Tenant, random: Random) -> str:
    stage = random.choice(sorted(run.plan.theme.stages))
    schedule.resume(tenant, stage, actor=CLERK)
    return str(stage)


@deed
def _cancels(_run: Run, tenant: Tenant, _random: Random) -> str:
    row = StageRun.objects.filter(tenant=tenant, status="running").order_by("pk").first()
    return f"run {row.pk} {loop.cancel(row, actor=CLERK)}" if row is not None else ""


@deed
def _replays(run: Run, tenant: Tenant, random: Random) -> str:
    """Replays a record, a batch, a posting or a run, stored or fresh."""
    target = _target(run, tenant, random)
    if target is None:
        return ""
    fresh = random.random() < 0.5
    try:
        preview = replay.plan(tenant, target, fresh=fresh)
    except NoSuchTarget:
        return ""
    done = replay.execute(preview, actor=CLERK, reason="Again, please.")
    return f"{target} {'fresh' if fresh else 'stored'} {done.counts}"


def _target(run: Run, tenant: Tenant, random: Random) -> Target | None:
    stages = [str(stage) for stage in Stage if stage in run.plan.theme.stages]
    kind = random.choice(["record", "batch", "posting", "run"])
    if kind == "record":
        ways = [way for way in ("out", "in") if f"invoices_{way}" in stages]
        rows = InvoiceLink.objects.filter(tenant=tenant, vendor_num__isnull=False, direction__in=ways).order_by("pk")
        return Target(record=("invoice", KINDS["invoice"].key(random.choice(list(rows))))) if rows else None
    model = {"batch": Batch, "posting": Posting, "run": StageRun}[kind]
    keys = list(model.objects.filter(tenant=tenant, stage__in=stages).order_by("pk").values_list("pk", flat=True))
    return Target(**{kind: random.choice(keys)}) if keys else None
