"""OData query text: literals, clauses, keyset conditions and URLs, all by pure functions.

A space leaves as %20 and never as +, quotes double before they are percent-encoded, names keep their exact case and
every option its ``$``, because each of these is a way in which a legal server breaks a naive client (field lessons 3).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from urllib.parse import quote as percent

Literal = str | int | bool | date | datetime | Decimal

#: IIS refuses a query string over 2,048 characters unless told otherwise; the path has a limit of its own.
MAX_QUERY = 1900

#: Left as they are in a query: all legal there, and a log stays readable.
_READABLE = "$,'()"


def quote(text: str) -> str:
    """Return a text literal: in single quotes, those inside doubled."""
    return "'" + text.replace("'", "''") + "'"


def literal(value: Literal) -> str:
    """Return a value as OData 4 writes it; a date becomes midnight UTC, an instant ends in Z (epicor-unknowns B4).

    Raises ``ValueError`` for an instant without a time zone, because guessing one would shift it.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("an instant in a filter needs a time zone")
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, date):
        return f"{value.isoformat()}T00:00:00Z"
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def eq(column: str, value: Literal) -> str:
    """``column eq value``."""
    return f"{column} eq {literal(value)}"


def gt(column: str, value: Literal) -> str:
    """``column gt value``; never for a date-only column, where it loses the rest of the day."""
    return f"{column} gt {literal(value)}"


def ge(column: str, value: Literal) -> str:
    """``column ge value``."""
    return f"{column} ge {literal(value)}"


def le(column: str, value: Literal) -> str:
    """``column le value``."""
    return f"{column} le {literal(value)}"


def and_(*clauses: str) -> str:
    """Join clauses that must all hold; empty ones are left out."""
    return _joined(" and ", clauses)


def or_(*clauses: str) -> str:
    """Join clauses of which one must hold; empty ones are left out."""
    return _joined(" or ", clauses)


def _joined(word: str, clauses: Iterable[str]) -> str:
    given = [clause for clause in clauses if clause]
    if len(given) < 2:
        return "".join(given)
    return word.join(f"({clause})" if " and " in clause or " or " in clause else clause for clause in given)


def keyset_clause(key: Sequence[str], values: Sequence[Literal]) -> str:
    """Return the condition for rows after ``values`` in the order of ``key``.

    One column: ``A gt 1``. Several: ``A gt 1 or (A eq 1 and B gt 2)``. OData orders no booleans, so after ``false``
    comes ``eq true`` and after ``true`` nothing.
    """
    if len(key) != len(values):
        raise ValueError(f"a key of {len(key)} columns needs as many values, not {len(values)}")
    steps = []
    for place, (column, value) in enumerate(zip(key, values, strict=True)):
        if value is not True:
            beyond = eq(column, True) if value is False else gt(column, value)
            same = [eq(name, item) for name, item in zip(key[:place], values[:place], strict=True)]
            steps.append(and_(*same, beyond))
    return or_(*steps)


def build_url(root: str, company: str, service: str, name: str, options: Mapping[str, str] | None = None) -> str:
    """Return ``{root}/api/v2/odata/{company}/{service}/{name}?…`` (epicor.md 1) with everything percent-encoded.

    Raises ``ValueError`` without a company: such a URL is answered from the user's default company.
    """
    if not company:
        raise ValueError("every call names its company")
    path = "/".join(percent(part, safe="") for part in (company, service, name))
    query = "&".join(f"{percent(k, safe='$')}={percent(v, safe=_READABLE)}" for k, v in (options or {}).items())
    return f"{root}/api/v2/odata/{path}" + (f"?{query}" if query else "")


def any_of(column: str, values: Sequence[Literal], *, room: int = MAX_QUERY) -> Iterator[str]:
    """Yield ``column eq a or column eq b …`` clauses that together name every value once, each short enough for a
    query string in which ``room`` characters are left after percent-encoding."""
    chunk: list[str] = []
    used = 0
    for value in dict.fromkeys(values):
        clause = eq(column, value)
        length = len(percent(f" or {clause}", safe=_READABLE))
        if chunk and used + length > room:
            yield or_(*chunk)
            chunk, used = [], 0
        chunk.append(clause)
        used += length
    if chunk:
        yield or_(*chunk)
