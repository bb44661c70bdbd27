"""Captured invoices into Epicor: whole end states, holds that explain themselves, a second run that does nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from connector.epicor import ap_invoice_entry
from syncjobs.engine import entry_groups, replay
from syncjobs.engine.context import Clock
from syncjobs.engine.replay_targets import Target
from syncjobs.models import Batch, InvoiceImage, InvoiceLink, Posting, Problem, VendorMapping
from syncjobs.states import BatchStatus, InvoiceState, PostingState
from tenants.audit import Actor
from tenants.models import AuditEvent
from tests.stages.captured_world import HELD, World, counts

MakeWorld = Callable[..., World]


@pytest.fixture
def sandbox_options() -> dict[str, Any]:
    return {"vendors": 16, "invoices": 4, "seed": 1, "pace": 0}


def test_captured_invoices_stand_in_epicor_as_they_were_coded(make_world: MakeWorld) -> None:
    worlds = [make_world("a"), make_world("b")]
    before = [world.ledger(world.tenant) for world in worlds]
    for world in worlds:
        run = world.run()
        assert (run.status, counts(run)) == ("done_with_problems", {"read": 14, "created": 12, "held": 2})
    for world, old in zip(worlds, before, strict=True):
        now = world.ledger(world.tenant)
        assert len(world.standing()) == 12
        assert world.standing() == world.wanted()
        assert world.acknowledged() == [True, True, True]
        # One group for the run, unlocked; nothing posted; the chart and everything else as it was.
        groups = {row["GroupID"]: row["ActiveUserID"] for row in now["epicor"]["invoice_groups"]}
        [group] = groups.keys() - {row["GroupID"] for row in old["epicor"]["invoice_groups"]}
        assert (len(group) <= 9, group[:3], groups[group]) == (True, "AVX", "")
        assert {(row["GroupID"], row["Posted"]) for row in world.written().values()} == {(group, False)}
        own = {(row["VendorNum"], row["InvoiceNum"]) for row in world.written().values()}
        rest = [row for row in now["epicor"]["invoices"] if (row["VendorNum"], row["InvoiceNum"]) not in own]
        assert rest == old["epicor"]["invoices"]
        for part in ("gl_accounts", "vendors", "purchase_orders", "payments"):
            assert now["epicor"][part] == old["epicor"][part]
        assert now["avidxchange"]["gl_accounts"] == old["avidxchange"]["gl_accounts"]
        actions = set(AuditEvent.objects.filter(tenant=world.tenant).values_list("action", flat=True))
        assert {"invoices_in.posted", "invoices_in.acknowledged"} <= actions


def test_a_second_run_writes_nothing_anywhere(make_world: MakeWorld) -> None:
    world, other = make_world("a"), make_world("b")
    world.has_run()
    other.run()
    ledgers = [one.ledger(one.tenant) for one in (world, other)]
    written, posts = world.rows_written(), world.sandbox.avidxchange.calls["POST"]
    for one in (world, other):
        again = one.run()
        assert counts(again) == {"read": 2, "held": 2}
        assert again.requests <= 4
    assert [one.ledger(one.tenant) for one in (world, other)] == ledgers
    assert world.rows_written() == written
    assert world.sandbox.avidxchange.calls["POST"] == posts


def test_a_full_read_finds_the_batches_unchanged(make_world: MakeWorld) -> None:
    world = make_world("a")
    world.has_run()
    before = world.ledger(world.tenant)
    run = world.run(full_read=True)
    assert (run.counts["created"], run.counts["updated"]) == (0, 0)
    assert world.ledger(world.tenant) == before


def test_held_invoices_say_why_and_their_batch_is_acknowledged(make_world: MakeWorld) -> None:
    world = make_world("a")
    world.has_run()
    for number, code in HELD.items():
        link = world.link(number)
        assert (link.state, link.hold_code) == (InvoiceState.HELD, code)
        problem = world.problem(code)
        assert (problem.subject_kind, problem.subject_id) == ("invoice", link.pk)
        assert (problem.amount, problem.currency) == (link.gross_amount, "USD")
        assert problem.hint
    assert world.problem("vendor_not_mapped").subject_key == "EPIC06|AvidXchange 880013"
    assert world.link("C-20013").vendor_num is None
    assert "Captured Only Vendor 1" in world.problem("vendor_not_mapped").message
    assert world.link("C-20014").vendor_num is not None
    assert world.problem("gl_account_not_mapped").subject_key.endswith("|C-20014")


def test_a_rehearsal_stores_and_counts_but_writes_nowhere(make_world: MakeWorld) -> None:
    world = make_world("a")
    before, written = world.ledger(world.tenant), world.rows_written()
    run = world.run(dry_run=True)
    assert counts(run) == {"read": 14, "created": 12, "held": 2}
    assert (world.ledger(world.tenant), world.rows_written()) == (before, written)
    assert not Posting.objects.exists()
    assert counts(world.run()) == {"read": 14, "created": 12, "held": 2}
    assert world.standing() == world.wanted()


def test_what_was_held_is_released_by_what_it_waited_for(make_world: MakeWorld) -> None:
    world = make_world("a")
    world.has_run()
    told = world.told()
    # The account is active again in Epicor; the vendor is mapped, and AvidXchange knows it by our id since.
    account = next(row for row in world.ledger(world.tenant)["epicor"]["gl_accounts"] if not row["Active"])
    key = {"COACode": account["COACode"], "GLAccount1": account["GLAccount"]}
    world.in_epicor("GLAccount", key, set={"Active": True})
    known = world.captured("C-20001")["VendorId"]
    world.avid("captured_invoices", {"Number": "C-20013"}, set={"VendorId": known})
    VendorMapping.objects.filter(tenant=world.tenant, vendor_num=world.vendor_num("C-20001")).update(
        sent_at=Batch.objects.filter(tenant=world.tenant, kind="captured_invoices").latest("settled_at").settled_at
    )
    world.run_stage(world.tenant, "gl_codes_out")
    run = world.run()
    assert run.counts["created"] == 2
    assert (run.status, run.counts["held"]) == ("done", 0)
    assert len(world.standing()) == 14
    assert world.standing() == world.wanted(without=())
    assert world.problems() == {}
    assert world.told() == told  # the batch was read again, but not closed again


def test_a_wrong_clock_of_ours_does_not_say_when_a_batch_was_read(make_world: MakeWorld) -> None:
    """Lesson 9: a batch read while our clock was ahead seemed to be younger than any mapping that it waited for."""
    world = make_world("a")
    ahead = Clock(now=lambda: datetime.now(UTC) + timedelta(hours=48), sleep=lambda _seconds: None)
    world.run(clock=ahead)
    read = Batch.objects.filter(tenant=world.tenant, kind="captured_invoices")
    assert read.exists()
    assert not read.filter(settled_at__gt=datetime.now(UTC)).exists()


# --- control totals ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [{"BatchTotal": "1.00"}, {"InvoiceCount": 9}])
def test_a_batch_that_does_not_add_up_goes_to_review(make_world: MakeWorld, wrong: dict[str, Any]) -> None:
    world = make_world("a")
    world.avid("captured_batches", {"BatchGUID": world.guid(1)}, set=wrong)
    run = world.run()
    assert counts(run) == {"read": 14, "created": 8, "held": 6}
    in_review = {row["Number"] for row in world.batches()[0]["invoices"]}
    assert world.standing() == world.wanted(without=(*HELD, *in_review))
    assert world.acknowledged() == [False, True, True]
    row = Batch.objects.get(tenant=world.tenant, avid_batch_id=world.guid(1))
    assert (row.state, row.captured_invoices.count()) == (BatchStatus.REVIEW, 0)
    problem = world.problem("control_totals")
    assert (problem.subject_kind, problem.subject_key) == ("batch", world.guid(1))
    assert str(next(iter(wrong.values()))) in problem.message
    # Seen again in the next run, and mended over there before the one after it.
    assert counts(world.run()) == {"read": 6, "held": 6}
    world.avid("captured_batches", {"BatchGUID": world.guid(1)}, set=dict.fromkeys(wrong))
    assert counts(world.run()) == {"read": 6, "created": 4, "held": 2}
    assert world.standing() == world.wanted()
    assert world.acknowledged() == [True, True, True]
    assert "control_totals" not in world.problems().values()


def test_an_invoice_that_cannot_be_read_sends_its_batch_to_review(make_world: MakeWorld) -> None:
    world = make_world("a")
    bad = {"Items": [{"Id": 1, "Number": "X", "GrossAmount": "a lot", "Lines": []}]}
    world.fault(system="avidxchange", path=f"{world.guid(2)}/details", kind="status", status=200, body=bad)
    run = world.run()
    assert run.counts["created"] == 7
    assert "Invoice 1 cannot be read" in world.problem("control_totals").message
    assert world.run().counts["created"] == 5
    assert world.standing() == world.wanted()


def test_a_batch_that_cannot_be_had_just_now_does_not_keep_the_others(make_world: MakeWorld) -> None:
    world = make_world("a")
    world.fault(system="avidxchange", path=f"{world.guid(1)}/details", kind="status", status=503, times=-1)
    run = world.run()
    assert (run.status, run.error_code) == ("failed", "unavailable")
    assert run.counts["created"] == 8
    assert world.acknowledged() == [False, True, True]
    world.sandbox.faults.clear()
    assert world.run().counts["created"] == 4
    assert world.standing() == world.wanted()


# --- duplicates ----------------------------------------------------------------------------------------------------


def test_a_number_that_epicor_has_from_elsewhere_is_held(make_world: MakeWorld) -> None:
    world = make_world("a")
    key = {"VendorNum": world.vendor_num("C-20001"), "InvoiceNum": "c-20001"}
    world.in_epicor("APInvHed", {}, insert=key | {"DocInvoiceAmt": Decimal("5.00"), "GroupID": "APOPEN"})
    run = world.run()
    assert counts(run) == {"read": 14, "created": 11, "held": 3}
    problem = world.problem("duplicate_in_epicor")
    assert problem.subject_key == f"EPIC06|{key['VendorNum']}|C-20001"
    assert "in group APOPEN, 5" in problem.message
    assert "880001" in problem.message
    assert problem.amount == Decimal(world.captured("C-20001")["GrossAmount"])
    assert world.acknowledged() == [True, True, True]
    # The person in Epicor deletes what was keyed twice; the next run writes it.
    world.in_epicor("APInvHed", key, delete=True)
    assert counts(world.run()) == {"read": 3, "created": 1, "held": 2}
    assert world.standing() == world.wanted()
    assert "duplicate_in_epicor" not in world.problems().values()


def test_a_number_that_we_know_from_epicor_is_held_and_never_crashes(make_world: MakeWorld) -> None:
    world = make_world("a")
    vendor_num = world.vendor_num("C-20001")
    common = {"tenant": world.tenant, "direction": "out", "company": "EPIC06", "currency": "USD"}
    InvoiceLink.objects.create(**common, vendor_num=vendor_num, invoice_num="C-20001", gross_amount=7)
    InvoiceLink.objects.create(**common, vendor_num=vendor_num, invoice_num="E-1", avid_id="880002")
    run = world.run()
    assert counts(run) == {"read": 14, "created": 10, "held": 4}
    assert world.standing() == world.wanted(without=(*HELD, "C-20001", "C-20002"))
    taken = world.problem("duplicate_invoice")
    assert taken.subject_key == "EPIC06|AvidXchange 880001"
    assert "one over 7.000 USD came from Epicor" in taken.message
    back = world.problem("already_from_epicor")
    assert f"is invoice E-1 of vendor {vendor_num}" in back.message
    assert world.acknowledged() == [True, True, True]
    assert counts(world.run()) == {"read": 4, "held": 4}
    # A batch that is read again finds all of its invoices, the one without an id of its own too.
    world.reclose(1)
    assert counts(world.run()) == {"read": 6, "unchanged": 2, "held": 4}


def test_one_number_captured_twice_is_written_once(make_world: MakeWorld) -> None:
    world = make_world("a")
    first = world.captured("C-20001")
    double = {name: first[name] for name in ("VendorId", "Number", "GrossAmount", "Lines")}
    world.reclose(3, add=[double])
    run = world.run()
    assert counts(run) == {"read": 15, "created": 12, "held": 3}
    assert world.standing() == world.wanted(without=(*HELD, "C-20001")) | {
        "C-20001": world.standing()["C-20001"],
    }
    assert world.standing()["C-20001"][0] == str(first["Id"])
    assert f"captured as AvidXchange invoice {first['Id']}" in world.problem("duplicate_invoice").message


def test_what_came_in_never_goes_out_again(make_world: MakeWorld) -> None:
    world = make_world("a")
    world.has_run()
    for number in world.written():
        world.post(number)
    for stage in ("purchase_orders_out", "invoices_out"):
        world.run_stage(world.tenant, stage)
    sent = {row["Number"] for row in world.ledger(world.tenant)["avidxchange"]["invoices"]}
    assert sent
    assert sent & world.written().keys() == set()
    assert counts(world.run()) == {"read": 2, "held": 2}


# --- people in Epicor ----------------------------------------------------------------------------------------------


def test_a_group_that_a_person_holds_is_waited_for(make_world: MakeWorld) -> None:
    world = make_world("a")
    with connection.cursor() as cursor:
        cursor.execute("SELECT last_value + 1 FROM syncjobs_stagerun_id_seq")
        (coming,) = cursor.fetchone()
    group = entry_groups.named("AVX", coming)
    world.in_epicor("APInvGrp", {}, insert={"GroupID": group, "ActiveUserID": "ap.clerk"})
    run = world.run()
    assert run.pk == coming
    assert counts(run) == {"read": 14, "uncertain": 12, "held": 2}
    assert world.written() == {}
    problems = Problem.objects.filter(tenant=world.tenant, code="group_locked", state="open")
    assert problems.count() == 12
    assert "held by ap.clerk" in problems[0].message
    assert set(Posting.objects.values_list("state", flat=True)) == {PostingState.READY}
    assert world.acknowledged() == [False, False, False]
    # The schedule waits out the pause; the next run has a group of its own.
    Posting.objects.update(next_try_at=None)
    assert counts(world.run(trigger="schedule")) == {"read": 14, "created": 12, "held": 2}
    assert world.standing() == world.wanted()
    assert world.problems().keys() == {"EPIC06|AvidXchange 880013", world_key(world, "C-20014")}


def world_key(world: World, number: str) -> str:
    return f"EPIC06|{world.link(number).vendor_num}|{number}"


def test_a_wrong_account_is_written_once_more_and_then_held(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world("a")
    real, calls = ap_invoice_entry.set_account, []

    def lost(*args: Any) -> None:
        calls.append(args)  # Epicor keeps its default account, whatever is written

    monkeypatch.setattr(ap_invoice_entry, "set_account", lost)
    run = world.run()
    wanted = world.wanted()
    wrong = {
        number: [line for line, own in zip(world.standing()[number][3], wanted[number][3], strict=True) if line != own]
        for number in wanted
    }
    held = {number for number, lines in wrong.items() if lines}
    assert (run.counts["created"], run.counts["held"]) == (12 - len(held), 2 + len(held))
    assert held
    lines = sum(len(wanted[number][3]) for number in wanted)
    assert len(calls) == lines + sum(len(found) for found in wrong.values())
    number = min(held)
    account = wanted[number][3][0][1]
    problem = Problem.objects.get(tenant=world.tenant, code="coding_differs", subject_id=world.link(number).pk)
    assert f"line 1: account {account} wanted, {wrong[number][0][1]} found" in problem.message
    # Held invoices are compared again without being written to; a person has corrected one of them meanwhile.
    calls.clear()
    monkeypatch.setattr(ap_invoice_entry, "set_account", real)
    written = world.rows_written()
    assert counts(world.run())["held"] == 2 + len(held)
    assert world.rows_written() == written
    posting = world.postings(number)[-1]
    with_hands(world, posting)
    assert counts(world.run())["created"] == 1
    assert world.standing()[number] == wanted[number]
    assert world.link(number).state == InvoiceState.WRITTEN


def with_hands(world: World, posting: Posting) -> None:
    """A person puts the accounts of an invoice right in Epicor."""
    from connector.epicor.ap_invoice_standing import standing
    from connector.epicor.drafts import InvoiceDraft
    from syncjobs.engine import postings

    draft, client = postings.draft_of(posting, InvoiceDraft), world.epicor()
    document = client.invoice(draft.vendor_num, draft.invoice_num)
    assert document is not None
    there = standing(document, draft).lines
    for line in draft.lines:
        if line.line_number not in there:
            there = {**there, line.line_number: ap_invoice_entry.add_line(client, posting.group_id, draft, line)}
        ap_invoice_entry.set_account(client, posting.group_id, draft, there[line.line_number], line)
    client.close()


def test_a_document_that_a_person_finished_is_recognised(make_world: MakeWorld) -> None:
    world = make_world("a")
    body = {"HttpStatus": 400, "ErrorType": "Ice.BLException", "ErrorMessage": "Stopped by a BPM."}
    world.fault(system="epicor", path="GetNewAPInvDtlMisc", kind="status", status=400, times=-1, body=body)
    run = world.run()
    assert counts(run) == {"read": 14, "held": 14}
    assert {len(row["lines"]) for row in world.written().values()} == {0}
    world.sandbox.faults.clear()
    number = "C-20002"
    with_hands(world, world.postings(number)[-1])
    world.post(number)
    finished = world.written()[number]
    assert counts(world.run()) == {"read": 14, "created": 12, "held": 2}
    assert world.written()[number] == finished
    assert world.standing() == world.wanted()


def test_a_held_document_is_left_alone_by_the_schedule_for_an_hour(make_world: MakeWorld) -> None:
    world = make_world("a")
    world.sandbox.epicor.edit({"options": {"bpm_prompt": "Is this invoice approved?"}})
    assert world.run().counts["held"] == 14
    assert "Is this invoice approved?" in Problem.objects.filter(code="needs_user_input")[0].message
    world.sandbox.epicor.edit({"options": {"bpm_prompt": ""}})
    run = world.run(trigger="schedule")
    assert (counts(run)["held"], world.standing() == world.wanted()) == (14, False)
    Posting.objects.update(updated_at="2026-01-01T00:00:00Z")
    assert counts(world.run(trigger="schedule")) == {"read": 14, "created": 12, "held": 2}
    assert world.standing() == world.wanted()


def test_a_document_that_a_person_deleted_is_not_written_again(make_world: MakeWorld) -> None:
    world = make_world("a")
    world.sandbox.epicor.edit({"options": {"bpm_prompt": "Is this invoice approved?"}})
    world.has_run()
    vendor_num = world.link("C-20001").vendor_num
    client = world.epicor()
    client.method("Erp.BO.APInvoiceSvc", "DeleteByID", {"vendorNum": vendor_num, "invoiceNum": "C-20001"}, writes=True)
    client.close()
    world.sandbox.epicor.edit({"options": {"bpm_prompt": ""}})
    for _ in range(2):
        world.run()
        assert world.standing() == world.wanted(without=(*HELD, "C-20001"))
    assert "no longer there" in world.problem("document_gone").message
    # Only somebody who asks for it by name gets it again.
    replayed(world, "C-20001")
    assert counts(world.run(trigger="replay")) == {"read": 3, "created": 1, "held": 2}
    assert world.standing() == world.wanted()


def replayed(world: World, number: str) -> None:
    preview = replay.plan(world.tenant, Target(record=("invoice", world_key(world, number))))
    replay.execute(preview, actor=Actor.system("ann"), reason="It was asked for.")


def test_replaying_what_stands_changes_nothing(make_world: MakeWorld) -> None:
    world = make_world("a", attach_invoice_image=True)
    world.has_run()
    before = world.ledger(world.tenant)
    for _ in range(2):
        replayed(world, "C-20002")
        assert counts(world.run(trigger="replay")) == {"read": 3, "unchanged": 1, "held": 2}
        assert world.ledger(world.tenant) == before
    assert [posting.state for posting in world.postings("C-20002")] == ["done", "done", "done"]
    assert world.link("C-20002").state == InvoiceState.WRITTEN


# --- images, receipts, acknowledgement ------------------------------------------------------------------------------


def test_the_image_goes_with_the_invoice_where_asked_for(make_world: MakeWorld) -> None:
    world = make_world("a", attach_invoice_image=True)
    world.avid("captured_invoices", {"Number": "C-20003"}, set={"HasImage": False})
    world.fault(system="avidxchange", path="/images/880004", kind="status", status=404, times=-1)
    run = world.run()
    assert counts(run) == {"read": 14, "created": 12, "held": 2}
    attached = {number: row["attachments"] for number, row in world.written().items()}
    assert attached == dict.fromkeys(attached, 1) | {"C-20003": 0, "C-20004": 0}
    assert InvoiceImage.objects.filter(tenant=world.tenant, state="sent").count() == 10
    assert InvoiceImage.objects.get(invoice=world.link("C-20001")).file_name == "AvidXchange-880001.pdf"
    # The invoice is complete without it; a person may add it.
    problem = world.problem("image_missing")
    assert (problem.subject_id, world.link("C-20004").state) == (world.link("C-20004").pk, InvoiceState.WRITTEN)
    before = world.ledger(world.tenant)
    world.run()
    assert world.ledger(world.tenant) == before


def test_lines_against_receipts_bill_them_where_asked_for(make_world: MakeWorld) -> None:
    world = make_world("a", po_match_mode="receipts_only")
    assert counts(world.run()) == {"read": 14, "created": 12, "held": 2}
    captured = {number: world.captured(number) for number in world.written()}
    billed = {number for number, row in captured.items() if row["Lines"][0]["ReceiptNumber"]}
    assert len(billed) == 2
    for number in billed:
        [line], row = world.written()[number]["lines"], captured[number]
        assert (line["LineType"], str(line["PONum"]), line["POLine"], line["PackSlip"]) == (
            "R", row["PONumber"], row["Lines"][0]["POLineNumber"], row["Lines"][0]["ReceiptNumber"],
        )  # fmt: skip
        assert Decimal(line["DocExtCost"]) == Decimal(row["GrossAmount"])
    rest = tuple(billed)
    assert {n: s for n, s in world.standing().items() if n not in rest} == world.wanted(without=(*HELD, *rest))
    before = world.ledger(world.tenant)
    world.run()
    assert world.ledger(world.tenant) == before


def test_a_lost_acknowledgement_is_made_again(make_world: MakeWorld) -> None:
    world = make_world("a")
    world.fault(system="avidxchange", path="exportHistories", kind="reset_before")
    world.fault(system="avidxchange", path="exportHistories", kind="reset_after")
    run = world.run()
    assert run.counts["created"] == 12
    stored = Batch.objects.filter(tenant=world.tenant, kind="captured_invoices", state=BatchStatus.STORED)
    assert stored.count() == 2
    assert Problem.objects.filter(tenant=world.tenant, code="not_acknowledged", state="open").count() == 2
    world.run()
    assert world.acknowledged() == [True, True, True]
    assert not stored.exists()
    assert "not_acknowledged" not in world.problems().values()
    told = world.told()
    world.run()
    assert world.told() == told


def test_epicor_out_of_licences_ends_the_run_and_the_next_one_goes_on(make_world: MakeWorld) -> None:
    world = make_world("a")
    body = {"HttpStatus": 400, "ErrorType": "Ice.BLException",
            "ErrorMessage": "Maximum users exceeded on license type DefaultUser."}  # fmt: skip
    world.fault(system="epicor", path="ChangeVendorID", kind="status", status=400, body=body, skip=3, times=-1)
    run = world.run()
    assert (run.status, run.error_code) == ("failed", "licenses_used_up")
    assert len(world.standing()) == 3
    world.sandbox.faults.clear()
    assert world.run().counts["created"] == 9
    assert world.standing() == world.wanted()


@pytest.mark.parametrize(
    ("prefix", "run", "name"),
    [
        ("AVX", 35, "AVXZ"),
        ("AVX", 36, "AVX10"),
        ("", 0, "0"),
        ("AVXY", 36**5, "AVXY00000"),
        ("A", 36**8 + 1, "A00000001"),
    ],
)
def test_a_group_is_named_after_its_run_in_nine_characters(prefix: str, run: int, name: str) -> None:
    assert entry_groups.named(prefix, run) == name
