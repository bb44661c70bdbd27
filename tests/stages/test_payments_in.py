"""Payments from AvidXchange to Epicor: recorded once, held with a reason, undone when taken back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from connector.epicor import payment_entry
from connector.sandbox.server import Sandbox
from connector.stages import Stage
from syncjobs import stages
from syncjobs.engine import loop, postings, replay
from syncjobs.engine.context import Clock
from syncjobs.engine.reconcile import reconcile
from syncjobs.engine.replay_targets import Target
from syncjobs.models import InvoiceLink, Payment, Posting, Problem, Remittance, StageRun
from tenants.audit import Actor
from tenants.clients import epicor_client
from tenants.models import AuditEvent, Tenant
from tests.stages.outgoing_world import header, in_epicor, writes
from tests.stages.payments_world import (
    FIRST,
    balances,
    breaks,
    connect,
    entered,
    expected,
    let_pauses_pass,
    open_codes,
    paid,
    say,
    standing,
    states,
    story,
    submit,
)

Ledger = Callable[[Tenant], dict[str, Any]]
RunStage = Callable[..., StageRun]
Approve = Callable[[Tenant], int]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def stories() -> dict[int, str]:
    return {}


@pytest.fixture
def invoices() -> int:
    return 14


@pytest.fixture
def sandbox_options(stories: dict[int, str], invoices: int) -> dict[str, Any]:
    quiet = {"stories": stories, "reject_percent": 0, "percent_202": 0}
    return {"vendors": 10, "invoices": invoices, "avidxchange_options": quiet}


@pytest.fixture
def paying(tenant: Tenant, run_stage: RunStage, approve_all: Approve) -> Tenant:
    """A tenant whose invoices AvidXchange has paid; nothing of it is recorded yet."""
    submit(tenant, run_stage, approve_all)
    return tenant


def test_every_settled_payment_is_recorded_once_for_two_tenants_with_the_same_ids(
    paying: Tenant, other: Tenant, run_stage: RunStage, approve_all: Approve, ledger: Ledger, sandbox: Sandbox
) -> None:
    submit(other, run_stage, approve_all)
    for tenant in (paying, other):
        run = run_stage(tenant, "payments_in")
        held = ledger(tenant)
        assert (run.status, run.read, run.created) == ("done", len(paid(held)), len(paid(held)))
        assert len(paid(held)) >= (4 if tenant == paying else 1)
        assert standing(held) == expected(held)
        assert {len(rows) for rows in entered(held).values()} == {1}
        assert all(len(rows[0]["GroupID"]) <= 9 for rows in entered(held).values())
        assert open_codes(tenant) == set()
        for link in InvoiceLink.objects.filter(tenant=tenant, remittances__isnull=False):
            assert (link.state, link.open_amount, link.paid_amount) == ("paid", 0, link.gross_amount)
    assert set(states(paying)) & set(states(other))

    before = ledger(paying), ledger(other), writes(sandbox)
    for tenant in (paying, other):
        run = run_stage(tenant, "payments_in")
        assert (run.status, run.created, run.updated, run.unchanged) == ("done", 0, 0, run.read)
        assert run.requests <= 2
    assert (ledger(paying), ledger(other), writes(sandbox)) == before


def test_a_card_is_known_by_its_last_four_digits_and_never_by_more(
    paying: Tenant, run_stage: RunStage, ledger: Ledger, sandbox: Sandbox
) -> None:
    say(sandbox, paying, FIRST, Method="Virtual Credit Card", VirtualCardLast4="4111111111111234")
    run_stage(paying, "payments_in")
    (row,) = entered(ledger(paying))[FIRST]
    payment = Payment.objects.get(tenant=paying, avid_id=str(FIRST))
    assert (row["XRefCheckNum"], payment.card_last4) == ("VCC 1234", "1234")
    everything = [
        *Payment.objects.filter(tenant=paying).values_list("detail", flat=True),
        *Posting.objects.filter(tenant=paying).values_list("draft", flat=True),
        *(str(values) for values in AuditEvent.objects.filter(tenant=paying).values()),
    ]
    assert not [text for text in everything if "4111111111111234" in text]


def test_a_rehearsal_writes_to_neither_system(
    paying: Tenant, run_stage: RunStage, ledger: Ledger, sandbox: Sandbox
) -> None:
    before = ledger(paying), writes(sandbox)
    run = run_stage(paying, "payments_in", dry_run=True)
    assert (run.created, run.read) == (len(paid(before[0])), len(paid(before[0])))
    assert (ledger(paying), writes(sandbox)) == before
    assert not Posting.objects.filter(tenant=paying, kind__startswith="ap_payment").exists()
    assert run_stage(paying, "payments_in").created == run.created
    assert standing(ledger(paying)) == expected(ledger(paying))


def test_payments_wait_unposted_where_a_person_posts(paying: Tenant, run_stage: RunStage, ledger: Ledger) -> None:
    connect(paying, post_payments=False)
    run = run_stage(paying, "payments_in")
    assert run.created == run.read
    assert standing(ledger(paying)) == expected(ledger(paying), posted=False)
    (note,) = set(Payment.objects.filter(tenant=paying, avid_id=str(FIRST)).values_list("hold_message", flat=True))
    assert "waits unposted in Epicor" in note
    assert run_stage(paying, "payments_in").unchanged == run.read


@pytest.mark.parametrize("stories", [{1: "partial", 2: "card_to_check", 3: "error_heals", 4: "void_replaced"}])
def test_the_ways_a_payment_goes_end_in_the_same_ledgers(paying: Tenant, run_stage: RunStage, ledger: Ledger) -> None:
    run = run_stage(paying, "payments_in")
    held = ledger(paying)
    gone = [payment_id for payment_id, row in paid(held).items() if row["Status"] == "Void"]
    assert standing(held) == expected(held)
    assert len(gone) == 1
    assert states(paying)[str(gone[0])] == ("closed", "")
    assert (run.created, run.unchanged) == (run.read - 1, 1)
    assert set(InvoiceLink.objects.filter(tenant=paying, remittances__isnull=False).values_list("open_amount")) == {
        (Decimal(0),)
    }


@pytest.mark.parametrize("invoices", [60])
@pytest.mark.parametrize("stories", [{2: "partial", 4: "card_to_check", 6: "error_heals", 8: "void_replaced"}])
def test_many_invoices_credits_and_another_currency(
    make_tenant: Callable[..., Tenant],
    run_stage: RunStage,
    approve_all: Approve,
    ledger: Ledger,
    django_assert_max_num_queries: Any,
) -> None:
    tenant = make_tenant("a", currencies=["CAD"], bank_accounts={"CAD": "CADOP"})
    submit(tenant, run_stage, approve_all)
    run = run_stage(tenant, "payments_in")
    held = ledger(tenant)
    assert (run.status, run.created, run.unchanged) == ("done", len(paid(held)) - 1, 1)
    assert standing(held) == expected(held)
    ours = [row for rows in entered(held).values() for row in rows]
    assert {(row["BankAcctID"], row["CurrencyCode"]) for row in ours} == {("AVID", "USD"), ("CADOP", "CAD")}
    assert len({row["GroupID"] for row in ours}) == 2
    amounts = [Decimal(part["DocTranAmt"]) for row in ours for part in row["allocations"]]
    assert min(amounts) < 0
    assert max(len(row["allocations"]) for row in ours) > 5
    assert reconcile(tenant).balanced
    # Not one query a payment, nor one an invoice: there are fifteen of the one and forty of the other.
    with django_assert_max_num_queries(75):
        assert run_stage(tenant, "payments_in", full_read=True).unchanged == run.read


def test_discounts_are_taken_only_where_that_was_tested(
    paying: Tenant, run_stage: RunStage, ledger: Ledger, sandbox: Sandbox
) -> None:
    row = paid(ledger(paying))[FIRST]
    parts = [dict(part) for part in row["Remittances"]]
    parts[0] |= {"Discount": "1.50", "Net": str(Decimal(parts[0]["Gross"]) - Decimal("1.50"))}
    say(sandbox, paying, FIRST, Remittances=parts, Amount=str(Decimal(row["Amount"]) - Decimal("1.50")))
    run = run_stage(paying, "payments_in")
    assert (run.held, run.created) == (1, run.read - 1)
    assert open_codes(paying) == {(str(FIRST), "discount_not_enabled")}

    Tenant.objects.filter(pk=paying.pk).update(options={**paying.options, "discounts": True})
    assert run_stage(paying, "payments_in").created == 1
    held = ledger(paying)
    assert standing(held) == expected(held)
    (written,) = entered(held)[FIRST]
    assert "1.50" in {part["DocDiscAmt"] for part in written["allocations"]}
    assert balances(held)[parts[0]["Number"]] == "0.00"
    assert reconcile(Tenant.objects.get(pk=paying.pk)).balanced


# --- held ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "code", "mended"),
    [
        ({"Status": "Sideways"}, "payment_status_unknown", {"Status": "Cleared"}),
        ({"Method": "Carrier Pigeon"}, "payment_method_unknown", {"Method": "AvidPay Check"}),
    ],
)
def test_an_unknown_status_or_method_never_posts(
    paying: Tenant,
    run_stage: RunStage,
    ledger: Ledger,
    sandbox: Sandbox,
    changes: dict[str, Any],
    code: str,
    mended: dict[str, Any],
) -> None:
    say(sandbox, paying, FIRST, **changes)
    run = run_stage(paying, "payments_in")
    assert (run.status, run.held, run.created) == ("done_with_problems", 1, run.read - 1)
    assert FIRST not in entered(ledger(paying))
    assert open_codes(paying) == {(str(FIRST), code)}
    problem = Problem.objects.get(tenant=paying, code=code)
    assert next(iter(changes.values())) in problem.message
    assert problem.amount == Payment.objects.get(tenant=paying, avid_id=str(FIRST)).amount
    assert run_stage(paying, "payments_in").held == 1

    say(sandbox, paying, FIRST, **mended)
    assert run_stage(paying, "payments_in").created == 1
    assert standing(ledger(paying)) == expected(ledger(paying))
    assert open_codes(paying) == set()


def test_an_error_that_heals_is_waited_for_and_another_one_is_reported(
    paying: Tenant, run_stage: RunStage, ledger: Ledger, sandbox: Sandbox
) -> None:
    say(sandbox, paying, FIRST, Status="Error")
    say(sandbox, paying, FIRST + 1, Status="Error")
    say(sandbox, paying, FIRST + 1, Exceptions=[{"ReasonCode": {"Id": 17, "Description": "Account closed"}}])
    run = run_stage(paying, "payments_in")
    assert (run.held, run.unchanged) == (1, 1)
    assert (states(paying)[str(FIRST)], states(paying)[str(FIRST + 1)]) == (("seen", ""), ("held", "payment_error"))
    assert open_codes(paying) == {(str(FIRST + 1), "payment_error")}
    for payment_id in (FIRST, FIRST + 1):
        say(sandbox, paying, payment_id, Status="Cleared")
    assert run_stage(paying, "payments_in").created == 2
    assert standing(ledger(paying)) == expected(ledger(paying))
    assert open_codes(paying) == set()


def test_a_payment_waits_where_its_invoice_cannot_take_it(
    paying: Tenant, run_stage: RunStage, ledger: Ledger, sandbox: Sandbox
) -> None:
    """Paid by something else already, on payment hold, or not posted: nothing of the payment is written."""
    numbers = [paid(ledger(paying))[FIRST + place]["Remittances"][0]["Number"] for place in range(3)]
    whole = header(sandbox, paying, numbers[0])["DocUnpostedBal"]
    in_epicor(sandbox, paying, numbers[0], DocUnpostedBal=Decimal("0.01"))
    in_epicor(sandbox, paying, numbers[1], PayHold=True)
    in_epicor(sandbox, paying, numbers[2], Posted=False)
    run = run_stage(paying, "payments_in")
    assert (run.held, run.created) == (3, run.read - 3)
    assert open_codes(paying) == {
        (str(FIRST), "over_payment"),
        (str(FIRST + 1), "invoice_on_hold"),
        (str(FIRST + 2), "invoice_not_posted"),
    }
    assert not {FIRST, FIRST + 1, FIRST + 2} & set(entered(ledger(paying)))
    before = writes(sandbox)
    assert run_stage(paying, "payments_in").held == 3
    assert writes(sandbox) == before

    in_epicor(sandbox, paying, numbers[0], DocUnpostedBal=whole)
    in_epicor(sandbox, paying, numbers[1], PayHold=False)
    in_epicor(sandbox, paying, numbers[2], Posted=True)
    assert run_stage(paying, "payments_in").created == 3
    assert standing(ledger(paying)) == expected(ledger(paying))
    assert open_codes(paying) == set()


def test_a_payment_of_an_invoice_nobody_knows_is_held(
    paying: Tenant, run_stage: RunStage, ledger: Ledger, sandbox: Sandbox
) -> None:
    link = InvoiceLink.objects.get(
        tenant=paying, invoice_num=paid(ledger(paying))[FIRST]["Remittances"][0]["Number"], direction="out"
    )
    InvoiceLink.objects.filter(pk=link.pk).update(avid_id="elsewhere", external_id="elsewhere")
    assert run_stage(paying, "payments_in").held == 1
    assert open_codes(paying) == {(str(FIRST), "invoice_not_found")}
    InvoiceLink.objects.filter(pk=link.pk).update(avid_id=link.avid_id, external_id=link.external_id)
    assert run_stage(paying, "payments_in").created == 1
    assert Remittance.objects.filter(tenant=paying, invoice=None).count() == 0
    assert standing(ledger(paying)) == expected(ledger(paying))


def test_one_payment_that_cannot_be_posted_does_not_stop_its_group(
    paying: Tenant, run_stage: RunStage, ledger: Ledger, sandbox: Sandbox
) -> None:
    long_ago = (timezone.now() - timedelta(days=400)).isoformat()
    say(sandbox, paying, FIRST + 1, ClearedDate=long_ago)
    sandbox.epicor.options.closed_through = (timezone.now() - timedelta(days=200)).date()
    run = run_stage(paying, "payments_in")
    assert (run.held, run.created) == (1, run.read - 1)
    shown = standing(ledger(paying))
    assert shown[FIRST + 1][1] is False
    assert {row[1] for payment_id, row in shown.items() if payment_id != FIRST + 1} == {True}
    ((key, code),) = open_codes(paying)
    assert (key, code) == (str(FIRST + 1), "period_closed")
    before = writes(sandbox)
    assert run_stage(paying, "payments_in").held == 1
    assert writes(sandbox) == before

    sandbox.epicor.options.closed_through = None
    let_pauses_pass(paying)
    assert run_stage(paying, "payments_in").created == 1
    assert standing(ledger(paying)) == expected(ledger(paying))
    assert open_codes(paying) == set()


def test_a_payment_that_cannot_be_completed_is_taken_out_of_epicor_again(
    paying: Tenant, run_stage: RunStage, ledger: Ledger, sandbox: Sandbox
) -> None:
    rule = {"HttpStatus": 400, "ErrorType": "Ice.BLException", "ErrorMessage": "A site rule says no."}
    breaks(sandbox, "PaymentEntrySvc/OnChangeInvoiceNum", "status", status=400, body=rule)
    run = run_stage(paying, "payments_in")
    assert (run.held, run.created) == (1, run.read - 1)
    assert FIRST not in entered(ledger(paying))
    assert AuditEvent.objects.filter(tenant=paying, action="payments_in.taken_back").count() == 1
    assert [code for _key, code in open_codes(paying)] == ["business_rule"]
    let_pauses_pass(paying)
    assert run_stage(paying, "payments_in").created == 1
    assert standing(ledger(paying)) == expected(ledger(paying))
    assert {len(rows) for rows in entered(ledger(paying)).values()} == {1}


def test_a_group_that_a_person_holds_does_not_stop_the_others(
    paying: Tenant, run_stage: RunStage, ledger: Ledger, sandbox: Sandbox
) -> None:
    connect(paying, post_payments=False)
    locked = {"HttpStatus": 400, "ErrorMessage": "Group AVX is in use by user ap.clerk."}
    breaks(sandbox, "APChkGrpSvc/Update", "status", status=400, body=locked)
    run = run_stage(paying, "payments_in")
    assert (run.held, run.created) == (1, run.read - 1)
    assert open_codes(paying) == {(str(FIRST), "group_locked")}
    let_pauses_pass(paying)
    assert run_stage(paying, "payments_in").created == 1
    assert standing(ledger(paying)) == expected(ledger(paying), posted=False)


def test_a_status_that_cannot_follow_is_not_believed(
    paying: Tenant, run_stage: RunStage, ledger: Ledger, sandbox: Sandbox
) -> None:
    run_stage(paying, "payments_in")
    say(sandbox, paying, FIRST, Status="Processing")
    run = run_stage(paying, "payments_in")
    assert (run.held, run.unchanged) == (1, run.read - 1)
    payment = Payment.objects.get(tenant=paying, avid_id=str(FIRST))
    assert (payment.state, payment.status) == ("recorded", "cleared")
    assert open_codes(paying) == {(str(FIRST), "status_went_back")}
    say(sandbox, paying, FIRST, Status="Cleared")
    run_stage(paying, "payments_in")
    assert open_codes(paying) == set()
    assert standing(ledger(paying)) == expected(ledger(paying))


def test_what_changes_after_recording_is_told_and_not_edited(
    paying: Tenant, run_stage: RunStage, ledger: Ledger, sandbox: Sandbox
) -> None:
    run_stage(paying, "payments_in")
    before = standing(ledger(paying))
    say(sandbox, paying, FIRST, Method="AvidPay Check", AvidPayCheckNumber="300999999")
    run_stage(paying, "payments_in")
    assert open_codes(paying) == {(str(FIRST), "reference_changed")}
    run_stage(paying, "payments_in")
    assert open_codes(paying) == {(str(FIRST), "reference_changed")}
    assert standing(ledger(paying)) == before


# --- undone ----------------------------------------------------------------------------------------------------------


def test_a_refund_voids_the_payment_and_opens_its_invoices(
    paying: Tenant, other: Tenant, run_stage: RunStage, approve_all: Approve, ledger: Ledger, sandbox: Sandbox
) -> None:
    submit(other, run_stage, approve_all)
    for tenant in (paying, other):
        run_stage(tenant, "payments_in")
    untouched = ledger(other)
    story(sandbox, paying, FIRST, "refunded")
    run = run_stage(paying, "payments_in")
    assert (run.status, run.updated, run.unchanged) == ("done", 1, run.read - 1)
    held = ledger(paying)
    assert standing(held) == expected(held)
    (row,) = entered(held)[FIRST]
    assert row["Voided"]
    for part in paid(held)[FIRST]["Remittances"]:
        assert balances(held)[part["Number"]] == part["Gross"]
        link = InvoiceLink.objects.get(tenant=paying, invoice_num=part["Number"])
        assert (link.state, link.paid_amount, str(link.open_amount.quantize(Decimal("0.01")))) == (
            "reopened",
            0,
            part["Gross"],
        )
    numbers = {f"EPIC06|{row['VendorNum']}|{part['Number']}" for part in paid(held)[FIRST]["Remittances"]}
    assert {(key, code) for key, code in open_codes(paying, "invoice") if code == "reopened_by_void"} == {
        (key, "reopened_by_void") for key in numbers
    }
    assert open_codes(paying) == {(str(FIRST), "undone_after_clearing")}
    assert states(paying)[str(FIRST)] == ("reversed", "")

    before = ledger(paying), writes(sandbox)
    run = run_stage(paying, "payments_in")
    assert (run.created, run.updated, run.held) == (0, 0, 0)
    assert (ledger(paying), writes(sandbox)) == before
    assert ledger(other) == untouched


def test_an_unposted_payment_that_is_taken_back_is_deleted(
    paying: Tenant, run_stage: RunStage, ledger: Ledger, sandbox: Sandbox
) -> None:
    connect(paying, post_payments=False)
    run_stage(paying, "payments_in")
    say(sandbox, paying, FIRST, Status="Void")
    assert run_stage(paying, "payments_in").updated == 1
    assert FIRST not in entered(ledger(paying))
    assert standing(ledger(paying)) == expected(ledger(paying), posted=False)


def test_a_person_is_told_to_void_and_seen_to_have_done_it(
    paying: Tenant, run_stage: RunStage, ledger: Ledger, sandbox: Sandbox
) -> None:
    connect(paying, void_mode="notify_only")
    run_stage(paying, "payments_in")
    say(sandbox, paying, FIRST, Status="Void - Stop Payment")
    before = writes(sandbox)
    run = run_stage(paying, "payments_in")
    assert (run.status, run.held) == ("done_with_problems", 1)
    assert writes(sandbox) == before
    assert (str(FIRST), "undo_in_epicor") in open_codes(paying)
    (row,) = entered(ledger(paying))[FIRST]
    assert f"Void payment {row['HeadNum']} in Epicor." in Problem.objects.get(code="undo_in_epicor").hint

    client = epicor_client(paying)
    payment_entry.void(client, row["HeadNum"], void_date=timezone.now().date(), bank_account_id="AVID")
    client.close()
    assert run_stage(paying, "payments_in").updated == 1
    assert open_codes(paying) == {(str(FIRST), "undone_after_clearing")}
    assert states(paying)[str(FIRST)] == ("reversed", "")


@pytest.mark.parametrize("name", ["reissued", "reissued_unlinked"])
def test_a_reissue_is_undone_and_its_successor_recorded(
    paying: Tenant, run_stage: RunStage, ledger: Ledger, sandbox: Sandbox, name: str
) -> None:
    run_stage(paying, "payments_in")
    story(sandbox, paying, FIRST, name)
    run = run_stage(paying, "payments_in")
    assert (run.updated, run.created) == (1, 1)
    held = ledger(paying)
    assert standing(held) == expected(held)
    (row,) = entered(held)[FIRST]
    assert row["Voided"]
    assert not [code for _key, code in open_codes(paying, "invoice") if code == "reopened_by_void"]
    assert set(InvoiceLink.objects.filter(tenant=paying, remittances__isnull=False).values_list("state")) == {("paid",)}
    told = {code for _key, code in open_codes(paying)}
    assert told == {"undone_after_clearing"} | ({"reissued_without_link"} if name == "reissued_unlinked" else set())
    before = writes(sandbox)
    run = run_stage(paying, "payments_in")
    assert (run.created, run.updated, run.held, writes(sandbox)) == (0, 0, 0, before)


def test_a_payment_taken_back_while_it_is_half_entered_leaves_nothing(
    paying: Tenant, run_stage: RunStage, ledger: Ledger, sandbox: Sandbox
) -> None:
    sandbox.faults.add(
        [{"system": "epicor", "path": "PaymentEntrySvc/GetNewAPTran", "kind": "status", "status": 503, "times": -1}]
    )
    run = run_stage(paying, "payments_in")
    assert run.uncertain == run.read
    sandbox.faults.clear()
    say(sandbox, paying, FIRST, Status="Void")
    Posting.objects.filter(tenant=paying).update(next_try_at=None)
    run_stage(paying, "payments_in", clock=Clock(now=lambda: timezone.now() + timedelta(minutes=20)))
    assert standing(ledger(paying)) == expected(ledger(paying))
    assert FIRST not in entered(ledger(paying))
    assert states(paying)[str(FIRST)] == ("reversed", "")


# --- uncertain and killed --------------------------------------------------------------------------------------------


#: Every call that writes, in the order in which a payment makes them; how many of each go well first.
WRITES = {
    "APChkGrpSvc/Update": 0,
    "PaymentEntrySvc/CreateNewCheckHed": 1,
    "PaymentEntrySvc/Update": 3,
    "APChkGrpSvc/PrePostGrp": 0,
    "APPaymentPostSvc/RunDirect": 0,
}


@pytest.mark.parametrize("kind", ["reset_after", "reset_before"])
def test_lost_answers_make_no_second_payment(
    paying: Tenant, run_stage: RunStage, ledger: Ledger, sandbox: Sandbox, kind: str
) -> None:
    for path, skip in WRITES.items():
        breaks(sandbox, path, kind, times=2, skip=skip)
    for _run in range(6):
        run = run_stage(paying, "payments_in")
        let_pauses_pass(paying)
    assert {rule["fired"] for rule in sandbox.faults.report()} == {2}
    held = ledger(paying)
    assert standing(held) == expected(held)
    assert {len(rows) for rows in entered(held).values()} == {1}
    assert {state for state, _code in states(paying).values()} == {"recorded"}
    assert (run.status, run.unchanged) == ("done", run.read)


@pytest.mark.parametrize("kind", ["reset_after", "reset_before"])
def test_a_lost_answer_to_a_void_is_looked_up(
    paying: Tenant, run_stage: RunStage, ledger: Ledger, sandbox: Sandbox, kind: str
) -> None:
    run_stage(paying, "payments_in")
    say(sandbox, paying, FIRST, Status="Returned")
    breaks(sandbox, "VoidSelectedChecks", kind)
    assert run_stage(paying, "payments_in").updated == 1
    (row,) = entered(ledger(paying))[FIRST]
    assert row["Voided"]
    assert sum(Decimal(part["DocTranAmt"]) for part in row["allocations"]) == 0


class Killed(BaseException):
    """Stands for the process being killed."""


def test_a_worker_killed_again_and_again_enters_every_payment_once(
    paying: Tenant, run_stage: RunStage, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed at every fourth step it takes, before or after the call, until nothing is left to do."""
    note, steps = postings._note, {"left": 0}

    def dying(*args: Any, **kwargs: Any) -> None:
        steps["left"] -= 1
        if steps["left"] == 0:
            raise Killed
        note(*args, **kwargs)

    monkeypatch.setattr(postings, "_note", dying)
    kills = 0
    for life in range(200):
        steps["left"] = 3 + life % 4
        try:
            loop.run_stage(
                Tenant.objects.get(pk=paying.pk),
                Stage.PAYMENTS_IN,
                stages.policy(Stage.PAYMENTS_IN),
                trigger="command",
                actor=Actor.system("test"),
                clock=Clock(sleep=lambda seconds: None),
            )
            break
        except Killed:
            kills += 1
            long_ago = timezone.now() - timedelta(hours=1)
            StageRun.objects.filter(status="running").update(lease_until=long_ago)
            Posting.objects.filter(state="running").update(lease_until=long_ago)
            let_pauses_pass(paying)
    else:
        pytest.fail("it never came to its end")
    assert kills > 5
    monkeypatch.setattr(postings, "_note", note)
    let_pauses_pass(paying)
    run_stage(paying, "payments_in")
    held = ledger(paying)
    assert standing(held) == expected(held)
    assert {len(rows) for rows in entered(held).values()} == {1}
    assert {state for state, _code in states(paying).values()} == {"recorded"}


# --- replayed --------------------------------------------------------------------------------------------------------


def test_a_replayed_payment_is_written_only_where_epicor_does_not_show_it(
    paying: Tenant, run_stage: RunStage, ledger: Ledger, sandbox: Sandbox
) -> None:
    run_stage(paying, "payments_in")
    before = standing(ledger(paying)), writes(sandbox)

    def replay_first() -> StageRun:
        target = Target(record=("payment", str(FIRST)))
        replay.execute(replay.plan(paying, target), actor=Actor.system("test"), reason="to be sure")
        return run_stage(paying, "payments_in", trigger="replay")

    run = replay_first()
    assert (run.status, run.created, run.unchanged) == ("done", 0, run.read)
    assert (standing(ledger(paying)), writes(sandbox)) == before

    (row,) = entered(ledger(paying))[FIRST]
    client = epicor_client(paying)
    payment_entry.void(client, row["HeadNum"], void_date=timezone.now().date(), bank_account_id="AVID")
    client.close()
    change = {"company": "EPIC06", "table": "CheckHed", "key": {"HeadNum": row["HeadNum"]}, "set": {"CheckNum": 1}}
    sandbox.epicor.edit(change)  # a check number is taken for good, until somebody gives it back
    assert replay_first().created == 1
    assert standing(ledger(paying)) == before[0]


def test_a_replay_brings_nothing_back_that_was_undone(
    paying: Tenant, run_stage: RunStage, ledger: Ledger, sandbox: Sandbox
) -> None:
    run_stage(paying, "payments_in")
    recorded = Posting.objects.get(tenant=paying, kind="ap_payment", natural_key=str(FIRST))
    say(sandbox, paying, FIRST, Status="Void")
    run_stage(paying, "payments_in")
    before = ledger(paying), writes(sandbox)
    for target in (Target(posting=recorded.pk), Target(record=("payment", str(FIRST)))):
        replay.execute(replay.plan(paying, target), actor=Actor.system("test"), reason="by mistake")
        run = run_stage(paying, "payments_in", trigger="replay")
        assert (run.status, run.created, run.updated) == ("done", 0, 0)
    assert (ledger(paying), writes(sandbox)) == before
