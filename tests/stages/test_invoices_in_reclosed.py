"""Batches that AvidXchange closed again (contract 5.3): changed, added, withdrawn, before and after posting."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from syncjobs.models import InvoiceLink, Posting, Problem
from syncjobs.states import InvoiceState, PostingState
from tenants.models import AuditEvent
from tests.stages.captured_world import HELD, World, counts

MakeWorld = Callable[..., World]


@pytest.fixture
def sandbox_options() -> dict[str, Any]:
    return {"vendors": 16, "invoices": 4, "seed": 1, "pace": 0}


def recoded(world: World, number: str, amount: str = "77.70", **more: Any) -> dict[str, Any]:
    """A change of an invoice to one line of another amount, on the account of another invoice."""
    row, model = world.captured(number), world.captured("C-20004")
    line = {**model["Lines"][0], "Amount": amount, "UnitPrice": amount, "Quantity": 1, "Description": "As agreed"}
    return {"Id": row["Id"], "set": {"GrossAmount": amount, "Lines": [line], **more}}


def test_a_change_before_posting_is_written(make_world: MakeWorld) -> None:
    world, other = make_world("a"), make_world("b")
    world.run()
    other.run()
    untouched = other.ledger(other.tenant)
    old = world.standing()
    world.reclose(1, change=[recoded(world, "C-20002")])
    run = world.run()
    # The other three of the batch are read as well, and stand as they did; two of another batch are tried again.
    assert counts(run) == {"read": 6, "updated": 1, "unchanged": 3, "held": 2}
    assert world.standing() == world.wanted()
    assert world.standing()["C-20002"][1:3] == (Decimal("77.70"), False)
    assert {n: s for n, s in world.standing().items() if n != "C-20002"} == {
        n: s for n, s in old.items() if n != "C-20002"
    }
    assert world.acknowledged() == [True, True, True]
    assert world.told() == 4
    history = [(one.version, one.state, '"lines":[]' in one.draft) for one in world.postings("C-20002")]
    assert history == [(1, "done", False), (2, "done", True), (3, "done", False)]
    before, written = world.ledger(world.tenant), world.rows_written()
    assert counts(world.run()) == {"read": 2, "held": 2}
    assert (world.ledger(world.tenant), world.rows_written()) == (before, written)
    assert other.ledger(other.tenant) == untouched


def test_a_change_that_means_nothing_to_epicor_writes_nothing(make_world: MakeWorld) -> None:
    world = make_world("a")
    world.run()
    written = world.rows_written()
    row = world.captured("C-20001")
    world.reclose(1, change=[{"Id": row["Id"], "set": {"VendorName": "Renamed Since", "AccountNo": "9"}}])
    assert counts(world.run()) == {"read": 6, "unchanged": 4, "held": 2}
    world.reclose(1, change=[{"Id": row["Id"], "set": {"Currency": ""}}])
    assert counts(world.run()) == {"read": 6, "unchanged": 4, "held": 2}
    assert world.rows_written() == written
    assert world.acknowledged() == [True, True, True]


def test_a_change_after_posting_is_for_a_person(make_world: MakeWorld) -> None:
    world = make_world("a")
    world.run()
    world.post("C-20002")
    before = world.ledger(world.tenant)["epicor"]
    world.reclose(1, change=[recoded(world, "C-20002")])
    run = world.run()
    assert counts(run) == {"read": 6, "unchanged": 3, "held": 3}
    assert world.ledger(world.tenant)["epicor"] == before
    problem = world.problem("changed_after_posting")
    assert problem.subject_key == f"EPIC06|{world.vendor_num('C-20002')}|C-20002"
    assert "77.700 USD" in problem.message
    assert world.link("C-20002").state == InvoiceState.WRITTEN
    assert world.acknowledged() == [True, True, True]
    # It is told once, and the invoice is not touched again.
    assert counts(world.run()) == {"read": 2, "held": 2}
    assert world.problem("changed_after_posting").times == 1
    assert not Posting.objects.filter(tenant=world.tenant, state__in=["ready", "running", "uncertain", "held"]).exists()


def test_a_change_that_is_taken_back_after_posting_is_no_problem_any_more(make_world: MakeWorld) -> None:
    world = make_world("a")
    world.run()
    world.post("C-20001")
    row = world.captured("C-20001")
    first = {"GrossAmount": row["GrossAmount"], "Lines": row["Lines"]}
    world.reclose(1, change=[recoded(world, "C-20001")])
    world.run()
    assert world.problem("changed_after_posting")
    world.reclose(1, change=[{"Id": row["Id"], "set": first}])
    assert counts(world.run()) == {"read": 6, "unchanged": 4, "held": 2}
    assert "changed_after_posting" not in world.problems().values()


def test_what_is_withdrawn_before_posting_leaves_epicor(make_world: MakeWorld) -> None:
    world = make_world("a")
    world.run()
    gone = world.captured("C-20003")
    subject = f"EPIC06|{world.vendor_num('C-20003')}|C-20003"
    world.reclose(1, remove=[gone["Id"]])
    assert counts(world.run()) == {"read": 6, "updated": 1, "unchanged": 3, "held": 2}
    assert "C-20003" not in world.standing()
    assert world.standing() == world.wanted()
    link = world.link("C-20003")
    assert (link.state, link.vendor_num) == (InvoiceState.WITHDRAWN, None)
    assert AuditEvent.objects.filter(action="invoices_in.withdrawn", subject_key=subject).count() == 1
    assert world.acknowledged() == [True, True, True]
    # Its number is free: AvidXchange captures it once more, under another id.
    values = {name: gone[name] for name in ("VendorId", "Number", "GrossAmount", "Lines")}
    world.reclose(2, add=[values])
    assert world.run().counts["created"] == 1
    assert world.standing() == world.wanted()
    assert world.standing()["C-20003"][0] != str(gone["Id"])


def test_what_is_withdrawn_and_put_back_is_written_again(make_world: MakeWorld) -> None:
    world = make_world("a")
    world.run()
    gone = world.captured("C-20003")
    world.reclose(1, remove=[gone["Id"]])
    world.run()
    values = {name: gone[name] for name in ("Id", "VendorId", "Number", "GrossAmount", "Lines")}
    world.reclose(1, add=[values])
    assert counts(world.run()) == {"read": 6, "updated": 1, "unchanged": 3, "held": 2}
    assert world.standing() == world.wanted()
    assert InvoiceLink.objects.filter(tenant=world.tenant, direction="in", invoice_num="C-20003").count() == 1


def test_what_is_withdrawn_after_posting_is_for_a_person(make_world: MakeWorld) -> None:
    world = make_world("a")
    world.run()
    world.post("C-20003")
    gone = world.captured("C-20003")
    before = world.ledger(world.tenant)["epicor"]
    world.reclose(1, remove=[gone["Id"]])
    assert counts(world.run()) == {"read": 6, "unchanged": 3, "held": 3}
    assert world.ledger(world.tenant)["epicor"] == before
    assert "withdrew invoice C-20003" in world.problem("removed_after_posting").message
    assert world.link("C-20003").state == InvoiceState.WRITTEN
    assert world.acknowledged() == [True, True, True]
    world.reclose(1, add=[{name: gone[name] for name in ("Id", "VendorId", "Number", "GrossAmount", "Lines")}])
    world.avid("captured_invoices", {"Id": gone["Id"]},
               set={name: gone[name] for name in ("InvoiceDate", "InvoiceDueDate", "TermTypeName")})  # fmt: skip
    assert counts(world.run()) == {"read": 6, "unchanged": 4, "held": 2}
    assert "removed_after_posting" not in world.problems().values()
    assert world.ledger(world.tenant)["epicor"] == before


def test_what_was_never_written_is_withdrawn_or_changed_without_a_call(make_world: MakeWorld) -> None:
    world = make_world("a")
    world.run()
    held, other = world.captured("C-20014"), world.captured("C-20013")
    written = world.rows_written()
    world.reclose(3, remove=[other["Id"]], change=[{"Id": held["Id"], "set": {"Memo": "Still not"}}])
    assert counts(world.run()) == {"read": 5, "updated": 1, "unchanged": 3, "held": 1}
    assert world.rows_written() == written
    assert world.states()["C-20013"] == InvoiceState.WITHDRAWN
    assert set(world.problems().values()) == {"gl_account_not_mapped"}
    good = world.captured("C-20001")["Lines"][0]["GLAccount"]
    world.reclose(3, change=[{"Id": held["Id"], "set": {"Lines": [{**held["Lines"][0], "GLAccount": good}]}}])
    assert counts(world.run()) == {"read": 4, "created": 1, "unchanged": 3}
    assert world.standing() == world.wanted(without=())
    assert world.problems() == {}


def test_an_added_invoice_is_written_and_one_that_moved_is_not_written_twice(make_world: MakeWorld) -> None:
    world = make_world("a")
    world.run()
    moved = world.captured("C-20003")
    world.reclose(1, remove=[moved["Id"]])
    new = {**{name: moved[name] for name in ("VendorId", "GrossAmount", "Lines")}, "Number": "C-29001"}
    values = {name: moved[name] for name in ("Id", "VendorId", "Number", "GrossAmount", "Lines", "InvoiceDate",
                                             "InvoiceDueDate", "TermTypeName")}  # fmt: skip
    world.reclose(2, add=[new, values])
    run = world.run()
    assert (run.counts["created"], run.counts["updated"]) in ((1, 0), (1, 1))
    world.run()
    assert world.standing() == world.wanted()
    assert world.link("C-20003").captured_batch is not None
    assert world.link("C-20003").captured_batch.avid_batch_id == world.guid(2)
    assert world.acknowledged() == [True, True, True]


def test_numbers_that_are_exchanged_end_up_right(make_world: MakeWorld) -> None:
    world = make_world("a")
    world.run()
    one, two = world.captured("C-20001"), world.captured("C-20002")
    same_vendor = {"VendorId": one["VendorId"]}
    world.reclose(
        1,
        change=[
            {"Id": one["Id"], "set": {"Number": "C-20002"}},
            {"Id": two["Id"], "set": {"Number": "C-20001", **same_vendor}},
        ],
    )
    for _ in range(3):
        world.run()
    assert world.standing() == world.wanted()
    assert set(world.problems().values()) == set(HELD.values())


def test_a_batch_closed_again_while_it_is_half_written(make_world: MakeWorld) -> None:
    world = make_world("a")
    world.fault(system="epicor", path="APInvoiceSvc/UpdateMaster", kind="reset_after", times=-1)
    assert world.run().counts["uncertain"] == 12
    world.sandbox.faults.clear()
    gone = world.captured("C-20003")
    world.reclose(
        1, change=[recoded(world, "C-20002"), recoded(world, "C-20001", Number="C-29002")], remove=[gone["Id"]]
    )
    world.run()
    assert world.standing() == world.wanted()
    assert world.acknowledged() == [True, True, True]
    assert set(world.problems().values()) == set(HELD.values())
    given_up = Posting.objects.filter(tenant=world.tenant, state=PostingState.ABANDONED)
    assert given_up.count() == 3


@pytest.mark.parametrize("kind", ["reset_before", "reset_after"])
def test_a_lost_answer_while_taking_back_is_looked_up(make_world: MakeWorld, kind: str) -> None:
    world = make_world("a")
    world.run()
    gone = world.captured("C-20003")
    world.reclose(1, change=[recoded(world, "C-20002")], remove=[gone["Id"]])
    world.fault(system="epicor", path="APInvoiceSvc/DeleteByID", kind=kind, times=2)
    world.fault(system="epicor", path="APInvoiceSvc/UpdateMaster", kind=kind)
    assert world.run().counts["uncertain"] == 2
    assert world.acknowledged()[0] is False
    for _ in range(3):
        world.run()
    assert world.standing() == world.wanted()
    assert world.acknowledged() == [True, True, True]
    assert set(world.problems().values()) == set(HELD.values())


def test_a_change_that_cannot_be_written_warns_of_what_stands(make_world: MakeWorld) -> None:
    world = make_world("a")
    world.run()
    old = world.standing()["C-20002"]
    change = recoded(world, "C-20002")
    world.reclose(1, change=[{"Id": change["Id"], "set": {**change["set"], "GrossAmount": "99.00"}}])
    assert counts(world.run()) == {"read": 6, "unchanged": 3, "held": 3}
    assert world.standing()["C-20002"] == old
    problem = world.problem("lines_do_not_sum")
    assert "An earlier version of it stands in Epicor" in problem.message
    world.reclose(1, change=[change])
    assert world.run().counts["updated"] == 1
    assert world.standing() == world.wanted()
    assert not Problem.objects.filter(code="lines_do_not_sum", state="open").exists()


def test_a_rehearsal_of_a_change_writes_nothing(make_world: MakeWorld) -> None:
    world = make_world("a")
    world.run()
    gone = world.captured("C-20003")
    world.reclose(1, change=[recoded(world, "C-20002")], remove=[gone["Id"]])
    before, written = world.ledger(world.tenant), world.rows_written()
    assert counts(world.run(dry_run=True)) == {"read": 6, "updated": 2, "unchanged": 2, "held": 2}
    assert (world.ledger(world.tenant), world.rows_written()) == (before, written)
    assert counts(world.run()) == {"read": 4, "updated": 2, "held": 2}
    assert world.standing() == world.wanted()
