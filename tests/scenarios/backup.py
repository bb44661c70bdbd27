"""A backup of our database and putting it back, as ``pg_dump`` and ``pg_restore`` do it: rows and sequences.

Rows are copied out and in again by COPY, so that nothing of ours has a say in it: triggers and constraints are off
while a backup is put back, as they are when a dump is restored.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.apps import apps
from django.db import connection


@dataclass(frozen=True)
class Backup:
    """What every table held, as COPY writes it, and where its sequence stood."""

    rows: dict[str, bytes]
    sequences: dict[str, tuple[int, bool]]

    @classmethod
    def taken(cls) -> Backup:
        """Copy every table of ours."""
        rows, sequences = {}, {}
        with connection.cursor() as cursor:
            for table in _tables():
                with cursor.copy(f'COPY "{table}" TO STDOUT') as copy:
                    rows[table] = b"".join(copy)
                cursor.execute("SELECT pg_get_serial_sequence(%s, 'id')", [f'"{table}"'])
                (sequence,) = cursor.fetchone()
                if sequence is not None:
                    cursor.execute(f"SELECT last_value, is_called FROM {sequence}")  # noqa: S608
                    sequences[sequence] = cursor.fetchone()
        return cls(rows, sequences)

    def put_back(self) -> None:
        """Make every table what it was."""
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute("SET session_replication_role = replica")
            for table, rows in self.rows.items():
                cursor.execute(f'DELETE FROM "{table}"')  # noqa: S608
                with cursor.copy(f'COPY "{table}" FROM STDIN') as copy:
                    copy.write(rows)
            for sequence, (value, called) in self.sequences.items():
                cursor.execute("SELECT setval(%s, %s, %s)", [sequence, value, called])
            cursor.execute("SET session_replication_role = DEFAULT")


def _tables() -> list[str]:
    models = [model for name in ("tenants", "syncjobs") for model in apps.get_app_config(name).get_models()]
    return sorted(model._meta.db_table for model in models)
