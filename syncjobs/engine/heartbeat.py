"""A sign of life while a run waits for a far side.

A read may wait for minutes: for a slow answer, for five tries, for a place among the connection's calls. Without a sign
of life its lease would run out meanwhile, the reaper would take a healthy worker for dead, and the next one would
meet the same wait. A killed or frozen process gives no sign, and nothing goes on beyond the run's deadline.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DatabaseError, connection
from django.db.models.functions import Now

from syncjobs.engine.context import LEASE
from syncjobs.models import StageRun
from syncjobs.states import RunStatus

log = logging.getLogger(__name__)


@contextmanager
def beating(run: StageRun, *, every_s: float = LEASE.total_seconds() / 4) -> Iterator[None]:
    """Prolong the run's lease from a thread of its own until the block ends, or the run is no longer ours."""
    over = threading.Event()
    thread = threading.Thread(target=_beat, args=(run, over, every_s), name=f"heartbeat-{run.pk}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def beat(run: StageRun) -> None:
    """Give one sign of life: prolong the run's lease, if it is still ours."""
    mine = StageRun.objects.filter(pk=run.pk, fence=run.fence, status=RunStatus.RUNNING, deadline__gt=Now())
    mine.update(lease_until=Now() + LEASE)


def _beat(run: StageRun, over: threading.Event, every_s: float) -> None:
    while not over.wait(every_s):
        try:
            beat(run)
        except DatabaseError:
            # The worker itself will meet it, and say so, at its next commit.
            log.warning("run.heartbeat_missed", extra={"run": run.pk}, exc_info=True)
        finally:
            connection.close()
