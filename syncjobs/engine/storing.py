"""One page of records that go out as upserts: merged, counted and told about, the same for every kind.

Most rows of a page neither changed nor wait for anything; those are counted here and not touched. The others keep the
run that read them, and ``outbox.tally`` counts them by what came of them in the end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from syncjobs.engine import links, problems
from syncjobs.engine.context import StageContext
from syncjobs.engine.problems import Finding
from syncjobs.models.base import Outgoing
from syncjobs.states import MappingState

#: A person's decision that a vendor or account stays out: nothing about it is a problem any more.
LEFT_OUT = (MappingState.IGNORED, MappingState.REJECTED)
#: SQL: the stored row waits for something, so that reading it again is not "unchanged".
WAITS = "old.hold_code <> '' OR old.desired_hash <> old.sent_hash"


def store_page(
    ctx: StageContext,
    model: type[Outgoing],
    rows: Sequence[dict[str, Any]],
    *,
    subject_kind: str,
    key: Sequence[str],
    changed: Sequence[str],
    or_when: str = WAITS,
) -> None:
    """Merge ``rows`` on tenant and ``key`` (``links.merge``) and tell what holds them; call it inside ``ctx.commit()``.

    Each row has, beside its columns, ``"_hold"``: the finding that keeps it from being sent, or None. A subject's key
    is its ``key`` columns joined by the pipe.
    """
    held = {_subject(row, key): row.pop("_hold") for row in rows}
    touched = links.merge(model, rows, key=("tenant_id", *key), changed=changed, or_when=or_when)
    ctx.settle_count("unchanged", len(rows) - touched)
    problems.report_page(ctx, subject_kind, _told(ctx, model, rows, held, key=key))


def report_gone(ctx: StageContext, subject_kind: str, gone: Mapping[str, int], *, words: str) -> None:
    """Tell about records, key → row, that are over there and that Epicor does not have any more.

    Nothing is inactivated for it: an empty answer may also mean that our login may not see them any more.
    """
    for key, pk in gone.items():
        finding = Finding(
            code="gone_in_epicor",
            subject_id=pk,
            message=f"{words} {key.partition('|')[2]} is in AvidXchange, and Epicor does not show it any more.",
            hint="If it was deleted in Epicor, close or inactivate it in AvidXchange; else our login may not see it.",
        )
        with ctx.commit():
            problems.report(ctx, subject_kind, key, finding)


def _told(
    ctx: StageContext,
    model: type[Outgoing],
    rows: Sequence[dict[str, Any]],
    held: Mapping[str, Finding | None],
    *,
    key: Sequence[str],
) -> dict[str, Finding | None]:
    """Return what to tell about a page: not about refusals, whose problems end with an acceptance, and nothing but
    good about what a person has left out."""
    stored = model._default_manager.filter(tenant=ctx.tenant, **{f"{key[-1]}__in": [row[key[-1]] for row in rows]})
    decided = any(field.name == "proposal" for field in model._meta.concrete_fields)
    names = [*key, "desired_hash", "sent_hash", "refused_hash", *(["state"] if decided else [])]
    told: dict[str, Finding | None] = {}
    for row in stored.values(*names):
        subject = _subject(row, key)
        if subject not in held:
            continue
        if row.get("state") in LEFT_OUT:
            told[subject] = None
        elif not (row["refused_hash"] and row["desired_hash"] not in ("", row["sent_hash"])):
            told[subject] = held[subject]
    return told


def _subject(row: Mapping[str, Any], key: Sequence[str]) -> str:
    return "|".join(str(row[name]) for name in key)
