"""Reading entity sets: query options as this server takes them, pages cut in silence, rows found by key range.

Awkward on purpose, as epicor.md section 3 and field-lessons.md section 3 tell: 100 rows unless ``$top`` says
otherwise, a larger ``$top`` cut without a word, no nextLink unless switched on, a ``+`` for a space refused, an option
without its ``$`` ignored.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any
from urllib.parse import quote, unquote

from connector.sandbox.epicor.catalog import SERVICES, EntitySet, Service, key_columns
from connector.sandbox.epicor.errors import bad_query, not_found
from connector.sandbox.epicor.filters import Filter
from connector.sandbox.epicor.options import EpicorOptions
from connector.sandbox.epicor.store import Database, Table, norm
from connector.sandbox.seed import Row

_OPTIONS = frozenset("$select $filter $orderby $top $skip $expand $count".split())


@dataclass
class Query:
    """The query options of one request, decoded and checked."""

    given: dict[str, str]
    select: list[str] = field(default_factory=list)
    order: list[tuple[str, bool]] = field(default_factory=list)
    expand: list[str] = field(default_factory=list)
    top: int | None = None
    skip: int = 0
    count: bool = False

    @classmethod
    def read(cls, raw: str) -> Query:
        """Parse a raw query string. Raises a 400 refusal for ``+`` as a space, unknown options and bad numbers."""
        if "+" in raw:
            raise bad_query("The query specified in the URI is not valid. A space must be sent as %20.")
        given: dict[str, str] = {}
        for piece in filter(None, raw.split("&")):
            name, _, value = piece.partition("=")
            given[unquote(name)] = unquote(value)
        for name in given:
            if name.startswith("$") and name not in _OPTIONS:
                raise bad_query(f"The query parameter '{name}' is not supported.")
        query = cls(given)
        query.select = _names(given.get("$select", ""))
        query.expand = _names(given.get("$expand", ""))
        query.order = [_direction(item) for item in _names(given.get("$orderby", ""))]
        query.top = _number("$top", given.get("$top"))
        query.skip = _number("$skip", given.get("$skip")) or 0
        query.count = given.get("$count", "").lower() == "true"
        return query


def _names(text: str) -> list[str]:
    if "(" in text:
        raise bad_query("Nested query options are not supported on this resource.")
    return [name.strip() for name in text.split(",") if name.strip()]


def _direction(item: str) -> tuple[str, bool]:
    name, _, direction = item.partition(" ")
    if direction.strip() not in {"", "asc", "desc"}:
        raise bad_query(f"Syntax error at '{direction}' in '$orderby={item}'.")
    return name, direction.strip() == "desc"


def _number(name: str, text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isdigit():
        raise bad_query(f"Invalid value '{text}' for {name} query option found. It must be a non-negative integer.")
    return int(text)


def read_set(
    database: Database, options: EpicorOptions, *, service: Service, name: str, query: Query, address: str
) -> dict[str, Any]:
    """Return the body of a set read: at most one page of rows. Raises refusals as the server does."""
    entity = service.sets[name]
    _check_names(entity, query, service)
    matching = _matching(database, options, service=service, entity=entity, query=query)
    limit = min(options.default_top if query.top is None else query.top, options.max_top)
    if query.count:
        found = list(matching)
        page, total, more = found[query.skip : query.skip + limit], len(found), len(found) > query.skip + limit
    else:
        page = list(islice(matching, query.skip, query.skip + limit + 1))
        total, more = 0, len(page) > limit
        page = page[:limit]
    body: dict[str, Any] = {"@odata.context": f"{address.rsplit('/', 1)[0]}/$metadata#{name}"}
    if query.count:
        body["@odata.count"] = total
    body["value"] = [_shown(database, service, entity, row, query) for row in page]
    if more and options.emit_next_link and (query.top is None or query.top > limit):
        body["@odata.nextLink"] = _next_link(query, len(page), name, address, options.emit_next_link)
    return body


def count_set(database: Database, options: EpicorOptions, *, service: Service, name: str, query: Query) -> int:
    """Return the number of rows that ``/$count`` answers."""
    entity = service.sets[name]
    return sum(1 for _ in _matching(database, options, service=service, entity=entity, query=query))


def read_one(database: Database, *, service: Service, name: str, key: list[Any], query: Query) -> dict[str, Any]:
    """Return the body of a keyed read; the key begins with Company. Raises 404 if there is no such row."""
    entity = service.sets[name]
    _check_names(entity, query, service)
    table = database[entity.table]
    columns = key_columns(entity.table)
    if len(key) != len(columns):
        raise bad_query("The number of keys specified in the URI does not match the number of key properties.")
    row = table.get(*key[-len(table.columns) :]) if str(key[0]) == database.company else None
    if row is None:
        raise not_found()
    return _shown(database, service, entity, row, query)


def _check_names(entity: EntitySet, query: Query, service: Service) -> None:
    kinds = entity.kinds
    for column in [*query.select, *(name for name, _ in query.order)]:
        if column not in kinds:
            raise bad_query(f"Could not find a property named '{column}' on type '{entity.type_name}'.")
    for child in query.expand:
        if child not in entity.children or child not in service.sets:
            raise bad_query(f"Could not find a property named '{child}' on type '{entity.type_name}'.")


def _matching(
    database: Database, options: EpicorOptions, *, service: Service, entity: EntitySet, query: Query
) -> Iterator[Row]:
    """Yield the rows that match, in the order asked for (key order if none is)."""
    table = database[entity.table]
    text = query.given.get("$filter", "").strip()
    chosen = Filter(text, kinds=entity.kinds, type_name=entity.type_name) if text else None
    in_order, rows = _candidates(table, chosen, query.order)
    if chosen:
        rows = filter(chosen.matches, rows)
    rows = _visible(rows, service.name, options)
    if not in_order:
        rows = _sorted(rows, query.order)
    return iter(rows)


def _candidates(table: Table, chosen: Filter | None, order: list[tuple[str, bool]]) -> tuple[bool, Iterable[Row]]:
    """Return rows by the narrowest ordered walk there is, and whether that is already the order asked for."""
    names = [name for name, descending in order if not descending]
    if len(names) == len(order) and [name for name in names if name != "Company"] == list(table.columns[: len(names)]):
        low, high = chosen.bounds(table.columns[0]) if chosen else (None, None)
        return True, table.span(low, high)
    if len(order) == 1 and names:
        low, high = chosen.bounds(names[0]) if chosen else (None, None)
        return True, table.span_by(names[0], low, high)
    low, high = chosen.bounds(table.columns[0]) if chosen else (None, None)
    return False, table.span(low, high)


def _visible(rows: Iterable[Row], service: str, options: EpicorOptions) -> Iterable[Row]:
    """Leave out what the business object behind a set does not list."""
    if service == "Erp.BO.VoidPaymentSvc":
        return (row for row in rows if row["Posted"])
    if service == "Erp.BO.PaymentEntrySvc" and options.payment_entries != "all":
        posted = options.payment_entries == "posted"
        return (row for row in rows if row["Posted"] == posted)
    return rows


def _sorted(rows: Iterable[Row], order: list[tuple[str, bool]]) -> list[Row]:
    found = list(rows)
    for name, descending in reversed(order):
        found.sort(key=lambda row: (row[name] is not None, norm(row[name]) if row[name] is not None else 0),
                   reverse=descending)  # fmt: skip
    return found


def _shown(database: Database, service: Service, entity: EntitySet, row: Row, query: Query) -> Row:
    if query.select:
        shown = {name: row[name] for name in query.select}
    elif entity.hidden:
        shown = {name: value for name, value in row.items() if name not in entity.hidden}
    else:
        shown = row
    if query.expand:
        shown = dict(shown)
        prefix = [row[column] for column in database[entity.table].columns]
        for child in query.expand:
            shown[child] = database[SERVICES[service.name].sets[child].table].under(*prefix)
    return shown


def _next_link(query: Query, returned: int, name: str, address: str, form: str) -> str:
    given = dict(query.given)
    given["$skip"] = str(query.skip + returned)
    if query.top is not None:
        given["$top"] = str(query.top - returned)
    text = "&".join(f"{quote(key, safe='$')}={quote(value, safe='')}" for key, value in given.items() if key[0] == "$")
    return f"{address if form == 'absolute' else name}?{text}"
