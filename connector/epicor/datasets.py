"""Datasets of Epicor's methods: taken from a reply, edited row by row, sent back whole (epicor.md 1, 5.3).

Rows are never built by hand, because hidden required columns would be missing: a row comes from a GetNew method or
from a read, its columns are set, and ``RowMod`` says what to do with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from connector.epicor.faults import meaning
from connector.epicor.rows import Show
from connector.transport.errors import ConnectorError, Held, System, Uncertain
from connector.transport.redact import redact_text

Dataset = dict[str, Any]
TableRow = dict[str, Any]


def dataset(reply: Mapping[str, Any], operation: str, *, name: str = "ds", writes: bool = False) -> Dataset:
    """Return the dataset of a reply. A reply without one is ``Uncertain`` after a write and ``Held`` otherwise."""
    found = reply.get(name)
    if isinstance(found, Mapping):
        return dict(found)
    text = f"{operation}: the answer holds no dataset."
    if writes:
        raise Uncertain(text, system=System.EPICOR, code="answer_unreadable")
    raise Held(
        text, system=System.EPICOR, code="answer_unreadable", hint="Run the connection test against this release."
    )


def rows(ds: Mapping[str, Any], table: str) -> list[TableRow]:
    """Return a table's rows, none where the table is missing or null."""
    return [row for row in ds.get(table) or () if isinstance(row, dict)]


def new_row(ds: Mapping[str, Any], table: str, operation: str) -> TableRow:
    """Return the row that a GetNew method has just added: the last one marked ``A``."""
    for row in reversed(rows(ds, table)):
        if row.get("RowMod") == "A":
            return row
    raise Held(f"{operation}: the answer holds no new row of {table}.", system=System.EPICOR, code="answer_unreadable")


def put(row: TableRow, values: Mapping[str, object]) -> None:
    """Set columns of a row that came from Epicor. Raises ``Held`` (code ``column_missing``) for one it does not have,
    because a column this release does not know would be dropped in silence."""
    for name, value in values.items():
        if name not in row:
            raise Held(
                f"This Epicor release has no column {name} here.",
                system=System.EPICOR,
                code="column_missing",
                hint="Choose another column in this tenant's options, or check field security.",
            )
        row[name] = value


def stamp(day: date | None) -> str | None:
    """Return a date as Epicor writes it: midnight without a zone."""
    return f"{day.isoformat()}T00:00:00" if day is not None else None


def same_amount(value: object, amount: Decimal) -> bool:
    """Tell whether a column's value is this amount."""
    try:
        return Decimal(str(value)) == amount
    except ArithmeticError:
        return False


def is_true(value: object) -> bool:
    """Read a flag that may come as a text."""
    return value is True or str(value).strip().lower() == "true"


def refuse(text: str, *, operation: str, code: str, show: Show = redact_text) -> ConnectorError:
    """Return the error for words that came with HTTP 200: what the fault table knows them as, else ``Held``. ``show``
    redacts them."""
    known = meaning(text)
    shown = show(text.strip())[:600] or "no reason given"
    error = known.error if known is not None and issubclass(known.error, Held) else Held
    return error(
        f"{operation}: {shown}",
        system=System.EPICOR,
        code=known.code if known else code,
        hint=known.hint if known else "Epicor wants an answer that an integration cannot give. Do the step in Epicor.",
    )


def require_saved(reply: Mapping[str, Any], operation: str, *, show: Show = redact_text) -> None:
    """Raise ``Held`` unless UpdateMaster really saved: HTTP 200 with ``lUpdateRan`` false or ``requiresUserInput`` true
    means that nothing was (epicor.md 5.2). Codes: what the message means, else ``needs_user_input``, ``not_saved``."""
    says = " ".join(str(reply.get(name) or "") for name in ("opMessage", "opDUAMsg", "opMsgChkBankRef", "opChkRevMsg"))
    if is_true(reply.get("requiresUserInput")):
        raise refuse(says, operation=operation, code="needs_user_input", show=show)
    if "lUpdateRan" in reply and not is_true(reply["lUpdateRan"]):
        raise refuse(says, operation=operation, code="not_saved", show=show)
