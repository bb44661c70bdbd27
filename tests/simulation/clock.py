"""One virtual time for everything in a simulated run: nobody sleeps, and no machine's clock is asked.

``true`` is the far systems' time. Our workers' clock may differ from it by ``ours``; the database's, which alone
decides about leases, by ``database``. PostgreSQL is made to believe in it honestly: a schema of the simulator's, first
on the search path, has its own ``now()`` and ``statement_timestamp()``, so that every ``Now()`` of the product, and
every ``now()`` in its SQL, is the virtual one.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection

#: Every run begins at this moment.
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SCHEMA = "simulated_clock"

_MAKE = f"""
CREATE SCHEMA IF NOT EXISTS {SCHEMA};
CREATE TABLE IF NOT EXISTS {SCHEMA}.clock (at timestamptz NOT NULL);
DELETE FROM {SCHEMA}.clock;
INSERT INTO {SCHEMA}.clock VALUES (pg_catalog.now());
CREATE OR REPLACE FUNCTION {SCHEMA}.now() RETURNS timestamptz LANGUAGE sql STABLE AS
    'SELECT at FROM {SCHEMA}.clock';
CREATE OR REPLACE FUNCTION {SCHEMA}.statement_timestamp() RETURNS timestamptz LANGUAGE sql STABLE AS
    'SELECT at FROM {SCHEMA}.clock';
"""  # noqa: S608  (our own names)


class VirtualClock:
    """The time of one run. ``ahead`` is called with the seconds that pass, before they have passed."""

    def __init__(self) -> None:
        self.true = NOON
        self.ours = timedelta()
        self.database = timedelta()

    def restart(self, *, ours: timedelta, database: timedelta) -> None:
        """Begin a run at noon."""
        self.true, self.ours, self.database = NOON, ours, database
        self._tell_database()

    def now(self) -> datetime:
        """Return what our workers' clock shows."""
        return self.true + self.ours

    def far_now(self) -> datetime:
        """Return what the far systems' clocks show."""
        return self.true

    def pass_by(self, seconds: float) -> None:
        """Let time pass."""
        self.true += timedelta(seconds=seconds)
        self._tell_database()

    def _tell_database(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"UPDATE {SCHEMA}.clock SET at = %s", [self.true + self.database])  # noqa: S608


def make_clock_functions() -> None:
    """Make the database's virtual clock; sessions use it once their search path begins with its schema."""
    with connection.cursor() as cursor:
        cursor.execute(_MAKE)


def drop_clock_functions() -> None:
    """Leave the database as it was found."""
    with connection.cursor() as cursor:
        cursor.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")


def use_virtual_time(connection: Any) -> None:
    """Let one database session believe in the virtual clock."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET search_path TO {SCHEMA}, pg_catalog, public")


def use_real_time(connection: Any) -> None:
    """Let one database session believe in the machine's clock again."""
    with connection.cursor() as cursor:
        cursor.execute("RESET search_path")
