"""Which rows are due to be upserted over there, and what became of them.

A stage describes its records once, as an ``Outbox``; planning, sending, looking up, polling and counting are then the
same for vendors, GL accounts, purchase orders, receipts and invoices (``engine/batches.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.db.models import Count, F, Q, QuerySet

from connector.avidxchange.client import BatchKind
from connector.avidxchange.records import Item, Verdict, content_hash, encode
from connector.translate.codebook import Hold
from syncjobs.engine.context import StageContext
from syncjobs.models import BatchItem
from syncjobs.models.base import Outgoing
from syncjobs.states import ItemState

LookUp = Callable[[StageContext, Sequence[BatchItem]], Mapping[str, Verdict]]
Consequence = Callable[[StageContext, Sequence[BatchItem]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbox:
    """One kind of record on its way to AvidXchange.

    ``may_send`` limits the rows beyond "its content differs from what was last accepted or refused".
    ``look_up`` finds items over there by external id after an unknown outcome; where the contract has no such read it
    is None, and the item is planned again, which is safe because these items are upserts under our own id.
    ``patient`` kinds are sent again only after two look-ups and 15 minutes (contract section 8): a second copy of them
    would be a second invoice. ``doubted`` are codes of refusals that may only mean that an earlier sending arrived:
    they are looked up before they are believed. ``payload`` is what goes on the wire for a row. ``decided`` and
    ``planned`` are the stage's own consequences, run in the same transaction.
    """

    kind: BatchKind
    model: type[Outgoing]
    subject_kind: str
    may_send: Q
    external_id: Callable[[Any], str]
    key: Callable[[Any], str]
    prefix: str = ""
    look_up: LookUp | None = None
    patient: bool = False
    doubted: frozenset[str] = frozenset()
    payload: Callable[[Any], str] | None = None
    amount: Callable[[Any], Decimal] = field(default=lambda row: Decimal(0))
    planned: Consequence = field(default=lambda ctx, items: None)
    decided: Consequence = field(default=lambda ctx, items: None)

    def column(self, name: str) -> str:
        """Return the row's column for this outbox: receipts share a row with their PO, under a prefix."""
        return f"{self.prefix}{name}"

    def text(self, row: Any) -> str:
        """Return the item as it goes on the wire."""
        return self.payload(row) if self.payload else str(getattr(row, self.column("desired")))

    def due(self, ctx: StageContext) -> QuerySet[Any]:
        """Rows whose content AvidXchange has neither accepted nor refused, and which are not in flight."""
        desired = self.column("desired_hash")
        rows: QuerySet[Any] = self.model._default_manager.filter(self.may_send, tenant=ctx.tenant)
        return (
            rows.exclude(**{desired: ""})
            .exclude(**{self.column("sent_hash"): F(desired)})
            .exclude(**{self.column("refused_hash"): F(desired)})
            .exclude(pk__in=self._in_flight(ctx))
        )

    def _in_flight(self, ctx: StageContext) -> QuerySet[Any, Any]:
        waiting = BatchItem.objects.filter(tenant=ctx.tenant, subject_kind=self.subject_kind, state=ItemState.PENDING)
        return waiting.values("subject_id")

    def note_in_flight(self, ctx: StageContext) -> None:
        """Count rows of this run whose verdict from an earlier one is still to come; inside ``ctx.commit()``."""
        rows = self.model._default_manager.filter(tenant=ctx.tenant, seen_run=ctx.run.pk, outcome="")
        rows.filter(pk__in=self._in_flight(ctx)).update(outcome="uncertain")

    def slices(self, ctx: StageContext, size: int) -> Iterator[list[Any]]:
        """Yield due rows in key order, ``size`` at a time, each once, whatever happens to them meanwhile."""
        last = 0
        while rows := list(self.due(ctx).filter(pk__gt=last).order_by("pk")[:size]):
            yield rows
            last = rows[-1].pk

    def second_look(
        self, ctx: StageContext, items: Sequence[BatchItem], said: Mapping[str, Verdict]
    ) -> Mapping[str, Verdict]:
        """Return what is over there of items whose refusal may only mean that an earlier sending of them arrived."""
        refused = {key for key, verdict in said.items() if not verdict.successful and verdict.code in self.doubted}
        doubtful = [item for item in items if item.external_id in refused]
        return self.look_up(ctx, doubtful) if doubtful and self.look_up else {}

    def mark(self, ctx: StageContext, pks: Sequence[int], outcome: str) -> None:
        """Say what came of rows in this run; call it inside ``ctx.commit()``.

        What a run created, it created, whatever becomes of a second item of the row (a PO's receipts).
        """
        rows = self.model._default_manager.filter(tenant=ctx.tenant, pk__in=list(pks))
        rows.exclude(seen_run=ctx.run.pk, outcome="created").update(seen_run=ctx.run.pk, outcome=outcome)


def wanted(item: Item | Hold) -> dict[str, str]:
    """Return the ``Outgoing`` columns of a translated record: the item to be over there, or why it waits."""
    if isinstance(item, Hold):
        words = f"{item.message} {item.hint}".strip()
        return {"desired": "", "desired_hash": "", "hold_code": item.code, "hold_message": words}
    return {"desired": encode(item).decode(), "desired_hash": content_hash(item), "hold_code": "", "hold_message": ""}


def tally(ctx: StageContext, model: type[Outgoing], otherwise: Mapping[str, Q]) -> None:
    """Count every row that had to do with this run under what came of it.

    Rows that already have an outcome keep it; for the rest the first of ``otherwise`` (outcome → condition) that
    applies decides, in order, and what none of them fits is unchanged.
    """
    rows = model._default_manager.filter(tenant=ctx.tenant, seen_run=ctx.run.pk)
    with ctx.commit():
        for outcome, condition in otherwise.items():
            rows.filter(condition, outcome="").update(outcome=outcome)
        rows.filter(outcome="").update(outcome="unchanged")
        for outcome, number in rows.values_list("outcome").annotate(n=Count("pk")).order_by():
            ctx.settle_count(outcome, number)
