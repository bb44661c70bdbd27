"""Captured invoices when calls are lost and workers die: whatever happens where, each invoice stands exactly once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from syncjobs.engine.context import StageContext
from syncjobs.models import Posting, Problem, StageRun
from syncjobs.states import BatchStatus, PostingState
from tests.stages.captured_world import HELD, World, counts

MakeWorld = Callable[..., World]


@pytest.fixture
def sandbox_options() -> dict[str, Any]:
    return {"vendors": 16, "invoices": 4, "seed": 1, "pace": 0}


#: Every call of the sequence that writes; Update saves groups, headers and attachments.
WRITES = (
    "APInvGrpSvc/Update",
    "APInvoiceSvc/Update$",
    "APInvoiceSvc/UpdateMaster",
    "APInvGrpSvc/UnlockGroup",
    "AttachmentSvc/UploadFile",
)
READS = ("GetNewAPInvHedInvoice", "GetNewAPInvDtlMiscellaneous", "APInvoiceSvc/GetByID", "ChangeVendorID")


class Killed(BaseException):
    """The worker dies; nothing of ours gets to see it."""


def settled(world: World, *, most: int = 30) -> list[dict[str, int]]:
    """Run until nothing is uncertain or new any more; return the counts of each run."""
    done = []
    for _ in range(most):
        run = world.run()
        done.append(counts(run))
        if run.status in ("done", "done_with_problems") and not {"created", "updated", "uncertain"} & done[-1].keys():
            return done
    raise AssertionError(f"not settled after {most} runs: {done}")


@pytest.mark.parametrize("kind", ["reset_before", "reset_after", "cut_json", "html"])
def test_lost_answers_end_in_each_invoice_standing_once(make_world: MakeWorld, kind: str) -> None:
    world = make_world("a", attach_invoice_image=True)
    for place, path in enumerate(WRITES):
        for skip in range(0, 12, 4):
            world.fault(system="epicor", path=path, kind=kind, skip=skip + place % 3)
    first = world.run()
    assert first.counts["uncertain"] > 3
    assert world.acknowledged() != [True, True, True]
    lost = Posting.objects.filter(tenant=world.tenant, state=PostingState.UNCERTAIN).count()
    assert Problem.objects.filter(tenant=world.tenant, code="outcome_unknown", state="open").count() == lost > 3
    settled(world)
    assert world.standing() == world.wanted()
    assert {row["attachments"] for row in world.written().values()} == {1}
    assert set(world.problems().values()) == set(HELD.values())
    assert world.acknowledged() == [True, True, True]


@pytest.mark.parametrize("kind", ["reset_before", "cut_json"])
def test_lost_reads_repeat_themselves(make_world: MakeWorld, kind: str) -> None:
    world = make_world("a")
    for path in READS:
        world.fault(system="epicor", path=path, kind=kind, skip=1)
    assert counts(world.run()) == {"read": 14, "created": 12, "held": 2}
    assert world.standing() == world.wanted()


@contextmanager
def dying(at: int) -> Iterator[None]:
    """Let the worker die at its commit number ``at``, before it is made."""
    real, seen = StageContext.commit, 0

    @contextmanager
    def commit(self: StageContext) -> Iterator[None]:
        nonlocal seen
        seen += 1
        if seen == at:
            raise Killed
        with real(self):
            yield

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StageContext, "commit", commit)
        yield


def leases_over(world: World) -> None:
    """Time passes until what the dead worker held is free."""
    past = "2026-01-01T00:00:00Z"
    StageRun.objects.filter(tenant=world.tenant, status="running").update(lease_until=past)
    Posting.objects.filter(tenant=world.tenant, state=PostingState.RUNNING).update(lease_until=past)


def test_a_worker_killed_at_any_commit_is_followed_by_one_that_goes_on(make_world: MakeWorld) -> None:
    world = make_world("a", attach_invoice_image=True)
    deaths = 0
    # Ever later in the run, so that every kind of commit is met: the list, a batch, holds, each step, the outcome.
    for at in (1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 25, 29, 34, 40, 47, 55):
        try:
            with dying(at):
                world.run()
        except Killed:
            deaths += 1
            leases_over(world)
    assert deaths > 15
    settled(world)
    assert world.standing() == world.wanted()
    assert {row["attachments"] for row in world.written().values()} == {1}
    assert world.acknowledged() == [True, True, True]
    assert set(world.problems().values()) == set(HELD.values())


def test_a_worker_killed_while_it_acknowledges_does_so_again(make_world: MakeWorld) -> None:
    world = make_world("a")
    real = StageContext.commit

    @contextmanager
    def commit(self: StageContext) -> Iterator[None]:
        if world.told():
            raise Killed
        with real(self):
            yield

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StageContext, "commit", commit)
        with pytest.raises(Killed):
            world.run()
    leases_over(world)
    assert world.acknowledged().count(True) == 1
    world.run()
    assert world.acknowledged() == [True, True, True]
    assert world.told() == 4  # one twice, which changes nothing


def test_another_worker_has_the_document(make_world: MakeWorld) -> None:
    world = make_world("a")
    world.fault(system="epicor", path="APInvoiceSvc/UpdateMaster", kind="reset_after", skip=2)
    world.run()
    [posting] = Posting.objects.filter(tenant=world.tenant, state=PostingState.UNCERTAIN)
    Posting.objects.filter(pk=posting.pk).update(
        state=PostingState.RUNNING, owner="elsewhere", lease_until="2126-01-01T00:00:00Z"
    )
    before = world.ledger(world.tenant)["epicor"]
    assert counts(world.run()) == {"read": 3, "uncertain": 1, "held": 2}
    assert world.ledger(world.tenant)["epicor"] == before
    leases_over(world)
    assert counts(world.run()) == {"read": 3, "created": 1, "held": 2}
    assert world.standing() == world.wanted()


def test_both_tenants_faults_stay_their_own(make_world: MakeWorld) -> None:
    world, other = make_world("a"), make_world("b")
    world.fault(system="epicor", path="EPIC06/Erp.BO.APInvoiceSvc/UpdateMaster", kind="reset_after", times=-1)
    assert world.run().counts["uncertain"] == 12
    assert counts(other.run()) == {"read": 14, "created": 12, "held": 2}
    assert other.standing() == other.wanted()
    world.sandbox.faults.clear()
    settled(world)
    assert world.standing() == world.wanted()
    assert not Posting.objects.filter(tenant=other.tenant).exclude(state=PostingState.DONE).exists()
    states = {batch.state for one in (world, other) for batch in batches(one)}
    assert states == {BatchStatus.ACKNOWLEDGED}


def batches(world: World) -> Any:
    from syncjobs.models import Batch

    return Batch.objects.filter(tenant=world.tenant, kind="captured_invoices")
