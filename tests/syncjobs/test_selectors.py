"""What dashboards are told: capped counts, freshness, money in flight, and only ever of the tenants asked about."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from connector.stages import Stage
from syncjobs import selectors
from syncjobs.engine import schedule
from syncjobs.models import (
    GLAccountMapping,
    InvoiceLink,
    Payment,
    Problem,
    StageRun,
    StageSchedule,
    VendorMapping,
)
from syncjobs.selectors import Capped
from tenants.audit import Actor
from tenants.models import Tenant

pytestmark = pytest.mark.django_db


def problem(tenant: Tenant, key: str, **values: Any) -> Problem:
    facts = {
        "stage": "invoices_out",
        "code": "vendor_not_mapped",
        "subject_kind": "invoice",
        "message": f"{key} is held.",
        "currency": "USD",
        "last_seen_at": timezone.now(),
        **values,
    }
    return Problem.objects.create(tenant=tenant, subject_key=key, **facts)


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


def test_queues_count_each_piece_of_work_once_and_only_the_tenants_asked_about(north: Tenant, south: Tenant) -> None:
    mapping = {"company": "EPIC06", "desired_hash": "h", "proposal": "create"}
    VendorMapping.objects.create(tenant=north, vendor_num=1, external_id="1", **mapping)
    VendorMapping.objects.create(tenant=north, vendor_num=2, external_id="2", **{**mapping, "proposal": ""})
    GLAccountMapping.objects.create(tenant=north, coa_code="MAIN", gl_account="1", **mapping)
    VendorMapping.objects.create(tenant=south, vendor_num=1, external_id="1", **mapping)
    refused = invoice(north, "A", "refused", "7.00")
    problem(north, "EPIC06|104|A", subject_id=refused.pk, amount=Decimal("7.00"))
    problem(north, "EPIC06|104|B", amount=Decimal("10.50"))
    problem(north, "EPIC06|104|C", state="resolved", amount=Decimal("99.00"))
    problem(north, "vendors_out", subject_kind="stage", code="misconfigured")
    problem(north, "EPIC06|104|D", subject_kind="difference", code="amount_differs", amount=Decimal("0.01"))
    problem(south, "EPIC06|104|A", amount=Decimal("55.00"))
    found = {queue.name: (str(queue.count), dict(queue.amounts)) for queue in selectors.queues([north])}
    assert found == {
        "needs_mapping": ("2", {}),
        "held": ("1", {"USD": Decimal("10.500")}),
        "rejected": ("1", {"USD": Decimal("7.000")}),
        "differences": ("1", {"USD": Decimal("0.010")}),
    }
    both = {queue.name: str(queue.count) for queue in selectors.queues(Tenant.objects.all())}
    assert (both["needs_mapping"], both["held"]) == ("3", "2")


def test_counts_stop_at_a_thousand(north: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selectors, "CAP", 3)
    for number in range(3):
        problem(north, str(number))
    assert selectors.capped(Problem.objects.all()) == Capped(3, more=False)
    problem(north, "one too many")
    assert str(selectors.capped(Problem.objects.all())) == "3+"
    assert str(Capped(1000, more=True)) == "1,000+"


def test_freshness_is_told_by_the_last_good_run(
    north: Tenant, south: Tenant, ran: Any, django_assert_max_num_queries: Any
) -> None:
    now = timezone.now()
    good = ran(north, "vendors_out", created=1)
    ran(north, "vendors_out", dry_run=True)
    StageRun.objects.create(
        tenant=north,
        stage="vendors_out",
        trigger="schedule",
        status="failed",
        started_at=now,
        lease_until=now,
        deadline=now,
    )
    with django_assert_max_num_queries(3):
        rows = selectors.freshness([north])
    assert [row.schedule.stage for row in rows] == [str(stage) for stage in Stage]
    first = rows[0]
    assert first.latest is not None
    assert (first.latest.status, first.succeeded_at, first.late) == ("failed", good.ended_at, False)
    assert (rows[1].latest, rows[1].succeeded_at, rows[1].late) == (None, None, False)
    # Fifteen minutes of cadence and ten of grace.
    soon, too_late = now + timedelta(minutes=24), now + timedelta(minutes=26)
    assert [row.late for row in selectors.freshness([north], now=soon)] == [False] * 7
    schedule.pause(north, Stage.GL_CODES_OUT, actor=Actor.system("ann"), reason="year end")
    StageSchedule.objects.filter(tenant=north, stage="payments_in").update(enabled=False)
    late = [row.schedule.stage for row in selectors.freshness([north], now=too_late) if row.late]
    assert late == ["vendors_out", "purchase_orders_out", "invoices_out", "approvals_in", "invoices_in"]


def test_a_poll_for_verdicts_makes_nothing_fresh(north: Tenant) -> None:
    now = timezone.now()
    facts = {"status": "done", "started_at": now, "ended_at": now, "lease_until": now, "deadline": now}
    StageRun.objects.create(tenant=north, stage="approvals_in", trigger="poll", **facts)
    assert [row.succeeded_at for row in selectors.freshness([north])] == [None] * 7


def test_failures_are_forgotten_once_the_stage_ran_again(north: Tenant, south: Tenant, ran: Any) -> None:
    now = timezone.now()
    facts = {"trigger": "schedule", "started_at": now, "lease_until": now, "deadline": now}
    for tenant in (north, south):
        for stage in ("vendors_out", "gl_codes_out"):
            StageRun.objects.create(tenant=tenant, stage=stage, status="failed", **facts)
    live = StageRun.objects.create(tenant=north, stage="payments_in", **facts)
    ran(north, "vendors_out")
    assert [(run.tenant.slug, run.stage) for run in selectors.last_failures([north])] == [("north", "gl_codes_out")]
    assert list(selectors.running([north])) == [live]
    assert list(selectors.running([south])) == []


def test_money_in_flight_is_exact(north: Tenant, south: Tenant) -> None:
    invoice(north, "A", "submitted", "0.10")
    invoice(north, "B", "submitted", "0.20")
    invoice(north, "C", "approved", "5.00", currency="EUR")
    invoice(south, "A", "submitted", "77.00")
    payment(north, "1", "seen", "3.33", final=False)
    payment(north, "2", "ready", "4.44", final=True)
    payment(north, "3", "held", "1.00", final=True)
    payment(north, "4", "recorded", "9.99", final=True)
    money = selectors.money_in_flight([north])
    assert money.in_approval == {"USD": Decimal("0.30")}
    assert money.to_be_paid == {"EUR": Decimal("5.00")}
    assert money.being_paid == {"USD": Decimal("3.33")}
    assert money.to_be_recorded == {"USD": Decimal("5.44")}
