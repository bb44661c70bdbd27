"""Workers that run one at a time and hand over a baton: at every remote call, every commit, every statement of its own.

A worker is a thread with a database connection of its own, as a process would have. Only the one that holds the baton
runs, so a run is the same whenever it is repeated. At a point a worker may be *killed*: an exception that no handler
catches ends it, and from there on neither its database nor the network hears of it, as after ``kill -9``. Or it may be
*frozen*: it stops there, gives no sign of life, and goes on when somebody thaws it.

A worker that has written in its open transaction keeps the baton until the transaction ends, because it holds locks.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

from django.db import connection, connections

from tests.simulation.clock import use_virtual_time


class Killed(BaseException):
    """The worker's process is gone."""


@dataclass
class Worker:
    """One worker at one job. ``points`` counts how often it came to a point where the baton may go on."""

    name: str
    job: Callable[[], None]
    kill_at: int = 0
    freeze_at: int = 0
    points: int = 0
    dead: bool = False
    frozen: bool = False
    done: bool = False
    #: Whether its open transaction has written, and so holds locks.
    dirty: bool = False
    error: BaseException | None = None
    #: Runs whose lease its heartbeat prolongs.
    runs: list[Any] = field(default_factory=list)
    go: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    @property
    def runnable(self) -> bool:
        return not self.done and not self.frozen


class Crew:
    """All workers of a run. ``tell`` is told what happens to them."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._home = threading.Semaphore(0)
        self._local = threading.local()
        self.workers: list[Worker] = []
        self._random = Random(0)
        self._switch = 0.0

    @property
    def current(self) -> Worker | None:
        """The worker whose thread this is, None for the scheduler's own."""
        return getattr(self._local, "worker", None)

    @property
    def frozen(self) -> list[Worker]:
        return [worker for worker in self.workers if worker.frozen]

    def start(self, worker: Worker) -> None:
        """Add a worker; it runs when ``run`` is called."""
        self.workers.append(worker)
        threading.Thread(target=self._work, args=(worker,), name=worker.name, daemon=True).start()

    def run(self, random: Random, *, switch: float = 0.0) -> list[Worker]:
        """Let every worker that can run do so until it is done, dead or frozen; return those that ended.

        ``switch`` is how likely the baton goes to another one at a point.
        """
        self._random, self._switch = random, switch
        while ready := [worker for worker in self.workers if worker.runnable]:
            random.choice(ready).go.release()
            self._home.acquire()
        ended = [worker for worker in self.workers if worker.done]
        self.workers = [worker for worker in self.workers if not worker.done]
        return ended

    def thaw(self, worker: Worker) -> None:
        """Let a frozen worker go on with the next ``run``."""
        worker.frozen = False

    def point(self, what: str) -> None:
        """A place where something may happen to the worker whose thread this is; raises ``Killed`` if it does."""
        worker = self.current
        if worker is None:
            return
        if worker.dead:
            raise Killed
        worker.points += 1
        if worker.points == worker.kill_at:
            self._kill(worker, what)
        if worker.dirty:
            return
        if worker.freeze_at and worker.points >= worker.freeze_at:
            worker.freeze_at = 0
            worker.frozen = True
            self._tell(f"{worker.name} frozen at {what}")
            self._wait(worker)
            self._tell(f"{worker.name} goes on at {what}")
        elif self._switch and self._others(worker) and self._random.random() < self._switch:
            self._wait(worker)

    def _others(self, worker: Worker) -> bool:
        return any(one.runnable for one in self.workers if one is not worker)

    def _kill(self, worker: Worker, what: str) -> None:
        worker.dead = True
        self._tell(f"{worker.name} killed at {what}")
        # Not ``in_atomic_block``: at a commit Django has left the block already.
        if connection.connection is not None and not connection.get_autocommit():
            connection.rollback()
        raise Killed

    def _wait(self, worker: Worker) -> None:
        """Give the baton back and wait for it."""
        self._home.release()
        worker.go.acquire()

    def _work(self, worker: Worker) -> None:
        self._local.worker = worker
        worker.go.acquire()
        try:
            with self._connected(worker):
                worker.job()
        except Killed:
            worker.dead = True
        except BaseException as error:  # noqa: BLE001  (shown by the scheduler, with its traceback)
            worker.error = error
        finally:
            connections.close_all()
            worker.done = True
            self._home.release()

    @contextmanager
    def _connected(self, worker: Worker) -> Iterator[None]:
        """Open the thread's own connection, with points around its statements and commits."""
        use_virtual_time(connection)
        commit, rollback = connection.commit, connection.rollback

        def committing() -> None:
            self.point("commit")
            commit()
            worker.dirty = False
            self.point("committed")

        def rolling_back() -> None:
            worker.dirty = False
            rollback()

        connection.commit, connection.rollback = committing, rolling_back  # type: ignore[method-assign]
        try:
            with connection.execute_wrapper(self._statement):
                yield
        finally:
            del connection.commit, connection.rollback

    def _statement(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        worker = self.current
        if worker is not None:
            if not context["connection"].in_atomic_block:
                worker.dirty = False
            self.point("statement")
            if context["connection"].in_atomic_block and not _only_reads(sql):
                worker.dirty = True
        return execute(sql, params, many, context)


def _only_reads(sql: Any) -> bool:
    return (
        isinstance(sql, str) and sql.startswith("SELECT") and "FOR UPDATE" not in sql and "FOR NO KEY UPDATE" not in sql
    )
