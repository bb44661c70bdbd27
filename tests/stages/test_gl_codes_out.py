"""GL accounts: brought there, kept current, ended by the date alone, renumbered; Epicor's chart is never touched."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from connector.sandbox.server import Sandbox
from connector.translate.holds import HoldError
from syncjobs.engine import codebook, reading, review
from syncjobs.engine.context import StageContext
from syncjobs.models import AvidAccount, Batch, GLAccountMapping, Problem, StageRun, StageSchedule
from tenants.models import AuditEvent, Tenant
from tests.stages.conftest import SYSTEM, FakeClock, Ledger, RunStage

pytestmark = pytest.mark.django_db


@pytest.fixture
def sandbox_options() -> dict[str, Any]:
    return {"vendors": 10, "invoices": 0, "seed": 1, "pace": 0}


def change(sandbox: Sandbox, account: str, *, company: str = "EPIC06", chart: str = "MAIN", **columns: Any) -> None:
    key = {"COACode": chart, "GLAccount1": account, "GLAccount": account}
    sandbox.epicor.edit({"company": company, "table": "GLAccount", "key": key, "set": columns})


def add(sandbox: Sandbox, account: str, *, company: str = "EPIC06", chart: str = "MAIN", **columns: Any) -> None:
    row = {
        "COACode": chart,
        "GLAccount": account,
        "GLAccount1": account,
        "GLAcctDispGLAcctDisp": "-".join(reversed(account.split("|"))),
        "AccountDesc": f"Account {account}",
        "Active": True,
        "EffFrom": "2020-01-01T00:00:00",
        **columns,
    }
    sandbox.epicor.edit({"company": company, "table": "GLAccount", "insert": row})


def there(book: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["AccountNumber"]: row for row in book["avidxchange"]["gl_accounts"]}


def active(book: dict[str, Any]) -> set[str]:
    return {number for number, row in there(book).items() if row["IsActive"]}


def effective(book: dict[str, Any], today: date) -> set[str]:
    """The display numbers of the accounts that may be booked on, by the ledger's own columns."""
    return {
        row["GLAcctDispGLAcctDisp"]
        for row in book["epicor"]["gl_accounts"]
        if row["Active"]
        and (not row["EffFrom"] or date.fromisoformat(row["EffFrom"][:10]) <= today)
        and (not row["EffTo"] or today <= date.fromisoformat(row["EffTo"][:10]))
    }


def mapping(tenant: Tenant, account: str) -> GLAccountMapping:
    return GLAccountMapping.objects.get(tenant=tenant, gl_account=account)


def posts(sandbox: Sandbox) -> int:
    return int(sandbox.ledger()["calls"]["avidxchange"].get("POST", 0))


def test_two_tenants_with_the_same_accounts_each_load_their_own(
    tenant: Tenant, other: Tenant, sandbox: Sandbox, run_stage: RunStage, ledger: Ledger, clock: FakeClock
) -> None:
    before = {one: ledger(one)["epicor"] for one in (tenant, other)}
    written = sandbox.ledger()["calls"]["epicor"].get("rows_written", 0)
    for one in (tenant, other):
        run = run_stage(one, "gl_codes_out")
        book = ledger(one)
        assert (run.status, run.read) == ("done", len(before[one]["gl_accounts"]))
        assert active(book) == set(there(book)) == effective(book, clock.now().date())
        assert run.created == len(there(book))
        assert run.created + run.unchanged == run.read  # what is not effective is not brought there
        assert book["epicor"] == before[one]
    descriptions = {one: {row["Description"] for row in there(ledger(one)).values()} for one in (tenant, other)}
    assert not [text for text in descriptions[tenant] if text.startswith("07 ")]
    assert [text for text in descriptions[other] if text.startswith("07 ")]
    calls = sandbox.ledger()["calls"]["epicor"]
    assert (calls.get("rows_written", 0), calls.get("POST", 0)) == (written, 0)


def test_a_second_run_writes_nothing(tenant: Tenant, sandbox: Sandbox, run_stage: RunStage, ledger: Ledger) -> None:
    run_stage(tenant, "gl_codes_out")
    before, sent = ledger(tenant), posts(sandbox)
    for kwargs in ({}, {}, {"full_read": True}):
        run = run_stage(tenant, "gl_codes_out", **kwargs)
        assert (run.status, run.created, run.updated, run.unchanged) == ("done", 0, 0, run.read)
    assert (ledger(tenant), posts(sandbox)) == (before, sent)


def test_the_display_number_is_sent_and_the_internal_string_kept(
    tenant: Tenant, run_stage: RunStage, ledger: Ledger
) -> None:
    """Display order differs from physical order (epicor.md 4.4)."""
    run_stage(tenant, "gl_codes_out")
    row = mapping(tenant, "5010|10|01")
    assert (row.avid_account, row.state, row.proposal) == ("01-10-5010", "approved", "create")
    assert there(ledger(tenant))["01-10-5010"]["Description"] == "06 Cost of goods, bearings - Warehouse, Main plant"
    assert AuditEvent.objects.filter(action="mapping.approved", subject_key="EPIC06|MAIN|5010|10|01").exists()


def test_a_changed_description_is_one_update(
    tenant: Tenant, sandbox: Sandbox, run_stage: RunStage, ledger: Ledger
) -> None:
    run_stage(tenant, "gl_codes_out")
    before = there(ledger(tenant))
    change(sandbox, "5010|10|01", AccountDesc='Bearings & "balls"')
    run = run_stage(tenant, "gl_codes_out")
    after = there(ledger(tenant))
    assert (run.created, run.updated) == (0, 1)
    assert {number for number in after if after[number] != before.get(number)} == {"01-10-5010"}
    assert after["01-10-5010"]["Description"] == 'Bearings & "balls"'


def test_an_inactive_account_is_inactivated_and_comes_back(
    tenant: Tenant, sandbox: Sandbox, run_stage: RunStage, ledger: Ledger
) -> None:
    run_stage(tenant, "gl_codes_out")
    count = len(there(ledger(tenant)))
    change(sandbox, "5010|10|01", Active=False)
    run = run_stage(tenant, "gl_codes_out")
    row = there(ledger(tenant))["01-10-5010"]
    assert (row["IsActive"], run.updated, len(there(ledger(tenant)))) == (False, 1, count)
    change(sandbox, "5010|10|01", Active=True)
    run_stage(tenant, "gl_codes_out")
    assert there(ledger(tenant))["01-10-5010"]["IsActive"] is True


# --- the date alone ------------------------------------------------------------------------------------------------


def test_the_date_alone_makes_an_account_effective_and_ends_it(
    tenant: Tenant,
    sandbox: Sandbox,
    run_stage: RunStage,
    ledger: Ledger,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its row does not change in Epicor on either day; both days count (inclusive), in the tenant's time zone."""
    monkeypatch.setattr(reading, "REVISIONS_OVERLAP", 0)
    clock.moment = datetime(2026, 12, 1, 18, 0, tzinfo=UTC)
    add(sandbox, "7000|10|01", EffFrom="2026-12-10T00:00:00", EffTo="2026-12-20T00:00:00")
    for _ in range(3):
        run_stage(tenant, "gl_codes_out")
    assert "01-10-7000" not in there(ledger(tenant))
    assert mapping(tenant, "7000|10|01").turns_on == date(2026, 12, 10)

    clock.moment = datetime(2026, 12, 10, 5, 59, tzinfo=UTC)  # still the 9th in Chicago
    assert run_stage(tenant, "gl_codes_out").created == 0
    clock.moment = datetime(2026, 12, 10, 6, 1, tzinfo=UTC)
    run = run_stage(tenant, "gl_codes_out")
    assert (run.created, there(ledger(tenant))["01-10-7000"]["IsActive"]) == (1, True)
    assert mapping(tenant, "7000|10|01").turns_on == date(2026, 12, 21)

    clock.moment = datetime(2026, 12, 20, 23, 0, tzinfo=UTC)
    sent = posts(sandbox)
    run_stage(tenant, "gl_codes_out")
    assert posts(sandbox) == sent
    clock.moment = datetime(2026, 12, 21, 6, 1, tzinfo=UTC)
    run = run_stage(tenant, "gl_codes_out")
    assert (run.updated, there(ledger(tenant))["01-10-7000"]["IsActive"]) == (1, False)
    assert mapping(tenant, "7000|10|01").turns_on is None
    sent = posts(sandbox)
    clock.moment += timedelta(days=30)
    run_stage(tenant, "gl_codes_out")
    assert posts(sandbox) == sent


def test_an_unreadable_date_holds_the_account_until_it_is_corrected(
    tenant: Tenant, sandbox: Sandbox, run_stage: RunStage, ledger: Ledger
) -> None:
    add(sandbox, "7000|10|01", EffFrom="soon")
    run = run_stage(tenant, "gl_codes_out")
    assert (run.status, run.held) == ("done_with_problems", 1)
    problem = Problem.objects.get(state="open")
    assert (problem.subject_kind, problem.subject_key, problem.code, problem.field) == (
        "gl_account",
        "EPIC06|MAIN|7000|10|01",
        "bad_date",
        "EffFrom",
    )
    change(sandbox, "7000|10|01", EffFrom="2026-01-01T00:00:00")
    run = run_stage(tenant, "gl_codes_out")
    problem.refresh_from_db()
    assert (run.status, problem.state, run.created) == ("done", "resolved", 1)


# --- numbers and charts --------------------------------------------------------------------------------------------


def test_of_two_accounts_with_one_number_the_second_is_held_until_the_first_lets_go(
    tenant: Tenant, sandbox: Sandbox, run_stage: RunStage, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "REVISIONS_OVERLAP", 0)
    add(sandbox, "7000|10|01", GLAcctDispGLAcctDisp="01-10-5010")
    run = run_stage(tenant, "gl_codes_out")
    assert (run.held, mapping(tenant, "7000|10|01").hold_code) == (1, "account_number_taken")
    problem = Problem.objects.get(state="open")
    assert "5010|10|01 has it" in problem.message
    assert mapping(tenant, "5010|10|01").avid_account == "01-10-5010"
    for _ in range(2):
        assert run_stage(tenant, "gl_codes_out").held == 1
    change(sandbox, "5010|10|01", GLAcctDispGLAcctDisp="99-10-5010")
    run_stage(tenant, "gl_codes_out")
    problem.refresh_from_db()
    assert problem.state == "resolved"
    found = there(ledger(tenant))
    assert (found["01-10-5010"]["Description"], found["01-10-5010"]["IsActive"]) == ("Account 7000|10|01", True)
    assert found["99-10-5010"]["IsActive"] is True


def test_two_accounts_that_swap_their_numbers_end_where_they_should(
    tenant: Tenant, sandbox: Sandbox, run_stage: RunStage, ledger: Ledger
) -> None:
    run_stage(tenant, "gl_codes_out")
    change(sandbox, "5010|10|01", GLAcctDispGLAcctDisp="01-10-5030", AccountDesc="First")
    change(sandbox, "5030|10|01", GLAcctDispGLAcctDisp="01-10-5010", AccountDesc="Second")
    for _ in range(3):
        run = run_stage(tenant, "gl_codes_out")
    assert run.status == "done"
    found = there(ledger(tenant))
    assert [(found[name]["Description"], found[name]["IsActive"]) for name in ("01-10-5010", "01-10-5030")] == [
        ("Second", True),
        ("First", True),
    ]


def test_a_renumbered_account_closes_its_old_number(
    tenant: Tenant, sandbox: Sandbox, run_stage: RunStage, ledger: Ledger
) -> None:
    run_stage(tenant, "gl_codes_out")
    change(sandbox, "5010|10|01", GLAcctDispGLAcctDisp="01-10-5011")
    run = run_stage(tenant, "gl_codes_out")
    found = there(ledger(tenant))
    assert (found["01-10-5011"]["IsActive"], found["01-10-5010"]["IsActive"]) == (True, False)
    assert (run.status, run.updated) == ("done", 1)
    assert AuditEvent.objects.filter(
        action="gl_codes_out.accepted", subject_kind="gl_number", subject_key="EPIC06|01-10-5010"
    ).exists()
    sent = posts(sandbox)
    run_stage(tenant, "gl_codes_out")
    assert posts(sandbox) == sent

    change(sandbox, "5010|10|01", GLAcctDispGLAcctDisp="01-10-5010")  # and back again
    run_stage(tenant, "gl_codes_out")
    found = there(ledger(tenant))
    assert (found["01-10-5011"]["IsActive"], found["01-10-5010"]["IsActive"]) == (False, True)


def test_an_old_number_stays_open_while_the_new_one_is_not_accepted(
    tenant: Tenant, sandbox: Sandbox, run_stage: RunStage, ledger: Ledger
) -> None:
    run_stage(tenant, "gl_codes_out")
    change(sandbox, "5010|10|01", GLAcctDispGLAcctDisp="", AccountDesc="Renumbered")
    run_stage(tenant, "gl_codes_out")
    assert there(ledger(tenant))["01-10-5010"]["IsActive"] is True
    rule = {"system": "avidxchange", "method": "POST", "path": "glAccounts", "kind": "status", "status": 400}
    sandbox.faults.add([rule])
    change(sandbox, "5010|10|01", GLAcctDispGLAcctDisp="01-10-5011")
    assert run_stage(tenant, "gl_codes_out").rejected == 1
    assert there(ledger(tenant))["01-10-5010"]["IsActive"] is True
    change(sandbox, "5010|10|01", GLAcctDispGLAcctDisp="01-10-5012")
    run_stage(tenant, "gl_codes_out")
    found = there(ledger(tenant))
    assert (found["01-10-5010"]["IsActive"], found["01-10-5012"]["IsActive"]) == (False, True)


def test_what_was_coded_with_an_old_number_still_means_its_account(
    tenant: Tenant, sandbox: Sandbox, run_stage: RunStage
) -> None:
    run_stage(tenant, "gl_codes_out")
    change(sandbox, "5010|10|01", GLAcctDispGLAcctDisp="01-10-5011")
    run = run_stage(tenant, "gl_codes_out")
    ctx = StageContext(tenant=tenant, run=run, actor=SYSTEM, options=tenant.typed_options)
    book = codebook.load(ctx, avid_accounts={"01-10-5010", "01-10-5011", "no-such-1"}, gl_accounts={"5010|10|01"})
    assert book.account_by_avid("01-10-5010").gl_account == "5010|10|01"
    assert book.account_by_avid("01-10-5011").gl_account == "5010|10|01"
    assert book.account("5010|10|01").avid_account == "01-10-5011"
    with pytest.raises(HoldError):
        book.account_by_avid("no-such-1")
    add(sandbox, "7000|10|01", GLAcctDispGLAcctDisp="01-10-5010")  # the number is given to another account
    run_stage(tenant, "gl_codes_out")
    book = codebook.load(ctx, avid_accounts={"01-10-5010"})
    assert book.account_by_avid("01-10-5010").gl_account == "7000|10|01"


@pytest.mark.parametrize("page_size", [100, 200])
def test_several_charts_and_none_chosen_pauses_the_stage_before_anything_is_sent(
    page_size: int, tenant: Tenant, sandbox: Sandbox, run_stage: RunStage, ledger: Ledger
) -> None:
    """Also where each page shows one chart only: pages come in order of the chart."""
    tenant.epicor_connection.page_size = page_size
    tenant.epicor_connection.save()
    add(sandbox, "1000|00|01", chart="STAT")
    run = run_stage(tenant, "gl_codes_out")
    assert (run.status, run.error_code) == ("failed", "chart_not_chosen")
    assert "MAIN, STAT" in run.error
    assert there(ledger(tenant)) == {}
    problem = Problem.objects.get(state="open")
    assert (problem.subject_kind, problem.turn) == ("stage", "implementer")
    assert "none is chosen" in StageSchedule.objects.get(tenant=tenant, stage="gl_codes_out").paused_reason

    tenant.epicor_connection.coa_code = "MAIN"
    tenant.epicor_connection.save()
    run = run_stage(tenant, "gl_codes_out", full_read=True)
    problem.refresh_from_db()
    assert (run.status, problem.state) == ("done", "resolved")
    assert set(GLAccountMapping.objects.exclude(sent_hash="").values_list("coa_code", flat=True)) == {"MAIN"}


def test_a_second_chart_that_appears_later_is_noticed(tenant: Tenant, sandbox: Sandbox, run_stage: RunStage) -> None:
    for _ in range(2):
        run_stage(tenant, "gl_codes_out")
    add(sandbox, "1000|00|01", chart="STAT")
    assert run_stage(tenant, "gl_codes_out").error_code == "chart_not_chosen"


def test_an_account_that_epicor_lost_is_told_and_not_touched(
    tenant: Tenant, sandbox: Sandbox, run_stage: RunStage, ledger: Ledger
) -> None:
    run_stage(tenant, "gl_codes_out")
    before = there(ledger(tenant))
    key = {"COACode": "MAIN", "GLAccount1": "5010|10|01", "GLAccount": "5010|10|01"}
    sandbox.epicor.edit({"company": "EPIC06", "table": "GLAccount", "key": key, "delete": True})
    run_stage(tenant, "gl_codes_out", full_read=True)
    problem = Problem.objects.get(state="open")
    assert (problem.subject_key, problem.code) == ("EPIC06|MAIN|5010|10|01", "gone_in_epicor")
    assert there(ledger(tenant)) == before


# --- review, rehearsal, faults -------------------------------------------------------------------------------------


def test_a_tenant_may_review_each_new_account(
    make_tenant: Callable[..., Tenant], run_stage: RunStage, ledger: Ledger
) -> None:
    tenant = make_tenant("a", auto_create_gl_codes=False)
    run = run_stage(tenant, "gl_codes_out")
    assert (run.created, there(ledger(tenant))) == (0, {})
    assert run.held == GLAccountMapping.objects.filter(active=True, state="proposed", proposal="create").count() > 0
    assert review.approve(mapping(tenant, "5010|10|01"), actor=SYSTEM).done
    assert review.ignore(mapping(tenant, "5020|10|01"), actor=SYSTEM, reason="not for AP").done
    run = run_stage(tenant, "gl_codes_out")
    assert set(there(ledger(tenant))) == {"01-10-5010"}
    assert run.created == 1


def test_a_rehearsal_writes_nothing_and_says_what_it_would_do(
    tenant: Tenant, sandbox: Sandbox, run_stage: RunStage, ledger: Ledger
) -> None:
    before, sent = ledger(tenant), posts(sandbox)
    rehearsal = run_stage(tenant, "gl_codes_out", dry_run=True)
    assert (ledger(tenant), posts(sandbox), Batch.objects.count()) == (before, sent, 0)
    assert rehearsal.counts == run_stage(tenant, "gl_codes_out").counts


@pytest.mark.parametrize("kind", ["reset_before", "reset_after", "cut_json"])
def test_a_lost_answer_ends_like_any_other(
    kind: str, tenant: Tenant, sandbox: Sandbox, run_stage: RunStage, ledger: Ledger, clock: FakeClock
) -> None:
    """The contract has no list of accounts: an upsert under its own number is sent again."""
    sandbox.faults.add([{"system": "avidxchange", "method": "POST", "path": "glAccounts/batches", "kind": kind}])
    run = run_stage(tenant, "gl_codes_out")
    book = ledger(tenant)
    assert active(book) == effective(book, clock.now().date())
    assert (run.status, run.created) == ("done", len(there(book)))
    assert run_stage(tenant, "gl_codes_out").counts["created"] == 0


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("commit", range(0, 14, 2))
def test_a_worker_killed_at_any_commit_leaves_nothing_undone(
    commit: int,
    tenant: Tenant,
    sandbox: Sandbox,
    run_stage: RunStage,
    ledger: Ledger,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
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
            run_stage(tenant, "gl_codes_out")
    StageRun.objects.filter(status="running").update(lease_until="2020-01-01T00:00Z")
    Batch.objects.filter(state="sending").update(lease_until="2020-01-01T00:00Z")
    run_stage(tenant, "gl_codes_out")
    book = ledger(tenant)
    assert active(book) == set(there(book)) == effective(book, clock.now().date())
    sent = posts(sandbox)
    run = run_stage(tenant, "gl_codes_out")
    assert (run.created, run.updated, posts(sandbox)) == (0, 0, sent)


def test_what_is_known_of_numbers_is_what_is_there(tenant: Tenant, run_stage: RunStage, ledger: Ledger) -> None:
    run_stage(tenant, "gl_codes_out")
    rows = AvidAccount.objects.select_related("mapping")
    assert {row.number: row.mapping.avid_account for row in rows} == {
        number: number for number in there(ledger(tenant))
    }
    assert json.loads(rows[0].desired) == {
        "AccountNumber": rows[0].number,
        "IsActive": False,
        "Operation": "Inactivate",
    }
