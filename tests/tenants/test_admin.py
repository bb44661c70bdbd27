"""The admin's pages: each person sees and changes what the role allows, and no page ever shows a secret."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from connector.transport.checks import Check
from connector.transport.errors import System
from tenants import audit, probe
from tenants.models import (
    AuditEvent,
    AvidXchangeConnection,
    EpicorConnection,
    Membership,
    Role,
    Tenant,
)
from tests.signing_in import signed_in

pytestmark = pytest.mark.django_db

SignIn = Callable[[User], Client]


@pytest.fixture
def sign_in() -> SignIn:
    return signed_in


def page(tenant: Tenant) -> str:
    return reverse("admin:tenants_tenant_change", args=[tenant.pk])


def posted(client: Client, address: str) -> dict[str, Any]:
    """Return what a browser would send if nobody changed anything on the page."""
    forms = client.get(address).context_data
    fields: dict[str, Any] = {}
    bound = [forms["adminform"].form]
    for inline in forms["inline_admin_formsets"]:
        bound += [inline.formset.management_form, *inline.formset.forms]
    for form in bound:
        for item in form:
            value = item.value()
            if value is not False and value is not None:
                fields[item.html_name] = "on" if value is True else value
    return fields


# --- who may see and do what --------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", [Role.FINANCE, Role.OPERATOR, Role.AUDITOR])
def test_who_may_not_configure_changes_nothing(role: Role, north: Tenant, person: Any, sign_in: SignIn) -> None:
    client = sign_in(person("ann", (north, role)))
    before = Tenant.objects.values().get(), EpicorConnection.objects.values().get(), AuditEvent.objects.count()
    assert client.post(page(north), {"name": "Other"}).status_code == 403
    test = reverse("admin:tenants_tenant_test_connections", args=[north.pk])
    assert client.post(test).status_code == 403
    assert (
        Tenant.objects.values().get(),
        EpicorConnection.objects.values().get(),
        AuditEvent.objects.count(),
    ) == before


def test_only_a_superuser_makes_a_tenant_and_nobody_deletes_one(north: Tenant, person: Any, sign_in: SignIn) -> None:
    boss = sign_in(person("boss", (north, Role.ADMINISTRATOR)))
    root = sign_in(person("root", superuser=True))
    add = reverse("admin:tenants_tenant_add")
    assert (boss.get(add).status_code, root.get(add).status_code) == (403, 200)
    for client in (boss, root):
        delete = reverse("admin:tenants_tenant_delete", args=[north.pk])
        assert client.post(delete, {"post": "yes"}).status_code == 403
    assert Tenant.objects.exists()


# --- changing -----------------------------------------------------------------------------------------------------


def test_saving_the_page_as_it_is_changes_nothing(north: Tenant, person: Any, sign_in: SignIn) -> None:
    client = sign_in(person("root", superuser=True))
    before = (
        AuditEvent.objects.count(),
        EpicorConnection.objects.values().get(),
        AvidXchangeConnection.objects.values().get(),
        Tenant.objects.values_list("options", "name").get(),
    )
    answer = client.post(page(north), posted(client, page(north)))
    assert answer.status_code == 302, answer.context_data["errors"]
    assert before == (
        AuditEvent.objects.count(),
        EpicorConnection.objects.values().get(),
        AvidXchangeConnection.objects.values().get(),
        Tenant.objects.values_list("options", "name").get(),
    )


def test_an_implementer_changes_a_secret_without_seeing_the_old_one(
    north: Tenant, person: Any, sign_in: SignIn, canary: str
) -> None:
    client = sign_in(person("ian", (north, Role.IMPLEMENTER)))
    fields = posted(client, page(north)) | {
        "epicor_connection-0-new_password": f"{canary}-new",
        "epicor_connection-0-plant": "MfgSys",
        "option_record_on": "ISSUED",
        "option_payment_methods": "ach = 7\ncheck=2",
        "option_currencies": "CAD, MXN",
    }
    answer = client.post(page(north), fields)
    assert answer.status_code == 302, answer.context_data["errors"]
    epicor = EpicorConnection.objects.get()
    assert (epicor.password.reveal(), epicor.password_set_by, epicor.plant) == (f"{canary}-new", "ian", "MfgSys")
    assert (epicor.api_key.reveal(), epicor.api_key_set_by) == (f"{canary}-api-key-north", "tests")
    assert Tenant.objects.get().options == {
        "record_on": "ISSUED",
        "payment_methods": {"ach": 7, "check": 2},
        "currencies": ["CAD", "MXN"],
    }
    events = AuditEvent.objects.order_by("-sequence").values_list("action", "actor_name", "subject_key")[:3]
    assert set(events) == {
        ("tenant.changed", "ian", "north"),
        ("epicor_connection.changed", "ian", "north"),
        ("credential.changed", "ian", "password"),
    }
    shown = client.get(page(north)).content.decode()
    assert re.search(r"Set on \d+ \w+ 20\d\d by ian\. Leave blank to keep it\.", shown)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epicor_connection-0-company": ""}, "This field is required."),
        ({"epicor_connection-0-company": "A/B"}, "Is an Epicor company ID: up to 8 letters"),
        ({"epicor_connection-0-base_url": "http://x.example.com"}, "An address begins with https://."),
        (
            {"epicor_connection-0-base_url": "https://collector.example.net"},
            "Enter it again, because base_url leads to another host now.",
        ),
        ({"epicor_connection-0-auth_mode": "oauth2"}, "Is needed to sign in with oauth2."),
        ({"avidxchange_connection-0-profile": '{"page_sise": 1}'}, "Page_sise: unknown setting"),
        ({"avidxchange_connection-0-profile": '"text"'}, "Must be an object of names and values."),
        ({"avidxchange_connection-0-profile": "{"}, "Enter a valid JSON."),
        ({"option_delta_overlap_days": "99"}, "Expected a whole number &lt;= 60."),
        ({"option_bank_accounts": "USD"}, "Write one name = value a line."),
        ({"option_payment_methods": "cash = 1"}, "Not one of the allowed names"),
        ({"time_zone": "Mars/Olympus"}, "Is no time zone"),
    ],
)
def test_the_form_refuses_what_a_file_would_be_refused_for(
    north: Tenant, person: Any, sign_in: SignIn, changes: dict[str, str], message: str
) -> None:
    client = sign_in(person("ian", (north, Role.IMPLEMENTER)))
    before = EpicorConnection.objects.values().get(), Tenant.objects.values().get(), AuditEvent.objects.count()
    answer = client.post(page(north), posted(client, page(north)) | changes)
    assert answer.status_code == 200
    assert message in answer.content.decode()
    assert (
        EpicorConnection.objects.values().get(),
        Tenant.objects.values().get(),
        AuditEvent.objects.count(),
    ) == before


def test_a_refused_form_does_not_echo_the_secret(north: Tenant, person: Any, sign_in: SignIn, canary: str) -> None:
    client = sign_in(person("ian", (north, Role.IMPLEMENTER)))
    fields = posted(client, page(north)) | {
        "epicor_connection-0-new_password": f"{canary}-typed",
        "epicor_connection-0-base_url": "nonsense",
    }
    answer = client.post(page(north), fields)
    assert answer.status_code == 200
    assert canary not in answer.content.decode()


def test_a_new_tenant_with_both_connections_from_the_form(
    north: Tenant, person: Any, sign_in: SignIn, canary: str
) -> None:
    client = sign_in(person("root", superuser=True))
    add = reverse("admin:tenants_tenant_add")
    fields = posted(client, add) | {
        "slug": "east",
        "name": "East Works",
        "epicor_connection-0-base_url": "https://east.erp.example.com",
        "epicor_connection-0-instance": "KineticLive",
        "epicor_connection-0-company": "EPIC06",
        "epicor_connection-0-username": "integration",
        "epicor_connection-0-new_password": f"{canary}-p",
        "epicor_connection-0-new_api_key": f"{canary}-k",
        "avidxchange_connection-0-base_url": "https://east.avid.example.com",
        "avidxchange_connection-0-new_company_token": f"{canary}-c",
        "avidxchange_connection-0-new_user_token": f"{canary}-u",
    }
    answer = client.post(add, fields)
    assert answer.status_code == 302, answer.context_data["errors"]
    east = Tenant.objects.get(slug="east")
    assert (east.status, east.epicor_connection.company) == ("setting_up", "EPIC06")
    assert east.avidxchange_connection.user_token.reveal() == f"{canary}-u"
    assert AuditEvent.objects.filter(tenant=east).exclude(action="schedule.changed").count() == 7
    assert audit.verify(east).ok


def test_going_live_needs_both_connections(person: Any, sign_in: SignIn) -> None:
    bare = Tenant.objects.create(slug="bare", name="Bare")
    client = sign_in(person("root", superuser=True))
    answer = client.post(page(bare), posted(client, page(bare)) | {"status": "live"})
    assert "A live tenant needs both connections" in answer.content.decode()
    assert Tenant.objects.get().status == "setting_up"


def test_an_administrator_gives_changes_and_takes_roles(
    north: Tenant, south: Tenant, person: Any, sign_in: SignIn
) -> None:
    ann = person("ann", (south, Role.FINANCE))
    boss = person("boss", (north, Role.ADMINISTRATOR), (south, Role.ADMINISTRATOR))
    client = sign_in(boss)
    fields = posted(client, page(north)) | {
        "memberships-TOTAL_FORMS": "2",
        "memberships-1-user": str(ann.pk),
        "memberships-1-role": "finance",
        "memberships-1-tenant": str(north.pk),
    }
    answer = client.post(page(north), fields)
    assert answer.status_code == 302, answer.context_data["errors"]
    assert Membership.objects.get(user=ann, tenant=north).role == "finance"
    fields = posted(client, page(north))
    mine = next(name for name, value in fields.items() if name.endswith("-user") and str(value) == str(ann.pk))
    fields[mine.replace("-user", "-role")] = "auditor"
    assert client.post(page(north), fields).status_code == 302
    fields = posted(client, page(north)) | {mine.replace("-user", "-DELETE"): "on"}
    assert client.post(page(north), fields).status_code == 302
    assert list(Membership.objects.filter(tenant=north).values_list("user__username", flat=True)) == ["boss"]
    events = (
        AuditEvent.objects.filter(tenant=north, subject_key="ann")
        .order_by("sequence")
        .values_list("action", "actor_name")
    )
    assert list(events) == [
        ("membership.granted", "boss"),
        ("membership.changed", "boss"),
        ("membership.revoked", "boss"),
    ]


def test_an_implementer_cannot_make_himself_administrator(north: Tenant, person: Any, sign_in: SignIn) -> None:
    ian = person("ian", (north, Role.IMPLEMENTER))
    client = sign_in(ian)
    membership = Membership.objects.get()
    fields = posted(client, page(north)) | {
        "memberships-TOTAL_FORMS": "1",
        "memberships-INITIAL_FORMS": "1",
        "memberships-0-id": str(membership.pk),
        "memberships-0-tenant": str(north.pk),
        "memberships-0-user": str(ian.pk),
        "memberships-0-role": "administrator",
    }
    client.post(page(north), fields)
    assert Membership.objects.get().role == "implementer"


# --- the audit trail ----------------------------------------------------------------------------------------------


def test_nobody_changes_the_trail_here(north: Tenant, person: Any, sign_in: SignIn) -> None:
    client = sign_in(person("root", superuser=True))
    event = AuditEvent.objects.first()
    assert event is not None
    change = reverse("admin:tenants_auditevent_change", args=[event.pk])
    assert client.post(change, {"reason": "other"}).status_code == 403
    assert client.post(reverse("admin:tenants_auditevent_delete", args=[event.pk]), {"post": "yes"}).status_code == 403
    assert client.get(reverse("admin:tenants_auditevent_add")).status_code == 403
    assert audit.verify(north).ok


def test_the_trail_is_searched_filtered_and_read(north: Tenant, south: Tenant, person: Any, sign_in: SignIn) -> None:
    actor = audit.Actor.system("invoices_in")
    event = audit.record(
        north,
        "invoices_in.posted",
        actor=actor,
        subject=("invoice", "EPIC06|104|INV-77"),
        before={"state": "draft"},
        after={"state": "<b>posted</b>", "total": "12.30"},
        run=99,
        reason="released",
    )
    client = sign_in(person("root", superuser=True))
    listed = reverse("admin:tenants_auditevent_changelist")

    def found(**query: str) -> int:
        return len(client.get(listed, query).context_data["cl"].result_list)

    key = "EPIC06|104|INV-77"
    assert [found(q=term) for term in (key, "99", "invoices_in.posted", "invoices_in", "EPIC06|104|INV-78")] == [
        1, 1, 1, 1, 0,
    ]  # fmt: skip
    assert (found(q=key, tenant="north"), found(q=key, tenant="south")) == (1, 0)
    today = event.at.date().isoformat()
    assert (found(q=key, at_from=today, at_to=today), found(q=key, at_to="2020-01-01")) == (1, 0)
    assert found(q=key, at_from="nonsense") == 1
    shown = client.get(reverse("admin:tenants_auditevent_change", args=[event.pk])).content.decode()
    for text in ("invoices_in (system)", "EPIC06|104|INV-77", "released", "draft", "12.30", event.hash):
        assert text in shown
    assert "&lt;b&gt;posted&lt;/b&gt;" in shown


def test_a_list_of_events_costs_the_same_however_many(
    north: Tenant, person: Any, sign_in: SignIn, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    from django.db import transaction

    with transaction.atomic():
        entries = (audit.Entry(action="a.b", subject=("x", str(n))) for n in range(300))
        audit.record_many(north, entries, actor=audit.Actor.system("tests"), run=1)
    client = sign_in(person("ann", (north, Role.AUDITOR)))
    with django_assert_max_num_queries(20):
        client.get(reverse("admin:tenants_auditevent_changelist"))


# --- the connection test ------------------------------------------------------------------------------------------


def test_the_connection_test_shows_each_check_with_what_to_do(
    north: Tenant, person: Any, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = [
        Check(system=System.EPICOR, name="login", ok=True, detail="Logged in."),
        Check(system=System.AVIDXCHANGE, name="vendors", ok=False, detail="Answered 404.", hint="Ask AvidXchange."),
    ]
    monkeypatch.setattr(probe, "checks", lambda tenant: checks)
    client = sign_in(person("ian", (north, Role.IMPLEMENTER)))
    address = reverse("admin:tenants_tenant_test_connections", args=[north.pk])
    assert address in client.get(page(north)).content.decode()
    before = client.get(address).content.decode()
    assert "It takes up to a minute." in before
    assert "Logged in." not in before
    shown = client.post(address).content.decode()
    for text in ("1 of 2 checks failed.", "login", "Logged in.", "vendors", "Answered 404.", "Ask AvidXchange."):
        assert text in shown
    event = AuditEvent.objects.order_by("-sequence").first()
    assert event is not None
    assert (event.action, event.actor_name, event.after) == (
        "connections.tested",
        "ian",
        {"checks": 2, "failed": 1},
    )
    other = reverse("admin:tenants_tenant_test_connections", args=[north.pk + 1000])
    assert client.get(other).status_code == 403


# --- secrets ------------------------------------------------------------------------------------------------------


def test_no_page_shows_a_secret(north: Tenant, south: Tenant, person: Any, sign_in: SignIn, canary: str) -> None:
    client = sign_in(person("root", superuser=True))
    addresses = [
        reverse("admin:index"),
        reverse("admin:tenants_tenant_changelist"),
        reverse("admin:tenants_auditevent_changelist"),
        reverse("admin:tenants_tenant_test_connections", args=[north.pk]),
        page(north),
        *(reverse("admin:tenants_auditevent_change", args=[event.pk]) for event in AuditEvent.objects.all()),
    ]
    shown = [client.get(address) for address in addresses]
    assert [answer.status_code for answer in shown] == [200] * len(addresses)
    assert [
        address for address, answer in zip(addresses, shown, strict=True) if canary in answer.content.decode()
    ] == []
