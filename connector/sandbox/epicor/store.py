"""Tables in memory: rows found by key or key prefix, kept in key order, each write bumping the database-wide SysRevID.

Text keys compare without regard to case, as the server's collation does: ``inv-1`` and ``INV-1`` are one invoice.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator
from typing import Any

from connector.sandbox.epicor.errors import duplicate
from connector.sandbox.seed import KEYS, Company, Row

Key = tuple[Any, ...]


def norm(value: Any) -> Any:
    """Return a value as it is compared and indexed: text without case."""
    return value.casefold() if isinstance(value, str) else value


class Table:
    """One table of one company."""

    def __init__(self, name: str, rows: list[Row]) -> None:
        self.name = name
        self.columns = KEYS[name]
        self.version = 0
        self._rows: dict[Key, Row] = {self.key_of(row): row for row in rows}
        self._order: list[Key] = sorted(self._rows)
        self._indexes: dict[str, tuple[int, list[tuple[Any, Key]]]] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def key_of(self, row: Row) -> Key:
        return tuple(norm(row[column]) for column in self.columns)

    def get(self, *key: Any) -> Row | None:
        """Return the row with this key (without Company), or None."""
        return self._rows.get(tuple(norm(part) for part in key))

    def all(self) -> Iterator[Row]:
        """Yield the rows in key order."""
        return (self._rows[key] for key in self._order)

    def under(self, *prefix: Any) -> list[Row]:
        """Return the rows whose key begins with these values, in key order."""
        start = tuple(norm(part) for part in prefix)
        found, place, size = [], bisect_left(self._order, start), len(start)
        while place < len(self._order) and self._order[place][:size] == start:
            found.append(self._rows[self._order[place]])
            place += 1
        return found

    def span(self, low: Any, high: Any) -> Iterator[Row]:
        """Yield rows in key order whose first key column lies in [low, high]; None leaves a side open."""
        place = 0 if low is None else bisect_left(self._order, (low,))
        for at in range(place, len(self._order)):
            key = self._order[at]
            if high is not None and key[0] > high:
                return
            yield self._rows[key]

    def span_by(self, column: str, low: Any, high: Any) -> Iterator[Row]:
        """Yield rows ordered by a column (ties by key) whose value lies in [low, high]."""
        index = self._index(column)
        place = 0 if low is None else bisect_left(index, ((1, low),))
        for at in range(place, len(index)):
            (_, value), key = index[at]
            if high is not None and value is not None and value > high:
                return
            yield self._rows[key]

    def _index(self, column: str) -> list[tuple[Any, Key]]:
        version, index = self._indexes.get(column, (-1, []))
        if version != self.version:
            pairs = ((norm(row[column]), key) for key, row in self._rows.items())
            index = sorted(((0, 0) if value is None else (1, value), key) for value, key in pairs)
            self._indexes[column] = (self.version, index)
        return index

    def insert(self, row: Row) -> None:
        """Add a row. Raises a 409 refusal if its key is taken."""
        key = self.key_of(row)
        if key in self._rows:
            shown = ", ".join(str(row[column]) for column in self.columns)
            raise duplicate(f"A duplicate row already exists in {self.name}: {shown}.", table=self.name)
        self._rows[key] = row
        insort(self._order, key)
        self.version += 1

    def remove(self, row: Row) -> None:
        """Delete a row by its key."""
        key = self.key_of(row)
        del self._rows[key]
        del self._order[bisect_left(self._order, key)]
        self.version += 1


class Database:
    """One company's tables and files; every write takes the next row version from ``next_revision``."""

    def __init__(self, company: Company, *, next_revision: Callable[[], int]) -> None:
        self.company = company.code
        self.name = company.name
        self.tables = {name: Table(name, rows) for name, rows in company.tables.items()}
        self.files = dict(company.files)
        self.uploads: dict[str, tuple[str, str, bytes]] = {}
        self.next_head = max((row["HeadNum"] for row in company.tables["CheckHed"]), default=3000) + 1
        self.next_file = max(company.files, default=9000) + 1
        self._next_revision = next_revision
        self._undo: list[Callable[[], None]] = []

    def begin(self) -> None:
        """Begin a call: from here on writes can be taken back, as each method call is atomic alone."""
        self._undo.clear()

    def roll_back(self) -> None:
        """Take back every write since ``begin``, last first."""
        while self._undo:
            self._undo.pop()()

    def __getitem__(self, table: str) -> Table:
        return self.tables[table]

    def insert(self, table: str, row: Row, *, today: str, user: str) -> Row:
        """Store a new row, giving it a version, an id and its change columns; returns it."""
        revision = self._next_revision()
        row["Company"] = self.company
        row["SysRevID"] = revision
        row["SysRowID"] = f"{revision * 2654435761 % 4294967296:08x}-5a4d-4c0e-9000-{revision:012x}"
        _mark(row, today=today, user=user)
        self[table].insert(row)
        self._undo.append(lambda: self[table].remove(row))
        return row

    def change(self, table: str, row: Row, changes: Row, *, today: str, user: str) -> Row:
        """Change a stored row in place, as a user's edit would: version and change columns move. Keys stay."""
        before = dict(row)
        self._undo.append(lambda: row.update(before))
        row.update(changes)
        row["SysRevID"] = self._next_revision()
        _mark(row, today=today, user=user)
        self[table].version += 1
        return row

    def remove(self, table: str, row: Row) -> None:
        """Delete a stored row."""
        self[table].remove(row)
        self._undo.append(lambda: self[table].insert(row))


def _mark(row: Row, *, today: str, user: str) -> None:
    if "ChangeDate" in row:
        row["ChangeDate"] = today
        row["ChangedBy"] = user
