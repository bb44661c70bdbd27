"""Bring the database back to what the migrations left, after a test whose transactions were committed.

Django's own way empties all tables and lets every app fill in its rows again (permissions, content types, the schedule
of the bells): a quarter of a second of work, and new keys each time. This empties only what has rows, and puts the
same rows under the same keys.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.db import connection, transaction

#: Its trigger refuses TRUNCATE. Only the statements here lift it: a test that truncates is refused as production is.
_AUDIT = "tenants_auditevent"


def read() -> dict[str, bytes]:
    """Return the rows of every table that has some, ready to be copied in again."""
    return {name: _rows(name) for name in _filled()}


def restore(baseline: Mapping[str, bytes]) -> None:
    """Make the tables hold what ``read`` found, and nothing else."""
    with transaction.atomic(), connection.cursor() as cursor:
        changed = [name for name in _filled() if name not in baseline or _rows(name) != baseline[name]]
        if changed:
            cursor.execute(f"ALTER TABLE {_AUDIT} DISABLE TRIGGER USER")
            cursor.execute(f"TRUNCATE {', '.join(changed)} CASCADE")
            cursor.execute(f"ALTER TABLE {_AUDIT} ENABLE TRIGGER USER")
        for name in baseline.keys() - _filled():
            with cursor.copy(f"COPY {name} FROM STDIN (FORMAT BINARY)") as copy:
                copy.write(baseline[name])


def _filled() -> set[str]:
    """Return the tables that have rows."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'django_migrations'"
        )
        tables = [name for (name,) in cursor.fetchall()]
        cursor.execute(" UNION ALL ".join(f"SELECT '{name}' WHERE EXISTS (SELECT FROM {name})" for name in tables))  # noqa: S608
        return {name for (name,) in cursor.fetchall()}


def _rows(table: str) -> bytes:
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} TO STDOUT (FORMAT BINARY)") as copy:
        return b"".join(bytes(piece) for piece in copy)
