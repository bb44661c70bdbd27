"""What follows from verdicts: on the items, on the records they were made from, and in the audit trail.

Every function here belongs inside the ``ctx.commit()`` that also moves the batch on (``engine/batches.py``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import QuerySet
from django.db.models.functions import Now

from connector.avidxchange.records import Verdict
from syncjobs.engine import links
from syncjobs.engine.context import StageContext
from syncjobs.engine.outbox import Outbox
from syncjobs.models import Batch, BatchItem
from syncjobs.states import ItemState
from tenants import audit


def decide(
    ctx: StageContext, outbox: Outbox, items: Sequence[BatchItem], verdicts: Mapping[str, Verdict]
) -> list[BatchItem]:
    """Put verdicts on their items and what follows from them on their subjects; return the decided items.

    ``verdicts`` are by the items' external ids; one that was found under another id over there has that from now on.
    """
    decided = []
    for item in items:
        verdict = verdicts.get(item.external_id)
        if verdict is None or verdict.successful is None:
            continue
        item.state = ItemState.ACCEPTED if verdict.successful else ItemState.REFUSED
        item.external_id = verdict.external_id if verdict.successful else item.external_id
        item.avid_id = verdict.avid_id[:100]
        item.status_text, item.code = verdict.status[:200], verdict.code[:80]
        item.message, item.field = verdict.message, verdict.field[:100]
        decided.append(item)
    if not decided:
        return []
    links.update(decided, ["state", "external_id", "avid_id", "status_text", "code", "message", "field"])
    _mark_subjects(ctx, outbox, decided)
    outbox.decided(ctx, decided)
    return decided


def _mark_subjects(ctx: StageContext, outbox: Outbox, decided: Sequence[BatchItem]) -> None:
    rows = outbox.model._default_manager.filter(tenant=ctx.tenant, pk__in=[item.subject_id for item in decided])
    by_pk = {row.pk: row for row in rows}
    # A second item of a row (a PO's receipts) has an id of its own over there, which is not the row's.
    named = not outbox.prefix and any(field.name == "avid_id" for field in outbox.model._meta.concrete_fields)
    taken = _taken(ctx, outbox, decided) if named else set()
    for item in decided:
        row = by_pk[item.subject_id]
        accepted = item.state == ItemState.ACCEPTED
        setattr(row, outbox.column("sent_hash" if accepted else "refused_hash"), item.payload_hash)
        if accepted and item.avid_id and named and item.avid_id not in taken:
            setattr(row, "avid_id", item.avid_id)  # noqa: B010  (not every outgoing record has the column)
        # As in Outbox.mark(): a later item of the row does not take "created" away.
        if not (accepted and row.seen_run == ctx.run.pk and row.outcome == "created"):
            row.outcome = ("created" if item.creates else "updated") if accepted else "rejected"
        row.seen_run = ctx.run.pk
    names = [outbox.column("sent_hash"), outbox.column("refused_hash"), "seen_run", "outcome"]
    if named:
        names.append("avid_id")
    links.update(list(by_pk.values()), names)
    # By the database's clock, because other stages compare it with what they have seen (lesson 9).
    rows.filter(pk__in=[item.subject_id for item in decided if item.state == ItemState.ACCEPTED]).update(sent_at=Now())


def _taken(ctx: StageContext, outbox: Outbox, decided: Sequence[BatchItem]) -> set[str]:
    """Return the ids among these verdicts that are other records' already: one more must not stop the whole batch."""
    given = Counter(item.avid_id for item in decided if item.avid_id)
    others: QuerySet[Any] = outbox.model._default_manager.exclude(pk__in=[item.subject_id for item in decided])
    held = others.filter(tenant=ctx.tenant, avid_id__in=list(given)).values_list("avid_id", flat=True)
    return set(held) | {one for one, times in given.items() if times > 1}


def drop(ctx: StageContext, outbox: Outbox, items: Sequence[BatchItem], *, why: str, outcome: str = "") -> None:
    """Give up items that were not sent or surely never arrived, and free their subjects for the next plan.

    ``outcome`` is what the run counts their subjects as until something better is known.
    """
    BatchItem.objects.filter(pk__in=[item.pk for item in items]).update(state=ItemState.DROPPED, message=why)
    for item in items:
        item.state, item.message = ItemState.DROPPED, why
    if outcome:
        outbox.mark(ctx, [item.subject_id for item in items], outcome)
    outbox.decided(ctx, items)


def trail(ctx: StageContext, batch: Batch, decided: Sequence[BatchItem]) -> None:
    """Write one audit row for each decided item."""
    audit.record_many(
        ctx.tenant,
        [
            audit.Entry(
                action=f"{ctx.stage}.{item.state}",
                subject=(item.subject_kind, item.subject_key),
                after={"batch": batch.external_id, "avid_id": item.avid_id, "hash": item.payload_hash}
                | ({"code": item.code, "message": item.message} if item.state == ItemState.REFUSED else {}),
            )
            for item in decided
        ],
        actor=ctx.actor,
        run=ctx.run.pk,
    )
