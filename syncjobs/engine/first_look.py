"""The look before a patient kind is sent: what AvidXchange has already is settled, and not sent a second time.

A batch that was never sent may all the same hold what has arrived: after our database was put back from a backup it
knows nothing of its last hours, and nothing in it says so. One question for each batch is what it costs never to need
to know (contract R14); a second copy of an invoice might be paid.
"""

from __future__ import annotations

from django.db.models.functions import Now

from connector.transport.errors import ConnectorError
from syncjobs.engine import locks, verdicts
from syncjobs.engine.context import StageContext
from syncjobs.engine.outbox import Outbox
from syncjobs.models import Batch
from syncjobs.states import BatchStatus, ItemState

THERE = "It was found over there before anything was sent."
ALONE = "Others of its batch were over there already; it is sent in another one."


def clear(ctx: StageContext, outbox: Outbox, batch: Batch) -> bool:
    """Return whether a claimed batch is to be sent: its kind may be sent twice, or nothing of it is over there yet.

    If something is, that is settled, the rest becomes due again, and the batch has come to its end: what a batch holds
    must be what was sent in it, because verdicts without an echo are told apart by their place. A look that fails gives
    the batch back and is raised.
    """
    if not outbox.patient or outbox.look_up is None:
        return True
    items = list(batch.items.filter(state=ItemState.PENDING).order_by("pk"))
    try:
        found = outbox.look_up(ctx, items)
    except ConnectorError:
        ctx.calls.flush(batch_id=batch.pk)
        locks.release(batch, BatchStatus.READY)
        raise
    ctx.calls.flush(batch_id=batch.pk)
    if not found:
        return True
    rest = [item for item in items if item.external_id not in found]
    with ctx.commit():
        if locks.release(batch, BatchStatus.SETTLED, settled_at=Now(), message=THERE):
            decided = verdicts.decide(ctx, outbox, items, found)
            if rest:
                verdicts.drop(ctx, outbox, rest, why=ALONE, outcome="uncertain")
            verdicts.trail(ctx, batch, decided)
    return False
