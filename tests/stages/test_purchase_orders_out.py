"""POs and receipts: open ones go out, closing and voiding follow, receipts and mapped vendors bring them again."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from connector.sandbox.server import Sandbox
from syncjobs.engine import review
from syncjobs.engine.context import StageContext
from syncjobs.models import Attempt, Batch, Problem, PurchaseOrderLink, StageRun, VendorMapping
from tenants.models import AuditEvent, Tenant
from tests.stages.conftest import SYSTEM, Ledger, RunStage

pytestmark = pytest.mark.django_db
#: What the sandbox's POs are, by their place: 40001 received, 40002 open, … (seed/orders.py).
KINDS = "received open part received closed received open void part closed unapproved received open".split()
NUMBERS = {kind: [40_001 + place for place, one in enumerate(KINDS) if one == kind] for kind in KINDS}
OPEN = [*NUMBERS["received"], *NUMBERS["open"], *NUMBERS["part"]]


@pytest.fixture
def sandbox_options() -> dict[str, Any]:
    return {"vendors": 40, "invoices": 39, "seed": 1, "pace": 0}


@pytest.fixture
def mapped(run_stage: RunStage, approve_all: Any) -> Callable[[Tenant], Tenant]:
    """Bring a tenant's vendors over, all of them approved."""

    def bring(tenant: Tenant) -> Tenant:
        run_stage(tenant, "vendors_out")
        approve_all(tenant)
        run_stage(tenant, "vendors_out")
        return tenant

    return bring


@pytest.fixture
def ready(tenant: Tenant, mapped: Callable[[Tenant], Tenant]) -> Tenant:
    return mapped(tenant)


@pytest.fixture
def loaded(ready: Tenant, run_stage: RunStage) -> Tenant:
    run_stage(ready, "purchase_orders_out")
    return ready


def edit(sandbox: Sandbox, table: str, key: dict[str, Any], company: str = "EPIC06", **columns: Any) -> None:
    sandbox.epicor.edit({"company": company, "table": table, "key": key, "set": columns})


def change(sandbox: Sandbox, number: int, **columns: Any) -> None:
    edit(sandbox, "POHeader", {"PONum": number}, **columns)


def receive(sandbox: Sandbox, number: int, slip: str, quantity: str, *, header_po: int | None = None) -> None:
    """Book a receipt of a PO's first release, as the dock does; neither PO nor line changes."""
    tables = sandbox.epicor.companies["EPIC06"]
    order = tables["POHeader"].get(number)
    assert order is not None
    key = {"VendorNum": order["VendorNum"], "PurPoint": "", "PackSlip": slip}
    day = sandbox.epicor.stamp
    header = {**key, "ReceiptDate": day, "Received": True, "PONum": number if header_po is None else header_po}
    line = {
        **key, "PackLine": 1, "PONum": number, "POLine": 1, "PORelNum": 1, "VendorQty": Decimal(quantity),
        "OurQty": Decimal(quantity), "Received": True, "ReceiptDate": day,
    }  # fmt: skip
    sandbox.epicor.edit({"company": "EPIC06", "table": "RcvHead", "insert": header})
    sandbox.epicor.edit({"company": "EPIC06", "table": "RcvDtl", "insert": line})


def orders(book: dict[str, Any]) -> dict[int, dict[str, Any]]:
    return {int(row["PONumber"]): row for row in book["avidxchange"]["purchase_orders"]}


def receipts(book: dict[str, Any]) -> dict[int, list[tuple[int, int, str, str]]]:
    return {
        int(row["PONumber"]): [
            (line["LineNumber"], line["ReleaseNumber"], line["ReceivedQuantity"], line["ReceiptNumber"])
            for line in row["Lines"]
        ]
        for row in book["avidxchange"]["receipts"]
    }


def link(tenant: Tenant, number: int) -> PurchaseOrderLink:
    return PurchaseOrderLink.objects.get(tenant=tenant, po_num=number)


def posts(sandbox: Sandbox) -> int:
    return int(sandbox.ledger()["calls"]["avidxchange"].get("POST", 0))


# --- the first load ------------------------------------------------------------------------------------------------


def test_two_tenants_with_the_same_numbers_each_load_their_own(
    tenant: Tenant,
    other: Tenant,
    mapped: Callable[[Tenant], Tenant],
    sandbox: Sandbox,
    run_stage: RunStage,
    ledger: Ledger,
) -> None:
    for one in (tenant, other):
        mapped(one)
        before = ledger(one)["epicor"]
        run = run_stage(one, "purchase_orders_out")
        book = ledger(one)
        there = orders(book)
        ours = {row["PONum"]: row for row in before["purchase_orders"] if row["OpenOrder"] and not row["VoidOrder"]}
        assert set(there) == {number for number, row in ours.items() if row["Approve"]}
        assert (run.created, run.held) == (len(there), len(ours) - len(there))
        for number, row in there.items():
            vendor = VendorMapping.objects.get(tenant=one, vendor_num=ours[number]["VendorNum"])
            assert (row["VendorExternalSystemID"], row["Status"]) == (vendor.external_id, "Open")
            assert Decimal(row["TotalAmount"]) == Decimal(ours[number]["DocTotalOrder"])
            assert sum(Decimal(line["Amount"]) for line in row["Lines"]) == Decimal(row["TotalAmount"])
            assert link(one, number).avid_id == str(row["Id"])
        assert book["epicor"] == before
    assert orders(ledger(tenant))[40_001] != orders(ledger(other))[40_001]
    assert sandbox.ledger()["calls"]["epicor"].get("POST", 0) == 0


def test_only_open_and_approved_orders_go_out_with_what_was_received(loaded: Tenant, ledger: Ledger) -> None:
    book = ledger(loaded)
    assert sorted(orders(book)) == sorted(OPEN)
    came = receipts(book)
    assert sorted(came) == sorted([*NUMBERS["received"], *NUMBERS["part"]])
    for number, lines in came.items():
        ordered = {line["LineNumber"]: Decimal(line["Quantity"]) for line in orders(book)[number]["Lines"]}
        shown = {line["LineNumber"]: Decimal(line["ReceivedQuantity"]) for line in orders(book)[number]["Lines"]}
        for line, release, quantity, slip in lines:
            assert (release, slip, Decimal(quantity)) == (1, f"PS-{number}", shown[line])
            assert Decimal(quantity) == (ordered[line] if number in NUMBERS["received"] else ordered[line] // 2)


def test_an_unapproved_order_is_held_for_purchasing_and_goes_out_when_approved(
    loaded: Tenant, sandbox: Sandbox, run_stage: RunStage, ledger: Ledger
) -> None:
    number = NUMBERS["unapproved"][0]
    problem = Problem.objects.get(tenant=loaded, state="open", subject_kind="purchase_order")
    assert (problem.subject_key, problem.code, problem.turn) == (f"EPIC06|{number}", "po_not_approved", "purchasing")
    assert problem.amount == link(loaded, number).total > 0
    assert problem.currency == "USD"
    change(sandbox, number, Approve=True)
    run = run_stage(loaded, "purchase_orders_out")
    problem.refresh_from_db()
    assert (run.status, run.created, problem.state) == ("done", 1, "resolved")
    assert orders(ledger(loaded))[number]["Status"] == "Open"


def test_an_order_whose_vendor_is_not_mapped_is_released_by_the_vendor(
    tenant: Tenant, run_stage: RunStage, ledger: Ledger, approve_all: Any
) -> None:
    first = run_stage(tenant, "purchase_orders_out")
    assert (first.created, orders(ledger(tenant))) == (0, {})
    held = set(PurchaseOrderLink.objects.values_list("hold_code", flat=True))
    assert held == {"vendor_not_mapped", "po_not_approved"}
    run_stage(tenant, "vendors_out")
    run_stage(tenant, "purchase_orders_out")
    waiting = set(PurchaseOrderLink.objects.filter(hold_code="vendor_not_mapped").values_list("po_num", flat=True))
    assert waiting  # their vendors wait for a reviewer
    approve_all(tenant)
    run_stage(tenant, "vendors_out")
    run = run_stage(tenant, "purchase_orders_out")
    assert run.created == len(waiting)
    assert sorted(orders(ledger(tenant))) == sorted(OPEN)
    assert set(PurchaseOrderLink.objects.values_list("hold_code", flat=True)) == {"", "po_not_approved"}


def test_a_second_run_writes_nothing(loaded: Tenant, sandbox: Sandbox, run_stage: RunStage, ledger: Ledger) -> None:
    before, sent = ledger(loaded), posts(sandbox)
    for kwargs in ({}, {}, {"full_read": True}):
        run = run_stage(loaded, "purchase_orders_out", **kwargs)
        assert (run.created, run.updated, run.held) == (0, 0, 1)
    assert (ledger(loaded), posts(sandbox)) == (before, sent)


@pytest.mark.parametrize("sandbox_options", [{"vendors": 40, "invoices": 600, "seed": 1, "pace": 0}])
def test_queries_do_not_grow_with_the_orders(
    tenant: Tenant, other: Tenant, mapped: Callable[[Tenant], Tenant], run_stage: RunStage, sandbox_options: Any
) -> None:
    """One tenant has a dozen open POs on one page, the other eight times as many on two."""
    found = {}
    for one in (other, tenant):
        mapped(one)
        with CaptureQueriesContext(connection) as made:
            run_stage(one, "purchase_orders_out", dry_run=True)
        found[PurchaseOrderLink.objects.filter(tenant=one).count()] = len(made)
    few, many = sorted(found)
    assert many - few > 110
    assert found[many] - found[few] < 50, found


# --- changes -------------------------------------------------------------------------------------------------------


def test_closing_and_voiding_follow(loaded: Tenant, sandbox: Sandbox, run_stage: RunStage, ledger: Ledger) -> None:
    closed, voided = NUMBERS["open"][:2]
    change(sandbox, closed, OpenOrder=False)
    change(sandbox, voided, OpenOrder=False, VoidOrder=True)
    run = run_stage(loaded, "purchase_orders_out")
    there = orders(ledger(loaded))
    assert (run.updated, run.created) == (2, 0)
    assert (there[closed]["Status"], there[voided]["Status"]) == ("Closed", "Void")
    assert {Decimal(line["Quantity"]) for line in there[voided]["Lines"]} == {Decimal(0)}
    assert Decimal(there[voided]["TotalAmount"]) == 0
    change(sandbox, closed, OpenOrder=True)
    run_stage(loaded, "purchase_orders_out")
    assert orders(ledger(loaded))[closed]["Status"] == "Open"


def test_an_order_that_was_closed_before_we_began_stays_in_epicor(
    loaded: Tenant, sandbox: Sandbox, run_stage: RunStage, ledger: Ledger
) -> None:
    number = NUMBERS["closed"][0]
    change(sandbox, number, ShipName="Elsewhere")
    run = run_stage(loaded, "purchase_orders_out")
    assert (run.created, run.updated) == (0, 0)
    assert number not in orders(ledger(loaded))


def test_a_changed_line_brings_its_order_though_the_header_did_not_change(
    loaded: Tenant, sandbox: Sandbox, run_stage: RunStage, ledger: Ledger
) -> None:
    number = NUMBERS["open"][0]
    rows = sandbox.epicor.companies["EPIC06"]
    header = rows["POHeader"].get(number)
    assert header is not None
    header["ChangeDate"] = "2020-01-01T00:00:00"
    edit(sandbox, "PODetail", {"PONUM": number, "POLine": 1}, DocExtCost=Decimal("777.77"), DocUnitCost=Decimal("7.7"))
    run = run_stage(loaded, "purchase_orders_out")
    line = orders(ledger(loaded))[number]["Lines"][0]
    assert (run.updated, Decimal(line["Amount"])) == (1, Decimal("777.77"))


@pytest.mark.parametrize("header_po", [None, 0, 40_001])
def test_a_receipt_booked_later_brings_its_order(
    header_po: int | None, loaded: Tenant, sandbox: Sandbox, run_stage: RunStage, ledger: Ledger
) -> None:
    """Also where the slip's header names no PO, or only the first of several."""
    number = NUMBERS["open"][0]
    before = orders(ledger(loaded))
    receive(sandbox, number, "LATE-1", "3", header_po=header_po)
    run = run_stage(loaded, "purchase_orders_out")
    assert [
        (line, release, Decimal(quantity), slip) for line, release, quantity, slip in receipts(ledger(loaded))[number]
    ] == [(1, 1, Decimal(3), "LATE-1")]
    assert orders(ledger(loaded)) == before
    assert (run.updated, run.created) in {(1, 0), (0, 1)}
    assert link(loaded, number).avid_id == str(before[number]["Id"])  # not the receipt's
    receive(sandbox, number, "LATE-2", "2", header_po=header_po)
    run_stage(loaded, "purchase_orders_out")
    assert [(line[0], Decimal(line[2]), line[3]) for line in receipts(ledger(loaded))[number]] == [
        (1, Decimal(3), "LATE-1"),
        (1, Decimal(2), "LATE-2"),
    ]
    sent = posts(sandbox)
    run_stage(loaded, "purchase_orders_out")
    assert posts(sandbox) == sent


def test_the_first_load_does_not_read_the_receipts_of_all_time(loaded: Tenant, run_stage: RunStage) -> None:
    run = StageRun.objects.filter(stage="purchase_orders_out").latest("pk")
    asked = Attempt.objects.filter(run=run, operation__contains="RcvDtls").values_list("url", flat=True)
    assert asked
    assert [url for url in asked if "PONum" not in url and "ChangeDate" not in url] == []


# --- sweeps --------------------------------------------------------------------------------------------------------


def test_a_full_read_finds_what_the_polls_have_missed(
    loaded: Tenant, sandbox: Sandbox, run_stage: RunStage, ledger: Ledger
) -> None:
    closed, gone = NUMBERS["open"][:2]
    tables = sandbox.epicor.companies["EPIC06"]
    row = tables["POHeader"].get(closed)
    assert row is not None
    row.update(OpenOrder=False, ChangeDate="2020-01-01T00:00:00")
    sandbox.epicor.edit({"company": "EPIC06", "table": "POHeader", "key": {"PONum": gone}, "delete": True})
    run_stage(loaded, "purchase_orders_out")
    assert orders(ledger(loaded))[closed]["Status"] == "Open"  # no poll can see it
    run = run_stage(loaded, "purchase_orders_out", full_read=True)
    assert (run.updated, orders(ledger(loaded))[closed]["Status"]) == (1, "Closed")
    problem = Problem.objects.get(tenant=loaded, code="gone_in_epicor")
    assert (problem.subject_key, problem.state) == (f"EPIC06|{gone}", "open")
    assert orders(ledger(loaded))[gone]["Status"] == "Open"  # a person decides
    again = run_stage(loaded, "purchase_orders_out", full_read=True)
    assert (again.updated, Problem.objects.filter(code="gone_in_epicor").count()) == (0, 1)


# --- rows, refusals and lost answers -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "key", "column"),
    [
        ("PODetail", {"POLine": 1}, "DocExtCost"),
        ("PORel", {"POLine": 1, "PORelNum": 1}, "RelQty"),
        ("RcvDtl", {"PackLine": 1}, "VendorQty"),
    ],
)
def test_an_order_that_is_not_whole_is_held_and_the_others_go_on(
    table: str, key: dict[str, int], column: str, ready: Tenant, sandbox: Sandbox, run_stage: RunStage, ledger: Ledger
) -> None:
    number = NUMBERS["received"][0]
    tables = sandbox.epicor.companies["EPIC06"]
    order = tables["POHeader"].get(number)
    assert order is not None
    whole = {
        **key,
        "PONUM": number,
        "PONum": number,
        "VendorNum": order["VendorNum"],
        "PurPoint": "",
        "PackSlip": f"PS-{number}",
    }
    row = tables[table].get(*(whole[name] for name in tables[table].columns))
    assert row is not None
    good, row[column] = row[column], "a lot"
    run = run_stage(ready, "purchase_orders_out")
    there = orders(ledger(ready))
    assert number not in there
    assert len(there) >= len(OPEN) - 2  # the vendor's other POs may wait with it
    problem = Problem.objects.get(tenant=ready, state="open", subject_key=f"EPIC06|{number}")
    assert (problem.code, problem.turn) == ("bad_row", "operator")
    assert run.status == "done_with_problems"
    row[column] = good
    change(sandbox, number, ShipName="Elsewhere")
    run_stage(ready, "purchase_orders_out")
    run_stage(ready, "purchase_orders_out")
    assert number in orders(ledger(ready))


def test_refused_receipts_are_a_problem_of_their_own(
    ready: Tenant, sandbox: Sandbox, run_stage: RunStage, ledger: Ledger
) -> None:
    rule = {"system": "avidxchange", "method": "POST", "path": "receipts/batches", "kind": "status", "status": 400}
    sandbox.faults.add([rule])
    run = run_stage(ready, "purchase_orders_out")
    assert (sorted(orders(ledger(ready))), receipts(ledger(ready))) == (sorted(OPEN), {})
    assert (run.created, run.rejected) == (len(NUMBERS["open"]), len(OPEN) - len(NUMBERS["open"]))
    refused = Problem.objects.filter(tenant=ready, state="open", subject_kind="receipts")
    assert refused.count() == len([*NUMBERS["received"], *NUMBERS["part"]])
    number = NUMBERS["received"][0]
    receive(sandbox, number, "LATE-1", "1")
    run_stage(ready, "purchase_orders_out")
    assert list(receipts(ledger(ready))) == [number]
    assert not refused.filter(subject_key=f"EPIC06|{number}").exists()


@pytest.mark.parametrize("kind", ["reset_before", "reset_after", "cut_json"])
@pytest.mark.parametrize("path", ["purchaseOrders/batches", "receipts/batches"])
def test_a_lost_answer_ends_like_any_other(
    kind: str, path: str, ready: Tenant, sandbox: Sandbox, run_stage: RunStage, ledger: Ledger
) -> None:
    sandbox.faults.add([{"system": "avidxchange", "method": "POST", "path": path, "kind": kind}])
    run = run_stage(ready, "purchase_orders_out")
    assert run.created == len(OPEN)
    book = ledger(ready)
    assert sorted(orders(book)) == sorted(OPEN)
    assert len(receipts(book)) == len(book["avidxchange"]["receipts"])
    sent = posts(sandbox)
    assert run_stage(ready, "purchase_orders_out").updated == 0
    assert posts(sandbox) == sent


def test_a_rehearsal_writes_nothing_and_says_what_it_would_do(
    ready: Tenant, sandbox: Sandbox, run_stage: RunStage, ledger: Ledger
) -> None:
    before, sent, batches = ledger(ready), posts(sandbox), Batch.objects.count()
    rehearsal = run_stage(ready, "purchase_orders_out", dry_run=True)
    assert (ledger(ready), posts(sandbox), Batch.objects.count()) == (before, sent, batches)
    real = run_stage(ready, "purchase_orders_out")
    assert {name: rehearsal.counts[name] for name in ("created", "updated", "held")} == {
        name: real.counts[name] for name in ("created", "updated", "held")
    }


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("commit", range(10))
def test_a_worker_killed_at_any_commit_leaves_nothing_undone(
    commit: int, ready: Tenant, sandbox: Sandbox, run_stage: RunStage, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, seen = StageContext.renew, []

    def renew(ctx: StageContext, **values: object) -> None:
        original(ctx, **values)
        if "requests" in values:
            seen.append(values)
            if len(seen) == commit + 1:
                raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(StageContext, "renew", renew)
        with pytest.raises(Killed):
            run_stage(ready, "purchase_orders_out")
    StageRun.objects.filter(status="running").update(lease_until="2020-01-01T00:00Z")
    Batch.objects.filter(state="sending").update(lease_until="2020-01-01T00:00Z")
    run_stage(ready, "purchase_orders_out")
    book = ledger(ready)
    assert sorted(orders(book)) == sorted(OPEN)
    assert sorted(receipts(book)) == sorted([*NUMBERS["received"], *NUMBERS["part"]])
    sent = posts(sandbox)
    run = run_stage(ready, "purchase_orders_out")
    assert (run.created, run.updated, posts(sandbox)) == (0, 0, sent)


def test_a_vendor_taken_back_holds_nothing_that_is_there(
    loaded: Tenant, run_stage: RunStage, ledger: Ledger, sandbox: Sandbox
) -> None:
    """What was sent stays sent; only changes wait for the reviewer."""
    number = NUMBERS["open"][0]
    vendor = VendorMapping.objects.get(tenant=loaded, vendor_num=link(loaded, number).vendor_num)
    assert review.take_back(vendor, actor=SYSTEM, reason="wrong vendor?").done
    change(sandbox, number, OpenOrder=False)
    run_stage(loaded, "purchase_orders_out")
    assert (link(loaded, number).hold_code, orders(ledger(loaded))[number]["Status"]) == ("vendor_not_mapped", "Open")
    vendor.refresh_from_db()
    assert review.approve(vendor, actor=SYSTEM, avid_id=vendor.avid_id).done
    run_stage(loaded, "purchase_orders_out")
    assert orders(ledger(loaded))[number]["Status"] == "Closed"
    assert AuditEvent.objects.filter(action="mapping.taken_back").count() == 1
