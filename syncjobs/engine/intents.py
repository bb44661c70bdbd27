"""The intent to send: a batch with its items, committed before any call (design section 5.1).

A batch's external id is derived from what is in it, so the same content is the same batch. What has not been sent yet
can still be taken out of it again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.db.models.functions import Now

from syncjobs.engine import verdicts
from syncjobs.engine.context import StageContext
from syncjobs.engine.outbox import Outbox
from syncjobs.models import Batch, BatchItem
from syncjobs.states import BatchStatus, ItemState, advance

REPLACED = "It was changed or withdrawn before it was sent."


def plan(ctx: StageContext, outbox: Outbox, rows: Sequence[Any]) -> Batch | None:
    """Commit the intent to send ``rows`` (at most a batch of them); None when all are already in flight elsewhere."""
    items = [_item(ctx, outbox, row) for row in rows]
    with ctx.commit():
        batch = Batch.objects.create(
            tenant=ctx.tenant,
            stage=ctx.stage,
            kind=outbox.kind,
            external_id=_batch_id(ctx, outbox, items),
            run=ctx.run,
            replay_of=_refused_before(ctx, outbox, items),
            item_count=len(items),
            total=sum((outbox.amount(row) for row in rows), Decimal(0)),
        )
        for item in items:
            item.batch = batch
        # Insert first, on conflict nothing: a subject that another worker has in flight stays theirs (lesson 16).
        BatchItem.objects.bulk_create(items, ignore_conflicts=True)
        planned = list(batch.items.order_by("pk"))
        if len(planned) < len(items):
            batch.item_count = len(planned)
            batch.save(update_fields=["item_count", "updated_at"])
        if not planned:
            batch.delete()
            return None
        outbox.mark(ctx, [item.subject_id for item in planned], "uncertain")
        outbox.planned(ctx, planned)
    return batch


def withdraw_outdated(ctx: StageContext, outbox: Outbox, batch: Batch) -> bool:
    """Take out of an unsent batch what is not to be sent any more, or not like that; False if nothing is left of it.

    A batch may wait for long (a far side that was down), and people decide meanwhile. Patient kinds are left alone:
    what is in a batch is in a state of its own that nothing else changes.
    """
    if outbox.patient:
        return True
    items = list(batch.items.filter(state=ItemState.PENDING))
    rows = outbox.model._default_manager.filter(outbox.may_send, pk__in=[item.subject_id for item in items])
    current = dict(rows.values_list("pk", outbox.column("desired_hash")))
    outdated = [item for item in items if current.get(item.subject_id) != item.payload_hash]
    if outdated:
        with ctx.commit():
            verdicts.drop(ctx, outbox, outdated, why=REPLACED)
            if len(outdated) == len(items):
                advance(batch, BatchStatus.FAILED, settled_at=Now(), message=REPLACED)
    return len(outdated) < len(items)


def _item(ctx: StageContext, outbox: Outbox, row: Any) -> BatchItem:
    return BatchItem(
        tenant=ctx.tenant,
        external_id=outbox.external_id(row),
        subject_kind=outbox.subject_kind,
        subject_id=row.pk,
        subject_key=outbox.key(row),
        payload=outbox.text(row),
        payload_hash=getattr(row, outbox.column("desired_hash")),
        creates=not getattr(row, outbox.column("sent_hash")) and not getattr(row, "avid_id", ""),
    )


def _refused_before(ctx: StageContext, outbox: Outbox, items: Sequence[BatchItem]) -> Batch | None:
    """Return the newest batch in which some of this very content was refused: what goes out again replays it."""
    same = BatchItem.objects.filter(
        tenant=ctx.tenant,
        subject_kind=outbox.subject_kind,
        subject_id__in=[item.subject_id for item in items],
        payload_hash__in=[item.payload_hash for item in items],
        state=ItemState.REFUSED,
    )
    newest = same.select_related("batch").order_by("-batch_id").first()
    return newest.batch if newest is not None else None


def _batch_id(ctx: StageContext, outbox: Outbox, items: Sequence[BatchItem]) -> str:
    """Derive the batch's external id from its content; a later batch of the same content counts up."""
    digest = hashlib.sha256()
    for item in items:
        digest.update(f"{item.external_id}\0{item.payload_hash}\n".encode())
    base = f"{ctx.tenant.slug[:40]}-{outbox.kind}-{digest.hexdigest()[:16]}"
    again = Batch.objects.filter(tenant=ctx.tenant, kind=outbox.kind, external_id__startswith=base).count()
    return f"{base}-{again + 1}" if again else base
