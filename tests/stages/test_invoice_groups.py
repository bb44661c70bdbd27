"""Groups of captured invoices: posted for the tenants that want it, once, and never half-finished ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from connector.epicor import ap_invoice_entry
from connector.sandbox.server import Sandbox
from syncjobs.models import Posting, Problem
from tenants.models import Tenant
from tests.stages.captured_world import World

pytestmark = pytest.mark.django_db(transaction=True)

Run = Callable[..., Any]


@pytest.fixture
def sandbox_options() -> dict[str, Any]:
    return {"vendors": 20, "invoices": 10, "seed": 1, "pace": 0}


def captured(ledger: dict[str, Any]) -> dict[str, bool]:
    """Invoice number → whether it is posted, of what came from AvidXchange."""
    return {row["InvoiceNum"]: row["Posted"] for row in ledger["epicor"]["invoices"] if row["ExternalID"]}


def bring_in(tenant: Tenant, run_stage: Run, approve_all: Run) -> Any:
    run_stage(tenant, "vendors_out")
    approve_all(tenant)
    run_stage(tenant, "vendors_out")
    run_stage(tenant, "gl_codes_out")
    return run_stage(tenant, "invoices_in")


def test_off_leaves_posting_to_a_person(make_tenant: Run, run_stage: Run, approve_all: Run, ledger: Run) -> None:
    tenant = make_tenant("a", post_captured_invoices=False)
    run = bring_in(tenant, run_stage, approve_all)
    written = captured(ledger(tenant))
    assert run.created == len(written) > 5
    assert not any(written.values())
    assert not Posting.objects.filter(kind="ap_invoice_group").exists()


def test_on_posts_each_group_once(
    tenant: Tenant, other: Tenant, run_stage: Run, approve_all: Run, ledger: Run, sandbox: Sandbox
) -> None:
    for each in (tenant, other):
        bring_in(each, run_stage, approve_all)
        assert all(captured(ledger(each)).values())
    assert Posting.objects.filter(kind="ap_invoice_group", state="done").count() == 2
    before = sandbox.ledger()["calls"]["epicor"]["rows_written"]
    run_stage(tenant, "invoices_in")
    assert sandbox.ledger()["calls"]["epicor"]["rows_written"] == before


def test_an_answer_that_was_lost_is_looked_up(
    tenant: Tenant, run_stage: Run, approve_all: Run, ledger: Run, sandbox: Sandbox
) -> None:
    path = "APInvoicePostSvc/RunDirect"
    sandbox.faults.add([{"system": "epicor", "method": "POST", "path": path, "kind": "reset_after"}])
    bring_in(tenant, run_stage, approve_all)
    posting = Posting.objects.get(kind="ap_invoice_group")
    assert posting.state == "uncertain"
    Posting.objects.filter(pk=posting.pk).update(next_try_at=None)
    run_stage(tenant, "invoices_in")
    posting.refresh_from_db()
    assert posting.state == "done"
    assert posting.steps[-1]["found"] is True
    assert all(captured(ledger(tenant)).values())


def test_what_epicor_refuses_is_a_problem_in_its_words(
    tenant: Tenant, run_stage: Run, approve_all: Run, ledger: Run, sandbox: Sandbox
) -> None:
    body = {
        "HttpStatus": 400,
        "ReasonPhrase": "REST API Exception",
        "ErrorMessage": "The fiscal period is closed.",
        "ErrorType": "Ice.Common.BusinessObjectException",
        "ErrorDetails": [{"Message": "The fiscal period is closed.", "Type": "Error"}],
        "CorrelationId": "00000000-0000-0000-0000-000000000000",
    }
    path = "APInvoicePostSvc/RunDirect"
    rule = {"system": "epicor", "method": "POST", "path": path, "kind": "status", "status": 400, "body": body}
    sandbox.faults.add([rule])
    bring_in(tenant, run_stage, approve_all)
    problem = Problem.objects.get(subject_kind="ap_invoice_group")
    assert problem.state == "open"
    assert "fiscal period is closed" in problem.message
    assert not any(captured(ledger(tenant)).values())
    run_stage(tenant, "invoices_in")
    problem.refresh_from_db()
    assert problem.state == "resolved"
    assert all(captured(ledger(tenant)).values())


def test_a_held_invoice_keeps_its_group_from_being_posted(
    make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world("a", post_captured_invoices=True)
    real = ap_invoice_entry.set_account

    def lost(client: Any, group_id: str, draft: Any, *rest: Any) -> None:
        if draft.invoice_num != "C-20001":
            real(client, group_id, draft, *rest)

    monkeypatch.setattr(ap_invoice_entry, "set_account", lost)
    assert world.run().counts["held"] == 3
    # Its amounts balance, so Epicor would have posted it, wrong account and all.
    assert not any(row["Posted"] for row in world.written().values())
    kept = world.problem("group_keeps_held")
    assert "because C-20001 in it is held" in kept.message
    monkeypatch.setattr(ap_invoice_entry, "set_account", real)
    Posting.objects.filter(tenant=world.tenant, state="held").update(code="")
    world.run()
    assert world.standing() == world.wanted()
    assert all(row["Posted"] for row in world.written().values())
    kept.refresh_from_db()
    assert kept.state == "resolved"
