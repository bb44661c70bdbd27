"""What the database holds of a tenant: compared row by row, and what a step changed written again under the same keys.

Tenants share nothing but the tables in ``_SHARED``, so the steps of two can be done again in any order. Keys never
collide: all come from one process's database, whose sequences never go back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from django.apps import apps
from django.db import connection, transaction
from django.db.models import Model

from tenants.models import Tenant

#: Models without a tenant to which making a tenant adds rows.
_SHARED = ("IntervalSchedule", "CrontabSchedule", "PeriodicTasks")

#: (table, key) → hash of the row.
Rows = Mapping[tuple[str, str], str]


@dataclass(frozen=True)
class Change:
    """Keys of rows that were deleted or replaced, and the rows that were written, by table."""

    gone: Mapping[str, list[str]]
    rows: Mapping[str, bytes]


def read(tenant_id: int | None) -> Rows:
    """Return what there is of a tenant and what all share; without a tenant only the latter."""
    parts = [
        f"SELECT '{table}', {key}::text, md5(row::text) FROM {table} row"  # noqa: S608  (names of our own models)
        + (f" WHERE {owner} = {tenant_id:d}" if owner and tenant_id is not None else "")
        for table, (key, owner) in _tables().items()
        if tenant_id is not None or not owner
    ]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts))
        return {(table, key): digest for table, key, digest in cursor.fetchall()}


def change(tenant_id: int, before: Rows) -> Change:
    """Return what has changed since ``before``."""
    now = read(tenant_id)
    written = _by_table(one for one, digest in now.items() if before.get(one) != digest)
    return Change(
        gone=_by_table(one for one, digest in before.items() if now.get(one) != digest),
        rows={table: _copied(table, keys) for table, keys in written.items()},
    )


def again(change: Change) -> None:
    """Write a change again, where everything is as it was before it."""
    with transaction.atomic(), connection.cursor() as cursor:
        for table, keys in change.gone.items():
            key, _owner = _tables()[table]
            cursor.execute(f"DELETE FROM {table} WHERE {key} = ANY(%s::bigint[])", [keys])  # noqa: S608
        for table, rows in change.rows.items():
            with cursor.copy(f"COPY {table} FROM STDIN (FORMAT BINARY)") as copy:
                copy.write(rows)


@cache
def _tables() -> Mapping[str, tuple[str, str]]:
    """Table → column of its key, and column of its tenant (empty where tenants share it)."""
    every = [model for label in ("tenants", "syncjobs") for model in apps.get_app_config(label).get_models()]
    own = [model for model in every if model is Tenant or any(field.name == "tenant" for field in model._meta.fields)]
    found = {model._meta.db_table: (_key(model), _key(model) if model is Tenant else "tenant_id") for model in own}
    beat = apps.get_app_config("django_celery_beat")
    shared = [beat.get_model(name) for name in _SHARED]
    return found | {model._meta.db_table: (_key(model), "") for model in shared}


def _key(model: type[Model]) -> str:
    return str(model._meta.pk.column)


def _by_table(rows: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for table, key in rows:
        found.setdefault(table, []).append(key)
    return found


def _copied(table: str, keys: list[str]) -> bytes:
    key, _owner = _tables()[table]
    chosen = f"SELECT * FROM {table} WHERE {key} IN ({', '.join(str(int(one)) for one in keys)})"  # noqa: S608
    with connection.cursor() as cursor, cursor.copy(f"COPY ({chosen}) TO STDOUT (FORMAT BINARY)") as copy:
        return b"".join(bytes(piece) for piece in copy)
