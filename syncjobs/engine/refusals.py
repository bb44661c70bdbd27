"""What every kind of record has in common when AvidXchange has decided: a refusal is a problem, acceptance ends it."""

from __future__ import annotations

from collections.abc import Sequence

from syncjobs.engine import problems
from syncjobs.engine.context import StageContext
from syncjobs.engine.outbox import Consequence
from syncjobs.engine.problems import Finding
from syncjobs.models import BatchItem
from syncjobs.states import ItemState


def findings(items: Sequence[BatchItem], words: str) -> dict[str, Finding | None]:
    """Return what to tell about decided items, by subject key; ``words`` is what a person calls the record."""
    found: dict[str, Finding | None] = {}
    for item in items:
        if item.state == ItemState.REFUSED:
            found[item.subject_key] = Finding(
                code=(item.code or "refused").lower(),
                message=f"AvidXchange refused the {words}: {item.message or 'it gave no reason'}",
                hint="Correct it where it comes from; it is sent again by itself when it has changed.",
                field=item.field,
                subject_id=item.subject_id,
            )
        elif item.state == ItemState.ACCEPTED:
            found[item.subject_key] = None
    return found


def tell(subject_kind: str, words: str) -> Consequence:
    """Return the consequence that reports refused items of a kind and closes what was open about accepted ones."""

    def told(ctx: StageContext, items: Sequence[BatchItem]) -> None:
        problems.report_page(ctx, subject_kind, findings(items, words))

    return told
