"""A prepared world is the one that its step made, to the row; and where anything differs, the step is done for real."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction

from connector.sandbox.server import Sandbox
from syncjobs.models import StageSchedule
from tenants.models import Tenant
from tests.stages import company_books, prepared, tenant_rows
from tests.stages.conftest import Ledger, RunStage

pytestmark = pytest.mark.django_db


@pytest.fixture
def sandbox_options() -> dict[str, Any]:
    return {"vendors": 10, "invoices": 1, "seed": 1, "pace": 0}


@pytest.fixture
def work(tenant: Tenant, run_stage: RunStage, sandbox: Sandbox) -> Callable[[], None]:
    """A step that writes to the database and to both systems; it counts how often it was really done."""

    def bring() -> None:
        bring.done += 1  # type: ignore[attr-defined]
        run_stage(tenant, "vendors_out")
        sandbox.epicor.edit({"company": "EPIC06", "table": "Vendor", "key": {"VendorNum": 104}, "set": {"Name": "New"}})

    bring.done = 0  # type: ignore[attr-defined]
    return bring


def test_a_copy_is_what_the_step_made(
    tenant: Tenant, other: Tenant, work: Any, run_stage: RunStage, ledger: Ledger, sandbox: Sandbox
) -> None:
    begun, rows = company_books.read(sandbox, "EPIC06"), tenant_rows.read(tenant.pk)
    seen = []
    for _time in range(2):
        with transaction.atomic():
            prepared.step("test", tenant, work)
            made = company_books.read(sandbox, "EPIC06")
            seen.append((tenant_rows.read(tenant.pk), ledger(tenant), sandbox.ledger()["calls"], made.revision))
            transaction.set_rollback(True)
        company_books.again(sandbox, "EPIC06", company_books.change(made, begun))
        sandbox.epicor.calls, sandbox.avidxchange.calls = (Counter(calls) for calls in begun.calls)
    assert (work.done, seen[0] == seen[1]) == (1, True)
    assert seen[0][0] != rows
    assert seen[0][3] == begun.revision + 1

    with transaction.atomic():
        untouched = tenant_rows.read(other.pk), ledger(other)
        prepared.step("test", tenant, work)
        assert (tenant_rows.read(other.pk), ledger(other)) == untouched
        assert run_stage(tenant, "vendors_out").updated == 1


@pytest.mark.parametrize("differs", ["a row", "a record", "a switch", "SysRevIDs", "a fault", "age"])
def test_where_anything_differs_the_step_is_done_for_real(
    differs: str, tenant: Tenant, work: Any, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = company_books.read(sandbox, "EPIC06")
    with transaction.atomic():
        prepared.step(f"differs by {differs}", tenant, work)
        transaction.set_rollback(True)
    made = company_books.read(sandbox, "EPIC06")
    company_books.again(sandbox, "EPIC06", company_books.change(made, begun))
    if differs == "a row":
        StageSchedule.objects.filter(tenant=tenant, stage="payments_in").update(enabled=False)
    elif differs == "a record":
        sandbox.epicor.companies["EPIC06"]["Vendor"].under(104)[0]["Name"] += "."
    elif differs == "a switch":
        sandbox.avidxchange.options.awkward = False
    elif differs == "SysRevIDs":
        key = {"VendorNum": 104}
        sandbox.epicor.edit({"company": "EPIC07", "table": "Vendor", "key": key, "set": {"Name": "Other"}})
    elif differs == "a fault":
        sandbox.faults.add([{"system": "epicor", "path": "NotCalled", "kind": "status"}])
    else:
        monkeypatch.setattr(prepared, "MAX_AGE", 0)
    prepared.step(f"differs by {differs}", tenant, work)
    assert work.done == 2
