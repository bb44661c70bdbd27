"""Who decides what, and never about a row of another tenant. Who sees what: ``test_crawl.py``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from syncjobs.models import GLAccountMapping, InvoiceLink, Problem, StageRun, VendorMapping
from tenants.models import AuditEvent, Role, Tenant

from .conftest import run, vendor, world

pytestmark = pytest.mark.django_db

SignIn = Callable[..., Client]
MODELS = sorted(
    (model for model in admin.site._registry if model._meta.app_label == "syncjobs"), key=lambda one: one.__name__
)
ROWS = {
    "Attempt": "call", "Batch": "batch", "GLAccountMapping": "account", "InvoiceLink": "outgoing", "Payment": "payment",
    "Posting": "document", "Problem": "problem", "PurchaseOrderLink": "order", "StageRun": "run",
    "VendorMapping": "vendor",
}  # fmt: skip


def listing(model: Any) -> str:
    return reverse(f"admin:syncjobs_{model._meta.model_name}_changelist")


def page(row: Any) -> str:
    return reverse(f"admin:syncjobs_{row._meta.model_name}_change", args=[row.pk])


def decide(model: str, decision: str, *pks: int, **options: str) -> str:
    more = "".join(f"&{name}={value}" for name, value in options.items())
    chosen = "".join(f"&pk={pk}" for pk in pks)
    return f"{reverse(f'admin:syncjobs_{model}_decide')}?decision={decision}{chosen}{more}"


def test_every_table_of_records_has_a_list() -> None:
    assert {model.__name__ for model in MODELS} == set(ROWS)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_nobody_adds_changes_or_deletes_by_a_form(model: Any, north: Tenant, sign_in: SignIn) -> None:
    row = getattr(world(north), ROWS[model.__name__])
    client = sign_in("root", superuser=True)
    name = f"admin:syncjobs_{model._meta.model_name}"
    before = model.objects.values().get(pk=row.pk)
    assert client.get(reverse(f"{name}_add")).status_code == 403
    assert client.post(reverse(f"{name}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403
    client.post(page(row), {"state": "approved", "status": "failed"})
    assert model.objects.values().get(pk=row.pk) == before


@pytest.mark.parametrize("decision", ["approve", "create", "reject", "ignore", "take_back"])
@pytest.mark.parametrize("role", [Role.IMPLEMENTER, Role.OPERATOR, Role.AUDITOR])
def test_only_reviewers_decide_about_mappings(decision: str, role: Role, north: Tenant, sign_in: SignIn) -> None:
    row = vendor(north)
    client = sign_in("ann", (north, role))
    address = decide("vendormapping", decision, row.pk)
    assert client.get(address).status_code == 404
    assert client.post(address, {"reason": "Because."}).status_code == 404
    row.refresh_from_db()
    assert (row.state, AuditEvent.objects.filter(action__startswith="mapping.").count()) == ("proposed", 0)
    assert "decision=" not in client.get(page(row)).content.decode()
    assert client.get(listing(VendorMapping)).context_data["action_form"] is None


def test_a_decision_about_another_tenants_row_decides_nothing_at_all(
    north: Tenant, south: Tenant, sign_in: SignIn
) -> None:
    mine, foreign = vendor(north), vendor(south)
    client = sign_in("ann", (north, Role.FINANCE), (south, Role.AUDITOR))
    for pks in ((foreign.pk,), (mine.pk, foreign.pk), (mine.pk, 999_999), ()):
        assert client.post(decide("vendormapping", "approve", *pks)).status_code == 404
    ticked = {"action": "approve", "_selected_action": [mine.pk, foreign.pk], "index": "0"}
    assert client.get(client.post(listing(VendorMapping), ticked).headers["Location"]).status_code == 404
    assert set(VendorMapping.objects.values_list("state", flat=True)) == {"proposed"}


def test_an_auditor_of_one_tenant_cannot_use_the_right_had_with_another(
    north: Tenant, south: Tenant, sign_in: SignIn
) -> None:
    there = world(south)
    client = sign_in("ann", (north, Role.ADMINISTRATOR), (south, Role.AUDITOR))
    running = run(south, status="running", ended_at=None)
    for address in (
        decide("problem", "ignore", there.problem.pk),
        decide("stagerun", "cancel", running.pk),
        f"{reverse('syncjobs:replay')}?batch={there.batch.pk}",
        f"{reverse('syncjobs:replay')}?tenant=south&kind=invoice&key=EPIC06|104|INV-77",
    ):
        assert client.post(address, {"reason": "Because."}).status_code == 404, address
    stages = reverse("admin:tenants_tenant_stages", args=[south.pk])
    assert client.get(stages).status_code == 200
    assert client.post(stages, {"do": "run"}).status_code == 403
    assert Problem.objects.get(pk=there.problem.pk).state == "open"
    assert StageRun.objects.get(pk=running.pk).status == "running"


def test_a_search_by_vendor_name_does_not_go_by_another_tenants_names(
    north: Tenant, south: Tenant, sign_in: SignIn
) -> None:
    vendor(south, name="Secret Supplies")
    vendor(north, name="Quill Bearings")
    mine = world_invoice(north)
    world_invoice(south)
    client = sign_in("ann", (north, Role.AUDITOR))

    def found(term: str) -> list[InvoiceLink]:
        return list(client.get(listing(InvoiceLink), {"q": term}).context_data["cl"].result_list)

    assert found("secret supplies") == []
    assert found("quill bear") == [mine]
    assert found("inv-77") == [mine]


def world_invoice(tenant: Tenant) -> InvoiceLink:
    return InvoiceLink.objects.create(
        tenant=tenant, direction="out", company="EPIC06", vendor_num=104, invoice_num="INV-77", currency="USD"
    )


def test_decisions_are_offered_to_reviewers(north: Tenant, sign_in: SignIn) -> None:
    client = sign_in("ann", (north, Role.FINANCE))
    vendor(north)
    GLAccountMapping.objects.create(
        tenant=north, company="EPIC06", coa_code="MAIN", gl_account="1", desired_hash="x", proposal="create"
    )
    for model in (VendorMapping, GLAccountMapping):
        choices = client.get(listing(model)).context_data["action_form"].fields["action"].choices
        assert [value for value, _words in choices] == ["", "approve", "create", "reject", "ignore", "take_back"]
