"""The tables in docs/ that say what the code calls and expects, written from the code's own tables.

An administrator grants rights by them and AvidXchange is asked by them, so nobody keeps them by hand:
``python -m connector.doc_tables`` rewrites what stands between the markers, and a test fails while a file differs.
Run it in a checkout; it needs neither Django nor a database.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import get_args, get_type_hints

import msgspec

from connector.avidxchange.fields import FIELDS
from connector.avidxchange.profile import Profile
from connector.avidxchange.resources import PARAMS, RESOURCES, Tag
from connector.epicor.records import InvoiceDocument, columns
from connector.epicor.scope import ACCESS_SCOPE, Access
from connector.stages import Stage

DOCS = Path(__file__).resolve().parent.parent / "docs"
COMMAND = "python -m connector.doc_tables"
#: A pipe inside a cell, quoted or not.
_PIPE = "\\|"
#: Entity sets that are asked for one column and have no record type.
_WITHOUT_RECORD = frozenset({"Companies"})
_BLOCK = re.compile(r"(<!-- table: ([a-z-]+) [^\n]*-->\n)(.*?)(<!-- end of table -->)", re.DOTALL)


def epicor_scope() -> str:
    """The Access Scope, service by service."""
    by_service = sorted(ACCESS_SCOPE, key=lambda access: (access.service, access.entity is None, access.name))
    return _table(
        ("service", "name", "kind", "access", "needed by", "connection test"),
        (
            (
                f"`{access.service}`",
                f"`{access.name}`",
                "method" if _is_method(access) else "entity set",
                "**write**" if access.writes else "read",
                _stages(access.stages),
                _tried(access),
            )
            for access in by_service
        ),
    )


def epicor_columns() -> str:
    """The columns that are asked for by name of each entity set, and those read of each table of an invoice."""
    entities = sorted(
        (one.entity for one in ACCESS_SCOPE if one.entity), key=lambda entity: (entity.service, entity.name)
    )
    sets = [(f"`{entity.service}` `{entity.name}`", ", ".join(columns(entity.row))) for entity in entities]
    kinds = get_type_hints(InvoiceDocument)
    tables = [
        (f"`APInvoiceSvc/GetByID` `{table.encode_name}`", ", ".join(columns(get_args(kinds[table.name])[0])))
        for table in msgspec.structs.fields(InvoiceDocument)
    ]
    return _table(("entity set or table", "columns"), [*sets, *tables])


def avidxchange_calls() -> str:
    """The calls by their default paths."""
    prefix = Profile().path_prefix
    return _table(
        ("row", "call", "what for", "how sure", "name in `paths`", "may be missing"),
        (
            (
                one.row,
                f"{one.method} `{prefix}{one.path}`",
                one.use,
                _sure(one.tag),
                f"`{name}`",
                "yes" if one.may_be_missing else "no",
            )
            for name, one in RESOURCES.items()
        ),
    )


def avidxchange_params() -> str:
    """The query parameters."""
    rows = ((f"`{wire}`", _sure(tag), f"`{name}`") for name, (tag, wire) in PARAMS.items())
    return _table(("query parameter", "how sure", "name in `params`"), rows)


def avidxchange_profile() -> str:
    """The settings of a profile that are no tables, with their defaults."""
    settings = msgspec.to_builtins(Profile())
    rows = ((f"`{name}`", _shown(value)) for name, value in settings.items() if not isinstance(value, Mapping))
    return _table(("setting", "without it"), rows)


def avidxchange_fields() -> str:
    """The names read from answers, by record."""
    records: dict[str, dict[bool, list[str]]] = defaultdict(lambda: {True: [], False: []})
    for name, (tag, paths) in FIELDS.items():
        record, _, item = name.partition(".")
        records[record][tag is Tag.ASSUMED].append(f"{item}: {' or '.join(f'`{path}`' for path in paths)}")
    return _table(
        ("record in `fields`", "known or observed", "**assumed**"),
        ((f"`{record}`", _lines(names[False]), _lines(names[True])) for record, names in records.items()),
    )


def avidxchange_words() -> str:
    """The words for statuses, methods and exceptions that are understood."""
    profile = Profile()
    tables: Iterable[tuple[str, Mapping[str, str]]] = (
        ("status_map", profile.status_map),
        ("method_map", profile.method_map),
        ("exception_map", profile.exception_map),
    )
    return _table(
        ("table", "we take it as", "their words"),
        (
            (f"`{name}`", f"`{meaning}`", ", ".join(words))
            for name, table in tables
            for meaning, words in _by_meaning(table).items()
        ),
    )


#: Document -> the tables it holds, by the name in their markers.
TABLES: Mapping[str, Mapping[str, Callable[[], str]]] = {
    "epicor-setup.md": {"epicor-scope": epicor_scope, "epicor-columns": epicor_columns},
    "avidxchange-setup.md": {
        "avidxchange-calls": avidxchange_calls,
        "avidxchange-params": avidxchange_params,
        "avidxchange-profile": avidxchange_profile,
        "avidxchange-words": avidxchange_words,
        "avidxchange-fields": avidxchange_fields,
    },
}


def filled(text: str, tables: Mapping[str, Callable[[], str]]) -> str:
    """Return a document with the tables between its markers written anew.

    Raises ``ValueError`` unless each of ``tables`` has its place just once and no other table is asked for.
    """
    places = [match[2] for match in _BLOCK.finditer(text)]
    if sorted(places) != sorted(tables):
        raise ValueError(f"the document has places for {sorted(places)}, and the tables are {sorted(tables)}")
    return _BLOCK.sub(lambda match: f"{match[1]}\n{tables[match[2]]()}\n\n{match[4]}", text)


def stale(docs: Path = DOCS) -> Iterator[tuple[Path, str]]:
    """Yield each document that differs from what the code says, with the text it should have."""
    for name, tables in TABLES.items():
        path = docs / name
        text = path.read_text(encoding="utf-8")
        wanted = filled(text, tables)
        if wanted != text:
            yield path, wanted


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = (head, ["---"] * len(head), *rows)
    return "\n".join(f"| {' | '.join(cell.replace('|', _PIPE) for cell in line)} |" for line in lines)


def _is_method(access: Access) -> bool:
    return access.entity is None and access.name not in _WITHOUT_RECORD


def _stages(stages: Sequence[Stage]) -> str:
    return ", ".join(f"`{stage}`" for stage in stages) or "connection test"


def _tried(access: Access) -> str:
    """What the connection test does with a line: writing ones are called without parameters, or only named."""
    if access.optional:
        return "may be left out"
    return "tried" if access.tried else "not tried"


def _sure(tag: Tag) -> str:
    return f"**{tag}**" if tag is Tag.ASSUMED else str(tag)


def _shown(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(str(item) for item in value)
    return f"`{value}`" if value not in ("", None) else "empty"


def _lines(items: Sequence[str]) -> str:
    return "<br>".join(items) or "–"


def _by_meaning(table: Mapping[str, str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for word, meaning in table.items():
        found[str(meaning)].append(word)
    return found


def main() -> int:
    """Write what is stale and say what was written."""
    for path, text in stale():
        path.write_text(text, encoding="utf-8")
        sys.stdout.write(f"{path.name}: written anew\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
