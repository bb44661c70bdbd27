"""The product's tables, put away and restored in a few milliseconds; every run begins with the same rows and numbers.

Rows are kept in tables of a schema of the simulator's own and copied back by the server itself. The audit trail's
trigger, which refuses deletion to everybody, is lifted for just that.
"""

from __future__ import annotations

from functools import cache

from django.apps import apps
from django.db import connection

APPS = ("tenants", "syncjobs", "django_celery_beat")


@cache
def _tables() -> tuple[str, ...]:
    return tuple(sorted(model._meta.db_table for app in APPS for model in apps.get_app_config(app).get_models()))


@cache
def _guarded() -> tuple[str, ...]:
    """Return the tables that have triggers of ours."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal")
        return tuple(name for (name,) in cursor.fetchall())


def _sequences() -> list[tuple[str, str]]:
    with connection.cursor() as cursor:
        return [
            (row["table"], row["column"])
            for name in _tables()
            for row in connection.introspection.get_sequences(cursor, name)
        ]


def sequences() -> dict[str, tuple[int, bool]]:
    """Return where every sequence stands: its last number, and whether that was given out."""
    found = {}
    with connection.cursor() as cursor:
        for table, column in _sequences():
            cursor.execute("SELECT pg_get_serial_sequence(%s, %s)", [table, column])
            (sequence,) = cursor.fetchone() or ("",)
            cursor.execute(f"SELECT last_value, is_called FROM {sequence}")  # noqa: S608
            last, called = cursor.fetchone() or (1, False)
            found[sequence] = (last, called)
    return found


def set_sequences(numbers: dict[str, tuple[int, bool]]) -> None:
    """Let every sequence go on from where it stood."""
    with connection.cursor() as cursor:
        cursor.execute(_setting(numbers))


def _setting(numbers: dict[str, tuple[int, bool]]) -> str:
    parts = (f"setval('{sequence}', {last}, {called})" for sequence, (last, called) in numbers.items())
    return f"SELECT {', '.join(parts)};"


def put_away(name: str) -> str:
    """Keep every row as it is now under a name; returns the statements that bring them back."""
    schema = f"kept_{name}"
    with connection.cursor() as cursor:
        cursor.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}")
        for table in _tables():
            cursor.execute(f"CREATE TABLE {schema}.{table} AS TABLE public.{table}")
    numbers = sequences()
    lift = [f"ALTER TABLE {table} DISABLE TRIGGER USER;" for table in _guarded()]
    lower = [f"ALTER TABLE {table} ENABLE TRIGGER USER;" for table in _guarded()]
    swap = [
        f"DELETE FROM public.{table}; INSERT INTO public.{table} SELECT * FROM {schema}.{table};"  # noqa: S608
        for table in _tables()
    ]
    return "\n".join(["BEGIN;", *lift, *swap, _setting(numbers), "COMMIT;", *("BEGIN;", *lower, "COMMIT;")])


def restore(statements: str) -> None:
    """Bring back what was put away."""
    with connection.cursor() as cursor:
        cursor.execute(statements)


def empty() -> None:
    """Delete every row of the product's tables."""
    lift = [f"ALTER TABLE {table} DISABLE TRIGGER USER;" for table in _guarded()]
    lower = [f"ALTER TABLE {table} ENABLE TRIGGER USER;" for table in _guarded()]
    with connection.cursor() as cursor:
        cursor.execute("\n".join([*lift, f"TRUNCATE {', '.join(_tables())} RESTART IDENTITY CASCADE;", *lower]))


def forget() -> None:
    """Drop everything that was put away."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'kept\\_%'")
        for (schema,) in cursor.fetchall():
            cursor.execute(f"DROP SCHEMA {schema} CASCADE")
