"""What can be replayed, and what belongs to it: a record, a batch, a posting, a run, or everything of some days."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db.models import Q, QuerySet

from connector.stages import Stage
from syncjobs.models import (
    Batch,
    BatchItem,
    GLAccountMapping,
    InvoiceLink,
    Payment,
    Posting,
    PurchaseOrderLink,
    StageRun,
    VendorMapping,
)
from tenants.models import Tenant

#: More records than this at once are refused: a preview that nobody can read protects nobody.
MOST = 10_000


class NoSuchTarget(Exception):
    """Nothing of that name belongs to the tenant, or far too much; the sentence says which."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of record: its rows, its key as people write it, and the stage that moves it."""

    model: Any
    stage: Stage
    key: Callable[[Any], str]
    where: Callable[[list[str]], dict[str, object]]
    parts: int
    prefix: str = ""


#: By the subject kinds of batches, problems and the audit trail.
KINDS: dict[str, Kind] = {
    "vendor": Kind(
        VendorMapping,
        Stage.VENDORS_OUT,
        lambda row: f"{row.company}|{row.vendor_num}",
        lambda parts: {"company": parts[0], "vendor_num": int(parts[1])},
        2,
    ),
    "gl_account": Kind(
        GLAccountMapping,
        Stage.GL_CODES_OUT,
        lambda row: f"{row.company}|{row.coa_code}|{row.gl_account}",
        lambda parts: {"company": parts[0], "coa_code": parts[1], "gl_account": parts[2]},
        3,
    ),
    "purchase_order": Kind(
        PurchaseOrderLink,
        Stage.PURCHASE_ORDERS_OUT,
        lambda row: f"{row.company}|{row.po_num}",
        lambda parts: {"company": parts[0], "po_num": int(parts[1])},
        2,
    ),
    "receipts": Kind(
        PurchaseOrderLink,
        Stage.PURCHASE_ORDERS_OUT,
        lambda row: f"{row.company}|{row.po_num}",
        lambda parts: {"company": parts[0], "po_num": int(parts[1])},
        2,
        prefix="receipts_",
    ),
    "invoice": Kind(
        InvoiceLink,
        Stage.INVOICES_OUT,
        lambda row: f"{row.company}|{row.vendor_num}|{row.invoice_num}",
        lambda parts: {"company": parts[0], "vendor_num": int(parts[1]), "invoice_num": parts[2]},
        3,
    ),
    "payment": Kind(Payment, Stage.PAYMENTS_IN, lambda row: row.avid_id, lambda parts: {"avid_id": parts[0]}, 1),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What to replay: exactly one of these. ``since`` and ``until`` are days of the company, both included."""

    record: tuple[str, str] | None = None
    batch: int | None = None
    posting: int | None = None
    run: int | None = None
    since: date | None = None
    until: date | None = None

    @property
    def subject(self) -> tuple[str, str]:
        """The kind and key under which the audit trail has the replay."""
        if self.record is not None:
            return self.record
        for name in ("batch", "posting", "run"):
            if (number := getattr(self, name)) is not None:
                return name, str(number)
        return "days", f"{self.since}..{self.until}"


@dataclass(slots=True)
class Chosen:
    """What belongs to a target. ``stage`` runs whatever comes of it; ``run`` is what the new runs point at."""

    records: dict[str, list[Any]] = field(default_factory=dict)
    postings: list[Posting] = field(default_factory=list)
    stage: Stage | None = None
    run: int | None = None


def choose(tenant: Tenant, target: Target) -> Chosen:
    """Find what belongs to a target. Raises ``NoSuchTarget``; another tenant's rows do not exist here."""
    if target.record is not None:
        return _record(tenant, *target.record)
    if target.batch is not None:
        batch = Batch.objects.filter(tenant=tenant, pk=target.batch).first()
        if batch is None:
            raise NoSuchTarget(f"{tenant.slug} has no batch {target.batch}.")
        return _gathered(tenant, Batch.objects.filter(pk=batch.pk), Posting.objects.none(), run=batch.run_id)
    if target.posting is not None:
        posting = Posting.objects.filter(tenant=tenant, pk=target.posting).first()
        if posting is None:
            raise NoSuchTarget(f"{tenant.slug} has no posting {target.posting}.")
        lives = Posting.objects.filter(tenant=tenant, kind=posting.kind, natural_key=posting.natural_key)
        return Chosen(postings=_newest(lives), run=posting.run_id)
    if target.run is not None:
        run = StageRun.objects.filter(tenant=tenant, pk=target.run).first()
        if run is None:
            raise NoSuchTarget(f"{tenant.slug} has no run {target.run}.")
        mine = Q(tenant=tenant, run=run)
        chosen = _gathered(tenant, Batch.objects.filter(mine), Posting.objects.filter(mine), run=run.pk)
        chosen.stage = Stage(run.stage)
        return chosen
    if target.since is None or target.until is None or target.since > target.until:
        raise NoSuchTarget("Name a first and a last day, in that order.")
    days = _days(tenant, target.since, target.until)
    return _gathered(tenant, Batch.objects.filter(days), Posting.objects.filter(days), run=None)


def _record(tenant: Tenant, kind: str, key: str) -> Chosen:
    if kind not in KINDS:
        raise NoSuchTarget(f"There is no kind of record {kind!r}; known: {', '.join(KINDS)}.")
    parts = key.split("|", KINDS[kind].parts - 1)
    try:
        found = KINDS[kind].model._default_manager.filter(tenant=tenant, **KINDS[kind].where(parts)).first()
    except (IndexError, ValueError):
        found = None
    if found is None:
        raise NoSuchTarget(f"{tenant.slug} has no {kind.replace('_', ' ')} {key!r}.")
    return Chosen(records={kind: [found]})


def _days(tenant: Tenant, since: date, until: date) -> Q:
    start = datetime.combine(since, time(), tzinfo=tenant.zone)
    end = datetime.combine(until + timedelta(days=1), time(), tzinfo=tenant.zone)
    return Q(tenant=tenant, created_at__gte=start, created_at__lt=end)


def _gathered(tenant: Tenant, batches: QuerySet[Batch], postings: QuerySet[Posting], *, run: int | None) -> Chosen:
    """Collect the subjects of batches (a captured batch's are its invoices) and the newest lives of documents."""
    items = BatchItem.objects.filter(tenant=tenant, batch__in=batches.values("pk")).order_by(
        "subject_kind", "subject_id"
    )
    captured = InvoiceLink.objects.filter(tenant=tenant, captured_batch__in=batches.values("pk")).order_by("pk")
    subjects: dict[str, set[int]] = defaultdict(set)
    for kind, pk in items.values_list("subject_kind", "subject_id").distinct()[: MOST + 1]:
        subjects[kind].add(pk)
    for pk in captured.values_list("pk", flat=True)[: MOST + 1]:
        subjects["invoice"].add(pk)
    again = postings.order_by("pk").values("kind", "natural_key")[: MOST + 1]
    if sum(map(len, subjects.values())) + len(again) > MOST:
        raise NoSuchTarget(f"That is more than {MOST:,} records, too many to look through; choose a shorter time.")
    records = {
        kind: list(KINDS[kind].model._default_manager.filter(tenant=tenant, pk__in=pks).order_by("pk"))
        for kind, pks in subjects.items()
    }
    lives = Posting.objects.filter(tenant=tenant, natural_key__in={one["natural_key"] for one in again})
    # A captured invoice that is chosen brings its document along.
    alone = lives.exclude(kind="ap_invoice", invoice__in=subjects["invoice"])
    keys = {(one["kind"], one["natural_key"]) for one in again}
    documents = [posting for posting in _newest(alone) if (posting.kind, posting.natural_key) in keys]
    return Chosen(records=records, postings=documents, run=run)


def _newest(lives: QuerySet[Posting]) -> list[Posting]:
    """Return the last life of each document; the earlier ones were replayed before and stay as they were."""
    return list(lives.order_by("kind", "natural_key", "-version").distinct("kind", "natural_key"))
