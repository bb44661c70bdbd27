"""Open invoices leave Epicor exactly once, whole, and only when AvidXchange may pay them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext

from connector.sandbox.server import Sandbox
from syncjobs.engine import review
from syncjobs.models import (
    GLAccountMapping,
    InvoiceImage,
    InvoiceLink,
    Problem,
    StageRun,
)
from tenants.models import Tenant
from tests.stages.conftest import SYSTEM
from tests.stages.outgoing_world import (
    bring_master_data,
    cents,
    company,
    delete_in_epicor,
    header,
    in_epicor,
    link,
    numbers,
    over_there,
    payable,
    problem,
    problem_codes,
    writes,
)

Run = Callable[..., StageRun]
Ledger = Callable[[Tenant], dict[str, Any]]


def test_every_payable_invoice_goes_out_once_and_a_second_run_writes_nothing(
    sandbox: Sandbox, ready: Tenant, other: Tenant, run_stage: Run, approve_all: Any, ledger: Ledger
) -> None:
    bring_master_data(other, run_stage, approve_all)
    expected = {tenant.slug: payable(sandbox, tenant) for tenant in (ready, other)}
    runs = {tenant.slug: run_stage(tenant, "invoices_out") for tenant in (ready, other)}
    for tenant in (ready, other):
        there = ledger(tenant)["avidxchange"]["invoices"]
        assert {row["Number"]: cents(row["GrossAmount"]) for row in there} == expected[tenant.slug]
        assert len(there) == len(expected[tenant.slug]) == runs[tenant.slug].created
        assert {row["ExternalId"].split("|")[0] for row in there} == {company(tenant)}
        assert all(sum(cents(line["Amount"]) for line in row["Lines"]) == cents(row["GrossAmount"]) for row in there)
    assert expected["tenant-a"] != expected["tenant-b"]
    assert set(expected["tenant-a"]) & set(expected["tenant-b"])
    before = {tenant.slug: ledger(tenant) for tenant in (ready, other)}
    written = writes(sandbox)
    for tenant in (ready, other):
        again = run_stage(tenant, "invoices_out")
        assert (again.created, again.updated, again.rejected, again.uncertain) == (0, 0, 0, 0)
        assert ledger(tenant) == before[tenant.slug]
    assert writes(sandbox) == written


def test_lines_carry_the_split_the_charge_and_the_order(
    sandbox: Sandbox, ready: Tenant, run_stage: Run, ledger: Ledger
) -> None:
    run_stage(ready, "invoices_out")
    there = {row["Number"]: row for row in ledger(ready)["avidxchange"]["invoices"]}
    tables = sandbox.epicor.companies[company(ready)]
    display = {row["GLAccount"]: row["GLAcctDispGLAcctDisp"] for row in tables["GLAccount"].all()}
    orders = 0
    for number, row in there.items():
        head = header(sandbox, ready, number)
        key = (head["VendorNum"], number)
        wanted = [(display[one["GLAccount"]], cents(one["DocExpAmt"])) for one in tables["APInvExp"].under(*key)]
        wanted += [(display[one["GLAccount"]], cents(one["DocExpAmt"])) for one in tables["APIHAPInvExp"].under(*key)]
        assert [(line["GLAccount"], cents(line["Amount"])) for line in row["Lines"]] == wanted
        assert row["DocumentType"] == ("CreditMemo" if head["DebitMemo"] else "Invoice")
        assert row["PONumber"] == (str(head["REFPONum"]) if head["REFPONum"] else "")
        orders += bool(head["REFPONum"])
    assert orders >= 1
    assert any(len(row["Lines"]) == 40 for row in there.values())
    assert [row["Number"] for row in there.values() if cents(row["GrossAmount"]) < 0] == ["INV-10005"]


def test_what_is_not_ready_waits_quietly_and_what_is_wrong_says_so(
    ready: Tenant, run_stage: Run, sandbox: Sandbox
) -> None:
    run = run_stage(ready, "invoices_out")
    states = {row.invoice_num: row.state for row in InvoiceLink.objects.filter(tenant=ready)}
    assert states["INV-10016"] == "waiting"
    assert link(ready, "INV-10016").state_reason == "Invoice INV-10016 is on hold in Epicor (PayHold)."
    assert problem_codes(ready, "INV-10016") == []
    held = {number for number, state in states.items() if state == "held"}
    assert {number: problem_codes(ready, number) for number in held} == {
        "INV-10013": ["currency_not_payable"],
        "INV-10022": ["gl_account_inactive"],
        "INV-10032": ["vendor_inactive"],
        "INV-10034": ["partly_paid"],
        "O'B-8": ["partly_paid"],
    }
    assert run.held == 5
    assert run.status == "done_with_problems"
    told = problem(ready, "INV-10034")
    assert told.message == "Invoice INV-10034 is 5799.77, but 3479.86 is left to pay: Epicor has a payment for it."
    assert told.hint
    assert (told.amount, told.currency, told.turn) == (Decimal("5799.770"), "USD", "finance")
    # Unposted and closed ones have not even a row.
    posted_open = {
        row["InvoiceNum"]
        for row in sandbox.epicor.companies["EPIC06"]["APInvHed"].all()
        if row["Posted"] and row["OpenPayable"]
    }
    assert states.keys() == posted_open


def test_approving_a_vendor_releases_its_invoices_without_anybody_running_anything_again(
    sandbox: Sandbox, tenant: Tenant, run_stage: Run, approve_all: Any, ledger: Ledger
) -> None:
    for stage in ("vendors_out", "gl_codes_out", "purchase_orders_out", "invoices_out"):
        run_stage(tenant, stage)
    held = list(InvoiceLink.objects.filter(tenant=tenant, hold_code="vendor_not_mapped").order_by("pk"))
    assert held
    assert problem_codes(tenant, held[0].invoice_num) == ["vendor_not_mapped"]
    gets = sandbox.ledger()["calls"]["epicor"]["GET"]
    run_stage(tenant, "invoices_out")
    # Still not mapped: they are found out by a query of ours, not by reading each of them again.
    assert sandbox.ledger()["calls"]["epicor"]["GET"] - gets <= 10
    assert approve_all(tenant) > 0
    for stage in ("vendors_out", "purchase_orders_out"):
        run_stage(tenant, stage)
    run = run_stage(tenant, "invoices_out")
    assert run.created > 0
    assert not InvoiceLink.objects.filter(tenant=tenant, hold_code__in=["vendor_not_mapped", "po_not_sent"]).exists()
    assert not Problem.objects.filter(
        tenant=tenant, state="open", code="vendor_not_mapped", subject_kind="invoice"
    ).exists()
    assert numbers(ledger, tenant) == sorted(payable(sandbox, tenant))


def test_approving_a_gl_account_releases_the_invoices_that_wait_for_it(
    sandbox: Sandbox, make_tenant: Any, run_stage: Run, ledger: Ledger
) -> None:
    tenant = make_tenant("a", auto_create_gl_codes=False)
    run_stage(tenant, "vendors_out")
    run_stage(tenant, "gl_codes_out")
    run_stage(tenant, "invoices_out")
    waiting = InvoiceLink.objects.filter(tenant=tenant, hold_code="gl_account_not_mapped")
    assert waiting.exists()
    chosen = waiting.filter(po_number="").order_by("pk").first()
    assert chosen is not None
    assert chosen.waits_for
    for _account in range(5):
        mapping = GLAccountMapping.objects.get(tenant=tenant, gl_account=link(tenant, chosen.invoice_num).waits_for)
        assert review.approve(mapping, actor=SYSTEM).done
        run_stage(tenant, "gl_codes_out")
        run_stage(tenant, "invoices_out")
        if link(tenant, chosen.invoice_num).state == "submitted":
            break
    assert link(tenant, chosen.invoice_num).state == "submitted"
    assert link(tenant, chosen.invoice_num).waits_for == ""
    assert chosen.invoice_num in numbers(ledger, tenant)


def test_an_inactive_gl_account_is_named_as_that_and_releases_its_invoices_when_active_again(
    sandbox: Sandbox, ready: Tenant, run_stage: Run, ledger: Ledger
) -> None:
    run_stage(ready, "invoices_out")
    held = link(ready, "INV-10022")
    told = problem(ready, "INV-10022")
    assert (told.code, held.waits_for in told.message) == ("gl_account_inactive", True)
    assert "make it active again" in told.hint
    effective = {"Active": True, "EffFrom": "2020-01-01T00:00:00", "EffTo": None}
    for _account in range(5):
        key = {"COACode": "MAIN", "GLAccount1": link(ready, "INV-10022").waits_for}
        sandbox.epicor.edit({"company": "EPIC06", "table": "GLAccount", "key": key, "set": effective})
        run_stage(ready, "gl_codes_out")
        run_stage(ready, "invoices_out")
        if link(ready, "INV-10022").state == "submitted":
            break
    assert link(ready, "INV-10022").state == "submitted"
    assert problem_codes(ready, "INV-10022") == []
    assert "INV-10022" in numbers(ledger, ready)


def test_an_invoice_waits_for_its_purchase_order(
    tenant: Tenant, run_stage: Run, approve_all: Any, ledger: Ledger
) -> None:
    for stage in ("vendors_out", "gl_codes_out", "vendors_out"):
        run_stage(tenant, stage)
        approve_all(tenant)
    run_stage(tenant, "invoices_out")
    assert (link(tenant, "INV-10011").hold_code, problem_codes(tenant, "INV-10011")) == ("po_not_sent", ["po_not_sent"])
    run_stage(tenant, "purchase_orders_out")
    run_stage(tenant, "invoices_out")
    assert link(tenant, "INV-10011").state == "submitted"
    assert problem_codes(tenant, "INV-10011") == []
    row = next(row for row in ledger(tenant)["avidxchange"]["invoices"] if row["Number"] == "INV-10011")
    assert row["PONumber"] == "40001"


def test_an_order_closed_before_the_first_load_is_brought_over_for_its_open_invoice(
    sandbox: Sandbox, tenant: Tenant, run_stage: Run, approve_all: Any, ledger: Ledger
) -> None:
    order = {"company": "EPIC06", "table": "POHeader", "key": {"PONum": 40001}, "set": {"OpenOrder": False}}
    sandbox.epicor.edit(order)
    bring_master_data(tenant, run_stage, approve_all)
    run_stage(tenant, "invoices_out")
    assert link(tenant, "INV-10011").hold_code == "po_not_sent"
    assert "40001" not in {row["PONumber"] for row in ledger(tenant)["avidxchange"]["purchase_orders"]}
    assert run_stage(tenant, "purchase_orders_out").created == 1
    run_stage(tenant, "invoices_out")
    assert link(tenant, "INV-10011").state == "submitted"
    there = {row["PONumber"]: row["Status"] for row in ledger(tenant)["avidxchange"]["purchase_orders"]}
    assert there["40001"] == "Closed"
    written = writes(sandbox)
    for stage in ("purchase_orders_out", "invoices_out"):
        assert run_stage(tenant, stage).created == 0
    assert writes(sandbox) == written


def test_a_change_after_submission_is_shown_and_never_sent(
    sandbox: Sandbox, ready: Tenant, run_stage: Run, ledger: Ledger
) -> None:
    run_stage(ready, "invoices_out")
    before = ledger(ready)["avidxchange"]["invoices"]
    was = header(sandbox, ready, "INV-10000")["DueDate"]
    in_epicor(sandbox, ready, "INV-10000", DueDate="2031-05-06T00:00:00", PayHold=True)
    still_held = run_stage(ready, "invoices_out", dry_run=True).held - 1
    told = problem(ready, "INV-10000")
    assert told.code == "changed_after_submission"
    assert told.message == (
        "Invoice INV-10000 was changed in Epicor after it was submitted: "
        f"due date {was[:10]} → 2031-05-06; put on hold in Epicor (PayHold)."
    )
    assert link(ready, "INV-10000").state == "submitted"
    # A person has dealt with it: the same change is not brought up again.
    Problem.objects.filter(pk=told.pk).update(state="ignored")
    run = run_stage(ready, "invoices_out")
    assert (run.created, run.held) == (0, still_held)
    assert problem_codes(ready, "INV-10000") == []
    in_epicor(sandbox, ready, "INV-10000", PayHold=False)
    run_stage(ready, "invoices_out")
    assert problem(ready, "INV-10000").message.endswith(f"due date {was[:10]} → 2031-05-06.")
    in_epicor(sandbox, ready, "INV-10000", DueDate=was)
    run_stage(ready, "invoices_out")
    assert problem_codes(ready, "INV-10000") == []
    after = ledger(ready)["avidxchange"]["invoices"]
    assert [row["ExternalId"] for row in after] == [row["ExternalId"] for row in before]
    assert [row["InvoiceDueDate"] for row in after] == [row["InvoiceDueDate"] for row in before]


def test_a_payment_made_in_epicor_warns_of_paying_twice(sandbox: Sandbox, ready: Tenant, run_stage: Run) -> None:
    run_stage(ready, "invoices_out")
    amount = header(sandbox, ready, "INV-10000")["DocInvoiceAmt"]
    in_epicor(sandbox, ready, "INV-10000", DocUnpostedBal=Decimal(0), DocInvoiceBal=Decimal(0), OpenPayable=False)
    run_stage(ready, "invoices_out")
    told = problem(ready, "INV-10000")
    assert (told.code, told.amount) == ("paid_in_epicor", amount)
    in_epicor(sandbox, ready, "INV-10000", DocUnpostedBal=amount, DocInvoiceBal=amount, OpenPayable=True)
    run_stage(ready, "invoices_out")
    assert problem_codes(ready, "INV-10000") == []
    assert link(ready, "INV-10000").open_amount == amount


def test_a_paid_invoice_that_is_open_again_is_for_a_person_and_not_sent(
    sandbox: Sandbox, ready: Tenant, run_stage: Run, ledger: Ledger
) -> None:
    run_stage(ready, "invoices_out")
    before = numbers(ledger, ready)
    InvoiceLink.objects.filter(tenant=ready, invoice_num="INV-10000").update(state="paid", open_amount=0)
    in_epicor(sandbox, ready, "INV-10000", InvoiceRef="payment voided")
    run_stage(ready, "invoices_out")
    assert link(ready, "INV-10000").state == "reopened"
    assert problem(ready, "INV-10000").code == "reopened_by_void"
    run_stage(ready, "invoices_out", full_read=True)
    assert numbers(ledger, ready) == before
    in_epicor(sandbox, ready, "INV-10000", OpenPayable=False, DocUnpostedBal=Decimal(0), DocInvoiceBal=Decimal(0))
    run_stage(ready, "invoices_out")
    assert link(ready, "INV-10000").state == "paid"
    assert "reopened_by_void" not in problem_codes(ready, "INV-10000")


def test_an_invoice_that_came_in_never_goes_out(
    sandbox: Sandbox, ready: Tenant, run_stage: Run, ledger: Ledger
) -> None:
    head = header(sandbox, ready, "INV-10000")
    came_in = InvoiceLink.objects.create(
        tenant=ready, direction="in", company="EPIC06", vendor_num=head["VendorNum"], invoice_num="INV-10000",
        state="written", avid_id="990001", gross_amount=head["DocInvoiceAmt"], open_amount=0,
    )  # fmt: skip
    for full in (False, True):
        run_stage(ready, "invoices_out", full_read=full)
    came_in.refresh_from_db()
    assert (came_in.direction, came_in.state, came_in.external_id) == ("in", "written", "")
    assert came_in.open_amount == head["DocInvoiceAmt"]
    assert "INV-10000" not in numbers(ledger, ready)


def test_a_hold_taken_off_lets_the_invoice_go(sandbox: Sandbox, ready: Tenant, run_stage: Run, ledger: Ledger) -> None:
    run_stage(ready, "invoices_out")
    assert "INV-10016" not in numbers(ledger, ready)
    in_epicor(sandbox, ready, "INV-10016", PayHold=False)
    assert run_stage(ready, "invoices_out").created == 1
    assert numbers(ledger, ready).count("INV-10016") == 1


def test_unsent_invoices_that_close_or_vanish_are_withdrawn(sandbox: Sandbox, ready: Tenant, run_stage: Run) -> None:
    run_stage(ready, "invoices_out")
    in_epicor(sandbox, ready, "INV-10034", OpenPayable=False)
    delete_in_epicor(sandbox, ready, "O'B-8")
    run_stage(ready, "invoices_out")
    assert link(ready, "INV-10034").state == "withdrawn"
    assert problem_codes(ready, "INV-10034") == []
    # A row that is gone shows in no poll, only when everything is read.
    assert link(ready, "O'B-8").state == "held"
    run_stage(ready, "invoices_out", full_read=True)
    gone = link(ready, "O'B-8")
    assert (gone.state, gone.state_reason) == ("withdrawn", "It is no longer in Epicor.")
    in_epicor(sandbox, ready, "INV-10034", OpenPayable=True)
    run_stage(ready, "invoices_out")
    assert link(ready, "INV-10034").state == "held"


def test_old_open_invoices_stay_where_the_tenant_says_so(
    sandbox: Sandbox, make_tenant: Any, run_stage: Run, approve_all: Any, ledger: Ledger
) -> None:
    day = sandbox.epicor.today - timedelta(days=20)
    tenant = make_tenant("a", invoices_since=day.isoformat())
    bring_master_data(tenant, run_stage, approve_all)
    young = {one for one in payable(sandbox, tenant) if header(sandbox, tenant, one)["InvoiceDate"][:10] >= str(day)}
    run_stage(tenant, "invoices_out")
    assert set(numbers(ledger, tenant)) == young
    old = min(set(payable(sandbox, tenant)) - young)
    in_epicor(sandbox, tenant, old, InvoiceRef="looked at")
    assert run_stage(tenant, "invoices_out").created == 0


def test_an_external_id_that_is_too_long_is_held_and_never_cut(
    make_tenant: Any, run_stage: Run, approve_all: Any, ledger: Ledger
) -> None:
    tenant = make_tenant("a", limits={"ExternalId": 21})
    bring_master_data(tenant, run_stage, approve_all)
    run_stage(tenant, "invoices_out")
    held = link(tenant, "INV-10000")
    assert (held.state, held.hold_code) == ("held", "too_long")
    # Numbers of eight characters make ids of 21, such as EPIC06|104|00000027|1; all others are longer.
    assert numbers(ledger, tenant) == ["00000027", "50%+33&C", "A 5521 B"]


def test_a_refused_invoice_goes_again_only_when_it_was_corrected_as_a_new_version(
    sandbox: Sandbox, ready: Tenant, run_stage: Run, ledger: Ledger
) -> None:
    account = GLAccountMapping.objects.get(
        tenant=ready,
        gl_account=sandbox.epicor.companies["EPIC06"]["APInvExpTGLC"].under(101, "INV-10000")[0]["GLAccount"],
    )
    over_there(sandbox, ready, "gl_accounts", {"AccountNumber": account.avid_account}, IsActive=False)
    run = run_stage(ready, "invoices_out")
    refused = link(ready, "INV-10000")
    assert refused.state == "refused"
    assert run.rejected == InvoiceLink.objects.filter(tenant=ready, state="refused").count()
    told = problem(ready, "INV-10000")
    assert (told.code, told.amount, told.field) == ("gl_not_found", refused.gross_amount, "GLAccount")
    written = writes(sandbox)
    assert run_stage(ready, "invoices_out", full_read=True).created == 0
    assert writes(sandbox) == written
    over_there(sandbox, ready, "gl_accounts", {"AccountNumber": account.avid_account}, IsActive=True)
    in_epicor(sandbox, ready, "INV-10000", Description="corrected")
    assert run_stage(ready, "invoices_out").created == 1
    corrected = link(ready, "INV-10000")
    assert (corrected.state, corrected.external_id) == ("submitted", "EPIC06|101|INV-10000|2")
    assert problem_codes(ready, "INV-10000") == []
    assert numbers(ledger, ready).count("INV-10000") == 1


def test_a_rehearsal_writes_to_neither_system_and_counts_what_would_happen(
    sandbox: Sandbox, ready: Tenant, run_stage: Run, ledger: Ledger
) -> None:
    before, written = ledger(ready), writes(sandbox)
    rehearsal = run_stage(ready, "invoices_out", dry_run=True)
    assert (ledger(ready), writes(sandbox)) == (before, written)
    assert rehearsal.created == len(payable(sandbox, ready))
    assert run_stage(ready, "invoices_out").created == rehearsal.created
    assert numbers(ledger, ready) == sorted(payable(sandbox, ready))


def test_queries_do_not_grow_with_the_page(sandbox: Sandbox, ready: Tenant, run_stage: Run) -> None:
    ready.epicor_connection.page_size = 1000
    ready.epicor_connection.save()
    run_stage(ready, "invoices_out", dry_run=True)
    counts = []
    for _round in range(2):
        InvoiceImage.objects.filter(tenant=ready).delete()
        InvoiceLink.objects.filter(tenant=ready).delete()
        with CaptureQueriesContext(connection) as seen:
            run = run_stage(ready, "invoices_out", dry_run=True, full_read=True)
        counts.append((run.read, len(seen)))
        plain = [one for one in payable(sandbox, ready) if not header(sandbox, ready, one)["REFPONum"]]
        for number in sorted(plain)[:12]:
            in_epicor(sandbox, ready, number, OpenPayable=False)
    assert counts[0][0] == counts[1][0] + 12
    assert counts[0][1] == counts[1][1]
