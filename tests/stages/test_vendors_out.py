"""Vendors: matched before any is created, reviewed, kept current, inactivated and never deleted; each exactly once."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from connector.sandbox.avidxchange.edits import edit as edit_avidxchange
from connector.sandbox.server import Sandbox
from connector.stages import Stage
from syncjobs.engine import matching, reading, review
from syncjobs.engine.context import StageContext
from syncjobs.models import Attempt, AvidVendor, Batch, Problem, StageRun, StageSchedule, VendorMapping
from tenants.models import AuditEvent, Tenant
from tests.stages.conftest import SYSTEM, Ledger, RunStage

pytestmark = pytest.mark.django_db
TWO_COMPANIES = ("EPIC06", "EPIC07")


@pytest.fixture
def sandbox_options() -> dict[str, Any]:
    return {"vendors": 40, "invoices": 0, "seed": 1, "pace": 0}


def change(sandbox: Sandbox, number: int, *, company: str = "EPIC06", **columns: Any) -> None:
    """Let somebody change a vendor in Epicor."""
    sandbox.epicor.edit({"company": company, "table": "Vendor", "key": {"VendorNum": number}, "set": columns})


def change_remit_to(sandbox: Sandbox, number: int, sequence: int, *, company: str = "EPIC06", **columns: Any) -> None:
    key = {"VendorNum": number, "RemitToSeq": sequence}
    sandbox.epicor.edit({"company": company, "table": "VendRemitTo", "key": key, "set": columns})


def add_vendor(sandbox: Sandbox, number: int, *, company: str = "EPIC06", **columns: Any) -> None:
    """Add a vendor that nothing over there resembles, unless the columns say otherwise."""
    row = {
        "VendorNum": number,
        "VendorID": f"NEW{number}",
        "Name": f"Zzyzx {number} Unheard",
        "Address1": f"{number} Unheard Of Way",
        "City": "Nowhere",
        "State": "NV",
        "ZIP": f"{10_000 + number}",
        "Country": "USA",
        "CountryNum": 1,
        "TaxPayerID": f"98-{number:07d}",
        "TermsCode": "N30",
        "CurrencyCode": "USD",
        **columns,
    }
    sandbox.epicor.edit({"company": company, "table": "Vendor", "insert": row})


def over_there(sandbox: Sandbox, company: str = "EPIC06", **change: Any) -> None:
    """Let somebody change something at AvidXchange."""
    state = sandbox.avidxchange
    with state.lock:
        edit_avidxchange(state, {"company": company, **change}, state.tick())


def by_external_id(book: dict[str, Any]) -> dict[str, dict[str, Any]]:
    rows = book["avidxchange"]["vendors"]
    return {row["VendorExternalSystemID"]: row for row in rows if row["VendorExternalSystemID"]}


def mapping(tenant: Tenant, number: int) -> VendorMapping:
    return VendorMapping.objects.get(tenant=tenant, vendor_num=number)


def writes(sandbox: Sandbox) -> dict[str, Any]:
    """Every call that could change something, and every row written."""
    calls = sandbox.ledger()["calls"]
    return {
        "avidxchange": {method: n for method, n in calls["avidxchange"].items() if method not in ("GET", "HEAD")},
        "epicor": {method: n for method, n in calls["epicor"].items() if method not in ("GET", "HEAD")},
    }


def open_problems(tenant: Tenant) -> list[tuple[str, str]]:
    found = Problem.objects.filter(tenant=tenant, state="open").order_by("subject_key", "code")
    return list(found.values_list("subject_key", "code"))


# --- the first load ------------------------------------------------------------------------------------------------


def test_two_tenants_with_the_same_numbers_each_load_their_own(
    tenant: Tenant, other: Tenant, sandbox: Sandbox, run_stage: RunStage, ledger: Ledger, approve_all: Any
) -> None:
    before = {one: ledger(one)["epicor"] for one in (tenant, other)}
    for one in (tenant, other):
        first = run_stage(one, "vendors_out")
        assert first.counts["read"] == len(before[one]["vendors"])
        assert first.counts["created"] > 0
        assert first.status == "done_with_problems"  # some wait for a reviewer
        approve_all(one)
        run_stage(one, "vendors_out")
    for one in (tenant, other):
        book = ledger(one)
        there = by_external_id(book)
        for vendor in book["epicor"]["vendors"]:
            row = mapping(one, vendor["VendorNum"])
            if vendor["Inactive"] and not row.avid_id:
                assert row.external_id not in there  # never brought there only to be inactive
                continue
            found = there[row.external_id]
            assert (str(found["Id"]), found["IsActive"]) == (row.avid_id, not vendor["Inactive"])
            if not vendor["Inactive"]:
                assert (found["VendorName"], found["AccountNo"]) == (vendor["Name"], f"CUST-{vendor['VendorNum']}")
            assert (row.sent_hash, row.company) == (row.desired_hash, one.epicor_connection.company)
        ids = [row["VendorExternalSystemID"] for row in book["avidxchange"]["vendors"]]
        assert len([name for name in ids if name]) == len({name for name in ids if name})
        assert not [name for name in ids if name and not name.startswith(f"{one.epicor_connection.company}|")]
        assert book["epicor"] == before[one]  # nothing is ever written back
        assert open_problems(one) == []
    assert "POST" not in sandbox.ledger()["calls"]["epicor"]
    names = {one: {row["VendorName"] for row in ledger(one)["avidxchange"]["vendors"]} for one in (tenant, other)}
    assert VendorMapping.objects.get(tenant=other, vendor_num=101).name in names[other]
    assert VendorMapping.objects.get(tenant=other, vendor_num=101).name not in names[tenant]


def test_a_second_run_writes_nothing(
    tenant: Tenant, sandbox: Sandbox, run_stage: RunStage, ledger: Ledger, approve_all: Any
) -> None:
    """Field lesson 11."""
    run_stage(tenant, "vendors_out")
    approve_all(tenant)
    run_stage(tenant, "vendors_out")
    before, calls = ledger(tenant), writes(sandbox)
    batches, events = Batch.objects.count(), AuditEvent.objects.exclude(action="vendors_out.ran").count()
    for _ in range(2):
        again = run_stage(tenant, "vendors_out")
        assert (again.status, again.created, again.updated) == ("done", 0, 0)
        assert again.read == again.unchanged
    full = run_stage(tenant, "vendors_out", full_read=True)
    assert (full.created, full.updated, full.read) == (0, 0, 40)
    assert (ledger(tenant), writes(sandbox)) == (before, calls)
    assert (Batch.objects.count(), AuditEvent.objects.exclude(action="vendors_out.ran").count()) == (batches, events)


def test_a_quiet_poll_asks_little(tenant: Tenant, run_stage: RunStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Field lesson 6: an empty delta costs at most two requests a stream."""
    monkeypatch.setattr(reading, "REVISIONS_OVERLAP", 0)
    for _ in range(2):
        run_stage(tenant, "vendors_out")
    quiet = run_stage(tenant, "vendors_out")
    asked = Attempt.objects.filter(run=quiet).values_list("system", "operation")
    assert len([one for one in asked if one[0] == "epicor"]) <= 3  # terms, vendors, remit-tos
    assert quiet.read == 0


@pytest.mark.parametrize("sandbox_options", [{"vendors": 220, "invoices": 0, "seed": 1, "pace": 0}])
def test_queries_do_not_grow_with_the_vendors(
    tenant: Tenant, other: Tenant, sandbox: Sandbox, run_stage: RunStage, sandbox_options: Any
) -> None:
    """One tenant has 34 vendors, the other 220: more pages and batches, but no query a vendor."""
    sandbox.avidxchange.options.change({"awkward": False})
    queries: dict[str, dict[int, int]] = {"rehearsed": {}, "sent": {}, "unchanged": {}}
    for one in (other, tenant):
        for what, kwargs in (("rehearsed", {"dry_run": True}), ("sent", {}), ("unchanged", {"full_read": True})):
            with CaptureQueriesContext(connection) as made:
                run = run_stage(one, "vendors_out", **kwargs)
            queries[what][len(VendorMapping.objects.filter(tenant=one))] = len(made)
        assert run.unchanged + run.held == run.read
    more = {what: found[220] - found[34] for what, found in queries.items()}
    # Two pages more to read, three batches more to send; a query a vendor would be 186 on top of that.
    assert (more["rehearsed"] < 80, more["sent"] < 180, more["unchanged"] < 60) == (True, True, True), queries


# --- matching and review -------------------------------------------------------------------------------------------


def known_there(sandbox: Sandbox, **columns: Any) -> str:
    """Add a vendor to AvidXchange by other means than ours; return its id."""
    whole = {
        "VendorName": "Zzyzx 900 Unheard",
        "DoingBusinessAs": "",
        "Address": None,
        "RemitToAddress": None,
        "EmailAddress": "",
        "PhoneNumber": "",
        "TermTypeName": "",
        "AccountNo": "",
        **columns,
    }
    over_there(sandbox, table="vendors", insert=whole)
    return str(max(row["Id"] for row in sandbox.ledger()["avidxchange"]["EPIC06"]["vendors"]))


def test_the_same_external_id_is_certain_and_passes_alone(
    tenant: Tenant, sandbox: Sandbox, run_stage: RunStage, ledger: Ledger
) -> None:
    add_vendor(sandbox, 900)
    avid_id = known_there(sandbox, VendorExternalSystemID="EPIC06|900|MAIN", VendorName="Quite Another Name")
    run_stage(tenant, "vendors_out")
    row = mapping(tenant, 900)
    assert (row.state, row.proposal, row.score, row.avid_id) == ("approved", "match", 100, avid_id)
    assert (row.decided_by, row.outcome) == (matching.RULE, "updated")
    assert by_external_id(ledger(tenant))["EPIC06|900|MAIN"]["VendorName"] == "Zzyzx 900 Unheard"
    event = AuditEvent.objects.get(action="mapping.approved", subject_key="EPIC06|900")
    assert event.after["by"] == matching.RULE


def test_a_certain_match_waits_where_the_tenant_wants_to_see_it(
    make_tenant: Callable[..., Tenant], sandbox: Sandbox, run_stage: RunStage
) -> None:
    tenant = make_tenant("a", auto_approve_certain=False, auto_approve_creations=False)
    calls = writes(sandbox)
    run = run_stage(tenant, "vendors_out")
    assert run.counts["created"] == run.counts["updated"] == 0
    assert run.counts["held"] == VendorMapping.objects.filter(active=True).count()
    assert writes(sandbox) == calls
    assert not VendorMapping.objects.exclude(state="proposed").exists()


def test_a_resemblance_is_only_proposed_with_its_evidence_until_a_person_approves(
    tenant: Tenant, sandbox: Sandbox, run_stage: RunStage, ledger: Ledger
) -> None:
    add_vendor(sandbox, 900)
    avid_id = known_there(sandbox, VendorExternalSystemID=None, VendorName="ZZYZX 900 UNHEARD, INC.", TaxId="980000900")
    run = run_stage(tenant, "vendors_out")
    row = mapping(tenant, 900)
    assert (row.state, row.proposal, row.avid_id, row.sent_hash, row.outcome) == ("proposed", "match", "", "", "held")
    assert row.evidence[0]["avid_id"] == avid_id
    assert row.evidence[0]["reasons"] == ["same tax id", "same name"]
    assert run.status == "done_with_problems"
    assert "980000900" not in json.dumps(row.evidence)
    assert not AvidVendor.objects.filter(tax_fingerprint__contains="980000900").exists()

    StageSchedule.objects.filter(tenant=tenant).update(next_due="2100-01-01T00:00Z")
    assert review.approve(row, actor=SYSTEM).done
    assert StageSchedule.objects.get(tenant=tenant, stage=Stage.VENDORS_OUT).next_due is None  # nobody re-runs it
    run_stage(tenant, "vendors_out")
    row.refresh_from_db()
    found = by_external_id(ledger(tenant))["EPIC06|900|MAIN"]
    assert (str(found["Id"]), found["VendorName"], row.avid_id) == (avid_id, "Zzyzx 900 Unheard", avid_id)
    assert row.outcome == "updated"
    assert len([one for one in ledger(tenant)["avidxchange"]["vendors"] if "900 Unheard" in one["VendorName"]]) == 1


def test_a_person_may_create_it_all_the_same(
    tenant: Tenant, sandbox: Sandbox, run_stage: RunStage, ledger: Ledger
) -> None:
    add_vendor(sandbox, 900)
    known_there(sandbox, VendorExternalSystemID=None)
    run_stage(tenant, "vendors_out")
    assert mapping(tenant, 900).proposal == "match"
    assert review.approve(mapping(tenant, 900), actor=SYSTEM, avid_id="").done
    run_stage(tenant, "vendors_out")
    assert mapping(tenant, 900).outcome == "created"
    assert len([one for one in ledger(tenant)["avidxchange"]["vendors"] if "900 Unheard" in one["VendorName"]]) == 2


@pytest.mark.parametrize("decision", [review.reject, review.ignore])
def test_what_a_person_leaves_out_stays_out_and_is_no_problem(
    decision: Any, tenant: Tenant, sandbox: Sandbox, run_stage: RunStage, ledger: Ledger
) -> None:
    """Field lesson 23."""
    add_vendor(sandbox, 900)
    known_there(sandbox, VendorExternalSystemID=None)
    run_stage(tenant, "vendors_out")
    assert decision(mapping(tenant, 900), actor=SYSTEM, reason="one-off").done
    there = ledger(tenant)["avidxchange"]["vendors"]
    change(sandbox, 900, PhoneNum="555-0199")
    run_stage(tenant, "vendors_out")
    change(sandbox, 900, City="")
    run = run_stage(tenant, "vendors_out")
    assert mapping(tenant, 900).outcome == "unchanged"
    assert ledger(tenant)["avidxchange"]["vendors"] == there
    assert [key for key, _ in open_problems(tenant)] == []
    assert run.held == VendorMapping.objects.filter(tenant=tenant, state="proposed", active=True).count()


def test_two_vendors_never_share_one_over_there(tenant: Tenant, sandbox: Sandbox, run_stage: RunStage) -> None:
    avid_id = known_there(sandbox, VendorExternalSystemID=None)
    add_vendor(sandbox, 900)
    add_vendor(sandbox, 901, Name="Zzyzx 900 Unheard", Address1="900 Unheard Of Way", ZIP="10900")
    run_stage(tenant, "vendors_out")
    assert review.approve(mapping(tenant, 900), actor=SYSTEM, avid_id=avid_id).done
    second = review.approve(mapping(tenant, 901), actor=SYSTEM, avid_id=avid_id)
    assert (second.done, "already belongs to NEW900" in second.why_not) == (False, True)
    assert mapping(tenant, 901).state == "proposed"


def test_without_a_list_of_vendors_no_creation_passes_alone(
    tenant: Tenant, sandbox: Sandbox, run_stage: RunStage, ledger: Ledger
) -> None:
    """Contract R4 is assumed: where it is missing, nobody can know that a vendor is new."""
    sandbox.avidxchange.options.capability_missing = {"/vendors"}
    before = ledger(tenant)["avidxchange"]["vendors"]
    run = run_stage(tenant, "vendors_out")
    assert run.counts["created"] == run.counts["updated"] == 0
    assert ledger(tenant)["avidxchange"]["vendors"] == before
    assert set(VendorMapping.objects.filter(active=True).values_list("state", "proposal")) == {("proposed", "create")}
    # A person may know.
    assert review.approve(mapping(tenant, 101), actor=SYSTEM).done
    sandbox.faults.add([{"system": "avidxchange", "method": "POST", "path": "vendors/batches", "kind": "reset_after"}])
    run_stage(tenant, "vendors_out")
    assert (
        mapping(tenant, 101).sent_hash == mapping(tenant, 101).desired_hash
    )  # looked up in vain, sent again: an upsert
    there = [
        row for row in ledger(tenant)["avidxchange"]["vendors"] if row["VendorExternalSystemID"] == "EPIC06|101|MAIN"
    ]
    assert len(there) == 1
    assert StageSchedule.objects.get(tenant=tenant, stage="vendors_out").paused_reason == ""


# --- changes -------------------------------------------------------------------------------------------------------


@pytest.fixture
def loaded(tenant: Tenant, run_stage: RunStage, approve_all: Any) -> Tenant:
    """A tenant whose vendors are all over there."""
    run_stage(tenant, "vendors_out")
    approve_all(tenant)
    run_stage(tenant, "vendors_out")
    return tenant


def test_a_changed_vendor_is_updated_alone(
    loaded: Tenant, sandbox: Sandbox, run_stage: RunStage, ledger: Ledger
) -> None:
    before = by_external_id(ledger(loaded))
    change(sandbox, 104, Name='Renamed & Söhne "Ltd"', TermsCode="N60")
    run = run_stage(loaded, "vendors_out")
    assert (run.created, run.updated) == (0, 1)
    after = by_external_id(ledger(loaded))
    assert {name for name in after if after[name] != before[name]} == {"EPIC06|104|MAIN"}
    found = after["EPIC06|104|MAIN"]
    assert (found["VendorName"], found["TermTypeName"]) == ('Renamed & Söhne "Ltd"', "Net 60")
    assert found["Id"] == before["EPIC06|104|MAIN"]["Id"]


def test_a_renamed_vendor_id_stays_the_same_vendor(loaded: Tenant, sandbox: Sandbox, run_stage: RunStage) -> None:
    external_id = mapping(loaded, 104).external_id
    change(sandbox, 104, VendorID="MERGED-9")
    run = run_stage(loaded, "vendors_out")
    row = mapping(loaded, 104)
    assert (row.vendor_code, row.external_id, run.created) == ("MERGED-9", external_id, 0)


def test_a_changed_remit_to_brings_its_vendor_though_the_vendor_did_not_change(
    loaded: Tenant, sandbox: Sandbox, run_stage: RunStage, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A child row's change need not bump its parent's SysRevID (epicor.md 3.2)."""
    monkeypatch.setattr(reading, "REVISIONS_OVERLAP", 0)
    run_stage(loaded, "vendors_out")
    change_remit_to(sandbox, 102, 1, RemitToAddress1="PO Box 31337", RemitToCity="Reno")
    run = run_stage(loaded, "vendors_out")
    assert (run.updated, run.created) == (1, 0)
    found = by_external_id(ledger(loaded))["EPIC06|102|1"]
    assert (found["RemitToAddress"]["Line1"], found["RemitToAddress"]["City"]) == ("PO Box 31337", "Reno")
    assert run_stage(loaded, "vendors_out").updated == 0


def test_another_default_remit_to_is_another_address_of_the_same_vendor(
    loaded: Tenant, sandbox: Sandbox, run_stage: RunStage, ledger: Ledger
) -> None:
    before = by_external_id(ledger(loaded))["EPIC06|106|1"]
    change_remit_to(sandbox, 106, 1, DefaultRemitTo=False)
    change_remit_to(sandbox, 106, 2, DefaultRemitTo=True, RemitToAddress1="PO Box 2")
    run_stage(loaded, "vendors_out")
    found = by_external_id(ledger(loaded))["EPIC06|106|1"]
    assert (found["Id"], found["RemitToAddress"]["Line1"]) == (before["Id"], "PO Box 2")


def test_a_remit_to_that_changes_while_the_vendors_are_read_is_not_lost(
    tenant: Tenant,
    sandbox: Sandbox,
    run_stage: RunStage,
    ledger: Ledger,
    monkeypatch: pytest.MonkeyPatch,
    approve_all: Any,
) -> None:
    monkeypatch.setattr(reading, "REVISIONS_OVERLAP", 0)
    original, done = StageContext.say, []

    def say(ctx: StageContext, progress: str) -> None:
        original(ctx, progress)
        if progress.startswith("Read Vendors") and not done:
            done.append(progress)
            change_remit_to(sandbox, 102, 1, RemitToAddress1="PO Box 31337")

    monkeypatch.setattr(StageContext, "say", say)
    run_stage(tenant, "vendors_out")
    approve_all(tenant)
    for _ in range(2):
        run_stage(tenant, "vendors_out")
    assert done
    assert by_external_id(ledger(tenant))["EPIC06|102|1"]["RemitToAddress"]["Line1"] == "PO Box 31337"


def test_an_inactive_vendor_is_inactivated_and_comes_back_as_the_same(
    loaded: Tenant, sandbox: Sandbox, run_stage: RunStage, ledger: Ledger
) -> None:
    before = by_external_id(ledger(loaded))["EPIC06|104|MAIN"]
    count = len(ledger(loaded)["avidxchange"]["vendors"])
    change(sandbox, 104, Inactive=True, City="")  # no fault of its address stands in the way
    run = run_stage(loaded, "vendors_out")
    assert (run.updated, run.held) == (1, 0)
    there = by_external_id(ledger(loaded))["EPIC06|104|MAIN"]
    assert (there["Id"], there["IsActive"], there["VendorName"]) == (before["Id"], False, before["VendorName"])
    change(sandbox, 104, Inactive=False, City="Reno")
    run_stage(loaded, "vendors_out")
    there = by_external_id(ledger(loaded))["EPIC06|104|MAIN"]
    assert (there["Id"], there["IsActive"], there["RemitToAddress"]["City"]) == (before["Id"], True, "Reno")
    assert len(ledger(loaded)["avidxchange"]["vendors"]) == count


def test_an_inactive_vendor_that_was_never_there_is_not_brought_there(
    loaded: Tenant, sandbox: Sandbox, run_stage: RunStage, ledger: Ledger
) -> None:
    add_vendor(sandbox, 900, Inactive=True)
    run = run_stage(loaded, "vendors_out")
    assert (run.status, run.created, run.held) == ("done", 0, 0)
    assert "EPIC06|900|MAIN" not in by_external_id(ledger(loaded))
    change(sandbox, 900, Inactive=False)
    run_stage(loaded, "vendors_out")
    assert by_external_id(ledger(loaded))["EPIC06|900|MAIN"]["IsActive"] is True


def test_a_vendor_that_cannot_be_sent_is_held_says_why_and_is_released_by_the_correction(
    loaded: Tenant, sandbox: Sandbox, run_stage: RunStage, ledger: Ledger
) -> None:
    before = ledger(loaded)["avidxchange"]
    change(sandbox, 104, City="", Name="Still The Same Address")
    run = run_stage(loaded, "vendors_out")
    assert (run.status, run.held, run.updated) == ("done_with_problems", 1, 0)
    problem = Problem.objects.get(tenant=loaded, state="open")
    assert (problem.subject_kind, problem.subject_key, problem.code) == ("vendor", "EPIC06|104", "missing")
    assert (problem.field, problem.turn) == ("City", "finance")
    assert problem.hint == "Epicor: Supplier Entry, Supplier, Detail: City."
    assert ledger(loaded)["avidxchange"]["vendors"] == before["vendors"]
    run_stage(loaded, "vendors_out")
    problem.refresh_from_db()
    assert (problem.times, problem.state) == (2, "open")
    change(sandbox, 104, City="Reno")
    run = run_stage(loaded, "vendors_out")
    problem.refresh_from_db()
    assert (run.status, run.updated, problem.state) == ("done", 1, "resolved")
    assert by_external_id(ledger(loaded))["EPIC06|104|MAIN"]["VendorName"] == "Still The Same Address"


def test_a_refused_vendor_stays_a_problem_until_it_is_accepted(
    loaded: Tenant, sandbox: Sandbox, run_stage: RunStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusal = {
        "Results": [
            {
                "Successful": False,
                "Item": {"ExternalId": {"Value": "EPIC06|104|MAIN"}},
                "Errors": [{"Code": "VALIDATION", "Message": "That name is on a list.", "Field": "VendorName"}],
            }
        ]
    }
    rule = {"system": "avidxchange", "method": "POST", "path": "vendors/batches", "kind": "status", "status": 200}
    sandbox.faults.add([{**rule, "body": refusal}])
    change(sandbox, 104, Name="Listed")
    run = run_stage(loaded, "vendors_out")
    assert (run.status, run.rejected) == ("done_with_problems", 1)
    problem = Problem.objects.get(tenant=loaded, state="open")
    assert (problem.subject_key, problem.field) == ("EPIC06|104", "VendorName")
    assert "That name is on a list." in problem.message
    calls = writes(sandbox)
    run = run_stage(loaded, "vendors_out")  # nothing has changed: not sent again, and still a problem
    problem.refresh_from_db()
    assert (writes(sandbox), problem.state, run.rejected) == (calls, "open", 1)
    change(sandbox, 104, Name="Unlisted")
    run = run_stage(loaded, "vendors_out")
    problem.refresh_from_db()
    assert (run.updated, problem.state, run.status) == (1, "resolved", "done")


def test_a_vendor_that_epicor_lost_is_told_and_not_touched(
    loaded: Tenant, sandbox: Sandbox, run_stage: RunStage, ledger: Ledger
) -> None:
    before = ledger(loaded)["avidxchange"]["vendors"]
    sandbox.epicor.edit({"company": "EPIC06", "table": "Vendor", "key": {"VendorNum": 104}, "delete": True})
    assert run_stage(loaded, "vendors_out").status == "done"  # no poll can see it
    for _ in range(2):
        run_stage(loaded, "vendors_out", full_read=True)
    problem = Problem.objects.get(tenant=loaded, state="open")
    assert (problem.subject_key, problem.code, problem.times) == ("EPIC06|104", "gone_in_epicor", 2)
    assert ledger(loaded)["avidxchange"]["vendors"] == before


def test_a_vendor_that_a_filter_leaves_out_is_only_left(
    loaded: Tenant, run_stage: RunStage, ledger: Ledger, sandbox: Sandbox
) -> None:
    before = ledger(loaded)["avidxchange"]["vendors"]
    Tenant.objects.filter(pk=loaded.pk).update(options={**loaded.options, "vendor_filter": "GroupCode eq 'MRO'"})
    change(sandbox, 104, Name="Left Out")
    run = run_stage(loaded, "vendors_out", full_read=True)
    assert (run.read, run.updated, open_problems(loaded)) == (10, 0, [])
    assert ledger(loaded)["avidxchange"]["vendors"] == before


# --- rows and answers as they come ---------------------------------------------------------------------------------


def test_an_unreadable_vendor_is_held_and_the_page_goes_on(
    tenant: Tenant, sandbox: Sandbox, run_stage: RunStage
) -> None:
    """Field lesson 13."""
    row = sandbox.epicor.companies["EPIC06"]["Vendor"].get(104)
    assert row is not None
    row["Inactive"] = "perhaps"
    run = run_stage(tenant, "vendors_out")
    assert run.read == 40
    assert not VendorMapping.objects.filter(vendor_num=104).exists()
    problem = Problem.objects.get(tenant=tenant, subject_kind="vendors_row")
    assert (problem.code, problem.subject_key, problem.turn) == ("bad_row", "VendorNum 104", "operator")
    row["Inactive"] = False
    change(sandbox, 104, PhoneNum="555-0199")
    run_stage(tenant, "vendors_out")
    assert VendorMapping.objects.filter(vendor_num=104).exists()


@pytest.mark.parametrize("page_size", [100, 3])
def test_a_vendor_whose_remit_to_is_unreadable_is_not_paid_at_another_address(
    page_size: int, loaded: Tenant, sandbox: Sandbox, run_stage: RunStage, ledger: Ledger
) -> None:
    before = by_external_id(ledger(loaded))["EPIC06|102|1"]
    loaded.epicor_connection.page_size = page_size
    loaded.epicor_connection.save()
    change_remit_to(sandbox, 102, 1, RemitToAddress1="PO Box 31337")
    row = sandbox.epicor.companies["EPIC06"]["VendRemitTo"].get(102, 1)
    assert row is not None
    row["RemitToCountry"] = "somewhere"
    change(sandbox, 102, PhoneNum="555-0199")
    run = run_stage(loaded, "vendors_out")
    assert run.held == 2  # the remit-to's own row, and the vendor that would be paid elsewhere
    assert by_external_id(ledger(loaded))["EPIC06|102|1"] == before
    assert ("EPIC06|102", "bad_row") in open_problems(loaded)
    row["RemitToCountry"] = 1
    change_remit_to(sandbox, 102, 1, RemitToAddress1="PO Box 4")
    run_stage(loaded, "vendors_out")
    assert by_external_id(ledger(loaded))["EPIC06|102|1"]["RemitToAddress"]["Line1"] == "PO Box 4"
    assert ("EPIC06|102", "bad_row") not in open_problems(loaded)


@pytest.mark.parametrize("seed", [2, 3, 4])
def test_awkward_answers_and_late_verdicts_end_alike(
    seed: int,
    make_tenant: Callable[..., Tenant],
    sandbox: Sandbox,
    run_stage: RunStage,
    ledger: Ledger,
    approve_all: Any,
) -> None:
    """Every legal shape of contract 2.3 to 2.7, chosen anew for each batch; some answered 202."""
    sandbox.avidxchange.options.change({"awkward": True, "percent_202": 60})
    tenant = make_tenant("a")
    profile = {**tenant.avidxchange_connection.profile, "batch_max_items": seed * 3}
    tenant.avidxchange_connection.profile = profile
    tenant.avidxchange_connection.save()
    run_stage(tenant, "vendors_out")
    approve_all(tenant)
    run_stage(tenant, "vendors_out")
    assert not Batch.objects.exclude(state="settled").exists()
    assert not VendorMapping.objects.filter(state="approved", active=True).exclude(sent_hash__gt="").exists()
    there = by_external_id(ledger(tenant))
    for row in VendorMapping.objects.filter(active=True):
        assert str(there[row.external_id]["Id"]) == row.avid_id


def test_whatever_the_shape_of_the_address_the_amounts_of_nothing_are_floats(
    tenant: Tenant, run_stage: RunStage
) -> None:
    run_stage(tenant, "vendors_out")
    assert set(Batch.objects.values_list("total", flat=True)) == {Decimal("0.000")}


# --- rehearsals, crashes, lost answers -----------------------------------------------------------------------------


def test_a_rehearsal_writes_to_neither_system_and_says_what_it_would_do(
    tenant: Tenant, sandbox: Sandbox, run_stage: RunStage, ledger: Ledger
) -> None:
    before, calls = ledger(tenant), writes(sandbox)
    rehearsal = run_stage(tenant, "vendors_out", dry_run=True)
    assert (ledger(tenant), writes(sandbox)) == (before, calls)
    assert Batch.objects.count() == 0
    real = run_stage(tenant, "vendors_out")
    assert {name: rehearsal.counts[name] for name in ("created", "updated")} == {
        name: real.counts[name] for name in ("created", "updated")
    }
    assert real.created > 0


@pytest.mark.parametrize("kind", ["reset_before", "reset_after", "cut_json"])
def test_a_lost_answer_makes_no_double(
    kind: str, tenant: Tenant, sandbox: Sandbox, run_stage: RunStage, ledger: Ledger
) -> None:
    """Field lesson 14."""
    rule = {"system": "avidxchange", "method": "POST", "path": "vendors/batches", "kind": kind}
    sandbox.faults.add([rule])
    first = run_stage(tenant, "vendors_out")
    second = run_stage(tenant, "vendors_out")
    assert (second.created, second.updated) == (0, 0)
    assert first.counts["created"] > 0
    assert not VendorMapping.objects.filter(state="approved", sent_hash="").exclude(active=False).exists()
    names = [row["VendorExternalSystemID"] for row in ledger(tenant)["avidxchange"]["vendors"]]
    assert len([name for name in names if name]) == len({name for name in names if name})
    assert not Batch.objects.exclude(state__in=["settled"]).exists()


def test_an_update_that_never_arrived_is_not_taken_for_done_because_the_vendor_is_there(
    loaded: Tenant, sandbox: Sandbox, run_stage: RunStage, ledger: Ledger
) -> None:
    change(sandbox, 104, Name="Changed Today Once")
    run_stage(loaded, "vendors_out")
    sandbox.faults.add([{"system": "avidxchange", "method": "POST", "path": "vendors/batches", "kind": "reset_before"}])
    change(sandbox, 104, Name="Changed Today Twice")
    run_stage(loaded, "vendors_out")
    assert by_external_id(ledger(loaded))["EPIC06|104|MAIN"]["VendorName"] == "Changed Today Twice"


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("commit", range(11))
def test_a_worker_killed_at_any_commit_leaves_nothing_undone_and_nothing_twice(
    commit: int, tenant: Tenant, sandbox: Sandbox, run_stage: RunStage, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever transaction it is that is rolled back, the next run ends where an undisturbed one would have."""
    original, seen = StageContext.renew, []

    def renew(ctx: StageContext, **values: object) -> None:
        original(ctx, **values)
        if "requests" in values:  # the end of a commit, not a sign of life
            seen.append(values)
            if len(seen) == commit + 1:
                raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(StageContext, "renew", renew)
        with pytest.raises(Killed):
            run_stage(tenant, "vendors_out")
    StageRun.objects.filter(status="running").update(lease_until="2020-01-01T00:00Z")
    Batch.objects.filter(state="sending").update(lease_until="2020-01-01T00:00Z")
    again = run_stage(tenant, "vendors_out")
    assert again.status == "done_with_problems"
    assert StageRun.objects.order_by("pk").first().status == "lost"  # type: ignore[union-attr]
    quiet = run_stage(tenant, "vendors_out")
    assert (quiet.created, quiet.updated) == (0, 0)
    book = ledger(tenant)
    there = by_external_id(book)
    assert len(there) == len([row for row in book["avidxchange"]["vendors"] if row["VendorExternalSystemID"]])
    approved = VendorMapping.objects.filter(state="approved")
    assert approved.count() == 29
    for row in approved:
        assert (str(there[row.external_id]["Id"]), row.sent_hash) == (row.avid_id, row.desired_hash)
