"""Reading values out of AvidXchange's JSON, as tolerant as contract 2.6 asks and never more.

Tolerant of shape: numbers as text, one object for a list, an identifier object for a text, absent and null alike,
extra fields. Not tolerant of meaning: an amount that is no number is an error, never zero. Numbers with a fraction
become ``Decimal`` straight from the token (contract 2.9).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

import msgspec

_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_NUMBER = re.compile(r"[+-]?\d{1,30}(\.\d{1,20})?([eE][+-]?\d{1,2})?")
_BOM = b"\xef\xbb\xbf"

Value = TypeVar("Value")


class Unreadable(ValueError):
    """A value cannot be read as what it must be. The text names the place and the fault, never the value."""


def decode(body: bytes) -> Any:
    """Return a JSON body with exact numbers. Raises ``Unreadable`` if it is empty, cut or no JSON."""
    try:
        return _DECODER.decode(body.removeprefix(_BOM))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Unreadable("the answer is empty" if not body.strip() else "the answer is not JSON") from None


def as_list(value: object) -> list[Any]:
    """Return a list for a list, one object or nothing (contract 2.6)."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def pick(row: object, path: str) -> object:
    """Return what a dotted path leads to, or None. Case does not matter unless two names differ in case alone."""
    found = row
    for name in path.split("."):
        if not isinstance(found, dict):
            return None
        if name in found:
            found = found[name]
            continue
        folded = name.casefold()
        found = next((value for key, value in found.items() if key.casefold() == folded), None)
    return found


def text(value: object) -> str | None:
    """Return a text, a number as text, or an identifier's ``Value`` (contract 2.8); None for anything else."""
    if isinstance(value, dict):
        value = pick(value, "Value")
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def number(value: object) -> Decimal | None:
    """Return a number, also one sent as text. Raises ``Unreadable`` for anything else that is there."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        value = Decimal(value.strip())
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise Unreadable("is not a number")
    try:
        found = Decimal(value)
    except InvalidOperation:
        raise Unreadable("is not a number") from None
    if not found.is_finite() or found.adjusted() > 30:
        raise Unreadable("is not a number of usable size")
    return found


def whole(value: object) -> int | None:
    """Return a whole number. Raises ``Unreadable`` for a fraction or anything that is no number."""
    found = number(value)
    if found is None:
        return None
    if found != found.to_integral_value():
        raise Unreadable("is not a whole number")
    return int(found)


def flag(value: object) -> bool | None:
    """Return true or false, also as text or 0 and 1; None for anything else."""
    if isinstance(value, bool):
        return value
    written = value.strip().casefold() if isinstance(value, str) else value
    if written in ("true", "1", 1):
        return True
    return False if written in ("false", "0", 0) else None


def day(value: object) -> date | None:
    """Return a date taken textually: a time behind it is cut off, never shifted over midnight (contract 2.10)."""
    if value is None or value == "":
        return None
    written = value.strip() if isinstance(value, str) else ""
    if not re.match(r"\d{4}-\d{2}-\d{2}($|[T ])", written):
        raise Unreadable("is not a date")
    try:
        return date.fromisoformat(written[:10])
    except ValueError:
        raise Unreadable("is not a date") from None


def moment(value: object, zone: tzinfo) -> datetime | None:
    """Return a timestamp in UTC; one without an offset is in ``zone`` (contract 2.10)."""
    if value is None or value == "":
        return None
    try:
        found = datetime.fromisoformat(value.strip() if isinstance(value, str) else "")
        return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Unreadable("is not a timestamp") from None


class Reader:
    """Reads one object by the names of ``fields.FIELDS``, along the paths a profile gives them."""

    def __init__(self, row: object, kind: str, paths: Mapping[str, Sequence[str]], zone: tzinfo = UTC) -> None:
        self._row = row
        self._kind = kind
        self._paths = paths
        self._zone = zone

    def _first(self, name: str, convert: Callable[[object], Value | None]) -> Value | None:
        """Return the value of the first path that has one. Raises ``Unreadable`` naming the field."""
        place = f"{self._kind}.{name}"
        for path in self._paths[place]:
            try:
                found = convert(pick(self._row, path))
            except Unreadable as error:
                raise Unreadable(f"{path} {error}") from None
            if found is not None:
                return found
        return None

    def required(self, name: str) -> str:
        """Return a text that must be there. Raises ``Unreadable`` if it is not."""
        found = self._first(name, text)
        if found is None:
            raise Unreadable(f"{self._paths[f'{self._kind}.{name}'][0]} is missing")
        return found

    def text(self, name: str) -> str:
        """Return a text, "" if it is not there."""
        return self._first(name, text) or ""

    def amount(self, name: str) -> Decimal:
        """Return a number that must be there. Raises ``Unreadable``."""
        found = self.number(name)
        if found is None:
            raise Unreadable(f"{self._paths[f'{self._kind}.{name}'][0]} is missing")
        return found

    def number(self, name: str) -> Decimal | None:
        """Return a number, None if it is not there. Raises ``Unreadable``."""
        return self._first(name, number)

    def whole(self, name: str) -> int | None:
        """Return a whole number, None if it is not there. Raises ``Unreadable``."""
        return self._first(name, whole)

    def flag(self, name: str) -> bool | None:
        """Return true or false, None if it is not there."""
        return self._first(name, flag)

    def day(self, name: str) -> date | None:
        """Return a date, None if it is not there. Raises ``Unreadable``."""
        return self._first(name, day)

    def moment(self, name: str) -> datetime | None:
        """Return a timestamp in UTC, None if it is not there. Raises ``Unreadable``."""
        return self._first(name, lambda value: moment(value, self._zone))

    def rows(self, name: str) -> list[Any]:
        """Return a list, of one if an object was sent instead (contract 2.6)."""
        return self._first(name, lambda value: as_list(value) or None) or []

    def inner(self, name: str, kind: str) -> Reader:
        """Return a reader of an object inside; an empty one if it is not there."""
        found = self._first(name, lambda value: value if isinstance(value, dict) else None)
        return Reader(found, kind, self._paths, self._zone)
