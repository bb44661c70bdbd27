"""Replay from the admin: a preview first, a reason, two ways, and bells that ring when all of it is committed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from syncjobs.models import InvoiceLink, Posting
from tenants import services
from tenants.audit import Actor
from tenants.models import AuditEvent, Role, Tenant, TenantStatus

from .conftest import DESIRED_INVOICE, invoice, problem, world
from .test_access import page

pytestmark = pytest.mark.django_db

SignIn = Callable[..., Client]


def replay(**asked: object) -> str:
    return f"{reverse('syncjobs:replay')}?" + "&".join(f"{name}={value}" for name, value in asked.items())


def refused(tenant: Tenant) -> InvoiceLink:
    return invoice(
        tenant, "INV-90", state="refused", hold_code="", hold_message="", desired=DESIRED_INVOICE, desired_hash="h",
        refused_hash="h", external_id="EPIC06|104|INV-90|1",
    )  # fmt: skip


def test_a_preview_says_what_would_happen_and_does_nothing(north: Tenant, sign_in: SignIn, bells: Any) -> None:
    row = refused(north)
    client = sign_in("oli", (north, Role.OPERATOR))
    with bells() as rung:
        answer = client.get(replay(invoicelink=row.pk))
    assert answer.context_data["counts"] == [("Create", 1), ("Update", 0), ("Leave alone", 0), ("Cannot", 0)]
    assert answer.context_data["stages"] == ["Invoices to AvidXchange"]
    assert "Nothing has been sent." in answer.content.decode()
    assert rung == []
    assert not AuditEvent.objects.filter(action__startswith="replay.").exists()
    assert InvoiceLink.objects.get().refused_hash == "h"


@pytest.mark.parametrize(("how", "fresh"), [("stored", False), ("fresh", True)])
def test_a_replay_rings_for_its_stages_in_the_persons_name(
    how: str, fresh: bool, north: Tenant, sign_in: SignIn, bells: Any
) -> None:
    row = refused(north)
    client = sign_in("oli", (north, Role.OPERATOR))
    with bells() as rung:
        client.post(replay(invoicelink=row.pk), {"reason": "Corrected over there.", "how": how})
    options = {"reason": "Corrected over there.", "replay_of": None, "full_read": fresh}
    assert rung == [(north.pk, "invoices_out", "replay", "oli", options)]
    row.refresh_from_db()
    assert row.refused_hash == ""
    event = AuditEvent.objects.get(action="replay.requested")
    assert (event.actor_name, event.subject_kind, event.subject_key, event.reason, event.after["how"]) == (
        "oli", "invoice", "EPIC06|104|INV-90", "Corrected over there.", how,
    )  # fmt: skip


def test_a_replay_needs_a_reason(north: Tenant, sign_in: SignIn, bells: Any) -> None:
    row = refused(north)
    client = sign_in("oli", (north, Role.OPERATOR))
    with bells() as rung:
        answer = client.post(replay(invoicelink=row.pk), {"reason": " ", "how": "stored"})
    assert "This field is required." in answer.content.decode()
    assert rung == []
    assert InvoiceLink.objects.get().refused_hash == "h"


@pytest.mark.parametrize(
    ("name", "attribute", "subject"),
    [
        ("batch", "batch", "batch"), ("posting", "document", "posting"), ("stagerun", "run", "run"),
        ("payment", "payment", "payment"), ("vendormapping", "vendor", "vendor"),
        ("purchaseorderlink", "order", "purchase order"), ("glaccountmapping", "account", "gl account"),
    ],
)  # fmt: skip
def test_each_page_leads_to_its_own_preview(
    name: str, attribute: str, subject: str, north: Tenant, sign_in: SignIn
) -> None:
    row = getattr(world(north), attribute)
    client = sign_in("oli", (north, Role.OPERATOR))
    address = replay(**{name: row.pk})
    assert address in client.get(page(row)).content.decode()
    answer = client.get(address)
    assert answer.status_code == 200
    assert answer.context_data["title"].startswith(f"Replay {subject} ")


def test_a_finished_document_is_appended_to_never_edited(north: Tenant, sign_in: SignIn, bells: Any) -> None:
    old = world(north).document
    client = sign_in("oli", (north, Role.OPERATOR))
    with bells() as rung:
        client.post(replay(posting=old.pk), {"reason": "Look again.", "how": "stored"})
    assert [stage for _tenant, stage, *_rest in rung] == ["invoices_in"]
    new = Posting.objects.get(replay_of=old)
    assert (new.version, new.state, new.draft) == (2, "ready", old.draft)
    before = old.updated_at
    old.refresh_from_db()
    assert (old.state, old.updated_at) == ("done", before)
    assert "again, by a replay" in client.get(page(new)).content.decode()


def test_a_problem_is_tried_again(north: Tenant, sign_in: SignIn) -> None:
    row = problem(north, refused(north), code="refused")
    client = sign_in("oli", (north, Role.OPERATOR))
    assert "Try again" in client.get(page(row)).content.decode()
    answer = client.get(replay(tenant="north", kind="invoice", key="EPIC06|104|INV-90"))
    assert answer.context_data["counts"][0] == ("Create", 1)
    finance = sign_in("fay", (north, Role.FINANCE)).get(page(row)).content.decode()
    assert "Try again" not in finance


def test_some_days_are_replayed(north: Tenant, sign_in: SignIn) -> None:
    world(north)
    client = sign_in("oli", (north, Role.OPERATOR))
    answer = client.get(replay(tenant="north", since="2020-01-01", until="2040-01-01"))
    assert answer.context_data["title"] == "Replay days 2020-01-01..2040-01-01"
    assert sum(number for _words, number in answer.context_data["counts"]) > 1
    assert client.get(replay(tenant="north", since="yesterday", until="today")).status_code == 404


@pytest.mark.parametrize("role", [Role.FINANCE, Role.AUDITOR])
def test_who_may_not_operate_has_no_preview(role: Role, north: Tenant, sign_in: SignIn) -> None:
    row = refused(north)
    client = sign_in("ann", (north, role))
    assert client.get(replay(invoicelink=row.pk)).status_code == 404
    assert client.post(replay(invoicelink=row.pk), {"reason": "x"}).status_code == 404
    assert replay(invoicelink=row.pk) not in client.get(page(row)).content.decode()


def test_another_tenants_rows_and_nonsense_are_not_found(north: Tenant, south: Tenant, sign_in: SignIn) -> None:
    theirs = world(south)
    client = sign_in("oli", (north, Role.OPERATOR))
    for asked in (
        {"batch": theirs.batch.pk}, {"posting": theirs.document.pk}, {"invoicelink": theirs.outgoing.pk},
        {"tenant": "south", "kind": "invoice", "key": "EPIC06|104|INV-77"}, {"batch": "1;drop"},
        {"tenant": "north"}, {},
    ):  # fmt: skip
        assert client.get(replay(**asked)).status_code == 404, asked
    gone = client.get(replay(tenant="north", kind="invoice", key="EPIC06|104|INV-77"), follow=True)
    assert "north has no invoice" in gone.content.decode()


def test_nothing_is_replayed_for_a_paused_tenant(north: Tenant, sign_in: SignIn, bells: Any) -> None:
    row = refused(north)
    north.status = TenantStatus.PAUSED
    services.save_tenant(north, actor=Actor.system("test"))
    client = sign_in("oli", (north, Role.OPERATOR))
    with bells() as rung:
        answer = client.post(replay(invoicelink=row.pk), {"reason": "Now.", "how": "stored"})
    assert "Resume it before replaying anything." in answer.content.decode()
    assert rung == []
    assert InvoiceLink.objects.get().refused_hash == "h"
