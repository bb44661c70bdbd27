"""Writing seed rows: full rows from templates, database-wide rising SysRevID, made-up but stable SysRowIDs.

One ``Writer`` serves all companies of a seed, because Epicor's row versions rise database-wide (epicor.md 3.2).
"""

from __future__ import annotations

from datetime import date
from typing import Any

from connector.sandbox.seed.columns import TEMPLATES
from connector.sandbox.seed.rows import Company, Row

FIRST_REVISION = 500_000_001


def stamp(day: date) -> str:
    """Return a date as Epicor writes its date columns: midnight, no zone."""
    return f"{day.isoformat()}T00:00:00"


def row_id(number: int) -> str:
    """Return the SysRowID of the ``number``-th row ever written: unique, stable, shaped like a GUID."""
    return f"{number * 2654435761 % 4294967296:08x}-5a4d-4c0e-8000-{number:012x}"


class Writer:
    """Appends rows to companies' tables."""

    def __init__(self) -> None:
        self.revision = FIRST_REVISION

    def add(self, company: Company, table: str, **values: Any) -> Row:
        """Append one row; columns not given have their defaults. Raises ``KeyError`` naming an unknown column."""
        template = TEMPLATES[table]
        row = {**template, "Company": company.code, **values}
        if len(row) != len(template):
            raise KeyError(f"{table} has no column {sorted(row.keys() - template.keys())}")
        self.revision += 1
        row["SysRevID"] = self.revision
        row["SysRowID"] = row_id(self.revision - FIRST_REVISION)
        company.tables[table].append(row)
        return row
