"""Which database role may do what to the audit trail: in production the site runs as one that can only read and add.

The triggers of migration 0002 stop everybody, but whoever owns a table can switch its triggers off. So two roles are
needed: one that owns the tables and runs ``migrate``, and one that the site runs as, which ``restrict`` gives what it
needs and no more. ``weaknesses`` says what the role of this connection could do all the same.
"""

from __future__ import annotations

from django.db import connection
from psycopg import sql

from tenants.models import AuditEvent, AuditHead

TRAIL, HEAD = AuditEvent._meta.db_table, AuditHead._meta.db_table
#: What nobody but the owner may do, by table. A trail's head moves on with every event.
FORBIDDEN = {TRAIL: ("UPDATE", "DELETE", "TRUNCATE"), HEAD: ("DELETE", "TRUNCATE")}
_TRIGGERS = ("tenants_auditevent_rows", "tenants_auditevent_table")


class Unfit(Exception):
    """A role cannot be kept from the trail; the text says why."""


def restrict(role: str) -> None:
    """Give ``role`` all that the site needs, of the trail only reading and adding; repeatable, run by the owner.

    Tables of later migrations are its to use as well. Raises ``Unfit`` for a role that is not there, or that can take
    the right back.
    """
    name = sql.Identifier(role)
    with connection.cursor() as cursor:
        reason = _unfit(role)
        if reason:
            raise Unfit(reason)
        cursor.execute("SELECT current_schema(), current_database()")
        schema, database = (sql.Identifier(part) for part in cursor.fetchone())
        for statement in _GRANTS:
            cursor.execute(sql.SQL(statement).format(role=name, schema=schema, database=database))
        for table, rights in FORBIDDEN.items():
            revoke = sql.SQL("REVOKE {rights} ON {table} FROM {role}, PUBLIC")
            listed = sql.SQL(", ").join(sql.SQL(right) for right in rights)
            cursor.execute(revoke.format(rights=listed, table=sql.Identifier(table), role=name))
    left = _rights(role)
    if left:
        raise Unfit(f"Role {role} may still {', '.join(left)}, by another role that it belongs to.")


_GRANTS = (
    "GRANT TEMPORARY ON DATABASE {database} TO {role}",
    "GRANT USAGE ON SCHEMA {schema} TO {role}",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}",
    "GRANT USAGE, SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA {schema} TO {role}",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role}",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT USAGE, SELECT, UPDATE ON SEQUENCES TO {role}",
)


def weaknesses() -> list[str]:
    """Return what the role of this connection could do to the trail, a sentence each; none is how it should be."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user, to_regclass(%s)", [TRAIL])
        role, there = cursor.fetchone()
        if there is None:
            return []
        cursor.execute(
            "SELECT tgname FROM pg_trigger WHERE tgrelid = %s::regclass AND tgenabled <> 'D' AND NOT tgisinternal",
            [TRAIL],
        )
        armed = {name for (name,) in cursor.fetchall()}
    found = [f"The trigger {name} of the audit trail is off or gone." for name in _TRIGGERS if name not in armed]
    reason = _power(role)
    if reason:
        return [*found, f"The site runs as database role {role}, which {reason}: it could switch the triggers off."]
    return found + [f"The site runs as database role {role}, which may {right}." for right in _rights(role)]


def _unfit(role: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role])
        if cursor.fetchone() is None:
            return f"There is no role {role}. Make it first: CREATE ROLE {role} LOGIN PASSWORD '…'."
    reason = _power(role)
    return f"Role {role} {reason}, so it cannot be kept from the trail. Use a role of its own." if reason else ""


def _power(role: str) -> str:
    """Return why a role could give itself any right to the trail, "" if it could not."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT rolsuper, pg_has_role(rolname, (SELECT relowner FROM pg_class WHERE oid = %s::regclass), 'MEMBER') "
            "FROM pg_roles WHERE rolname = %s",
            [TRAIL, role],
        )
        superuser, owner = cursor.fetchone()
    if superuser:
        return "may do everything"
    return "owns the tables" if owner else ""


def _rights(role: str) -> list[str]:
    """Return which of the forbidden rights a role has, however it came by them."""
    with connection.cursor() as cursor:
        found = []
        for table, rights in FORBIDDEN.items():
            for right in rights:
                cursor.execute("SELECT has_table_privilege(%s, %s, %s)", [role, table, right])
                if cursor.fetchone()[0]:
                    found.append(f"{right} {table}")
    return found
