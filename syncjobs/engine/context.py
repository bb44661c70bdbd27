"""What a stage is handed: its tenant, its claim, both clients, and the one way to commit a page.

``ctx.commit()`` is the heart of "nothing lost": rows, cursor, problems and audit of a page go into one transaction
that also renews the run's lease under its fence, so a worker that was frozen past its lease cannot write a thing.
The database's clock decides about leases; ours is only shown to people (field lessons 9, 17, 19).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property

import msgspec
from django.db import connection, transaction
from django.db.models.functions import Now

from connector.avidxchange.client import AvidXchangeClient
from connector.epicor.client import EpicorClient
from connector.stages import Stage
from connector.transport.client import Attempt as RemoteCall
from connector.transport.errors import System
from connector.transport.guard import Guard
from connector.transport.limits import Shared
from syncjobs.engine import connections
from syncjobs.engine.places import AdvisorySeats, Session
from syncjobs.models import StageRun
from syncjobs.states import RunStatus
from tenants.audit import Actor
from tenants.clients import Options, avidxchange_client, epicor_client
from tenants.models import Tenant
from tenants.options import TenantOptions

#: How long a claim lasts without a sign of life. The reaper waits for it, so stuck work is stuck for at most this
#: plus the minute of the tick.
LEASE = timedelta(seconds=120)


_CALLS = (
    "COPY syncjobs_attempt (tenant_id, run_id, batch_id, posting_id, system, operation, method, url, started_at,"
    " seconds, status, request_id, error, request_bytes, response_bytes, request_shape, response_shape) FROM STDIN"
)


class LeaseLost(Exception):
    """The run's claim went to someone else, or a person cancelled it; whatever was under way is rolled back."""


@dataclass(frozen=True, slots=True)
class Clock:
    """Our clock and our patience, injected so that tests neither wait nor guess."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    sleep: Callable[[float], None] = time.sleep


class CallLog:
    """Collects remote calls from any thread and writes them in bulk; evidence survives a rollback because ``flush``
    is called outside the page's transaction."""

    def __init__(self, run: StageRun) -> None:
        self._run = run
        self._lock = threading.Lock()
        self._calls: list[RemoteCall] = []
        self.total = 0

    def add(self, call: RemoteCall) -> None:
        """Remember one call; safe to use from the thread that fetches ahead."""
        with self._lock:
            self._calls.append(call)
            self.total += 1

    def flush(self, *, batch_id: int | None = None, posting_id: int | None = None) -> None:
        """Write what was collected, as belonging to a batch or a posting if one is named."""
        with self._lock:
            calls, self._calls = self._calls, []
        if not calls:
            return
        # A stage writes one or two calls after each page or step, so the way there must cost little: COPY, not the ORM.
        with connection.cursor() as cursor, cursor.copy(_CALLS) as copy:
            for call in calls:
                copy.write_row(
                    (
                        self._run.tenant_id,
                        self._run.pk,
                        batch_id,
                        posting_id,
                        call.system,
                        call.operation[:120],
                        call.method,
                        call.url,
                        call.started_at,
                        call.seconds,
                        call.status,
                        call.request_id[:120],
                        call.error,
                        call.request_bytes,
                        call.response_bytes,
                        _json(call.request_shape),
                        _json(call.response_shape),
                    )
                )


def _json(shape: object) -> str | None:
    return None if shape is None else msgspec.json.encode(shape).decode()


@dataclass
class StageContext:
    """Everything one run of one stage needs. ``counts`` holds the seven counts of design section 7."""

    tenant: Tenant
    run: StageRun
    actor: Actor
    options: TenantOptions
    clock: Clock = field(default_factory=Clock)
    patience_s: float = 20.0
    counts: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.calls = CallLog(self.run)
        #: What the clients that were opened have come to think of their connections.
        self.guards: dict[System, Guard] = {}
        self._places = Session()
        self._closers: list[Callable[[], None]] = [self._places.close]

    @property
    def stage(self) -> Stage:
        """The stage that is running."""
        return Stage(self.run.stage)

    @property
    def dry_run(self) -> bool:
        """Whether nothing may be written to either system."""
        return self.run.dry_run

    @cached_property
    def company(self) -> str:
        """The tenant's Epicor company, as its connection has it."""
        return str(self.tenant.epicor_connection.company)

    @cached_property
    def epicor(self) -> EpicorClient:
        """The tenant's Epicor client; raises ``Misconfigured`` where the connection is missing or incomplete."""
        client = epicor_client(self.tenant, **self._options(System.EPICOR))
        self._closers.append(client.close)
        return client

    @cached_property
    def avidxchange(self) -> AvidXchangeClient:
        """The tenant's AvidXchange client; raises ``Misconfigured`` likewise."""
        client = avidxchange_client(self.tenant, **self._options(System.AVIDXCHANGE))
        self._closers.append(client.close)
        return client

    def _options(self, system: System) -> Options:
        """What a run's client has beyond any other: notes of its calls, and limits that hold for all workers."""
        connections.ensure(self.tenant, system)
        guard = Guard(system, connections.DatabaseStore(self.tenant, system))
        self.guards[system] = guard
        shared = Shared(guard, AdvisorySeats(self._places, self.tenant.pk, system))
        return {"on_attempt": self.calls.add, "shared": shared, "sleep": self.clock.sleep}

    def close(self) -> None:
        """Close whichever clients were opened and write the last calls."""
        while self._closers:
            self._closers.pop()()
        self.calls.flush()

    def now(self) -> datetime:
        """Our clock, for what people read and for asking far systems about a date; never for a lease or a mark."""
        return self.clock.now()

    def today(self) -> date:
        """Today in UTC, as AvidXchange's day-granular filters count it (contract 2.10)."""
        return self.now().astimezone(UTC).date()

    def count(self, outcome: str, number: int = 1) -> None:
        """Add to one of the run's counts; ``read`` is counted apart from what became of it."""
        self.counts[outcome] = self.counts.get(outcome, 0) + number

    def settle_count(self, outcome: str, number: int = 1) -> None:
        """Count ``number`` records as read and as having come to ``outcome``."""
        self.count("read", number)
        self.count(outcome, number)

    def renew(self, **values: object) -> None:
        """Prolong the lease under our fence; raises ``LeaseLost`` when it is no longer ours."""
        mine = StageRun.objects.filter(pk=self.run.pk, fence=self.run.fence, status=RunStatus.RUNNING)
        if mine.filter(deadline__gt=Now()).update(lease_until=Now() + LEASE, updated_at=Now(), **values) != 1:
            raise LeaseLost(f"run {self.run.pk} is no longer ours")

    @contextmanager
    def commit(self) -> Iterator[None]:
        """One transaction: what is done inside lands together with the renewed lease and the counts so far, or not.

        Calls made since the last commit are written first, on their own, so they outlive a rollback.
        """
        self.calls.flush()
        with transaction.atomic():
            yield
            self.renew(requests=self.calls.total, **self.counts)

    def say(self, progress: str) -> None:
        """Show on the run's page what it is doing now."""
        self.renew(progress=progress[:200])
