"""What is still to happen for a tenant, by the stages that can bring it on."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from connector.stages import Stage
from syncjobs.engine import under_way
from syncjobs.models import (
    Batch,
    InvoiceImage,
    InvoiceLink,
    Payment,
    Posting,
)
from tenants.models import Tenant

pytestmark = pytest.mark.django_db


def invoice(tenant: Tenant, number: str, state: str, gross: str, **values: Any) -> InvoiceLink:
    facts = {"direction": "out", "company": "EPIC06", "vendor_num": 104, "currency": "USD", **values}
    return InvoiceLink.objects.create(
        tenant=tenant, invoice_num=number, state=state, gross_amount=Decimal(gross), **facts
    )


def payment(tenant: Tenant, avid_id: str, state: str, amount: str, *, final: bool) -> Payment:
    return Payment.objects.create(
        tenant=tenant,
        avid_id=avid_id,
        state=state,
        status="X",
        method="CHECK",
        amount=Decimal(amount),
        currency="USD",
        final=final,
    )


def test_what_is_under_way_names_the_stages_that_go_on(north: Tenant, south: Tenant) -> None:
    assert not under_way.unfinished(north)
    batch = {"tenant": north, "kind": "vendors", "stage": "vendors_out"}
    Batch.objects.create(**batch, external_id="1", state="submitted")
    Batch.objects.create(**batch, external_id="2", state="settled")
    Batch.objects.create(tenant=north, kind="captured_invoices", stage="invoices_in", external_id="3", state="stored")
    Batch.objects.create(tenant=north, kind="captured_invoices", stage="invoices_in", external_id="4", state="review")
    posting = {"tenant": north, "stage": "payments_in", "kind": "ap_payment", "draft": "{}", "draft_hash": "x"}
    Posting.objects.create(**posting, natural_key="1", state="uncertain")
    Posting.objects.create(**posting, natural_key="2", state="held")
    sent = invoice(north, "A", "submitted", "1.00")
    InvoiceImage.objects.create(tenant=north, invoice=sent, file_ref=1, file_name="a.pdf")
    payment(north, "1", "seen", "1.00", final=False)
    payment(north, "2", "recorded", "1.00", final=True)
    rest = under_way.unfinished(north)
    assert rest.stages == set(Stage) - {Stage.GL_CODES_OUT, Stage.PURCHASE_ORDERS_OUT}
    assert rest.certain is True
    assert rest.words == (
        "1 batches without verdicts, 1 documents half written, 1 captured batches, 1 images, 1 approvals, 1 payments"
    )
    out = under_way.unfinished(north, [Stage.VENDORS_OUT, Stage.GL_CODES_OUT])
    assert (out.stages, out.certain, out.words) == ({Stage.VENDORS_OUT}, True, "1 batches without verdicts")
    assert not under_way.unfinished(north, [Stage.GL_CODES_OUT])
    assert not under_way.unfinished(south)


def test_approved_invoices_are_under_way_but_nobody_promised_when(north: Tenant) -> None:
    invoice(north, "A", "approved", "1.00")
    invoice(north, "B", "approved", "1.00", direction="in")
    rest = under_way.unfinished(north)
    assert (bool(rest), rest.certain, rest.words) == (True, False, "1 approved invoices")


def test_the_next_poll_is_told_by_the_earliest_batch(north: Tenant, south: Tenant) -> None:
    now = timezone.now()
    assert under_way.next_poll_in(north.pk) is None
    for number, seconds in enumerate((30, 8)):
        Batch.objects.create(
            tenant=north,
            kind="vendors",
            stage="vendors_out",
            external_id=str(number),
            state="submitted",
            next_poll_at=now + timedelta(seconds=seconds),
        )
    assert under_way.next_poll_in(north.pk, now=now) == timedelta(seconds=8)
    assert under_way.next_poll_in(north.pk, now=now + timedelta(minutes=1)) == timedelta(0)
    assert under_way.next_poll_in(south.pk) is None
