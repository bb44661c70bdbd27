"""Bells, commands and the connection test while a system is left alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from connector.transport.checks import Check
from connector.transport.errors import System
from syncjobs import selectors, tasks
from syncjobs.models import ConnectionHealth, StageRun, StageSchedule
from tenants import probe
from tenants.models import Tenant

pytestmark = pytest.mark.django_db


def close_down(tenant: Tenant, system: System = System.EPICOR, *, minutes: float = 10) -> ConnectionHealth:
    """A connection that is open, its pause over in so many minutes."""
    now = timezone.now()
    return ConnectionHealth.objects.create(
        tenant=tenant, system=system, since=now - timedelta(hours=1), until=now + timedelta(minutes=minutes), trips=4,
        reason="The server refused the connection.",
    )  # fmt: skip


def due_in(tenant: Tenant, stage: str) -> float:
    moment = StageSchedule.objects.get(tenant=tenant, stage=stage).next_due
    return 0.0 if moment is None else (moment - timezone.now()).total_seconds()


@pytest.mark.parametrize("trigger", ["schedule", "sweep", "poll"])
def test_a_bell_for_a_stage_that_waits_leaves_no_run(north: Tenant, policies: dict[str, Any], trigger: str) -> None:
    close_down(north)
    tasks.run_stage(north.pk, "vendors_out", trigger)
    assert not StageRun.objects.exists()
    tasks.run_stage(north.pk, "approvals_in", trigger)
    assert [run.stage for run in StageRun.objects.all()] == ["approvals_in"]


def test_a_run_that_was_taken_for_it_is_due_again_afterwards(north: Tenant, policies: dict[str, Any]) -> None:
    """Its cadence may be a day: the run that fell into the outage is made good after it."""
    close_down(north)
    StageSchedule.objects.filter(tenant=north).update(next_due=timezone.now() + timedelta(days=1))
    tasks.run_stage(north.pk, "vendors_out", "schedule")
    assert due_in(north, "vendors_out") == pytest.approx(600, abs=5)
    tasks.run_stage(north.pk, "gl_codes_out", "sweep", full_read=True)
    assert due_in(north, "gl_codes_out") == pytest.approx(86_400, abs=5), "a sweep comes again by itself"


def test_a_person_is_told_that_it_waits(north: Tenant, policies: dict[str, Any]) -> None:
    close_down(north)
    tasks.run_stage(north.pk, "vendors_out", "person", "ann", 7)
    run = StageRun.objects.get()
    assert (run.status, run.error_code, run.requests) == ("waiting", "connection_down", 0)
    assert run.error.startswith("Epicor has been unavailable since ")


def test_another_tenants_bell_rings_on(north: Tenant, south: Tenant, policies: dict[str, Any]) -> None:
    close_down(north)
    tasks.run_stage(south.pk, "vendors_out", "schedule")
    assert StageRun.objects.get().status == "done"


def test_verdicts_are_not_asked_for_meanwhile(north: Tenant, policies: dict[str, Any]) -> None:
    close_down(north, System.AVIDXCHANGE)
    tasks.poll_invoices(north.pk)
    assert not StageRun.objects.exists()


def test_sync_now_says_what_waits_and_fails(north: Tenant, policies: dict[str, Any]) -> None:
    close_down(north)
    out, said = StringIO(), StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("sync_now", "north", "vendors_out", "approvals_in", "--json", stdout=out, stderr=said)
    assert ended.value.code == 1
    runs = json.loads(out.getvalue())["runs"]
    assert [(run["stage"], run["status"]) for run in runs] == [("vendors_out", "waiting"), ("approvals_in", "done")]
    assert "Epicor has been unavailable since" in said.getvalue()


def test_the_connection_test_tells_of_the_outage_whatever_it_finds(
    north: Tenant, south: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = Check(system=System.EPICOR, name="login", ok=True, detail="Logged in.")
    monkeypatch.setattr(probe, "checks", lambda tenant: [good])
    close_down(north)

    def test(slug: str) -> tuple[int, str]:
        out = StringIO()
        try:
            call_command("check_connection", slug, stdout=out)
        except SystemExit as ended:
            return int(str(ended.code)), out.getvalue()
        return 0, out.getvalue()

    code, text = test("north")
    assert code == 1
    assert "FAILED epicor: outage. Epicor has been unavailable since" in text
    assert "It is tried again at" in text
    assert "The server refused the connection." in text
    assert "Try again now" in text
    assert test("south") == (0, "ok     epicor: login. Logged in.\n")


def test_the_time_of_the_next_try_is_in_the_companys_zone(north: Tenant, policies: dict[str, Any]) -> None:
    row = close_down(north)
    tasks.run_stage(north.pk, "vendors_out", "person", "ann", 7)
    assert row.until is not None
    local = row.until.astimezone(north.zone)
    assert f"It is tried again at {local.day} {local:%b %Y %H:%M} {local.tzname()}." in StageRun.objects.get().error


Ran = Callable[..., StageRun]


def test_a_run_that_waited_makes_nothing_fresh(north: Tenant, policies: dict[str, Any], ran: Ran) -> None:
    good = ran(north, "vendors_out")
    close_down(north)
    tasks.run_stage(north.pk, "vendors_out", "person", "ann", 7)
    row = next(one for one in selectors.freshness([north]) if one.schedule.stage == "vendors_out")
    assert row.latest is not None
    assert (row.latest.status, row.succeeded_at) == ("waiting", good.ended_at)
    assert selectors.last_failures([north]) == []
