"""Set-based storing of a page: COPY into a temporary table, then one merge into the real one.

Measured on 100,000 vendors this is six times faster than ``bulk_create(update_conflicts=True)`` and a hundred times
faster than ``update_or_create`` (design section 4), and it is one statement whatever the size of the page.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connection, models
from psycopg import sql


def merge(
    model: type[models.Model],
    rows: Sequence[dict[str, Any]],
    *,
    key: Sequence[str],
    changed: Sequence[str] = (),
    or_when: str = "",
) -> int:
    """Insert or update ``rows`` (field attname → value, all with the same names), matching on ``key``.

    A row already there is updated when one of the ``changed`` columns differs, or the SQL condition ``or_when`` holds
    (``old`` is the stored row, ``new`` the arriving one); otherwise it is left untouched. Returns how many rows were
    inserted or updated. ``created_at`` and ``updated_at`` are set by the database; other columns that are not given
    take their field's default on insert. Call it inside a transaction.
    """
    if not rows:
        return 0
    meta = model._meta
    given = {meta.get_field(name) for name in rows[0]}
    filled = [f for f in meta.concrete_fields if not f.primary_key and f.column not in ("created_at", "updated_at")]
    table = sql.Identifier(meta.db_table)
    columns = [sql.Identifier(str(f.column)) for f in filled]
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS pg_temp.arriving")
        create = sql.SQL("CREATE TEMP TABLE arriving ON COMMIT DROP AS SELECT {} FROM {} WITH NO DATA")
        cursor.execute(create.format(sql.SQL(", ").join(columns), table))
        into = sql.SQL("COPY arriving ({}) FROM STDIN").format(sql.SQL(", ").join(columns))
        with cursor.cursor.copy(into) as copy:
            for row in rows:
                copy.write_row([_prepared(f, row.get(f.attname, _default(f))) for f in filled])
        cursor.execute(_merge_statement(meta, filled, given, key=key, changed=changed, or_when=or_when))
        return int(cursor.rowcount)


def _merge_statement(
    meta: Any, filled: Sequence[Any], given: set[Any], *, key: Sequence[str], changed: Sequence[str], or_when: str
) -> sql.Composed:
    column = {f.attname: f.column for f in filled} | {f.name: f.column for f in filled}
    keys = [column[name] for name in key]
    updated = [f.column for f in filled if f in given and f.column not in keys]
    differs: list[sql.Composable] = [
        sql.SQL("old.{c} IS DISTINCT FROM EXCLUDED.{c}").format(c=sql.Identifier(column[name])) for name in changed
    ]
    if or_when:
        differs.append(sql.SQL("(" + or_when.replace("new.", "EXCLUDED.") + ")"))
    now = [sql.SQL("now()"), sql.SQL("now()")] if _stamped(meta) else []
    stamps = [sql.Identifier("created_at"), sql.Identifier("updated_at")] if _stamped(meta) else []
    sets: list[sql.Composable] = [sql.SQL("{c} = EXCLUDED.{c}").format(c=sql.Identifier(name)) for name in updated]
    if _stamped(meta):
        sets.append(sql.SQL("updated_at = now()"))
    columns = [sql.Identifier(str(f.column)) for f in filled]
    return sql.SQL(
        "INSERT INTO {table} AS old ({into}) SELECT {select} FROM arriving"
        " ON CONFLICT ({keys}) DO UPDATE SET {sets} WHERE {differs}"
    ).format(
        table=sql.Identifier(meta.db_table),
        into=sql.SQL(", ").join([*columns, *stamps]),
        select=sql.SQL(", ").join([*columns, *now]),
        keys=sql.SQL(", ").join(sql.Identifier(name) for name in keys),
        sets=sql.SQL(", ").join(sets),
        differs=sql.SQL(" OR ").join(differs) if differs else sql.SQL("true"),
    )


def _stamped(meta: Any) -> bool:
    return any(f.column == "updated_at" for f in meta.concrete_fields)


def _default(field: Any) -> Any:
    return field.get_default()


def _prepared(field: Any, value: Any) -> Any:
    return field.get_db_prep_save(value, connection)


def update(rows: Sequence[models.Model], names: Sequence[str]) -> None:
    """Write the named columns of many rows of one table, matching on the primary key; inside a transaction.

    ``bulk_update`` builds a CASE for every row and column, which took half of a first load; this is one COPY and one
    UPDATE whatever the number of rows. ``updated_at`` is set by the database where the table has it.
    """
    if not rows:
        return
    meta: Any = type(rows[0])._meta
    fields = [meta.get_field(name) for name in names]
    key, columns = sql.Identifier(str(meta.pk.column)), [sql.Identifier(str(f.column)) for f in fields]
    table = sql.Identifier(meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS pg_temp.changing")
        create = sql.SQL("CREATE TEMP TABLE changing ON COMMIT DROP AS SELECT {} FROM {} WITH NO DATA")
        cursor.execute(create.format(sql.SQL(", ").join([key, *columns]), table))
        into = sql.SQL("COPY changing ({}) FROM STDIN").format(sql.SQL(", ").join([key, *columns]))
        with cursor.cursor.copy(into) as copy:
            for row in rows:
                copy.write_row([row.pk, *(_prepared(f, getattr(row, f.attname)) for f in fields)])
        sets: list[sql.Composable] = [sql.SQL("{c} = new.{c}").format(c=column) for column in columns]
        if _stamped(meta):
            sets.append(sql.SQL("updated_at = now()"))
        change = sql.SQL("UPDATE {table} AS old SET {sets} FROM changing AS new WHERE old.{key} = new.{key}")
        cursor.execute(change.format(table=table, sets=sql.SQL(", ").join(sets), key=key))
