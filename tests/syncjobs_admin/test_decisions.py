"""Deciding about mappings and problems: asked first, one by one, refusals row by row, everything audited."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from syncjobs.engine import problems
from syncjobs.engine.problems import Finding
from syncjobs.models import GLAccountMapping, Problem, StageRun, StageSchedule, VendorMapping
from tenants.models import AuditEvent, Role, Tenant

from .conftest import account, invoice, problem, run, vendor
from .test_access import decide, listing, page

pytestmark = pytest.mark.django_db

SignIn = Callable[..., Client]


def trail(tenant: Tenant, begins: str) -> list[tuple[str, str, str, str]]:
    rows = AuditEvent.objects.filter(tenant=tenant, action__startswith=begins).order_by("sequence")
    return [(one.action, one.actor_name, one.subject_key, one.reason) for one in rows]


# --- mappings -----------------------------------------------------------------------------------------------------


def test_the_page_that_asks_says_what_an_approval_releases(north: Tenant, sign_in: SignIn) -> None:
    first, second = vendor(north), vendor(north, 105)
    for number, amount in (("INV-1", "1000.10"), ("INV-2", "200.2")):
        invoice(north, number, gross_amount=Decimal(amount))
    invoice(north, "INV-3", hold_code="currency_not_payable", gross_amount=Decimal(7))
    client = sign_in("fay", (north, Role.FINANCE))
    shown = client.get(decide("vendormapping", "approve", first.pk, second.pk)).content.decode()
    assert "2 held invoices" in shown
    assert "1,200.30\N{NO-BREAK SPACE}USD" in shown
    assert shown.count("No held invoice") == 1
    assert "Same as QUILL BEARINGS (AP) in AvidXchange" in shown
    assert set(VendorMapping.objects.values_list("state", flat=True)) == {"proposed"}


def test_many_are_approved_at_once_and_each_refusal_says_why(north: Tenant, sign_in: SignIn) -> None:
    good, taken = vendor(north), vendor(north, 105)
    vendor(north, 106, avid_id="41105", state="approved", name="Other Vendor", vendor_code="OTHER", evidence=[])
    client = sign_in("fay", (north, Role.FINANCE))
    ticked = {"action": "approve", "_selected_action": [good.pk, taken.pk], "index": "0"}
    asked = client.post(listing(VendorMapping), ticked).headers["Location"]
    answer = client.post(asked, {"reason": ""})
    shown = answer.content.decode()
    assert answer.status_code == 200
    assert "That AvidXchange vendor already belongs to OTHER Other Vendor." in shown
    assert "1 done." in shown
    good.refresh_from_db()
    taken.refresh_from_db()
    assert (good.state, good.avid_id, good.decided_by) == ("approved", "41104", "fay")
    assert (taken.state, taken.avid_id) == ("proposed", "")
    assert trail(north, "mapping.") == [("mapping.approved", "fay", "EPIC06|104", "")]
    due = StageSchedule.objects.filter(tenant=north, next_due=None).values_list("stage", flat=True)
    assert {"vendors_out", "invoices_out", "invoices_in"} <= set(due)


def test_fifty_are_approved_in_one_go(north: Tenant, sign_in: SignIn) -> None:
    rows = [vendor(north, 200 + place) for place in range(50)]
    client = sign_in("fay", (north, Role.FINANCE))
    answer = client.post(decide("vendormapping", "approve", *(row.pk for row in rows)), {"reason": "Looked at."})
    assert answer.headers["Location"] == listing(VendorMapping)
    assert VendorMapping.objects.filter(state="approved", decided_by="fay").count() == 50
    assert len(trail(north, "mapping.approved")) == 50


def test_another_candidate_can_be_chosen(north: Tenant, sign_in: SignIn) -> None:
    row = vendor(north)
    client = sign_in("fay", (north, Role.FINANCE))
    shown = client.get(page(row)).content.decode()
    assert "Quill Bros" in shown
    assert "Quilting Co" in shown
    asked = decide("vendormapping", "approve", row.pk, avid_id="42104")
    assert asked.replace("&", "&amp;") in shown
    assert "Same as Quill Bros in AvidXchange" in client.get(asked).content.decode()
    assert client.post(asked, {"reason": ""}).headers["Location"] == page(row)
    row.refresh_from_db()
    assert (row.state, row.avid_id) == ("approved", "42104")


@pytest.mark.parametrize(
    ("decision", "state", "action", "avid_id"),
    [
        ("create", "approved", "mapping.approved", ""),
        ("reject", "rejected", "mapping.rejected", ""),
        ("ignore", "ignored", "mapping.ignored", ""),
    ],
)
def test_each_decision_does_what_it_says(
    decision: str, state: str, action: str, avid_id: str, north: Tenant, sign_in: SignIn
) -> None:
    row = vendor(north)
    client = sign_in("fay", (north, Role.FINANCE))
    assert client.post(decide("vendormapping", decision, row.pk), {"reason": "Not ours."}).status_code == 302
    row.refresh_from_db()
    assert (row.state, row.avid_id) == (state, avid_id)
    assert trail(north, "mapping.") == [(action, "fay", "EPIC06|104", "Not ours.")]


@pytest.mark.parametrize("decision", ["reject", "ignore", "take_back"])
def test_a_decision_that_stops_something_needs_a_reason(decision: str, north: Tenant, sign_in: SignIn) -> None:
    row = vendor(north, state="approved" if decision == "take_back" else "proposed")
    client = sign_in("fay", (north, Role.FINANCE))
    answer = client.post(decide("vendormapping", decision, row.pk), {"reason": "  "})
    assert "This field is required." in answer.content.decode()
    assert VendorMapping.objects.get().state == row.state
    assert trail(north, "mapping.") == []


def test_a_decision_is_taken_back(north: Tenant, sign_in: SignIn) -> None:
    row = account(north, state="approved", decided_by="rule")
    client = sign_in("fay", (north, Role.FINANCE))
    asked = decide("glaccountmapping", "take_back", row.pk)
    assert "What was already sent stays sent" in client.get(asked).content.decode()
    client.post(asked, {"reason": "Wrong account."})
    assert GLAccountMapping.objects.get().state == "proposed"
    assert trail(north, "mapping.") == [("mapping.taken_back", "fay", "EPIC06|MAIN|6030|40|02", "Wrong account.")]


def test_what_is_no_decision_is_not_found(north: Tenant, sign_in: SignIn) -> None:
    row = vendor(north)
    client = sign_in("fay", (north, Role.FINANCE))
    assert client.get(decide("vendormapping", "delete", row.pk)).status_code == 404
    assert client.get(decide("vendormapping", "approve") + "&pk=1;drop").status_code == 404


def test_a_rejected_match_may_be_created_but_an_ignored_one_not_rejected(north: Tenant, sign_in: SignIn) -> None:
    row = vendor(north, state="ignored")
    client = sign_in("fay", (north, Role.FINANCE))
    answer = client.post(decide("vendormapping", "reject", row.pk), {"reason": "No."})
    assert "It is ignored; take that back first." in answer.content.decode()
    assert VendorMapping.objects.get().state == "ignored"


# --- problems -----------------------------------------------------------------------------------------------------


def test_problems_are_grouped_by_cause_with_money_and_turn(north: Tenant, south: Tenant, sign_in: SignIn) -> None:
    for amount in ("10.50", "20"):
        problem(north, amount=Decimal(amount))
    problem(north, code="po_not_approved", turn="purchasing", amount=None, hint="Approve it in Epicor.")
    problem(north, state="resolved")
    problem(south, amount=Decimal(999))
    client = sign_in("fay", (north, Role.FINANCE))
    groups = client.get(listing(Problem)).context_data["groups"]
    assert [(words, group.count, group.turn, dict(group.amounts)) for group, words, _href in groups] == [
        ("Vendor not mapped", 2, "finance", {"USD": Decimal("30.500")}),
        ("PO not approved", 1, "purchasing", {}),
    ]
    for group, _words, href in groups:
        rows = client.get(href).context_data["cl"].result_list
        assert (len(rows), {row.code for row in rows}) == (group.count, {group.code})


@pytest.mark.parametrize(("decision", "state"), [("resolve", "resolved"), ("ignore", "ignored")])
def test_a_problem_is_closed_with_a_reason(decision: str, state: str, north: Tenant, sign_in: SignIn) -> None:
    row = problem(north, invoice(north))
    client = sign_in("fay", (north, Role.FINANCE))
    assert client.post(decide("problem", decision, row.pk), {"reason": ""}).status_code == 200
    assert Problem.objects.get().state == "open"
    client.post(decide("problem", decision, row.pk), {"reason": "Settled by phone."})
    row.refresh_from_db()
    assert (row.state, row.resolved_by, row.resolution) == (state, "fay", "Settled by phone.")
    assert trail(north, "problem.") == [(f"problem.{state}", "fay", "EPIC06|104|INV-77", "Settled by phone.")]
    shown = client.get(page(row)).content.decode()
    assert "Settled by phone." in shown
    again = client.post(decide("problem", decision, row.pk), {"reason": "Again."}).content.decode()
    assert f"It is {state} already." in again


def test_a_problem_is_taken_on_and_opened_again(north: Tenant, sign_in: SignIn) -> None:
    row = problem(north)
    client = sign_in("fay", (north, Role.FINANCE))
    client.post(decide("problem", "take_on", row.pk))
    assert str(Problem.objects.get().assigned_to) == "fay"
    client.post(decide("problem", "ignore", row.pk), {"reason": "Later."})
    client.post(decide("problem", "reopen", row.pk), {"reason": "Now."})
    row.refresh_from_db()
    assert (row.state, row.resolved_at, row.resolution) == ("open", None, "")
    actions = [action for action, *_rest in trail(north, "problem.")]
    assert actions == ["problem.assigned", "problem.ignored", "problem.reopened"]


def test_one_that_was_found_again_cannot_be_opened_twice(north: Tenant, sign_in: SignIn) -> None:
    old = problem(north, subject_key="EPIC06|104|X", state="resolved")
    problem(north, subject_key="EPIC06|104|X")
    client = sign_in("fay", (north, Role.FINANCE))
    answer = client.post(decide("problem", "reopen", old.pk), {"reason": "Why not."})
    assert "The same problem has been found again since and is open." in answer.content.decode()
    assert Problem.objects.filter(state="open").count() == 1


def test_what_is_ignored_stays_ignored_until_its_words_change(north: Tenant, sign_in: SignIn) -> None:
    """Field lesson 23: a person's decision is not undone by the next run."""
    ctx: Any = SimpleNamespace(tenant=north, run=run(north, status="running", ended_at=None), stage="invoices_out")

    def find(words: str) -> list[tuple[str, str]]:
        problems.report_page(ctx, "invoice", {"EPIC06|104|INV-77": Finding(code="partly_paid", message=words)})
        return list(Problem.objects.order_by("pk").values_list("message", "state"))

    assert find("1.00 is open.") == [("1.00 is open.", "open")]
    client = sign_in("fay", (north, Role.FINANCE))
    client.post(decide("problem", "ignore", Problem.objects.get().pk), {"reason": "A cent of rounding."})
    assert find("1.00 is open.") == [("1.00 is open.", "ignored")]
    assert find("9.00 is open.") == [("1.00 is open.", "ignored"), ("9.00 is open.", "open")]


# --- runs ---------------------------------------------------------------------------------------------------------


def test_an_operator_cancels_a_run_and_finance_does_not(north: Tenant, sign_in: SignIn) -> None:
    running = run(north, status="running", ended_at=None)
    assert sign_in("fay", (north, Role.FINANCE)).post(decide("stagerun", "cancel", running.pk)).status_code == 404
    client = sign_in("oli", (north, Role.OPERATOR))
    assert "Cancel" in client.get(page(running)).content.decode()
    client.post(decide("stagerun", "cancel", running.pk))
    running.refresh_from_db()
    assert (running.status, running.error) == ("cancelled", "Cancelled by oli.")
    again = client.post(decide("stagerun", "cancel", running.pk)).content.decode()
    assert "It has ended already: cancelled." in again
    assert StageRun.objects.count() == 1


def test_the_queue_of_a_total_is_what_is_listed(north: Tenant, sign_in: SignIn) -> None:
    vendor(north)
    vendor(north, 105, state="approved")
    vendor(north, 106, proposal="")
    account(north)
    rejected = invoice(north, "INV-9", state="rejected", hold_code="", hold_message="")
    problem(north, rejected, code="rejected")
    held = problem(north, invoice(north))
    problem(north, subject_kind="difference", code="amount_differs")
    problem(north, subject_kind="stage", subject_key="invoices_out")
    client = sign_in("fay", (north, Role.FINANCE))
    first = client.get(reverse("admin:index"))
    counted = {queue.name: queue.count.number for queue, *_rest in first.context_data["queues"]}
    assert counted == {"needs_mapping": 2, "held": 1, "rejected": 1, "differences": 1}
    for queue, _title, _empty, ways in first.context_data["queues"]:
        rows = [row for _words, href in ways for row in client.get(href).context_data["cl"].result_list]
        assert len(rows) == queue.count.number, queue.name
        if queue.name == "held":
            assert rows == [held]
