"""Whatever is lost, cut off or killed on the way: every invoice is at AvidXchange exactly once in the end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from connector.sandbox.server import Sandbox
from connector.stages import Stage
from syncjobs.engine import loop
from syncjobs.engine.context import Clock
from syncjobs.models import (
    Batch,
    BatchItem,
    InvoiceLink,
    Problem,
    StageRun,
)
from syncjobs.stages import invoices_out
from tenants.models import Tenant
from tests.stages.conftest import SYSTEM, FakeClock
from tests.stages.outgoing_world import (
    in_epicor,
    link,
    numbers,
    over_there,
    payable,
    problem,
    problem_codes,
)

Run = Callable[..., StageRun]
Ledger = Callable[[Tenant], dict[str, Any]]


def test_a_lost_reply_is_looked_up_and_nothing_is_sent_twice(
    sandbox: Sandbox, ready: Tenant, run_stage: Run, ledger: Ledger
) -> None:
    rule = {"system": "avidxchange", "method": "POST", "path": "/invoices/batches", "kind": "reset_after"}
    sandbox.faults.add([rule])
    run = run_stage(ready, "invoices_out")
    assert run.uncertain == 0
    assert run.created == len(payable(sandbox, ready))
    assert numbers(ledger, ready) == sorted(payable(sandbox, ready))
    assert set(BatchItem.objects.filter(batch__kind="invoices").values_list("state", flat=True)) == {"accepted"}
    assert not InvoiceLink.objects.filter(tenant=ready, state="submitted", avid_id="").exists()
    assert run_stage(ready, "invoices_out").created == 0
    assert numbers(ledger, ready) == sorted(payable(sandbox, ready))


def test_a_batch_that_never_arrived_is_sent_again_only_after_patience(
    sandbox: Sandbox, ready: Tenant, run_stage: Run, ledger: Ledger
) -> None:
    # Half of the answer to a request that was never carried out: it cannot be told from one that was.
    rule = {"system": "avidxchange", "method": "POST", "path": "/invoices/batches", "kind": "status", "status": 502}
    sandbox.faults.add([rule])
    first = run_stage(ready, "invoices_out")
    ids = set(InvoiceLink.objects.filter(tenant=ready, state="in_batch").values_list("external_id", flat=True))
    assert first.uncertain == len(ids) == len(payable(sandbox, ready))
    assert Problem.objects.get(tenant=ready, subject_kind="batch").code == "outcome_unknown"
    second = run_stage(ready, "invoices_out")
    assert second.created == 0
    assert numbers(ledger, ready) == []
    Batch.objects.filter(tenant=ready, kind="invoices").update(
        sent_at=timezone.now() - timedelta(minutes=16), next_poll_at=timezone.now()
    )
    third = run_stage(ready, "invoices_out")
    assert third.created == len(ids)
    there = ledger(ready)["avidxchange"]["invoices"]
    assert sorted(row["ExternalId"] for row in there) == sorted(ids)
    assert Problem.objects.get(tenant=ready, subject_kind="batch").state == "resolved"


def test_killed_between_the_answer_and_our_commit(
    sandbox: Sandbox, ready: Tenant, run_stage: Run, ledger: Ledger, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("syncjobs.engine.batches.record", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            loop.run_stage(
                ready, Stage.INVOICES_OUT, invoices_out.run, trigger="command", actor=SYSTEM,
                clock=Clock(now=clock.now, sleep=clock.sleep),
            )  # fmt: skip
    assert set(Batch.objects.filter(kind="invoices").values_list("state", flat=True)) == {"sending"}
    assert len(numbers(ledger, ready)) == len(payable(sandbox, ready))
    # Nobody touches it while its worker may still live.
    run_stage(ready, "invoices_out")
    assert set(Batch.objects.filter(kind="invoices").values_list("state", flat=True)) == {"sending"}
    Batch.objects.filter(kind="invoices").update(lease_until=timezone.now() - timedelta(seconds=1))
    run = run_stage(ready, "invoices_out")
    assert run.created == len(payable(sandbox, ready))
    assert numbers(ledger, ready) == sorted(payable(sandbox, ready))


@pytest.mark.parametrize("page", [1, 2])
def test_killed_between_two_pages(
    sandbox: Sandbox, ready: Tenant, run_stage: Run, ledger: Ledger, clock: FakeClock, page: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    ready.epicor_connection.page_size = 10
    ready.epicor_connection.save()
    calls = []

    def dies(*_: Any) -> None:
        calls.append(1)
        if len(calls) == page:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(invoices_out, "_keep", dies)
        with pytest.raises(KeyboardInterrupt):
            loop.run_stage(
                ready, Stage.INVOICES_OUT, invoices_out.run, trigger="command", actor=SYSTEM,
                clock=Clock(now=clock.now, sleep=clock.sleep),
            )  # fmt: skip
    run_stage(ready, "invoices_out")
    assert numbers(ledger, ready) == sorted(payable(sandbox, ready))


def test_a_refusal_as_a_duplicate_is_success_if_our_own_submission_is_there(
    sandbox: Sandbox, ready: Tenant, run_stage: Run, ledger: Ledger
) -> None:
    run_stage(ready, "invoices_out")
    before = numbers(ledger, ready)
    lost = link(ready, "INV-10000")
    lost.images.all().delete()
    lost.delete()
    run = run_stage(ready, "invoices_out", full_read=True)
    assert (run.created, run.rejected) == (1, 0)
    found = link(ready, "INV-10000")
    assert (found.state, found.avid_id, found.external_id) == ("submitted", lost.avid_id, lost.external_id)
    assert problem_codes(ready, "INV-10000") == []
    assert numbers(ledger, ready) == before


def test_one_that_is_there_with_another_amount_is_told_and_never_sent_again(
    sandbox: Sandbox, ready: Tenant, run_stage: Run, ledger: Ledger
) -> None:
    run_stage(ready, "invoices_out")
    lost = link(ready, "INV-10000")
    lost.images.all().delete()
    lost.delete()
    before = numbers(ledger, ready)
    over_there(sandbox, ready, "invoices", {"Number": "INV-10000"}, GrossAmount=Decimal("1.00"))
    run = run_stage(ready, "invoices_out", full_read=True)
    assert (run.created, run.rejected) == (1, 0)
    assert link(ready, "INV-10000").state == "submitted"
    told = problem(ready, "INV-10000")
    assert told.code == "differs_over_there"
    assert "over 1.00 under this id, not INV-10000 over" in told.message
    in_epicor(sandbox, ready, "INV-10000", Description="corrected")
    run_stage(ready, "invoices_out")
    assert numbers(ledger, ready) == before
