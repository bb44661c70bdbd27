"""From the bytes of an answer to rows: fast when all is well, row by row when one is not.

A page is decoded in one go into frozen records, numbers taken from their tokens (never through a float). If that
fails, each row is decoded by itself and the bad ones are set aside with a plain reason, so that one bad row never
stops a page. Every row's company is compared before anybody sees the page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from typing import Any

import msgspec

from connector.epicor.records import EntitySet, Row
from connector.transport.errors import Misconfigured, Retry, System
from connector.transport.redact import redact_text

#: A key's values without the company, in key order; null texts are empty ones.
Key = tuple[int | str | bool, ...]
#: Redacts what is quoted of an answer; a client's own knows that tenant's secrets.
Show = Callable[[str], str]

_LOOSE = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal)


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be read: its key as far as it could be read, and why, in plain words.

    ``at`` is the key's values, as far as a later page could begin behind them; None where they cannot be read either.
    """

    key: str
    reason: str
    at: Key | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of one answer, never empty. ``last_key`` is where the next page begins, ``max_rev`` the highest SysRevID."""

    rows: list[Row]
    bad: list[BadRow]
    last_key: Key
    max_rev: int


@dataclass(frozen=True, slots=True)
class Decoded:
    """One answer as received. ``keys`` has one entry a row received, bad ones included, None where unreadable."""

    rows: list[tuple[Key, Row]]
    bad: list[BadRow]
    keys: list[Key | None]
    next_link: str = ""
    count: int | None = None

    def page(self, rows: list[Row], last_key: Key) -> Page:
        """Return the page of this answer with these of its rows."""
        return Page(rows, self.bad, last_key, max((row.sys_rev_id for row in rows), default=0))


class _Loose(msgspec.Struct):
    value: list[msgspec.Raw]
    next_link: str | None = msgspec.field(name="@odata.nextLink", default=None)
    count: int | str | None = msgspec.field(name="@odata.count", default=None)


_LOOSE_PAGE = msgspec.json.Decoder(_Loose)


@cache
def _whole(row: type[Row]) -> msgspec.json.Decoder[Any]:
    """A decoder for a page of ``row``; not strict, because numbers may come as texts (field lessons 3)."""
    envelope = msgspec.defstruct(
        "_Page",
        [
            # The row type is chosen at run time, which a type checker cannot follow.
            ("value", list[row]),  # type: ignore[valid-type]
            ("next_link", str | None, msgspec.field(name="@odata.nextLink", default=None)),
            ("count", int | None, msgspec.field(name="@odata.count", default=None)),
        ],
    )
    return msgspec.json.Decoder(envelope, strict=False)


@cache
def _single(row: type[Row]) -> msgspec.json.Decoder[Row]:
    return msgspec.json.Decoder(row, strict=False)


@cache
def _attributes(entity: EntitySet) -> tuple[str, ...]:
    names = {item.encode_name: item.name for item in msgspec.structs.fields(entity.row)}
    return tuple(names[column] for column in entity.key)


def decode(entity: EntitySet, body: bytes, *, company: str, show: Show = redact_text) -> Decoded:
    """Return the rows of an entity set's answer; ``show`` redacts what is quoted of it.

    Raises ``Misconfigured`` (code ``wrong_company``) if any row is another company's, and ``Retry`` (code
    ``answer_unreadable``) if the answer is no list of rows at all.
    """
    try:
        whole = _whole(entity.row).decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _row_by_row(entity, body, company=company, show=show)
    check_companies((row.company for row in whole.value), company=company, where=entity.name, show=show)
    keys = [_key_of(entity, row) for row in whole.value]
    rows = list(zip(keys, whole.value, strict=True))
    return Decoded(rows, [], list(keys), whole.next_link or "", whole.count)


def _key_of(entity: EntitySet, row: Row) -> Key:
    values = (getattr(row, name) for name in _attributes(entity))
    return tuple("" if value is None else value for value in values)


def _row_by_row(entity: EntitySet, body: bytes, *, company: str, show: Show) -> Decoded:
    try:
        loose = _LOOSE_PAGE.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise unreadable(entity.name) from None
    rows: list[tuple[Key, Row]] = []
    bad: list[BadRow] = []
    keys: list[Key | None] = []
    for raw in loose.value:
        try:
            row = _single(entity.row).decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as problem:
            columns = _columns(raw)
            if columns.get("Company"):
                check_companies([str(columns["Company"])], company=company, where=entity.name, show=show)
            key = _loose_key(entity, columns)
            keys.append(key)
            bad.append(BadRow(show(_shown_key(entity, columns)), show(_plain(problem)), key))
            continue
        check_companies([row.company], company=company, where=entity.name, show=show)
        keys.append(_key_of(entity, row))
        rows.append((_key_of(entity, row), row))
    count = str(loose.count or "")
    return Decoded(rows, bad, keys, loose.next_link or "", int(count) if count.isdecimal() else None)


def _columns(raw: msgspec.Raw) -> dict[str, Any]:
    try:
        return _LOOSE.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}


def _loose_key(entity: EntitySet, columns: dict[str, Any]) -> Key | None:
    """The key of a row that is bad in some other column, so that paging can go on behind it."""
    values: list[int | str | bool] = []
    for column in entity.key:
        value = columns.get(column)
        if column in entity.numeric_key:
            if not str(value).lstrip("-").isdecimal():
                return None
            value = int(str(value))
        elif value is None:
            value = ""
        if not isinstance(value, int | str):
            return None
        values.append(value)
    return tuple(values)


def _shown_key(entity: EntitySet, columns: dict[str, Any]) -> str:
    shown = ", ".join(f"{column} {columns[column]}" for column in entity.key if columns.get(column) is not None)
    return shown[:200] or "key unreadable"


def _plain(problem: Exception) -> str:
    """A decoder's reason for a person: which column, and what is wrong with it."""
    text = str(problem)
    reason, _, path = text.rpartition(" - at `$")
    return f"column {path.strip('.`')}: {reason}"[:300] if path and reason else text[:300]


def check_companies(found: Iterable[str], *, company: str, where: str, show: Show = redact_text) -> None:
    """Raise ``Misconfigured`` (code ``wrong_company``) naming the company that answered instead of ours."""
    for other in found:
        if other != company:
            raise Misconfigured(
                f"{where}: company {show(other)[:50]!r} answered where {company!r} was asked. Nothing was stored.",
                system=System.EPICOR,
                code="wrong_company",
                hint="Check company and base URL of this Epicor connection; the case of the company counts.",
            )


def unreadable(where: str) -> Retry:
    """The error for an answer that is not what was asked for, such as cut JSON."""
    return Retry(f"{where}: the answer cannot be read.", system=System.EPICOR, code="answer_unreadable")
