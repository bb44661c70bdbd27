"""The calls that all workers of a connection may make at once, as PostgreSQL's advisory locks.

One number a place, locked by a database session of the run's own. A worker that is killed loses its session and so its
places at once; one that is frozen is thrown out by the server after ``LEASE_S`` without a sign of life. Nothing is
written, nothing has to be swept up, and a place is waited for in the order of asking. The locks belong to a session, so
this needs the database itself, or a pooler that keeps a session for one client (pgbouncer: ``pool_mode = session``).
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Sequence
from typing import Any

from django.db import DatabaseError, InterfaceError, OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg.errors import DeadlockDetected, LockNotAvailable

from connector.transport.errors import System

log = logging.getLogger(__name__)

#: How long a session may be silent before the server takes its places away. A worker speaks up every half a minute.
LEASE_S = 120
#: How long the server is waited for at one go, so that a thread that wants to give a place back gets a word in. Shorter
#: than PostgreSQL's deadlock_timeout: two workers with a place each may well wait for each other's, and both go on.
ASK_S = 0.5
#: Marks our locks among the database's others.
SPACE = 0x6D6C63
#: More numbers than a connection may have places (``max_concurrency`` ends at 16).
NUMBERS = 32
_NOT_NOW = (LockNotAvailable, DeadlockDetected)
_COUNT = (
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2 AND granted AND classid = %s"
    " AND objid BETWEEN %s AND %s AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


class Session:
    """A database session beside the thread's own, opened when it is first needed. Safe for several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._database: BaseDatabaseWrapper | None = None

    def ask(self, sql: str, parameters: Sequence[Any]) -> Any:
        """Return the first column of the first row; once more in a new session if the old one was lost."""
        with self._lock:
            try:
                return self._value(sql, parameters)
            except (OperationalError, InterfaceError) as lost:
                if isinstance(lost.__cause__, _NOT_NOW) or self._database is None:
                    raise
                self._end()
                return self._value(sql, parameters)

    def close(self) -> None:
        """End the session, and with it every lock."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None

    def _value(self, sql: str, parameters: Sequence[Any]) -> Any:
        if self._database is None:
            database = connections["default"].copy()
            database.inc_thread_sharing()
            with database.cursor() as cursor:
                cursor.execute(
                    "SELECT set_config('application_name', 'ml-connector places', false),"
                    " set_config('lock_timeout', %s, false), set_config('idle_session_timeout', %s, false)",
                    [f"{ASK_S}s", f"{LEASE_S}s"],
                )
            self._database = database
        with self._database.cursor() as cursor:
            cursor.execute(sql, parameters)
            row = cursor.fetchone()
        return row[0] if row else None


class AdvisorySeats:
    """The transport's ``Seats`` of one connection."""

    def __init__(self, session: Session, tenant_id: int, system: System) -> None:
        self._session = session
        self._base = (tenant_id * len(System) + list(System).index(system)) * NUMBERS

    def take(self, numbers: Sequence[int]) -> int | None:
        """Take a number that is free now, or wait for one of them for a moment."""
        for number in numbers:
            if self._session.ask("SELECT pg_try_advisory_lock(%s, %s)", self._key(number)):
                return number
        number = random.choice(numbers)  # noqa: S311  (it spreads those who wait)
        try:
            self._session.ask("SELECT pg_advisory_lock(%s, %s)", self._key(number))
        except OperationalError as error:
            if isinstance(error.__cause__, _NOT_NOW):
                return None
            raise
        return number

    def give(self, number: int) -> None:
        """Give a number back."""
        try:
            held = self._session.ask("SELECT pg_advisory_unlock(%s, %s)", self._key(number))
        except DatabaseError:
            # The session is gone, and its locks with it.
            log.warning("place.session_lost", exc_info=True)
            return
        if not held:
            # Either the session was lost meanwhile, or a pooler lends it to others: then places leak.
            log.warning("place.not_ours")

    def taken(self) -> int:
        """Count the numbers that are taken."""
        return int(self._session.ask(_COUNT, [SPACE, self._base, self._base + NUMBERS - 1]))

    def keep(self) -> None:
        """Speak up."""
        try:
            self._session.ask("SELECT 1", [])
        except DatabaseError:
            log.warning("place.session_lost", exc_info=True)

    def _key(self, number: int) -> list[int]:
        return [SPACE, self._base + number]
