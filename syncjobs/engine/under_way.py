"""What is still to happen: batches to be asked about again, and whatever a cycle has set in motion.

Reads for tasks and commands, which decide by them when to ring or to run next; nothing here changes a row.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, F, Min, Q, QuerySet, Value
from django.db.models.functions import Now

from connector.stages import Stage
from syncjobs.models import Batch, InvoiceImage, InvoiceLink, Payment, Posting
from syncjobs.states import (
    BATCH_LIVE,
    INVOICE_THERE,
    POSTING_LIVE,
    BatchStatus,
    ImageState,
    InvoiceState,
    PaymentState,
)
from tenants.models import Tenant, TenantStatus


def due_polls(tenant_id: int | None = None) -> list[tuple[int, Stage]]:
    """Return (tenant id, stage) of live tenants, or of one, whose submitted batches may be asked about again."""
    due = Batch.objects.filter(
        state__in=(BatchStatus.SUBMITTED, BatchStatus.UNCERTAIN),
        next_poll_at__lte=Now(),
        tenant__status=TenantStatus.LIVE,
    )
    if tenant_id is not None:
        due = due.filter(tenant_id=tenant_id)
    pairs = due.order_by("tenant_id", "stage").values_list("tenant_id", "stage").distinct()
    return [(tenant_id, Stage(stage)) for tenant_id, stage in pairs]


def next_poll_in(tenant_id: int, *, now: datetime | None = None) -> timedelta | None:
    """Return how long until the tenant's next batch may be asked about; None when none waits."""
    waiting = Batch.objects.filter(tenant_id=tenant_id, state__in=(BatchStatus.SUBMITTED, BatchStatus.UNCERTAIN))
    # The database's clock set the time and tells how far it is: ours may be days off (lesson 9).
    moment = Now() if now is None else Value(now)
    rest: timedelta | None = waiting.aggregate(rest=Min(F("next_poll_at") - moment))["rest"]
    return None if rest is None else max(rest, timedelta(0))


@dataclass(frozen=True, slots=True)
class Unfinished:
    """What of a tenant's cycle is still under way.

    ``stages`` are those that can bring it on; ``certain`` says that something must still happen, as opposed to approved
    invoices that AvidXchange may or may not pay soon; ``words`` is for a person, "" when nothing is under way.
    """

    stages: frozenset[Stage]
    certain: bool
    words: str

    def __bool__(self) -> bool:
        return bool(self.words)


def unfinished(tenant: Tenant, within: Collection[Stage] = tuple(Stage)) -> Unfinished:
    """Return what is under way for a tenant and one of the stages ``within`` can bring on: batches without verdicts,
    captured batches not acknowledged, documents half written, images not sent, approvals and payments to come."""
    batches = Batch.objects.filter(tenant=tenant)
    documents = Posting.objects.filter(tenant=tenant, state__in=POSTING_LIVE)
    images = InvoiceImage.objects.filter(tenant=tenant, invoice__state__in=INVOICE_THERE)
    payments = Payment.objects.filter(tenant=tenant)
    invoices = InvoiceLink.objects.filter(tenant=tenant, direction=InvoiceLink.OUT)
    parts: list[tuple[str, int, Stage]] = [
        *(("batches without verdicts", *one) for one in _by_stage(batches.filter(state__in=BATCH_LIVE))),
        *(("documents half written", *one) for one in _by_stage(documents)),
        (
            "captured batches",
            batches.filter(state__in=(BatchStatus.READING, BatchStatus.STORED)).count(),
            Stage.INVOICES_IN,
        ),
        ("images", images.filter(state__in=(ImageState.PENDING, ImageState.UNCERTAIN)).count(), Stage.INVOICES_OUT),
        ("approvals", invoices.filter(state=InvoiceState.SUBMITTED).count(), Stage.APPROVALS_IN),
        ("payments", payments.filter(Q(final=False) | Q(state=PaymentState.READY)).count(), Stage.PAYMENTS_IN),
    ]
    hoped = ("approved invoices", invoices.filter(state=InvoiceState.APPROVED).count(), Stage.PAYMENTS_IN)
    certain = [part for part in parts if part[1] and part[2] in within]
    told = [*certain, *([hoped] if hoped[1] and hoped[2] in within else [])]
    words = ", ".join(f"{number:,} {name}" for name, number, _stage in told)
    return Unfinished(frozenset(stage for _name, _number, stage in told), bool(certain), words)


def _by_stage(rows: QuerySet[Any]) -> list[tuple[int, Stage]]:
    counted = rows.order_by("stage").values_list("stage").annotate(number=Count("pk"))
    return [(number, Stage(stage)) for stage, number in counted]
