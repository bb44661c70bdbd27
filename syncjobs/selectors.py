"""Reads for dashboards and commands: freshness, queues, what runs now, what waits, what failed, money in flight.

Nothing here changes a row. Every list is limited to the tenants that are handed in, and every count of a queue stops
at ``CAP``: a person needs "more than 1,000", not a scan of a million rows (ux.md, bars).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Count, Min, QuerySet, Sum
from django.utils import timezone

from connector.stages import LABELS, Stage, needing
from connector.transport.errors import System
from syncjobs.engine import connections, schedule
from syncjobs.engine import outages as waiting_for
from syncjobs.models import (
    ConnectionHealth,
    GLAccountMapping,
    InvoiceLink,
    Payment,
    Problem,
    StageRun,
    StageSchedule,
    VendorMapping,
)
from syncjobs.states import (
    RUN_OK,
    InvoiceState,
    MappingState,
    PaymentState,
    ProblemState,
    RunStatus,
)
from tenants.models import Tenant, TenantStatus

Tenants = Collection[Tenant] | QuerySet[Tenant]

#: Counts stop here.
CAP = 1_000
#: Invoices that AvidXchange, or an approver there, did not want.
REJECTED = (InvoiceState.REJECTED, InvoiceState.REFUSED)
#: A stage is late when it should have succeeded this long ago and has not.
GRACE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Capped:
    """A count that stops at ``CAP``; ``more`` says that there are more."""

    number: int
    more: bool = False

    def __str__(self) -> str:
        return f"{self.number:,}{'+' if self.more else ''}"


def capped(rows: QuerySet[Any]) -> Capped:
    """Count rows, but no further than ``CAP``."""
    number = rows.order_by()[: CAP + 1].count()
    return Capped(min(number, CAP), number > CAP)


@dataclass(frozen=True, slots=True)
class Queue:
    """Work that waits: how much of it, and the money at stake by currency (of the first ``CAP`` rows)."""

    name: str
    count: Capped
    amounts: Mapping[str, Decimal] = field(default_factory=dict)


def queues(tenants: Tenants) -> list[Queue]:
    """Return finance's queues in the order of ux.md: needs mapping, held, rejected, differences."""
    rows = queue_rows(tenants)
    vendors, accounts = capped(rows["vendors"]), capped(rows["gl_accounts"])
    both = vendors.number + accounts.number
    return [
        Queue("needs_mapping", Capped(min(both, CAP), vendors.more or accounts.more or both > CAP)),
        Queue("held", capped(rows["held"]), _stakes(rows["held"], "amount")),
        Queue("rejected", capped(rows["rejected"]), _stakes(rows["rejected"], "gross_amount")),
        Queue("differences", capped(rows["differences"]), _stakes(rows["differences"], "amount")),
    ]


def queue_rows(tenants: Tenants) -> dict[str, QuerySet[Any]]:
    """Return what is in each queue: what a total counts is what a click on it lists."""
    open_ones = Problem.objects.filter(tenant__in=tenants, state=ProblemState.OPEN)
    rejected = InvoiceLink.objects.filter(tenant__in=tenants, state__in=REJECTED)
    # A rejected invoice has a problem too; it is one piece of work and stands in one queue.
    held = open_ones.exclude(subject_kind="invoice", subject_id__in=rejected.values("pk"))
    vendors, accounts = (
        model.objects.filter(tenant__in=tenants, state=MappingState.PROPOSED, active=True)
        .exclude(desired_hash="")
        .exclude(proposal="")
        for model in (VendorMapping, GLAccountMapping)
    )
    return {
        "vendors": vendors,
        "gl_accounts": accounts,
        "held": held.exclude(subject_kind__in=("stage", "difference", "connection")),
        "rejected": rejected,
        "differences": open_ones.filter(subject_kind="difference"),
    }


def _stakes(rows: QuerySet[Any], column: str) -> dict[str, Decimal]:
    totals: dict[str, Decimal] = defaultdict(Decimal)
    for currency, amount in rows.order_by("-pk").values_list("currency", column)[:CAP]:
        if amount is not None:
            totals[currency] += amount
    return dict(totals)


@dataclass(frozen=True, slots=True)
class ProblemGroup:
    """Open problems of one cause; ``example`` is the oldest one's words."""

    code: str
    turn: str
    count: int
    amounts: Mapping[str, Decimal]
    example: str
    hint: str


def open_problems(tenants: Tenants) -> list[ProblemGroup]:
    """Return the tenants' open problems by cause, the most frequent first. Two queries."""
    rows = (
        Problem.objects.filter(tenant__in=tenants, state=ProblemState.OPEN)
        .values("code", "turn", "currency")
        .annotate(number=Count("pk"), money=Sum("amount"), first=Min("pk"))
        .order_by()
    )
    grouped: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for row in rows:
        grouped[row["code"], row["turn"]].append(row)
    examples = Problem.objects.in_bulk([min(one["first"] for one in ones) for ones in grouped.values()])
    groups = []
    for (code, turn), ones in grouped.items():
        example = examples[min(one["first"] for one in ones)]
        amounts = {one["currency"]: one["money"] for one in ones if one["money"] is not None}
        count = sum(one["number"] for one in ones)
        groups.append(ProblemGroup(code, turn, count, amounts, example.message, example.hint))
    return sorted(groups, key=lambda group: (-group.count, group.code))


@dataclass(frozen=True, slots=True)
class Freshness:
    """How fresh one stage of one tenant is. ``late`` is only ever true of a stage whose schedule runs."""

    schedule: StageSchedule
    latest: StageRun | None
    succeeded_at: datetime | None
    late: bool


def freshness(tenants: Tenants, *, now: datetime | None = None) -> list[Freshness]:
    """Return one entry a tenant and stage, tenants by slug and stages in the order of a cycle. Three queries."""
    moment = now or timezone.now()
    order = {str(stage): place for place, stage in enumerate(Stage)}
    rows = StageSchedule.objects.filter(tenant__in=tenants).select_related("tenant", "interval", "crontab")
    # A poll for verdicts reads nothing else, so it makes nothing fresh.
    runs = StageRun.objects.filter(tenant__in=tenants, dry_run=False).exclude(trigger="poll")
    latest = _newest(runs)
    good = _newest(runs.filter(status__in=RUN_OK))
    found = []
    for row in sorted(rows, key=lambda one: (one.tenant.slug, order[one.stage])):
        key = (row.tenant_id, row.stage)
        succeeded = good[key].ended_at if key in good else None
        found.append(Freshness(row, latest.get(key), succeeded, _is_late(row, succeeded, moment)))
    return found


def _newest(runs: QuerySet[StageRun]) -> dict[tuple[int, str], StageRun]:
    newest = runs.order_by("tenant_id", "stage", "-id").distinct("tenant_id", "stage").defer("error_detail")
    return {(run.tenant_id, run.stage): run for run in newest}


def _is_late(row: StageSchedule, succeeded: datetime | None, now: datetime) -> bool:
    if not row.enabled or row.paused_reason or row.tenant.status != TenantStatus.LIVE:
        return False
    return schedule.next_time(row, succeeded or row.created_at) + GRACE < now


def running(tenants: Tenants) -> QuerySet[StageRun]:
    """Return what runs now, the longest first."""
    rows = StageRun.objects.filter(tenant__in=tenants, status=RunStatus.RUNNING)
    return rows.select_related("tenant").order_by("started_at")


@dataclass(frozen=True, slots=True)
class Outage:
    """A system that a tenant's stages leave alone at the moment; ``stages`` are those that wait for it."""

    row: ConnectionHealth
    words: str
    stages: tuple[str, ...]


def outages(tenants: Tenants) -> list[Outage]:
    """Return the outages of the tenants, tenants by slug. Two queries."""
    rows = connections.all_open(tenants)
    on = defaultdict(set)
    for tenant_id, stage in StageSchedule.objects.filter(
        tenant__in=[row.tenant_id for row in rows], enabled=True
    ).values_list("tenant_id", "stage"):
        on[tenant_id].add(stage)
    return [
        Outage(
            row,
            waiting_for.words(row),
            tuple(LABELS[stage] for stage in needing(System(row.system)) if stage in on[row.tenant_id]),
        )
        for row in rows
    ]


def last_failures(tenants: Tenants, *, most: int = 10) -> list[StageRun]:
    """Return the newest runs that failed and have not been followed by a good one of the same stage. Two queries."""
    good = _newest(StageRun.objects.filter(tenant__in=tenants, status__in=RUN_OK, dry_run=False))
    bad = _newest(
        StageRun.objects.filter(tenant__in=tenants, status__in=(RunStatus.FAILED, RunStatus.ERRORED, RunStatus.LOST))
    )
    unmended = [run for key, run in bad.items() if key not in good or good[key].pk < run.pk]
    return sorted(unmended, key=lambda run: -run.pk)[:most]


@dataclass(frozen=True, slots=True)
class InFlight:
    """Money on its way, by currency: at AvidXchange for approval, approved and not yet paid, paid and not settled,
    settled and not yet recorded in Epicor."""

    in_approval: Mapping[str, Decimal]
    to_be_paid: Mapping[str, Decimal]
    being_paid: Mapping[str, Decimal]
    to_be_recorded: Mapping[str, Decimal]


def money_in_flight(tenants: Tenants) -> InFlight:
    """Return the money in flight. Sums are exact: they run over what is open, which indexes keep small."""
    invoices = InvoiceLink.objects.filter(tenant__in=tenants)
    payments = Payment.objects.filter(tenant__in=tenants)
    return InFlight(
        in_approval=_sums(invoices.filter(state=InvoiceState.SUBMITTED), "gross_amount"),
        to_be_paid=_sums(invoices.filter(state=InvoiceState.APPROVED), "gross_amount"),
        being_paid=_sums(payments.filter(final=False, state=PaymentState.SEEN), "amount"),
        to_be_recorded=_sums(payments.filter(state__in=(PaymentState.READY, PaymentState.HELD)), "amount"),
    )


def _sums(rows: QuerySet[Any], column: str) -> dict[str, Decimal]:
    totals = rows.order_by().values_list("currency").annotate(money=Sum(column))
    return {currency: money for currency, money in totals if money is not None}
