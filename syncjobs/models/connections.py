"""What all workers know of a tenant's way to one of the two systems."""

from __future__ import annotations

from datetime import datetime

from django.db import models

from connector.transport.breaker import Breaker
from connector.transport.errors import System
from connector.transport.width import Cut
from syncjobs.models.base import TenantRow


class ConnectionHealth(TenantRow):
    """The breaker and the width of one connection (``connector.transport``'s ``breaker`` and ``width``).

    Moments are by the database's clock, because workers' clocks differ. ``since`` is when the connection opened, NULL
    while calls are made; ``reason`` is why, in redacted words.
    """

    system = models.CharField(max_length=16, choices=[(str(system), system.label) for system in System])
    since = models.DateTimeField(null=True, blank=True)
    until = models.DateTimeField(null=True, blank=True)
    trips = models.PositiveIntegerField(default=0)
    probe_until = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=500, blank=True, default="")
    width = models.PositiveSmallIntegerField(null=True, blank=True)
    width_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "connection"
        constraints = [models.UniqueConstraint(fields=["tenant", "system"], name="connectionhealth_once")]

    @property
    def read_at(self) -> datetime:
        """The database's time when the row was read; only there where it was annotated as ``clock``."""
        read: datetime = self.__dict__["clock"]
        return read

    @property
    def breaker(self) -> Breaker:
        """What decides whether calls are made."""
        return Breaker(since=self.since, until=self.until, trips=self.trips, probe_until=self.probe_until)

    @property
    def cut(self) -> Cut | None:
        """How many calls at once it bore when it was last too many."""
        return None if self.width is None or self.width_at is None else Cut(self.width, self.width_at)

    def __str__(self) -> str:
        return self.get_system_display()
