"""What all workers know of a connection, kept in one row a tenant and system, and moved under its lock.

The database's clock decides (``Now()``), since workers' own clocks differ. The row is locked for the move alone and
never across a call. Calls are also made by threads of their own, so whatever a thread opens it closes again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable
from datetime import datetime

from django.db import DatabaseError, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from connector.transport import width
from connector.transport.breaker import Breaker, BreakerPolicy, Stand, probing, slowed
from connector.transport.errors import System
from connector.transport.guard import View
from syncjobs.models import ConnectionHealth
from tenants.clients import tidy_connection
from tenants.models import Tenant

log = logging.getLogger(__name__)

POLICY = BreakerPolicy()
Move = Callable[[Breaker, datetime], Breaker]


def ensure(tenant: Tenant, system: System) -> None:
    """Make the row that the connection's workers share."""
    if not ConnectionHealth.objects.filter(tenant=tenant, system=system).exists():
        ConnectionHealth.objects.bulk_create([ConnectionHealth(tenant=tenant, system=system)], ignore_conflicts=True)


def open_ones(tenant_id: int, systems: Iterable[System]) -> list[ConnectionHealth]:
    """Return the connections among ``systems`` that are open, each with the database's time in ``read_at``."""
    return list(_open().filter(tenant_id=tenant_id, system__in=list(systems)))


def all_open(tenants: Collection[Tenant] | QuerySet[Tenant]) -> list[ConnectionHealth]:
    """Return the open connections of several tenants, likewise, tenants by slug."""
    return list(_open().filter(tenant__in=tenants).order_by("tenant__slug", "pk"))


def _open() -> QuerySet[ConnectionHealth]:
    rows = ConnectionHealth.objects.filter(since__isnull=False).select_related("tenant")
    return rows.annotate(clock=Now()).order_by("pk")


def move(tenant: Tenant, system: System, change: Move, *, reason: str = "") -> tuple[Breaker, Breaker]:
    """Change a connection under its row's lock; returns it as it was and as it is.

    ``reason`` is noted if it opens by this.
    """
    ensure(tenant, system)
    with transaction.atomic():
        rows = ConnectionHealth.objects.select_for_update()
        row = rows.annotate(clock=Now()).get(tenant=tenant, system=system)
        before = row.breaker
        after = change(before, row.read_at)
        row.since, row.until, row.trips, row.probe_until = after.since, after.until, after.trips, after.probe_until
        if before.since is None:
            row.reason = reason[:500]
        row.save(update_fields=["since", "until", "trips", "probe_until", "reason", "updated_at"])
    return before, after


def claim_probe(tenant: Tenant, system: System) -> bool:
    """Take it on to ping an open connection whose pause is over; False when somebody else has."""
    before, after = move(
        tenant, system, lambda state, now: probing(state, POLICY, now) if state.stand(now) is Stand.DUE else state
    )
    return before != after


class DatabaseStore:
    """The transport's ``Store`` over ``ConnectionHealth``; the row is made by whoever opens the client."""

    def __init__(self, tenant: Tenant, system: System) -> None:
        self._rows = ConnectionHealth.objects.filter(tenant=tenant, system=system)

    def load(self) -> View | None:
        """Read what is known."""
        try:
            with tidy_connection():
                row = self._rows.annotate(clock=Now()).first()
        except DatabaseError:
            log.warning("connection.not_read", exc_info=True)
            return None
        return None if row is None else View(row.breaker, row.cut, row.read_at)

    def slow(self, seconds: float) -> None:
        """Let everybody wait."""
        self._change(lambda row: _slow(row, seconds))

    def halve(self, most: int) -> None:
        """Let fewer call at once."""
        self._change(lambda row: _halve(row, most))

    def _change(self, change: Callable[[ConnectionHealth], None]) -> None:
        try:
            with tidy_connection(), transaction.atomic():
                row = self._rows.select_for_update().annotate(clock=Now()).first()
                if row is not None:
                    change(row)
                    row.save(update_fields=["until", "width", "width_at", "updated_at"])
        except DatabaseError:
            # The far side's wish is kept by this client all the same; the others will be told by it themselves.
            log.warning("connection.not_noted", exc_info=True)


def _slow(row: ConnectionHealth, seconds: float) -> None:
    row.until = slowed(row.breaker, row.read_at, seconds).until


def _halve(row: ConnectionHealth, most: int) -> None:
    cut = width.halved(row.cut, row.read_at, most)
    if cut is not None and cut != row.cut:
        row.width, row.width_at = cut.width, cut.at
        log.info("connection.narrowed", extra={"tenant": row.tenant_id, "system": row.system, "width": cut.width})
