"""Methods of business objects: a registry, their parameters checked by name and type, datasets checked by column.

A handler takes a ``Call`` and returns the reply's body. What the server expects is strict: a missing parameter is a
400 that names it, and so is one it does not know (epicor.md 2.4; the wording of the second is assumed).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from connector.sandbox import credentials
from connector.sandbox.epicor.catalog import SERVICES
from connector.sandbox.epicor.errors import bad_input, business
from connector.sandbox.epicor.state import EpicorState
from connector.sandbox.epicor.store import Database
from connector.sandbox.seed import TEMPLATES, Row
from connector.sandbox.seed.columns import KINDS, ROW_MOD

Dataset = dict[str, list[Row]]
Body = dict[str, Any]

NEW_ID = "00000000-0000-0000-0000-000000000000"


@dataclass
class Call:
    """One method call: whom it concerns and with what, read by ``text``, ``number``, ``flag`` and ``ds``."""

    state: EpicorState
    database: Database
    service: str
    parameters: dict[str, Any]
    user: str = credentials.EPICOR_USER

    @property
    def who(self) -> dict[str, str]:
        """The change columns of whatever this call writes."""
        return {"today": self.state.stamp, "user": self.user}

    def text(self, name: str) -> str:
        value = self.parameters[name]
        return "" if value is None else str(value)

    def number(self, name: str) -> int:
        return int(self.amount(name))

    def amount(self, name: str) -> Decimal:
        try:
            return Decimal(str(self.parameters[name] or 0))
        except InvalidOperation:
            raise bad_input(f"Parameter {name} must be a number.") from None

    def flag(self, name: str) -> bool:
        value = self.parameters[name]
        return value.lower() == "true" if isinstance(value, str) else bool(value)

    @property
    def ds(self) -> Dataset:
        """The dataset parameter, its tables and rows as sent."""
        name = "ds" if "ds" in self.parameters else "ts"
        given = self.parameters[name]
        if not isinstance(given, dict):
            raise bad_input(f"Parameter {name} must be a dataset.")
        return {table: rows for table, rows in given.items() if isinstance(rows, list)}


Handler = Callable[[Call], Body]


@dataclass(frozen=True)
class Method:
    """A method: its input parameters, whether it may be called by GET, and what runs."""

    inputs: frozenset[str]
    by_get: bool
    run: Handler


METHODS: dict[tuple[str, str], Method] = {}


def method(service: str, name: str, inputs: str = "") -> Callable[[Handler], Handler]:
    """Register a handler for ``service/name`` that takes the named parameters."""

    def register(run: Handler) -> Handler:
        by_get = name in {"GetByID", "GetRows", "GetList", "GetByVendID"}
        METHODS[service, name] = Method(frozenset(inputs.split()), by_get, run)
        return run

    return register


def check_parameters(chosen: Method, given: dict[str, Any]) -> None:
    """Raise a 400 refusal naming the first parameter that is missing, or that the method does not have."""
    for name in sorted(chosen.inputs - given.keys()):
        raise bad_input(f"Parameter {name} is not found in the input object.")
    for name in sorted(given.keys() - chosen.inputs):
        raise bad_input(f"The input object has the parameter {name}, which the method does not have.")


def reply(value: Any = None, **parameters: Any) -> Body:
    """Return a reply: the return value under ``returnObj``, ref and out parameters under ``parameters``."""
    body: Body = {} if value is None else {"returnObj": value}
    return body | {"parameters": parameters}


def new_row(table: str, **values: Any) -> Row:
    """Return the row a GetNew method adds to a dataset: every column, hidden ones too, marked as added."""
    return {**TEMPLATES[table], "SysRowID": NEW_ID, **values, ROW_MOD: "A"}


def add_new(ds: Dataset, table: str, **values: Any) -> None:
    """Add a new row to a table of a dataset, making the table if it is not there."""
    ds.setdefault(table, []).append(new_row(table, **values))


def _shown_rows(rows: list[Row], hidden: frozenset[str]) -> list[Row]:
    """Return stored rows as they stand in a dataset: unmarked, without columns it does not have."""
    return [{name: value for name, value in row.items() if name not in hidden} | {ROW_MOD: ""} for row in rows]


def full_dataset(service: str, tables: dict[str, list[Row]]) -> Dataset:
    """Return a dataset with every table of the service, filled where rows are given."""
    known = SERVICES[service]
    filled = {known.shown(name): _shown_rows(tables.get(name, []), known.hidden(name)) for name in known.tables}
    return filled | {name: [] for name in known.empty_tables} | {"ExtensionTables": []}


def edited(service: str, ds: Dataset, table: str) -> list[Row]:
    """Return a table's rows marked A, U or D, each complete and with values of the right types.

    Raises a 400 refusal for a table or column the service does not have, and for a row built by hand: one without the
    columns that GetNew or GetByID would have given it (epicor.md 5.3).
    """
    known = SERVICES[service]
    for name in ds:
        if name not in {*known.tables, *known.empty_tables, "ExtensionTables"}:
            raise bad_input(f"The dataset has no table {name}.")
    rows = [row for row in ds.get(table, []) if row.get(ROW_MOD)]
    return [_whole(table, row) for row in rows]


def _whole(table: str, row: Row) -> Row:
    kinds = KINDS[table]
    if row[ROW_MOD] not in {"A", "U", "D"}:
        raise bad_input(f"RowMod {row[ROW_MOD]!r} is not one of A, U, D.")
    for name in row:
        if name not in kinds and name != ROW_MOD and not name.endswith("_c"):
            raise bad_input(f"Could not find a property named '{name}' on type 'Erp.Tablesets.{table}Row'.")
    if row[ROW_MOD] != "D":
        for name in kinds:
            if name not in row and not (table == "GLAccount" and name == "GLAccount1"):
                raise business(f"Column {name} is missing from a row of {table}.", table=table, field=name)
    return {name: typed(name, kinds.get(name, ""), value) for name, value in row.items()}


def typed(name: str, kind: str, value: Any) -> Any:
    """Return a value as its column stores it. Raises a 400 refusal if it cannot be read as that."""
    try:
        if kind == "n":
            return Decimal(str(value or 0))
        if kind == "i":
            return int(value or 0)
        if kind == "d":
            return _day(value)
    except (InvalidOperation, ValueError, TypeError):
        raise bad_input(f"Column {name} cannot be read from {value!r}.") from None
    return value


def _day(value: Any) -> str | None:
    if not value:
        return None
    text = str(value)[:10]
    year, month, day = (int(part) for part in text.split("-"))
    return f"{year:04d}-{month:02d}-{day:02d}T00:00:00"
