"""What ``check --deploy --database default`` asks of the database: that the site cannot change its own audit trail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core import checks

from tenants import audit_rights

_HINT = (
    "Run the site as a role that does not own the tables: manage.py restrict_audit --role NAME gives it what it needs "
    "(docs/operating.md, The audit trail)."
)


@checks.register(checks.Tags.database, deploy=True)
def audit_trail_is_out_of_reach(
    app_configs: Any, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """Warn of every way in which the connected role could change or delete what was recorded."""
    if not databases or "default" not in databases:
        return []
    return [checks.Warning(found, hint=_HINT, id="tenants.W001") for found in audit_rights.weaknesses()]
