"""Two tenants whose ids collide, people with every role, and a little of everything that moves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from syncjobs import tasks
from syncjobs.engine import schedule
from syncjobs.models import (
    Attempt,
    AvidVendor,
    Batch,
    BatchItem,
    GLAccountMapping,
    InvoiceImage,
    InvoiceLink,
    Payment,
    Posting,
    Problem,
    PurchaseOrderLink,
    Remittance,
    StageRun,
    VendorMapping,
)
from tenants import services
from tenants.audit import Actor
from tenants.models import Role, Tenant, TenantStatus
from tests.signing_in import signed_in

TESTER = Actor.system("test")
SENT = datetime(2026, 3, 3, 4, 5, tzinfo=UTC)
DESIRED_VENDOR = (
    '{"VendorExternalSystemID":"EPIC06|104|MAIN","VendorName":"Quill Bearings","TaxId":"12-3456789",'
    '"Address":{"Line1":"1 Foundry Road","City":"Toledo","State":"OH","PostalCode":"43604"},"IsActive":true,'
    '"Operation":"Upsert"}'
)
DESIRED_INVOICE = (
    '{"ExternalId":"EPIC06|104|INV-77|1","DocumentType":"Invoice","VendorExternalSystemID":"EPIC06|104|MAIN",'
    '"Number":"INV-77","InvoiceDate":"2026-02-01","GrossAmount":1234.50,"Currency":"USD","Lines":'
    '[{"LineNumber":1,"Amount":1200.25,"GLAccount":"02-40-6030","Description":"Freight in"},'
    '{"LineNumber":2,"Amount":34.25,"GLAccount":"99-99-9999","Description":"Fees"}]}'
)
CAPTURED = (
    '{"id":"880012","number":"C-12","vendor_name":"Quill Bearings Co","gross_amount":"200.00","invoice_date":'
    '"2026-02-20","lines":[{"line_number":1,"amount":"200.00","gl_account":"02-40-6030","description":"Services"}]}'
)
DRAFT = (
    '{"company":"EPIC06","vendor_num":104,"invoice_num":"C-12","amount":"200.00","lines":'
    '[{"line_number":1,"amount":"200.00","gl_account":"6030|40|02","description":"Services"}]}'
)


def document(slug: str) -> dict[str, Any]:
    return {
        "slug": slug,
        "name": f"{slug.title()} Works",
        "time_zone": "America/Chicago",
        "currency": "USD",
        "epicor": {
            "base_url": f"https://{slug}.erp.example.com",
            "instance": "KineticLive",
            "company": "EPIC06",
            "auth_mode": "basic",
            "username": "integration",
            "password": "not-a-real-password",
            "api_key": "not-a-real-key",
            "bank_account_id": "MAIN",
            "payment_method_id": 1,
        },
        "avidxchange": {
            "base_url": f"https://{slug}.avid.example.com",
            "auth_mode": "tokens",
            "company_token": "not-a-real-token-a",
            "user_token": "not-a-real-token-b",
            "company_id": "AVID-A",
        },
    }


def make_tenant(slug: str) -> Tenant:
    tenant = services.apply(document(slug), actor=TESTER)
    tenant.status = TenantStatus.LIVE
    services.save_tenant(tenant, actor=TESTER)
    schedule.apply(tenant, {}, actor=TESTER)
    return tenant


@pytest.fixture
def north(db: None) -> Tenant:
    return make_tenant("north")


@pytest.fixture
def south(db: None) -> Tenant:
    return make_tenant("south")


@pytest.fixture
def person(db: None) -> Callable[..., User]:
    """Make a person with roles: ``person("ann", (tenant, Role.FINANCE), …)``."""

    def make(name: str, *roles: tuple[Tenant, Role], superuser: bool = False) -> User:
        user = User.objects.create_user(name, password="not-a-real-password", is_staff=True, is_superuser=superuser)
        for tenant, role in roles:
            services.set_membership(tenant, user, role, actor=TESTER)
        return user

    return make


@pytest.fixture
def sign_in(person: Callable[..., User]) -> Callable[..., Client]:
    """Sign a new person in: ``sign_in("ann", (tenant, Role.FINANCE))``."""
    return lambda name, *roles, **how: signed_in(person(name, *roles, **how))


@pytest.fixture
def bells(monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any) -> Callable[[], Any]:
    """Record bells instead of ringing them; ``with bells() as rung`` fills ``rung`` when the block is committed."""

    @contextmanager
    def record() -> Iterator[list[tuple[Any, ...]]]:
        rung: list[tuple[Any, ...]] = []
        with monkeypatch.context() as patch:
            patch.setattr(
                tasks.run_stage,
                "delay",
                lambda tenant, stage, trigger, actor, _id, **options: rung.append(
                    (tenant, stage, trigger, actor, options)
                ),
            )
            with django_capture_on_commit_callbacks(execute=True):
                yield rung

    return record


def vendor(tenant: Tenant, number: int = 104, **values: Any) -> VendorMapping:
    """A vendor that waits for a person, with three candidates."""
    facts: dict[str, Any] = {
        "company": "EPIC06",
        "vendor_code": f"QUILL{number}",
        "name": f"Quill Bearings {number} of {tenant.slug}",
        "external_id": f"EPIC06|{number}|MAIN",
        "desired": DESIRED_VENDOR,
        "desired_hash": f"hash-{number}",
        "proposal": "match",
        "score": 83,
        "evidence": [
            {"avid_id": f"41{number}", "name": "QUILL BEARINGS (AP)", "score": 83,
             "reasons": ["same tax id", "name 94 %"]},
            {"avid_id": f"42{number}", "name": "Quill Bros", "score": 51, "reasons": ["name 71 %"]},
            {"avid_id": f"43{number}", "name": "Quilting Co", "score": 40, "reasons": ["same postal code"]},
        ],
        **values,
    }  # fmt: skip
    for candidate in facts["evidence"]:
        AvidVendor.objects.get_or_create(
            tenant=tenant, avid_id=candidate["avid_id"], defaults={"name": candidate["name"]}
        )
    return VendorMapping.objects.create(tenant=tenant, vendor_num=number, **facts)


def account(tenant: Tenant, gl_account: str = "6030|40|02", **values: Any) -> GLAccountMapping:
    facts: dict[str, Any] = {
        "company": "EPIC06",
        "coa_code": "MAIN",
        "name": "Freight",
        "avid_account": "02-40-6030",
        "desired": '{"AccountNumber":"02-40-6030"}',
        "desired_hash": "hash-gl",
        "proposal": "create",
        **values,
    }
    return GLAccountMapping.objects.create(tenant=tenant, gl_account=gl_account, **facts)


def invoice(tenant: Tenant, number: str = "INV-77", **values: Any) -> InvoiceLink:
    facts: dict[str, Any] = {
        "direction": "out",
        "company": "EPIC06",
        "vendor_num": 104,
        "vendor_name": f"Quill Bearings of {tenant.slug}",
        "state": "held",
        "hold_code": "vendor_not_mapped",
        "hold_message": "Vendor 104 of Epicor is not mapped to an AvidXchange vendor.",
        "currency": "USD",
        "gross_amount": Decimal("1234.5"),
        "open_amount": Decimal("1234.5"),
        "invoice_date": date(2026, 2, 1),
        "due_date": date(2026, 3, 3),
        **values,
    }
    return InvoiceLink.objects.create(tenant=tenant, invoice_num=number, **facts)


def problem(tenant: Tenant, about: InvoiceLink | None = None, **values: Any) -> Problem:
    facts: dict[str, Any] = {
        "stage": "invoices_out",
        "code": "vendor_not_mapped",
        "subject_kind": "invoice",
        "subject_key": f"EPIC06|104|{about.invoice_num}" if about else f"EPIC06|104|P-{Problem.objects.count()}",
        "subject_id": about.pk if about else None,
        "message": f"Vendor 104 of {tenant.slug} is not mapped.",
        "hint": "Approve or create the vendor's mapping.",
        "amount": Decimal("1234.5"),
        "currency": "USD",
        "last_seen_at": timezone.now(),
        **values,
    }
    return Problem.objects.create(tenant=tenant, **facts)


def run(tenant: Tenant, stage: str = "invoices_out", **values: Any) -> StageRun:
    facts: dict[str, Any] = {
        "trigger": "schedule",
        "asked_by": "schedule",
        "status": "done",
        "started_at": SENT,
        "ended_at": SENT + timedelta(seconds=75),
        "lease_until": SENT,
        "deadline": SENT,
        "read": 3,
        "created": 2,
        "unchanged": 1,
        **values,
    }
    return StageRun.objects.create(tenant=tenant, stage=stage, **facts)


def world(tenant: Tenant) -> SimpleNamespace:
    """One of everything, the same ids for every tenant."""
    ran = run(tenant)
    mapped = account(tenant, state="approved")
    outgoing = invoice(
        tenant,
        state="paid",
        hold_code="",
        hold_message="",
        avid_id="880019",
        external_id="EPIC06|104|INV-77|1",
        approval="approved",
        approval_changed_at=SENT + timedelta(hours=2),
        paid_amount=Decimal("1234.5"),
        open_amount=Decimal(0),
        desired=DESIRED_INVOICE,
        desired_hash="hash-out",
        sent_hash="hash-out",
    )
    image = InvoiceImage.objects.create(
        tenant=tenant, invoice=outgoing, file_ref=7, file_name="scan.pdf", size=640, state="sent", sent_at=SENT
    )
    batch = Batch.objects.create(
        tenant=tenant,
        stage="invoices_out",
        kind="invoices",
        external_id="north-invoices-1",
        avid_batch_id="b-1",
        state="settled",
        run=ran,
        item_count=1,
        total=Decimal("1234.5"),
        sends=1,
        sent_at=SENT,
        settled_at=SENT + timedelta(minutes=1),
    )
    item = BatchItem.objects.create(
        tenant=tenant,
        batch=batch,
        external_id="EPIC06|104|INV-77|1",
        subject_kind="invoice",
        subject_id=outgoing.pk,
        subject_key="EPIC06|104|INV-77",
        payload=DESIRED_INVOICE,
        payload_hash="hash-out",
        state="accepted",
        avid_id="880019",
    )
    captured = Batch.objects.create(
        tenant=tenant, stage="invoices_in", kind="captured_invoices", external_id="guid-1", state="acknowledged",
        closed_at=SENT, acknowledged_at=SENT, item_count=1, total=Decimal(200),
    )  # fmt: skip
    incoming = invoice(
        tenant, "C-12", direction="in", state="written", hold_code="", hold_message="", avid_id="880012",
        captured=CAPTURED, captured_batch=captured, gross_amount=Decimal(200), open_amount=Decimal(0),
    )  # fmt: skip
    payment = Payment.objects.create(
        tenant=tenant, avid_id="500001", state="recorded", status="cleared", status_text="Cleared", method="check",
        amount=Decimal("1234.5"), currency="USD", check_number="300000101", vendor_num=104,
        vendor_name=f"Quill Bearings of {tenant.slug}", paid_at=SENT + timedelta(days=1),
        cleared_at=SENT + timedelta(days=3), final=True, detail='{"id":"500001","payer_check_number":"300000101"}',
    )  # fmt: skip
    Remittance.objects.create(
        tenant=tenant, payment=payment, position=1, number="INV-77", gross=Decimal("1234.5"), discount=Decimal(0),
        net=Decimal("1234.5"), invoice=outgoing,
    )  # fmt: skip
    steps = [
        {"step": "header", "state": "started", "at": (SENT + timedelta(days=4)).isoformat()},
        {"step": "header", "state": "done", "at": (SENT + timedelta(days=4, seconds=1)).isoformat(), "head_num": 3012},
    ]
    document = Posting.objects.create(
        tenant=tenant, stage="invoices_in", kind="ap_invoice", natural_key="EPIC06|104|C-12", state="done", run=ran,
        invoice=incoming, draft=DRAFT, draft_hash="d", steps=steps, done_at=SENT + timedelta(days=4, seconds=2),
    )  # fmt: skip
    recorded = Posting.objects.create(
        tenant=tenant, stage="payments_in", kind="ap_payment", natural_key="500001", state="done", payment=payment,
        draft='{"cash":"1234.50"}', draft_hash="p", steps=steps, head_num=3012, done_at=SENT + timedelta(days=4),
    )  # fmt: skip
    call = Attempt.objects.create(
        tenant=tenant, run=ran, batch=batch, system="avidxchange", operation="invoices.submit", method="POST",
        url="https://avid.example.com/invoices/batches", started_at=SENT + timedelta(seconds=1), seconds=0.4,
        status=500, error="server_error: HTTP 500 null", request_shape={"TaxId": "12-3456789", "n": 1},
        response_shape=None,
    )  # fmt: skip
    order = PurchaseOrderLink.objects.create(
        tenant=tenant, company="EPIC06", po_num=4500123, vendor_num=104, status="Open", total=Decimal(90),
        currency="USD", order_date=date(2026, 1, 5), desired='{"PONumber":"4500123"}', desired_hash="po",
        sent_hash="po",
    )  # fmt: skip
    return SimpleNamespace(
        run=ran, account=mapped, outgoing=outgoing, image=image, batch=batch, item=item, captured=captured,
        incoming=incoming, payment=payment, document=document, recorded=recorded, call=call, order=order,
        vendor=vendor(tenant), problem=problem(tenant, invoice(tenant, "INV-78")),
    )  # fmt: skip
