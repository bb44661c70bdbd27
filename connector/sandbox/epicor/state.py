"""What the Epicor stand-in holds: companies, tokens, switches, and the clock everything happens by."""

from __future__ import annotations

import secrets
import threading
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from connector.sandbox.epicor.options import EpicorOptions
from connector.sandbox.epicor.store import Database
from connector.sandbox.seed import TEMPLATES, Seed
from connector.sandbox.seed.writer import FIRST_REVISION, stamp


def utc_now() -> datetime:
    """Return the real time; the default clock."""
    return datetime.now(UTC)


class EpicorState:
    """Everything one stand-in server knows. ``lock`` is held for the whole of each request."""

    def __init__(
        self, seed: Seed, *, clock: Callable[[], datetime] = utc_now, options: EpicorOptions | None = None
    ) -> None:
        self.clock = clock
        self.options = options or EpicorOptions()
        if self.options.closed_through is None:
            self.options.closed_through = seed.today - timedelta(days=120)
        self.lock = threading.RLock()
        self.calls: Counter[str] = Counter()
        self._tokens: dict[str, datetime] = {}
        rows = (row for company in seed.companies.values() for table in company.tables.values() for row in table)
        self._revision: int = max((row["SysRevID"] for row in rows), default=FIRST_REVISION)
        self.companies = {
            code: Database(company, next_revision=self._next_revision) for code, company in seed.companies.items()
        }

    def _next_revision(self) -> int:
        self._revision += 1
        self.calls["rows_written"] += 1
        return self._revision

    @property
    def today(self) -> date:
        """The server's day: what ChangeDate shows, without a time."""
        return self.clock().date()

    @property
    def stamp(self) -> str:
        return stamp(self.today)

    def issue_token(self) -> tuple[str, int]:
        """Return a new bearer token and the seconds it lives."""
        token = "sandbox-" + secrets.token_urlsafe(24)
        self._tokens[token] = self.clock() + timedelta(seconds=self.options.token_seconds)
        return token, self.options.token_seconds

    def token_is_good(self, token: str) -> bool:
        """Return whether a bearer token was issued here and has not expired."""
        due = self._tokens.get(token)
        return due is not None and self.clock() < due

    def expire_tokens(self) -> None:
        """Make every bearer token invalid at once."""
        with self.lock:
            self._tokens.clear()

    def edit(self, change: dict[str, Any]) -> dict[str, Any]:
        """Change the data as a person in the UI would, for tests: versions and change dates move.

        ``{"company", "table", "key": {...}, "set": {...}}``, or ``"delete": true``, or ``"insert": {...}``; or
        ``{"options": {...}}`` for the switches. Returns the row (or options given). Raises ``ValueError``.
        """
        with self.lock:
            if "options" in change:
                self.options.change(change["options"])
                return dict(change["options"])
            try:
                database = self.companies[change["company"]]
                table = database[change["table"]]
            except KeyError as missing:
                raise ValueError(f"no such company or table: {missing}") from None
            return self._edit_row(database, table.name, change)

    def _edit_row(self, database: Database, table: str, change: dict[str, Any]) -> dict[str, Any]:
        wanted = change.get("insert") or change.get("set") or {}
        unknown = wanted.keys() - TEMPLATES[table].keys()
        if unknown:
            raise ValueError(f"{table} has no column {', '.join(sorted(unknown))}")
        who = {"today": self.stamp, "user": "someone.else"}
        if "insert" in change:
            return database.insert(table, {**TEMPLATES[table], **wanted}, **who)
        row = database[table].get(*(change["key"].get(column) for column in database[table].columns))
        if row is None:
            raise ValueError(f"{table} has no row {change['key']}")
        if change.get("delete"):
            database.remove(table, row)
            return row
        return database.change(table, row, wanted, **who)
