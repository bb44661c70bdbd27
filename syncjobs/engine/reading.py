"""Polls of Epicor that lose nothing: one pass over what changed, resumed where it stopped, its mark moved at the end.

Pages come in key order, so the change column is not sorted, and a mark taken half-way would skip what has not been
read yet. A pass therefore keeps its own place (the last key stored) and the highest change it has seen beside the
mark, and only a pass that read its last page moves the mark (style, meltano's progress markers). A crash repeats at
most one page.

A row can also change *behind* a pass that goes on reading: by SysRevID, which rises with every write to any table, its
change is then lower than what the pass sees further on. So the next pass begins at the highest revision that was known
before this one began (``from``), not at the highest it saw; at first, at the highest on its first page. Rows are read
once more than needed and nothing is lost. By date the overlap covers this, unless a pass was interrupted for longer:
then it raises the mark no further.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Generic, TypeVar

from connector.epicor import odata
from connector.epicor.client import BadRow
from connector.epicor.records import EntitySet, Row, day
from syncjobs.engine import cursors, problems
from syncjobs.engine.context import StageContext
from syncjobs.engine.problems import Finding

R = TypeVar("R", bound=Row)

#: A long transaction can commit a lower SysRevID after a higher one was read (epicor.md 3.2).
REVISIONS_OVERLAP = 1_000


@dataclass(frozen=True, slots=True)
class Stream(Generic[R]):
    """One entity set polled for changes. ``column`` is ``SysRevID`` or ``ChangeDate``, whichever the table has.

    ``child``: its rows only say which other records to read again, so a full read of those has them all.
    """

    name: str
    entity: EntitySet
    row: type[R]
    column: str
    child: bool = False


@dataclass(slots=True)
class StreamPage(Generic[R]):
    """Rows to be stored in one ``ctx.commit()``, together with ``place()``, which moves the pass on."""

    rows: list[R]
    bad: list[BadRow]
    _ctx: StageContext
    _stream: Stream[R]
    _mark: dict[str, Any]

    def place(self) -> None:
        """Put down how far the pass has come, and hold the page's bad rows; call it inside ``ctx.commit()``."""
        cursors.put(self._ctx, self._stream.name, self._mark)
        found = {bad.key: Finding(code="bad_row", message=_bad_words(self._stream.entity, bad)) for bad in self.bad}
        problems.report_page(self._ctx, f"{self._stream.name}_row", found)
        if self.bad:
            self._ctx.settle_count("held", len(self.bad))


def changed(ctx: StageContext, stream: Stream[R], *, where: str = "", first: str = "") -> Iterator[StreamPage[R]]:
    """Yield pages of rows that changed since the last whole pass, or of all rows on a full read.

    ``where`` limits every pass, ``first`` only those that read from the beginning. Each page must be stored, and its
    ``place()`` called, before the next is asked for.
    """
    mark = cursors.get(ctx, stream.name)
    going = _begin(ctx, stream, mark)
    whole = going["since"] is None
    clause = odata.and_(where, first if whole else _since(stream, going["since"]))
    after = tuple(going["after"]) if going["after"] is not None else None
    for page in ctx.epicor.pages(stream.entity, where=clause, after=after):
        rows = [row for row in page.rows if isinstance(row, stream.row)]
        high = going["high"] if going["late"] else _highest(stream, going["high"], rows)
        base = high if going["base"] is None else going["base"]
        going = {**going, "after": list(page.last_key), "high": high, "base": base}
        mark = {**mark, "pass": going}
        ctx.say(f"Read {stream.entity.name} up to {', '.join(str(part) for part in page.last_key)}")
        yield StreamPage(rows, page.bad, ctx, stream, mark)
    with ctx.commit():
        cursors.put(ctx, stream.name, _moved(stream, mark, going))


def belonging(
    ctx: StageContext, entity: EntitySet, row: type[R], column: str, values: Sequence[int], *, where: str = ""
) -> tuple[list[R], list[BadRow]]:
    """Return the rows of ``entity`` whose ``column`` is one of ``values``, and those that cannot be read: whatever they
    belong to is not whole without them, and has to be held."""
    found: list[R] = []
    bad: list[BadRow] = []
    for rows in ctx.epicor.find_by_keys(entity, column, values, where=where, on_bad=bad.append):
        found += [item for item in rows if isinstance(item, row)]
    return found, bad


def owners(bad: Sequence[BadRow], everyone: Sequence[int]) -> dict[int, BadRow]:
    """Return what unreadable rows belong to, by the first column of their keys; one without a key may be anyone's."""
    found: dict[int, BadRow] = {}
    for row in bad:
        for owner in everyone if row.at is None else [int(row.at[0])]:
            found.setdefault(owner, row)
    return found


def follow(ctx: StageContext, stream: Stream[Any], parent: Stream[Any]) -> None:
    """Let a child stream that was never read begin where its parent's mark is, instead of at the beginning of time.

    Both go by date, and whatever belongs to the parent's rows was read with them; inside ``ctx.commit()``.
    """
    high = cursors.get(ctx, parent.name).get("high")
    if high is not None and not cursors.get(ctx, stream.name):
        cursors.put(ctx, stream.name, {"high": high, "from": high})


def read_before(ctx: StageContext, stream: Stream[Any]) -> bool:
    """Return whether a pass over the stream has ever come to its end."""
    return "high" in cursors.get(ctx, stream.name)


def _begin(ctx: StageContext, stream: Stream[Any], mark: dict[str, Any]) -> dict[str, Any]:
    """Resume an unfinished pass, unless everything was asked for and it was only reading changes."""
    unfinished = mark.get("pass")
    everything = ctx.run.full_read and not stream.child
    if unfinished and (unfinished["since"] is None or not everything):
        days = (ctx.today() - date.fromisoformat(unfinished["began"])).days
        late = stream.column != "SysRevID" and days > ctx.options.delta_overlap_days
        return {**unfinished, "late": unfinished["late"] or late}
    since = None if everything else mark.get("from")
    if since is not None:
        since = _earlier(ctx, stream, since)
    began = ctx.today().isoformat()
    return {"since": since, "after": None, "high": None, "base": mark.get("high"), "began": began, "late": False}


def _moved(stream: Stream[Any], mark: dict[str, Any], going: dict[str, Any]) -> dict[str, Any]:
    """Return the mark after a whole pass. Revisions may go back, with a restored database: reading everything shows."""
    if stream.column != "SysRevID":
        high = cursors.raised(mark, "high", [going["high"]]).get("high")
        return {} if high is None else {"high": high, "from": high}
    seen = [going["high"]] if going["since"] is None else [going["high"], mark.get("high")]
    high = max((value for value in seen if value is not None), default=None)
    return {} if high is None else {"high": high, "from": min(high, going["base"])}


def _earlier(ctx: StageContext, stream: Stream[Any], start: Any) -> Any:
    if stream.column == "SysRevID":
        return max(0, int(start) - REVISIONS_OVERLAP)
    return (date.fromisoformat(start) - timedelta(days=ctx.options.delta_overlap_days)).isoformat()


def _since(stream: Stream[Any], since: Any) -> str:
    if stream.column == "SysRevID":
        return odata.gt("SysRevID", int(since))
    # ``ge``: change dates carry no time, so ``gt`` would lose the rest of the day (epicor.md 4.2).
    return odata.ge(stream.column, date.fromisoformat(since))


def _highest(stream: Stream[Any], high: Any, rows: Sequence[Row]) -> Any:
    if stream.column == "SysRevID":
        values: list[Any] = [row.sys_rev_id for row in rows]
    else:
        days = [day(getattr(row, "change_date", None)) for row in rows]
        values = [stamp.isoformat() for stamp in days if stamp is not None]
    return max([*values, *([high] if high is not None else [])], default=None)


def _bad_words(entity: EntitySet, bad: BadRow) -> str:
    return f"Epicor sent a row of {entity.name} that cannot be read ({bad.key}): {bad.reason}"
