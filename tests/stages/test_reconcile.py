"""``reconcile``: nothing to say of two ledgers that agree, and every difference to the row of two that do not."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command

from connector.sandbox.server import Sandbox
from syncjobs.engine.reconcile import Report, reconcile
from syncjobs.models import InvoiceLink, StageRun
from tenants.models import Tenant
from tests.stages.outgoing_world import company, in_epicor
from tests.stages.payments_world import FIRST, connect, entered, paid, say, submit

Ledger = Callable[[Tenant], dict[str, Any]]
RunStage = Callable[..., StageRun]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sandbox_options() -> dict[str, Any]:
    quiet = {"stories": {}, "reject_percent": 0, "percent_202": 0}
    return {"vendors": 10, "invoices": 14, "avidxchange_options": quiet}


@pytest.fixture
def recorded(tenant: Tenant, run_stage: RunStage, approve_all: Callable[[Tenant], int]) -> Tenant:
    """A tenant whose payments are all recorded."""
    submit(tenant, run_stage, approve_all)
    run_stage(tenant, "payments_in")
    return tenant


def rows(report: Report, *kinds: str) -> list[tuple[str, str, str, str]]:
    found = [(one.kind, one.key, one.epicor, one.avidxchange) for one in report.differences]
    return sorted(row for row in found if not kinds or row[0] in kinds)


def change(sandbox: Sandbox, tenant: Tenant, table: str, key: dict[str, Any], **values: Any) -> None:
    sandbox.epicor.edit({"company": company(tenant), "table": table, "key": key, "set": values})


def test_ledgers_that_agree_have_no_differences(
    recorded: Tenant, other: Tenant, ledger: Ledger, sandbox: Sandbox, run_stage: RunStage
) -> None:
    before = ledger(recorded), sandbox.ledger()["calls"]["epicor"].get("rows_written")
    report = reconcile(recorded)
    assert (report.balanced, report.differences) == (True, [])
    payments, invoices = (
        len(paid(before[0])),
        InvoiceLink.objects.filter(tenant=recorded, direction="out").exclude(avid_id=""),
    )
    assert report.checked["payments"] == report.checked["payments_in_epicor"] == payments
    assert report.checked["invoices"] == invoices.count()
    assert report.checked["vendors"] == len({row[0]["VendorNum"] for row in entered(before[0]).values()})
    assert (ledger(recorded), sandbox.ledger()["calls"]["epicor"].get("rows_written")) == before
    # The other company's rows are nobody's differences, and it has nothing at all.
    assert reconcile(other).balanced


def test_every_difference_of_payments_is_listed_to_the_row(recorded: Tenant, ledger: Ledger, sandbox: Sandbox) -> None:
    heads = {payment_id: payments[0] for payment_id, payments in entered(ledger(recorded)).items()}
    one, two, three, four = (heads[FIRST + place] for place in range(4))
    altered = Decimal(one["DocCheckAmt"]) + Decimal("0.01")
    change(sandbox, recorded, "CheckHed", {"HeadNum": one["HeadNum"]}, DocCheckAmt=altered)
    part = two["allocations"][0]
    key = {"HeadNum": two["HeadNum"], "APTranNo": part["APTranNo"], "InvoiceNum": part["InvoiceNum"], "Voided": False}
    change(sandbox, recorded, "APTran", key, DocTranAmt=Decimal("1.00"))
    change(sandbox, recorded, "CheckHed", {"HeadNum": three["HeadNum"]}, Description="overwritten by somebody")
    change(sandbox, recorded, "CheckHed", {"HeadNum": four["HeadNum"]}, Description="AvidXchange payment 999999")
    report = reconcile(recorded)
    assert rows(report, "amount_differs") == [
        ("amount_differs", str(FIRST), f"{altered:.2f}", one["DocCheckAmt"]),
    ]
    assert rows(report, "allocation_differs") == [
        ("allocation_differs", f"{FIRST + 1}|{part['InvoiceNum'].casefold()}", "1.00", part["DocTranAmt"]),
    ]
    assert rows(report, "payment_missing_in_epicor") == [
        ("payment_missing_in_epicor", str(FIRST + 2), "", three["DocCheckAmt"]),
        ("payment_missing_in_epicor", str(FIRST + 3), "", four["DocCheckAmt"]),
    ]
    assert rows(report, "payment_missing_in_avidxchange") == [
        ("payment_missing_in_avidxchange", "999999", four["DocCheckAmt"], ""),
    ]
    vendors = {one["VendorNum"], three["VendorNum"]}
    assert {row[1] for row in rows(report, "vendor_total_differs")} == {str(number) for number in vendors}
    assert not rows(report, "balance_differs")
    assert all(difference.hint for difference in report.differences)


def test_a_payment_that_was_not_undone_and_its_balances_are_differences(
    recorded: Tenant, ledger: Ledger, sandbox: Sandbox, run_stage: RunStage
) -> None:
    connect(recorded, void_mode="notify_only")
    say(sandbox, recorded, FIRST, Status="Refunded")
    run_stage(recorded, "payments_in")
    report = reconcile(recorded)
    (head,) = entered(ledger(recorded))[FIRST]
    vendor = head["VendorNum"]
    balances = [
        ("balance_differs", f"EPIC06|{vendor}|{part['Number']}", "0.00", part["Gross"])
        for part in paid(ledger(recorded))[FIRST]["Remittances"]
    ]
    assert rows(report) == sorted(
        [
            ("not_voided_in_epicor", str(FIRST), head["DocCheckAmt"], "Refunded"),
            *balances,
            *rows(report, "vendor_total_differs"),
        ]
    )
    connect(recorded, void_mode="api")
    run_stage(recorded, "payments_in")
    assert reconcile(recorded).balanced


def test_what_is_in_flight_is_no_difference(recorded: Tenant, sandbox: Sandbox, run_stage: RunStage) -> None:
    """Neither a payment that is not settled nor one that waits unposted in Epicor."""
    connect(recorded, post_payments=False)
    say(sandbox, recorded, FIRST, Status="Void")
    run_stage(recorded, "payments_in")
    assert reconcile(recorded).balanced
    sandbox.avidxchange.customers["EPIC06"].payments[FIRST]["LastModified"] = None
    say(sandbox, recorded, FIRST, Status="Void", LastModified="2020-01-01T00:00:00Z")
    assert reconcile(recorded).balanced


def test_invoices_that_differ_are_listed(recorded: Tenant, ledger: Ledger, sandbox: Sandbox) -> None:
    first, second = (paid(ledger(recorded))[FIRST + place]["Remittances"][0] for place in (0, 1))
    links = {link.invoice_num: link for link in InvoiceLink.objects.filter(tenant=recorded, direction="out")}
    in_epicor(sandbox, recorded, first["Number"], DocUnpostedBal=Decimal("5.00"))
    sandbox.avidxchange.customers["EPIC06"].invoices[second["InvoiceId"]]["GrossAmount"] += Decimal("0.01")
    report = reconcile(recorded)
    key = f"EPIC06|{links[first['Number']].vendor_num}|{first['Number']}"
    other = f"EPIC06|{links[second['Number']].vendor_num}|{second['Number']}"
    more = f"{Decimal(second['Gross']) + Decimal('0.01'):.2f}"
    assert rows(report) == sorted(
        [
            ("balance_differs", key, "5.00", "0.00"),
            ("invoice_amount_differs", other, second["Gross"], more),
        ]
    )


def test_captured_invoices_are_compared_too(
    recorded: Tenant, ledger: Ledger, sandbox: Sandbox, run_stage: RunStage
) -> None:
    for _pass in range(2):
        run_stage(recorded, "invoices_in")
        run_stage(recorded, "payments_in")
    report = reconcile(recorded)
    assert report.checked["captured_invoices"] > 0
    assert report.balanced, rows(report)
    link = InvoiceLink.objects.filter(tenant=recorded, direction="in", state__in=("written", "paid")).first()
    assert link is not None
    in_epicor(sandbox, recorded, link.invoice_num, DocInvoiceAmt=Decimal("1.23"))
    key = f"EPIC06|{link.vendor_num}|{link.invoice_num}"
    gross = f"{link.gross_amount:.2f}"
    assert rows(reconcile(recorded)) == [("captured_amount_differs", key, "1.23", gross)]


def test_the_command_says_so_and_ends_accordingly(
    recorded: Tenant, sandbox: Sandbox, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("reconcile", recorded.slug, "--json")
    answer = json.loads(capsys.readouterr().out)
    assert (answer["tenant"], answer["balanced"], answer["differences"]) == (recorded.slug, True, [])
    assert answer["checked"]["payments"] == len(paid(ledger(recorded)))
    call_command("reconcile", recorded.slug)
    assert "Both sides agree." in capsys.readouterr().out

    (head,) = entered(ledger(recorded))[FIRST]
    change(sandbox, recorded, "CheckHed", {"HeadNum": head["HeadNum"]}, DocCheckAmt=Decimal("1.00"))
    with pytest.raises(SystemExit) as ended:
        call_command("reconcile", recorded.slug, "--json")
    assert ended.value.code == 1
    (first, second) = json.loads(capsys.readouterr().out)["differences"]
    assert {name: first[name] for name in ("kind", "key", "epicor", "avidxchange")} == {
        "kind": "amount_differs",
        "key": str(FIRST),
        "epicor": "1.00",
        "avidxchange": head["DocCheckAmt"],
    }
    assert second["kind"] == "vendor_total_differs"
    with pytest.raises(SystemExit) as ended:
        call_command("reconcile", recorded.slug)
    assert ended.value.code == 1
    assert "2 differences." in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        call_command("reconcile", "nobody")
    assert ended.value.code == 2
