"""What the tests of payments share: invoices approved and paid over there, and what Epicor shows of the payments."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from connector.sandbox.avidxchange.edits import edit as avid_edit
from connector.sandbox.server import Sandbox
from syncjobs.models import Payment, Posting, Problem
from tenants.models import EpicorConnection, Tenant
from tests.stages import prepared
from tests.stages.outgoing_world import bring_master_data, company, over_there

#: Check numbers and payment ids of the sandbox begin here; the first payment of each customer has this id.
FIRST = 500001
IDENTITY = "AvidXchange payment "


def submit(tenant: Tenant, run_stage: Callable[..., Any], approve_all: Callable[[Tenant], int]) -> None:
    """Submit the tenant's open invoices; the sandbox approves and pays them as its clock says."""

    def bring() -> None:
        bring_master_data(tenant, run_stage, approve_all)
        for stage in ("invoices_out", "approvals_in"):
            run_stage(tenant, stage)

    prepared.step("submitted invoices", tenant, bring)


def connect(tenant: Tenant, **changes: Any) -> None:
    """Change the tenant's Epicor connection."""
    EpicorConnection.objects.filter(tenant=tenant).update(**changes)


def story(sandbox: Sandbox, tenant: Tenant, payment_id: int, name: str) -> None:
    """Let one of the sandbox's stories happen to a payment from where it is."""
    body = {"company": company(tenant), "table": "payments", "key": {"PaymentId": payment_id}, "story": name}
    avid_edit(sandbox.avidxchange, body, datetime.now(UTC))


def say(sandbox: Sandbox, tenant: Tenant, payment_id: int, **changes: Any) -> None:
    """Let AvidXchange say something else of a payment."""
    over_there(sandbox, tenant, "payments", {"PaymentId": payment_id}, **changes)


def paid(ledger: dict[str, Any]) -> dict[int, dict[str, Any]]:
    """AvidXchange's payments by id."""
    return {row["PaymentId"]: row for row in ledger["avidxchange"]["payments"]}


def entered(ledger: dict[str, Any]) -> dict[int, list[dict[str, Any]]]:
    """Epicor's payments that are ours, by AvidXchange's id."""
    found: dict[int, list[dict[str, Any]]] = {}
    for row in ledger["epicor"]["payments"]:
        if row["Description"].startswith(IDENTITY):
            found.setdefault(int(row["Description"].removeprefix(IDENTITY)), []).append(row)
    return found


def standing(ledger: dict[str, Any]) -> dict[int, tuple[str, bool, str, dict[str, str]]]:
    """What Epicor shows of our payments that are not void: cash, posted, reference, and what is off each invoice."""
    return {
        payment_id: (
            row["DocCheckAmt"],
            row["Posted"],
            row["XRefCheckNum"],
            {part["InvoiceNum"]: part["DocTranAmt"] for part in row["allocations"]},
        )
        for payment_id, rows in entered(ledger).items()
        for row in rows
        if not row["Voided"]
    }


def expected(ledger: dict[str, Any], *, posted: bool = True) -> dict[int, tuple[str, bool, str, dict[str, str]]]:
    """What Epicor should show, made from what AvidXchange paid and nothing else."""
    return {
        payment_id: (
            f"{row['Amount']}",
            posted,
            reference(row),
            {part["Number"]: f"{part['Gross']}" for part in row["Remittances"]},
        )
        for payment_id, row in paid(ledger).items()
        if row["Status"] == "Cleared"
    }


def reference(row: dict[str, Any]) -> str:
    if row["Method"] == "AvidPay Check":
        return f"CHK {row['AvidPayCheckNumber']}"
    if row["Method"] == "AvidPay Direct":
        return f"ACH {row['AchTraceNumber']}"
    return f"VCC {row['VirtualCardLast4']}"


def balances(ledger: dict[str, Any]) -> dict[str, str]:
    return {row["InvoiceNum"]: row["DocUnpostedBal"] for row in ledger["epicor"]["invoices"]}


def states(tenant: Tenant) -> dict[str, tuple[str, str]]:
    rows = Payment.objects.filter(tenant=tenant).order_by("avid_id")
    return {row.avid_id: (row.state, row.hold_code) for row in rows}


def open_codes(tenant: Tenant, kind: str = "payment") -> set[tuple[str, str]]:
    rows = Problem.objects.filter(tenant=tenant, subject_kind=kind, state="open")
    return set(rows.values_list("subject_key", "code"))


def let_pauses_pass(tenant: Tenant) -> None:
    """Make every document due that waits for its pause to pass."""
    Posting.objects.filter(tenant=tenant).update(next_try_at=None)


def breaks(sandbox: Sandbox, path: str, kind: str, **more: Any) -> None:
    """Let a call to Epicor go wrong (``connector.sandbox.faults``)."""
    sandbox.faults.add([{"system": "epicor", "path": path, "kind": kind, **more}])
