"""Where the next poll of a stream starts.

A mark only ever comes from rows that were read, never from our clock or from a separate query (field lessons 2, 9),
and is put down in the transaction that stores those rows. It never moves back by itself, and it stays small.
"""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

from syncjobs.engine.context import StageContext
from syncjobs.models import Cursor

#: Field lesson 7: a cursor's state must not grow without end.
MAX_BYTES = 64 * 1024
#: How far beyond both ends of what our clock says AvidXchange is asked: its midnight may come before ours, and our
#: clock may be two days off (lesson 9). Asking for days in which nothing is costs nothing.
AHEAD = timedelta(days=3)


def get(ctx: StageContext, stream: str) -> dict[str, Any]:
    """Return the stream's mark, or an empty one before the first read."""
    mark = Cursor.objects.filter(tenant=ctx.tenant, stream=stream).values_list("mark", flat=True).first()
    return dict(mark or {})


def put(ctx: StageContext, stream: str, mark: dict[str, Any]) -> None:
    """Store the stream's mark; call it inside ``ctx.commit()``. Raises ``ValueError`` above 64 KiB."""
    if len(json.dumps(mark)) > MAX_BYTES:
        raise ValueError(f"the mark of {stream} grew beyond {MAX_BYTES} bytes")
    Cursor.objects.update_or_create(tenant=ctx.tenant, stream=stream, defaults={"mark": mark})


def overlap_start(mark: dict[str, Any], days: int) -> date | None:
    """Return the day from which to read again: the highest change date read, less the overlap; None at first.

    The comparison over there is ``ge``, because change dates carry no time (epicor.md 4.2).
    """
    high = mark.get("change_date")
    return date.fromisoformat(high) - timedelta(days=days) if high else None


def raised(mark: dict[str, Any], name: str, values: list[Any]) -> dict[str, Any]:
    """Return ``mark`` with ``name`` raised to the highest of ``values``; nothing ever lowers it."""
    known = [value for value in values if value is not None]
    if mark.get(name) is not None:
        known.append(mark[name])
    return {**mark, name: max(known)} if known else mark
