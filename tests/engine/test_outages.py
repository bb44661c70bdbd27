"""An outage: found out by a ping, put off for everybody who needs that system, told once, over by itself."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import DatabaseError
from django.utils import timezone

from connector.stages import Stage, needing
from connector.transport.errors import ConnectorError, Misconfigured, Retry, System, Uncertain, Waits
from connector.transport.guard import Doubt
from syncjobs.engine import connections, images, loop, outages, prune
from syncjobs.engine.connections import DatabaseStore
from syncjobs.engine.context import StageContext
from syncjobs.models import ConnectionHealth, Problem, StageRun, StageSchedule
from tenants import clients
from tenants.models import AuditEvent, Tenant
from tests.engine.conftest import SYSTEM, Sleeper

pytestmark = pytest.mark.django_db
EPICOR, AVID = System.EPICOR, System.AVIDXCHANGE
CADENCE = timedelta(minutes=5)


def down(system: System = EPICOR, *, delay_s: float | None = None) -> Retry:
    return Retry("The server refused the connection.", system=system, code="unreachable", delay_s=delay_s)


@dataclass
class Pings:
    """What a ping of each system meets, and whom was pinged."""

    meets: dict[tuple[str, System], ConnectorError] = field(default_factory=dict)
    made: list[tuple[str, System]] = field(default_factory=list)

    def __call__(self, tenant: Tenant, system: System, **_options: Any) -> None:
        self.made.append((tenant.slug, system))
        if (tenant.slug, system) in self.meets:
            raise self.meets[tenant.slug, system]


@pytest.fixture
def pings(monkeypatch: pytest.MonkeyPatch) -> Pings:
    made = Pings()
    monkeypatch.setattr(clients, "ping", made)
    return made


@pytest.fixture(autouse=True)
def scheduled(db: None, tenant: Tenant, other: Tenant) -> None:
    """Everything has just run and is due in five minutes."""
    StageSchedule.objects.update(next_due=timezone.now() + CADENCE)


Run = Callable[..., StageRun]


@pytest.fixture
def run(sleeper: Sleeper) -> Run:
    """Run a stage that doubts what it is told to doubt and ends with ``fault``."""

    def begin(
        tenant: Tenant,
        stage: Stage = Stage.VENDORS_OUT,
        *,
        fault: ConnectorError | None = None,
        doubts: dict[System, Doubt] | None = None,
        **options: Any,
    ) -> StageRun:
        def policy(ctx: StageContext) -> None:
            ctx.guards.update({system: SimpleNamespace(doubt=doubt) for system, doubt in (doubts or {}).items()})
            ctx.settle_count("unchanged")
            if fault is not None:
                raise fault

        facts = {"trigger": "command", "actor": SYSTEM, "clock": sleeper.clock, **options}
        return loop.run_stage(tenant, stage, policy, **facts)

    return begin


@pytest.fixture
def fall(run: Run, pings: Pings) -> Callable[..., StageRun]:
    """Let a system of a tenant be down, and a run find it out."""

    def begin(tenant: Tenant, system: System = EPICOR, **options: Any) -> StageRun:
        pings.meets[tenant.slug, system] = down(system)
        return run(tenant, fault=down(system), doubts={system: Doubt("It failed.")}, **options)

    return begin


def health(tenant: Tenant, system: System = EPICOR) -> ConnectionHealth:
    return ConnectionHealth.objects.get(tenant=tenant, system=system)


def pass_time(seconds: float) -> None:
    """Let the database's clock go on, by moving back what it is compared with."""
    back = timedelta(seconds=seconds)
    for model, names in ((ConnectionHealth, ("since", "until", "probe_until")), (StageSchedule, ("next_due",))):
        for row in model.objects.all():
            moved = {name: value - back for name in names if (value := getattr(row, name)) is not None}
            model.objects.filter(pk=row.pk).update(**moved)


def due_in(tenant: Tenant) -> dict[str, float]:
    """Seconds until each stage is due."""
    rows = StageSchedule.objects.filter(tenant=tenant).values_list("stage", "next_due")
    return {stage: 0.0 if at is None else (at - timezone.now()).total_seconds() for stage, at in rows}


def actions(tenant: Tenant) -> list[str]:
    rows = AuditEvent.objects.filter(tenant=tenant, action__startswith="connection").order_by("sequence")
    return list(rows.values_list("action", flat=True))


# -- falling -------------------------------------------------------------------------------------------------------


def test_a_run_that_ends_on_a_failed_call_pings_and_waits_if_that_fails_too(
    tenant: Tenant, other: Tenant, fall: Any, pings: Pings, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        ended = fall(tenant)
    assert (ended.status, ended.error_code, ended.unchanged) == ("waiting", "connection_down", 1)
    assert "Epicor has been unavailable since" in ended.error
    assert "It is tried again at" in ended.error
    assert pings.made == [("north", EPICOR)]
    assert (health(tenant).trips, health(tenant).reason) == (1, "The server refused the connection.")
    assert actions(tenant) == ["connection.opened"]
    assert [record.message for record in caplog.records] == ["connection.open"]
    assert not ConnectionHealth.objects.filter(tenant=other).exists()


def test_whatever_needs_the_system_is_put_off_and_nothing_else(tenant: Tenant, other: Tenant, fall: Any) -> None:
    StageSchedule.objects.filter(tenant=tenant, stage="payments_in").update(next_due=timezone.now() + timedelta(days=1))
    StageSchedule.objects.filter(tenant=tenant, stage="gl_codes_out").update(next_due=None)
    fall(tenant)
    due = due_in(tenant)
    # The five-minute cadence comes after the first pause anyway; what was due before it waits for its end.
    assert 20 < due["gl_codes_out"] <= 30
    assert 20 < due["vendors_out"] <= 30, "the run that found it out comes back"
    assert due["approvals_in"] == pytest.approx(300, abs=10), "it asks AvidXchange only"
    assert due["payments_in"] == pytest.approx(86_400, abs=10)
    assert list(due_in(other).values()) == [pytest.approx(300, abs=10)] * len(Stage)


def test_stages_that_need_it_end_at_once_without_a_call(tenant: Tenant, fall: Any, run: Run, pings: Pings) -> None:
    fall(tenant)
    pings.made.clear()
    for stage in needing(EPICOR):
        ended = run(tenant, stage, fault=Retry("It was called.", system=EPICOR))
        assert (ended.status, ended.requests, ended.read) == ("waiting", 0, 0)
    assert run(tenant, Stage.APPROVALS_IN).status == "done"
    assert pings.made == []


def test_another_tenant_is_not_touched(tenant: Tenant, other: Tenant, fall: Any, run: Run) -> None:
    fall(tenant)
    assert {run(other, stage).status for stage in Stage} == {"done"}
    assert outages.waits_until(other, Stage.VENDORS_OUT) is None


def test_a_ping_that_is_answered_shows_that_it_was_only_the_call(tenant: Tenant, run: Run, pings: Pings) -> None:
    fault = Retry("Epicor answered 500.", system=EPICOR, code="server_error")
    ended = run(tenant, fault=fault, doubts={EPICOR: Doubt("Epicor answered 500.")})
    assert (ended.status, ended.error_code, ended.error) == ("failed", "server_error", "Epicor answered 500.")
    assert pings.made == [("north", EPICOR)]
    assert not ConnectionHealth.objects.filter(since__isnull=False).exists()


def test_a_run_stopped_by_its_guard_though_the_system_answers_has_failed(
    tenant: Tenant, run: Run, pings: Pings
) -> None:
    fault = Waits("5 calls in a row failed. Epicor answered 500.", system=EPICOR, code="connection_waits")
    ended = run(tenant, fault=fault, doubts={EPICOR: Doubt(fault.message)})
    assert (ended.status, ended.error_code) == ("failed", "unavailable")
    assert ended.error == ("Epicor answers, but not to what was asked: 5 calls in a row failed. Epicor answered 500.")


@pytest.mark.parametrize("answer", [Misconfigured("The password is wrong.", system=EPICOR, code="login_refused")])
def test_a_login_that_is_refused_is_an_answer(answer: ConnectorError, tenant: Tenant, run: Run, pings: Pings) -> None:
    pings.meets["north", EPICOR] = answer
    assert run(tenant, fault=down(), doubts={EPICOR: Doubt("It failed.")}).status == "failed"
    assert not ConnectionHealth.objects.filter(since__isnull=False).exists()


def test_an_unknown_outcome_may_be_a_system_that_is_down(tenant: Tenant, run: Run, pings: Pings) -> None:
    pings.meets["north", AVID] = down(AVID)
    lost = Uncertain("The connection was reset.", system=AVID)
    assert run(tenant, fault=lost, doubts={AVID: Doubt("Reset.")}).status == "waiting"


def test_a_run_that_came_to_its_end_is_done_though_its_last_call_failed(tenant: Tenant, run: Run, pings: Pings) -> None:
    pings.meets["north", AVID] = down(AVID)
    ended = run(tenant, doubts={AVID: Doubt("Reset.")})
    assert ended.status == "done"
    assert health(tenant, AVID).since is not None
    assert outages.waits_until(tenant, Stage.APPROVALS_IN) is not None


def test_a_wish_for_peace_is_taken_at_its_word(tenant: Tenant, run: Run, pings: Pings) -> None:
    fault = Waits("Slow down.", system=AVID, code="connection_waits", delay_s=600)
    ended = run(tenant, fault=fault, doubts={AVID: Doubt("Slow down.", wish_s=600)})
    assert (ended.status, pings.made) == ("waiting", [])
    assert list(due_in(tenant).values()) == [pytest.approx(600, abs=10)] * len(Stage)


def test_workers_that_find_the_same_outage_ping_once_and_tell_it_once(
    tenant: Tenant, fall: Any, run: Run, pings: Pings
) -> None:
    fall(tenant)
    met = run(tenant, Stage.APPROVALS_IN, fault=down(), doubts={EPICOR: Doubt("It failed.")})
    assert (met.status, len(pings.made), health(tenant).trips) == ("waiting", 1, 1)
    assert actions(tenant) == ["connection.opened"]
    assert due_in(tenant)["approvals_in"] == pytest.approx(300, abs=10), "it keeps its own cadence"


# -- telling -------------------------------------------------------------------------------------------------------


def test_one_problem_says_since_when_what_waits_and_that_it_goes_on_by_itself(
    tenant: Tenant, fall: Any, run: Run
) -> None:
    fall(tenant)
    for _ in range(4):
        pass_time(4000)
        run(tenant)
    problem = Problem.objects.get()
    assert (problem.subject_kind, problem.subject_key, problem.turn) == ("connection", "epicor", "operator")
    assert problem.message.startswith("Epicor has been unavailable since ")
    assert "The server refused the connection." in problem.message
    assert "these wait: Vendors to AvidXchange, GL codes" in problem.message
    assert "Approvals from AvidXchange" not in problem.message
    assert "by itself" in problem.hint
    assert (health(tenant).trips, actions(tenant)) == (5, ["connection.opened"])


def test_a_problem_that_somebody_ignores_stays_ignored_for_as_long_as_the_outage(
    tenant: Tenant, fall: Any, run: Run, pings: Pings
) -> None:
    fall(tenant)
    Problem.objects.update(state="ignored")
    pings.meets["north", EPICOR] = Retry("Now it answers 503.", system=EPICOR)
    ConnectionHealth.objects.update(until=timezone.now())
    assert run(tenant).status == "waiting"
    assert list(Problem.objects.values_list("state", flat=True)) == ["ignored"]


# -- over ----------------------------------------------------------------------------------------------------------


def test_one_run_pings_when_the_pause_is_over_and_the_others_wait_for_it(
    tenant: Tenant, fall: Any, run: Run, pings: Pings, monkeypatch: pytest.MonkeyPatch
) -> None:
    fall(tenant)
    pings.made.clear()
    pass_time(30)
    seen = []

    def ping(asked: Tenant, system: System, **_options: Any) -> None:
        met = run(asked, Stage.GL_CODES_OUT)
        seen.append((met.status, met.requests, outages.waits_until(asked, Stage.GL_CODES_OUT) is not None))
        raise down()

    monkeypatch.setattr(clients, "ping", ping)
    assert run(tenant).status == "waiting"
    assert seen == [("waiting", 0, True)]
    assert health(tenant).trips == 2


def test_a_stage_that_needs_it_for_a_part_only_pings_too_and_runs_in_any_case(
    tenant: Tenant, fall: Any, run: Run, pings: Pings
) -> None:
    """It may be the only one that is switched on."""
    fall(tenant)
    pings.made.clear()
    pass_time(31)
    assert run(tenant, Stage.APPROVALS_IN).status == "done"
    assert (pings.made, health(tenant).trips) == ([("north", EPICOR)], 2)
    pings.meets.clear()
    pass_time(61)
    assert run(tenant, Stage.APPROVALS_IN).status == "done"
    assert health(tenant).since is None


def test_a_ping_of_a_worker_that_died_is_made_by_another(tenant: Tenant, fall: Any, run: Run, pings: Pings) -> None:
    fall(tenant)
    pass_time(30)
    assert connections.claim_probe(tenant, EPICOR)
    assert not connections.claim_probe(tenant, EPICOR)
    assert run(tenant).status == "waiting"
    pings.meets.clear()
    pass_time(connections.POLICY.probe_s)
    assert run(tenant).status == "done"


def test_the_ping_that_is_answered_lets_everything_go_on(
    tenant: Tenant, fall: Any, run: Run, pings: Pings, caplog: pytest.LogCaptureFixture
) -> None:
    StageSchedule.objects.filter(tenant=tenant, stage="payments_in").update(next_due=timezone.now() + timedelta(days=1))
    for stage in ("gl_codes_out", "invoices_in"):
        StageSchedule.objects.filter(tenant=tenant, stage=stage).update(next_due=None)
    fall(tenant)
    pings.meets.clear()
    pass_time(31)
    with caplog.at_level(logging.WARNING):
        ended = run(tenant)
    assert (ended.status, ended.unchanged) == ("done", 1), "the run that pinged does its work"
    assert "connection.closed" in [record.message for record in caplog.records]
    assert (health(tenant).since, health(tenant).until, health(tenant).trips) == (None, None, 0)
    assert actions(tenant) == ["connection.opened", "connection.closed"]
    assert Problem.objects.get().resolution == "Epicor is available again."
    due = due_in(tenant)
    assert (due["gl_codes_out"], due["invoices_in"]) == (0, 0)
    assert due["payments_in"] > 80_000, "what was not due has not become so"


def test_a_second_outage_is_a_second_problem(tenant: Tenant, fall: Any, run: Run, pings: Pings) -> None:
    fall(tenant)
    pings.meets.clear()
    pass_time(31)
    run(tenant)
    fall(tenant)
    assert list(Problem.objects.order_by("pk").values_list("state", flat=True)) == ["resolved", "open"]
    assert health(tenant).trips == 1


def test_a_person_has_it_tried_at_once(tenant: Tenant, other: Tenant, fall: Any, run: Run, pings: Pings) -> None:
    fall(tenant)
    ConnectionHealth.objects.update(until=timezone.now() + timedelta(minutes=30), trips=9)
    StageSchedule.objects.filter(tenant=tenant).update(next_due=timezone.now() + timedelta(minutes=30))
    assert outages.try_again(tenant, EPICOR, actor=SYSTEM) is True
    assert due_in(tenant)["vendors_out"] == 0
    assert due_in(tenant)["approvals_in"] > 1000
    event = AuditEvent.objects.get(action="connection.tried_again")
    assert (event.actor_name, event.subject_key, event.before["pauses"], event.after["pauses"]) == (
        SYSTEM.name, "epicor", 9, 0,
    )  # fmt: skip
    pings.meets.clear()
    assert run(tenant).status == "done"
    assert outages.try_again(tenant, EPICOR, actor=SYSTEM) is False
    assert outages.try_again(other, AVID, actor=SYSTEM) is False
    assert AuditEvent.objects.filter(action="connection.tried_again").count() == 1


def test_a_rehearsal_waits_too_and_is_not_scheduled(tenant: Tenant, fall: Any, run: Run) -> None:
    fall(tenant)
    StageSchedule.objects.filter(tenant=tenant).update(next_due=timezone.now() + CADENCE)
    assert run(tenant, dry_run=True).status == "waiting"
    assert due_in(tenant)["vendors_out"] == pytest.approx(300, abs=10)


def test_no_place_free_is_no_outage(tenant: Tenant, run: Run, pings: Pings) -> None:
    fault = Waits("All calls were taken.", system=EPICOR, code="places_taken", delay_s=60)
    ended = run(tenant, fault=fault)
    assert (ended.status, ended.error_code, ended.error) == ("waiting", "places_taken", "All calls were taken.")
    assert due_in(tenant)["vendors_out"] == pytest.approx(60, abs=5)
    assert (pings.made, Problem.objects.count()) == ([], 0)


def test_runs_that_waited_are_forgotten_with_the_quiet_ones(tenant: Tenant, fall: Any, run: Run, pings: Pings) -> None:
    fall(tenant)
    pings.meets.clear()
    pass_time(31)
    good = run(tenant)
    StageRun.objects.update(ended_at=timezone.now() - timedelta(days=400))
    assert prune.prune()["runs"] == 1
    assert StageRun.objects.get() == good


def test_an_image_is_not_told_to_wait_when_everything_does(
    tenant: Tenant, sleeper: Sleeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def send(ctx: StageContext, link: str, images: list[str]) -> None:
        tried.append(link)
        raise Waits("AvidXchange is left alone.", system=AVID, delay_s=60)

    monkeypatch.setattr(images, "_waiting", lambda ctx: iter([("INV-1", ["a"]), ("INV-2", ["b"])]))
    monkeypatch.setattr(images, "_send", send)
    facts = {"trigger": "command", "actor": SYSTEM, "clock": sleeper.clock}
    assert loop.run_stage(tenant, Stage.INVOICES_OUT, images.send, **facts).status == "waiting"
    assert tried == ["INV-1"]
    assert not Problem.objects.exists()


# -- the store -----------------------------------------------------------------------------------------------------


def test_what_one_worker_notes_another_reads(tenant: Tenant, other: Tenant) -> None:
    connections.ensure(tenant, EPICOR)
    connections.ensure(other, EPICOR)
    mine, theirs = DatabaseStore(tenant, EPICOR), DatabaseStore(tenant, EPICOR)
    mine.slow(20)
    mine.halve(8)
    mine.halve(8)
    view = theirs.load()
    assert view is not None
    assert view.breaker.until is not None
    assert (view.breaker.until - view.now).total_seconds() == pytest.approx(20, abs=2)
    assert view.cut is not None
    assert view.cut.width == 4
    elsewhere = DatabaseStore(other, EPICOR).load()
    assert elsewhere is not None
    assert (elsewhere.breaker.until, elsewhere.cut) == (None, None)


def test_the_databases_clock_decides_and_not_ours(tenant: Tenant, fall: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Field lesson 9: our clock is two days ahead, and nothing is due before its time."""
    fall(tenant)
    real = datetime.now
    ahead = SimpleNamespace(now=lambda tz=None: real(tz) + timedelta(days=2))
    monkeypatch.setattr("django.utils.timezone.datetime", ahead)
    assert outages.waits_until(tenant, Stage.VENDORS_OUT) is not None
    assert not connections.claim_probe(tenant, EPICOR)


def test_a_store_that_is_away_changes_nothing_about_a_call(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    store = DatabaseStore(tenant, EPICOR)
    assert store.load() is None, "nobody has made the row"
    store.slow(20)
    store.halve(2)

    def away(*_args: Any, **_options: Any) -> None:
        raise DatabaseError("the server closed the connection")

    monkeypatch.setattr(store._rows, "annotate", away)
    monkeypatch.setattr(store._rows, "select_for_update", away)
    assert store.load() is None
    store.slow(20)
    assert not ConnectionHealth.objects.exists()
