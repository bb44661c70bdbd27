"""What the tests of outgoing invoices share: master data brought over, edits made by people, and what was written."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from connector.sandbox.avidxchange.edits import edit as avid_edit
from connector.sandbox.server import Sandbox
from syncjobs.models import InvoiceLink, Problem, VendorMapping
from tenants.models import Tenant
from tests.stages import prepared

MASTER = ("vendors_out", "gl_codes_out", "purchase_orders_out")


def bring_master_data(tenant: Tenant, run_stage: Callable[..., Any], approve_all: Callable[[Tenant], int]) -> None:
    """Bring vendors, GL codes and POs over, everything approved and accepted."""

    def bring() -> None:
        for _pass in range(2):
            for stage in MASTER:
                run_stage(tenant, stage)
                approve_all(tenant)

    prepared.step("master data", tenant, bring)


def bring_vendors(tenant: Tenant, run_stage: Callable[..., Any], approve_all: Callable[[Tenant], int]) -> None:
    """Bring vendors over, all of them approved and accepted."""

    def bring() -> None:
        run_stage(tenant, "vendors_out")
        approve_all(tenant)
        run_stage(tenant, "vendors_out")

    prepared.step("vendors", tenant, bring)


def company(tenant: Tenant) -> str:
    return str(tenant.epicor_connection.company)


def header(sandbox: Sandbox, tenant: Tenant, number: str) -> dict[str, Any]:
    """The row of an invoice as Epicor has it."""
    rows = sandbox.epicor.companies[company(tenant)]["APInvHed"].all()
    return next(row for row in rows if row["InvoiceNum"] == number)


def in_epicor(sandbox: Sandbox, tenant: Tenant, number: str, **changes: Any) -> None:
    """Change an invoice's header as a person in Epicor would."""
    vendor = header(sandbox, tenant, number)["VendorNum"]
    key = {"VendorNum": vendor, "InvoiceNum": number}
    sandbox.epicor.edit({"company": company(tenant), "table": "APInvHed", "key": key, "set": changes})


def delete_in_epicor(sandbox: Sandbox, tenant: Tenant, number: str) -> None:
    vendor = header(sandbox, tenant, number)["VendorNum"]
    key = {"VendorNum": vendor, "InvoiceNum": number}
    sandbox.epicor.edit({"company": company(tenant), "table": "APInvHed", "key": key, "delete": True})


def over_there(sandbox: Sandbox, tenant: Tenant, table: str, key: dict[str, Any], **changes: Any) -> None:
    """Change a record at AvidXchange as a person there would."""
    body = {"company": company(tenant), "table": table, "key": key, "set": changes}
    avid_edit(sandbox.avidxchange, body, datetime.now(UTC))


def writes(sandbox: Sandbox) -> dict[str, int]:
    """How many writing calls either system has seen, and how many rows Epicor has written."""
    calls = sandbox.ledger()["calls"]
    return {
        "avidxchange": calls["avidxchange"].get("POST", 0),
        "epicor rows": calls["epicor"].get("rows_written", 0),
    }


def numbers(ledger: Callable[[Tenant], dict[str, Any]], tenant: Tenant) -> list[str]:
    """The numbers of the invoices AvidXchange has of a tenant, each as often as it has it."""
    return sorted(row["Number"] for row in ledger(tenant)["avidxchange"]["invoices"])


def link(tenant: Tenant, number: str) -> InvoiceLink:
    return InvoiceLink.objects.get(tenant=tenant, invoice_num=number)


def problem(tenant: Tenant, number: str, state: str = "open") -> Problem:
    """The one problem about an invoice that is in this state."""
    return Problem.objects.get(tenant=tenant, subject_kind="invoice", subject_id=link(tenant, number).pk, state=state)


def problem_codes(tenant: Tenant, number: str) -> list[str]:
    """The codes of an invoice's open problems."""
    key = f"{company(tenant)}|{link(tenant, number).vendor_num}|{number}"
    rows = Problem.objects.filter(tenant=tenant, subject_kind="invoice", subject_key=key, state="open")
    return sorted(rows.values_list("code", flat=True))


def cents(value: Any) -> Decimal:
    return Decimal(str(value)).quantize(Decimal("0.01"))


def payable(sandbox: Sandbox, tenant: Tenant) -> dict[str, Decimal]:
    """Which invoices AvidXchange may pay, and how much, worked out from Epicor's rows alone."""
    tables = sandbox.epicor.companies[company(tenant)]
    active = {row["GLAccount"] for row in tables["GLAccount"].all() if row["Active"]}
    vendors = set(
        VendorMapping.objects.filter(tenant=tenant, active=True)
        .exclude(sent_hash="")
        .values_list("vendor_num", flat=True)
    )
    found = {}
    for row in tables["APInvHed"].all():
        coded = [one["GLAccount"] for one in tables["APInvExpTGLC"].under(row["VendorNum"], row["InvoiceNum"])]
        free = row["Posted"] and row["OpenPayable"] and not row["PayHold"] and not row["InvoiceHeld"]
        whole = row["DocUnpostedBal"] == row["DocInvoiceAmt"] and row["CurrencyCode"] == "USD"
        if free and whole and row["VendorNum"] in vendors and active.issuperset(coded):
            found[row["InvoiceNum"]] = row["DocInvoiceAmt"]
    return found
