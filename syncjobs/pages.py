"""What a record's page consists of: facts in two columns, tables, and its story in time order. Plain values, no HTML.

The same pieces make the page of an invoice, a payment, a batch, a posting, a run, a mapping and a problem, and one
template shows them (``templates/admin/syncjobs/record.html``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Facts:
    """A titled list of names and values; ``empty`` is what to say when there are none."""

    title: str
    rows: Sequence[tuple[str, Any]]
    empty: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A titled table. ``numbers`` are the places of columns that hold money or counts; ``more`` says what was cut."""

    title: str
    headers: Sequence[str]
    rows: Sequence[Sequence[Any]]
    empty: str = "None."
    numbers: frozenset[int] = frozenset()
    more: str = ""

    @property
    def cells(self) -> list[list[tuple[str, Any, bool]]]:
        """Each row as (header, value, is a number), for the template."""
        return [
            [(self.headers[place], value, place in self.numbers) for place, value in enumerate(row)]
            for row in self.rows
        ]

    @property
    def heads(self) -> list[tuple[str, bool]]:
        """Each header with whether its column holds numbers."""
        return [(header, place in self.numbers) for place, header in enumerate(self.headers)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened: when, where (Epicor, AvidXchange or here), what, and for IT the rest."""

    at: datetime
    where: str
    title: str
    detail: str = ""
    tone: str = ""
    href: str = ""
    technical: Any = None
    #: A remote call that came out well; several in a row are told as one.
    quiet_call: bool = False
    parts: Sequence[Event] = ()


@dataclass(frozen=True, slots=True)
class Button:
    """A way from the page to a preview, a confirmation or another page; nothing happens by following it."""

    words: str
    href: str
    primary: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A record's page. ``sides`` stand next to each other: Epicor left, AvidXchange right."""

    title: str
    badges: Sequence[Any] = ()
    notice: str = ""
    buttons: Sequence[Button] = ()
    sides: Sequence[Facts] = ()
    facts: Sequence[Facts] = ()
    tables: Sequence[Table] = ()
    events: Sequence[Event] = field(default_factory=list)
    story: str = ""
    technical: Sequence[tuple[str, Any]] = ()
