"""The tenant's stages: cadence with the next five times, run now, rehearse, pause and resume, and who may."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)

from connector.stages import Stage
from syncjobs.engine import cadence, schedule
from syncjobs.models import ConnectionHealth, StageSchedule
from tenants import audit, probe
from tenants.audit import Actor
from tenants.models import AuditEvent, Role, Tenant

from .conftest import run

pytestmark = pytest.mark.django_db

SignIn = Callable[..., Client]


def stages_page(tenant: Tenant) -> str:
    return reverse("admin:tenants_tenant_stages", args=[tenant.pk])


def tenant_page(tenant: Tenant) -> str:
    return reverse("admin:tenants_tenant_change", args=[tenant.pk])


def posted(client: Client, address: str) -> dict[str, Any]:
    """What a browser would send if nobody changed anything on the page."""
    context = client.get(address).context_data
    bound = [context["adminform"].form]
    for inline in context["inline_admin_formsets"]:
        bound += [inline.formset.management_form, *inline.formset.forms]
    fields: dict[str, Any] = {}
    for item in (item for form in bound for item in form):
        value = item.value()
        if value is not False and value is not None:
            fields[item.html_name] = "on" if value is True else value
    return fields


def row_of(fields: dict[str, Any], tenant: Tenant, stage: str) -> str:
    """The prefix of a stage's row in the form."""
    pk = StageSchedule.objects.get(tenant=tenant, stage=stage).pk
    name = next(name for name, value in fields.items() if name.endswith("-id") and str(value) == str(pk))
    return name.removesuffix("-id")


def changes(tenant: Tenant) -> list[tuple[str, str, str]]:
    rows = AuditEvent.objects.filter(tenant=tenant).order_by("sequence")
    return list(rows.values_list("action", "subject_key", "reason"))


# --- cadence ------------------------------------------------------------------------------------------------------


def test_saving_the_page_as_it_is_changes_no_cadence(north: Tenant, sign_in: SignIn) -> None:
    client = sign_in("ian", (north, Role.IMPLEMENTER))
    before = list(StageSchedule.objects.order_by("pk").values()), changes(north)
    answer = client.post(tenant_page(north), posted(client, tenant_page(north)))
    assert answer.status_code == 302, answer.context_data["errors"]
    assert (list(StageSchedule.objects.order_by("pk").values()), changes(north)) == before


def test_a_stage_gets_times_of_day_in_the_companys_zone(north: Tenant, sign_in: SignIn) -> None:
    client = sign_in("ian", (north, Role.IMPLEMENTER))
    fields = posted(client, tenant_page(north))
    row = row_of(fields, north, "payments_in")
    fields |= {f"{row}-every_minutes": "", f"{row}-times": "30 6,18 * * 1-5"}
    answer = client.post(tenant_page(north), fields)
    assert answer.status_code == 302, answer.context_data["errors"]
    changed = StageSchedule.objects.get(tenant=north, stage="payments_in")
    assert (changed.interval, cadence.line_of(changed)) == (None, "30 6,18 * * 1-5")
    times = schedule.next_times(changed, 5, after=datetime(2026, 3, 6, 12, 0, tzinfo=UTC))
    zone = ZoneInfo("America/Chicago")
    local = [f"{one.astimezone(zone):%a %d %H:%M}" for one in times]
    # Daylight saving begins on 8 March 2026: the clock on the wall counts.
    assert local == ["Fri 06 06:30", "Fri 06 18:30", "Mon 09 06:30", "Mon 09 18:30", "Tue 10 06:30"]
    assert changed.next_due is not None
    assert changed.next_due > datetime.now(UTC), "times of day are not due at once"
    assert [action for action, *_rest in changes(north)].count("schedule.changed") == len(Stage) + 1
    assert "30 6,18 * * 1-5" in client.get(tenant_page(north)).content.decode()


def test_a_stage_gets_minutes_and_is_due_at_once(north: Tenant, sign_in: SignIn) -> None:
    StageSchedule.objects.filter(tenant=north).update(next_due=datetime(2030, 1, 1, tzinfo=UTC))
    client = sign_in("ian", (north, Role.IMPLEMENTER))
    fields = posted(client, tenant_page(north))
    row = row_of(fields, north, "vendors_out")
    client.post(tenant_page(north), fields | {f"{row}-every_minutes": "5"})
    changed = StageSchedule.objects.get(tenant=north, stage="vendors_out")
    assert (cadence.minutes_of(changed), changed.next_due) == (5, None)
    assert IntervalSchedule.objects.filter(every=5, period="minutes").count() == 1
    assert StageSchedule.objects.filter(tenant=north, next_due=None).count() == 1


def test_a_stage_is_switched_off(north: Tenant, sign_in: SignIn) -> None:
    client = sign_in("ian", (north, Role.IMPLEMENTER))
    fields = posted(client, tenant_page(north))
    row = row_of(fields, north, "gl_codes_out")
    del fields[f"{row}-enabled"]
    client.post(tenant_page(north), fields)
    assert list(StageSchedule.objects.filter(tenant=north, enabled=False).values_list("stage", flat=True)) == [
        "gl_codes_out"
    ]
    assert "None: it is switched off." in client.get(tenant_page(north)).content.decode()


@pytest.mark.parametrize(
    ("minutes", "times", "message"),
    [
        ("", "", "Enter either minutes or times, one of the two."),
        ("5", "0 6 * * *", "Enter either minutes or times, one of the two."),
        ("", "0 6 * *", "A crontab line has five fields, this one has 4."),
        ("", "0 25 * * *", "The hour &#x27;25&#x27; is not one."),
        ("", "x 6 * * *", "The minute &#x27;x&#x27; is not one."),
        ("0", "", "Ensure this value is greater than or equal to 1."),
    ],
)
def test_a_cadence_that_is_none_is_refused(
    minutes: str, times: str, message: str, north: Tenant, sign_in: SignIn
) -> None:
    client = sign_in("ian", (north, Role.IMPLEMENTER))
    fields = posted(client, tenant_page(north))
    row = row_of(fields, north, "vendors_out")
    before = list(StageSchedule.objects.order_by("pk").values())
    answer = client.post(tenant_page(north), fields | {f"{row}-every_minutes": minutes, f"{row}-times": times})
    assert answer.status_code == 200
    assert message in answer.content.decode()
    assert list(StageSchedule.objects.order_by("pk").values()) == before


@pytest.mark.parametrize("role", [Role.FINANCE, Role.OPERATOR, Role.AUDITOR])
def test_who_may_not_configure_sees_the_cadence_and_cannot_change_it(
    role: Role, north: Tenant, sign_in: SignIn
) -> None:
    client = sign_in("ann", (north, role))
    html = client.get(tenant_page(north)).content.decode()
    assert "Next five times" in html
    assert "every_minutes" not in html or 'name="stageschedule' not in html
    assert client.post(tenant_page(north), {"name": "Other"}).status_code == 403


def test_equal_cadences_share_a_row(north: Tenant) -> None:
    one, other = cadence.at_times("0 6 * * *", "UTC"), cadence.at_times("0 6 * * *", "UTC")
    assert one.pk == other.pk
    assert cadence.at_times("0 6 * * *", "America/Chicago").pk != one.pk
    assert CrontabSchedule.objects.filter(hour="6").count() == 2


# --- run, pause, resume -------------------------------------------------------------------------------------------


def test_an_operator_runs_one_stage_now(north: Tenant, sign_in: SignIn, bells: Any) -> None:
    client = sign_in("oli", (north, Role.OPERATOR))
    with bells() as rung:
        client.post(stages_page(north), {"do": "run", "stage": "vendors_out", "full_read": "on"})
    assert rung == [(north.pk, "vendors_out", "person", "oli", {"dry_run": False, "full_read": True})]
    assert changes(north)[-1] == ("run.asked", "vendors_out", "")


def test_all_stages_run_in_order_but_those_switched_off(north: Tenant, sign_in: SignIn, bells: Any) -> None:
    StageSchedule.objects.filter(tenant=north, stage="payments_in").update(enabled=False)
    client = sign_in("oli", (north, Role.OPERATOR))
    with bells() as rung:
        client.post(stages_page(north), {"do": "run", "stage": "", "dry_run": "on"})
    assert [stage for _tenant, stage, *_rest in rung] == [str(stage) for stage in Stage if stage != "payments_in"]
    assert all(options == {"dry_run": True, "full_read": False} for *_rest, options in rung)


@pytest.mark.parametrize("role", [Role.FINANCE, Role.AUDITOR])
@pytest.mark.parametrize("what", ["run", "pause", "resume", "pause_tenant", "resume_tenant", "add_stages"])
def test_who_may_not_operate_starts_and_stops_nothing(
    role: Role, what: str, north: Tenant, sign_in: SignIn, bells: Any
) -> None:
    client = sign_in("ann", (north, role))
    before = changes(north)
    with bells() as rung:
        answer = client.post(stages_page(north), {"do": what, "stage": "vendors_out", "reason": "x"})
    assert (answer.status_code, rung) == (403, [])
    assert [one for one in changes(north) if one not in before] == []
    html = client.get(stages_page(north)).content.decode()
    assert 'value="run"' not in html


def test_a_stage_is_paused_with_a_reason_and_resumed(north: Tenant, sign_in: SignIn) -> None:
    client = sign_in("oli", (north, Role.OPERATOR))
    client.post(stages_page(north), {"do": "pause", "stage": "invoices_out", "reason": ""})
    assert StageSchedule.objects.filter(paused_reason="").count() == len(Stage)
    client.post(stages_page(north), {"do": "pause", "stage": "invoices_out", "reason": "Month end."})
    paused = StageSchedule.objects.get(tenant=north, stage="invoices_out")
    assert paused.paused_reason == "Paused by oli: Month end."
    html = client.get(stages_page(north)).content.decode()
    assert "Paused by oli: Month end." in html
    assert "Resume Invoices to AvidXchange" in html
    client.post(stages_page(north), {"do": "resume", "stage": "invoices_out"})
    assert StageSchedule.objects.get(tenant=north, stage="invoices_out").paused_reason == ""
    assert [one[:2] for one in changes(north)[-2:]] == [
        ("schedule.paused", "invoices_out"), ("schedule.resumed", "invoices_out"),
    ]  # fmt: skip
    assert client.post(stages_page(north), {"do": "resume", "stage": "no_stage"}).status_code == 404


def test_a_whole_tenant_is_paused_and_resumed(north: Tenant, sign_in: SignIn, bells: Any) -> None:
    client = sign_in("oli", (north, Role.OPERATOR))
    client.post(stages_page(north), {"do": "pause_tenant", "reason": "Audit week."})
    assert Tenant.objects.get().status == "paused"
    assert changes(north)[-1] == ("tenant.changed", "north", "Audit week.")
    with bells() as rung:
        client.post(stages_page(north), {"do": "run", "stage": ""})
    assert rung == []
    client.post(stages_page(north), {"do": "resume_tenant"})
    assert Tenant.objects.get().status == "live"
    assert audit.verify(north).ok


def test_a_tenant_without_stages_gets_them(db: None, sign_in: SignIn) -> None:
    bare = Tenant.objects.create(slug="bare", name="Bare")
    client = sign_in("oli", (bare, Role.OPERATOR))
    assert "This tenant has no stages yet" in client.get(stages_page(bare)).content.decode()
    client.post(stages_page(bare), {"do": "add_stages"})
    assert StageSchedule.objects.filter(tenant=bare).count() == len(Stage)


def test_the_page_shows_what_runs_and_what_ran(north: Tenant, sign_in: SignIn) -> None:
    run(north, "vendors_out", status="done_with_problems")
    run(north, "gl_codes_out", status="running", ended_at=None, progress="Page 3")
    html = sign_in("ann", (north, Role.AUDITOR)).get(stages_page(north)).content.decode()
    assert "Page 3" in html
    assert "Done with problems" in html
    assert html.count("every 15 minutes") == len(Stage)


def outage(tenant: Tenant) -> ConnectionHealth:
    moment = timezone.now()
    StageSchedule.objects.filter(tenant=tenant).update(next_due=moment + timedelta(minutes=30))
    return ConnectionHealth.objects.create(
        tenant=tenant, system="epicor", since=moment, until=moment + timedelta(minutes=30), trips=7,
        reason="The server refused the connection.",
    )  # fmt: skip


def test_an_operator_has_a_system_that_is_left_alone_tried_now(north: Tenant, sign_in: SignIn) -> None:
    row = outage(north)
    client = sign_in("oli", (north, Role.OPERATOR))
    assert "Try again now" in client.get(stages_page(north)).content.decode()
    answer = client.post(stages_page(north), {"do": "try_again", "system": "epicor"}, follow=True)
    assert "Epicor is tried again within a minute" in answer.content.decode()
    row.refresh_from_db()
    assert row.until is not None
    assert (row.until <= timezone.now(), row.trips) == (True, 0)
    assert StageSchedule.objects.get(tenant=north, stage="vendors_out").next_due is None
    event = AuditEvent.objects.get(tenant=north, action="connection.tried_again")
    assert (event.actor_name, event.subject_kind, event.subject_key) == ("oli", "connection", "epicor")
    ConnectionHealth.objects.all().delete()
    answer = client.post(stages_page(north), {"do": "try_again", "system": "epicor"}, follow=True)
    assert "nothing waits for it" in answer.content.decode()
    assert client.post(stages_page(north), {"do": "try_again", "system": "sap"}).status_code == 404


@pytest.mark.parametrize("role", [Role.FINANCE, Role.AUDITOR])
def test_who_may_not_operate_sees_an_outage_and_cannot_end_its_pause(
    role: Role, north: Tenant, sign_in: SignIn
) -> None:
    row = outage(north)
    client = sign_in("ann", (north, role))
    html = client.get(stages_page(north)).content.decode()
    assert "Epicor has been unavailable since" in html
    assert "Try again now" not in html
    assert client.post(stages_page(north), {"do": "try_again", "system": "epicor"}).status_code == 403
    before = row.until
    row.refresh_from_db()
    assert row.until == before


def test_the_connection_test_tells_that_stages_leave_a_system_alone(
    north: Tenant, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "checks", lambda tenant: [])
    outage(north)
    client = sign_in("ian", (north, Role.IMPLEMENTER))
    address = reverse("admin:tenants_tenant_test_connections", args=[north.pk])
    html = client.post(address).content.decode()
    assert "Epicor has been unavailable since" in html
    assert "1 of 1 checks failed." in html


def test_another_tenants_stages_do_not_exist(north: Tenant, south: Tenant, sign_in: SignIn) -> None:
    client = sign_in("oli", (north, Role.OPERATOR))
    assert client.get(stages_page(south)).status_code in (403, 404)
    assert client.post(stages_page(south), {"do": "run"}).status_code in (403, 404)
    assert not AuditEvent.objects.filter(tenant=south, action="run.asked").exists()


# --- beat ---------------------------------------------------------------------------------------------------------


def test_beats_entries_are_for_superusers_who_may_only_switch_them(north: Tenant, sign_in: SignIn) -> None:
    listing = reverse("admin:django_celery_beat_periodictask_changelist")
    assert sign_in("ann", (north, Role.ADMINISTRATOR)).get(listing).status_code == 403
    client = sign_in("root", superuser=True)
    assert client.get(listing).status_code == 200
    task = PeriodicTask.objects.get(name="prune")
    address = reverse("admin:django_celery_beat_periodictask_change", args=[task.pk])
    client.post(address, {"task": "os.system", "args": '["x"]'})
    task.refresh_from_db()
    assert (task.enabled, task.task, task.args) == (False, "syncjobs.tasks.prune", "[]")
    assert client.post(
        reverse("admin:django_celery_beat_periodictask_delete", args=[task.pk]), {"post": "yes"}
    ).status_code == 403  # fmt: skip


def test_beats_other_tables_have_no_page() -> None:
    from django.contrib import admin

    assert [
        model
        for model in (ClockedSchedule, CrontabSchedule, IntervalSchedule, SolarSchedule)
        if model in admin.site._registry
    ] == []


def test_a_change_that_changes_nothing_leaves_no_trace(north: Tenant) -> None:
    row = StageSchedule.objects.get(tenant=north, stage="vendors_out")
    before = changes(north)
    schedule.change(row, minutes=15, times="", actor=Actor.system("test"))
    assert changes(north) == before
