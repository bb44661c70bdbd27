"""Telling of a person: the trail has one row in each tenant that the person belongs to, and the site's log one line.

What changes a superuser, or a superuser's signing in, concerns every tenant, and every trail tells it. A try that
failed is told to the tenants of that person's roles only, so that whoever guesses cannot fill two hundred trails.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog
from django.contrib.auth.models import User
from django.http import HttpRequest

from tenants import audit
from tenants.audit import Actor
from tenants.models import Tenant

_log = structlog.get_logger(__name__)

#: Who tells of somebody that has not proven to be that person.
DOOR = Actor.system("sign-in")


def tell(
    user: User,
    action: str,
    *,
    actor: Actor,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str = "",
    failed: bool = False,
) -> None:
    """Write what was done by or to a person; ``failed`` for what somebody only tried."""
    _log.info(action, person=user.get_username(), by=actor.name, **(after or {}))
    tenants = Tenant.objects.order_by("pk")
    powers = user.is_superuser or bool(before and before.get("is_superuser"))
    if failed or not powers:
        tenants = tenants.filter(memberships__user=user)
    for tenant in tenants:
        audit.record(
            tenant, action, actor=actor, subject=("user", user.get_username()), before=before, after=after,
            reason=reason,
        )  # fmt: skip


def came_from(request: HttpRequest) -> dict[str, str]:
    """Return from where a request came, as the trail shows it; behind a proxy that is the proxy."""
    return {"address": str(request.META.get("REMOTE_ADDR", ""))}
