"""How hard a client may lean on the far side: how many calls at once, how fast, how long, how large.

An Epicor call claims a user's licence for as long as it lasts (epicor.md 8), so the number of calls at once is a
setting of the tenant and not of the worker: the threads of a client share its ``Gate``, all workers of a connection
share its places (``places``) and what is known of it (``guard``). When the far side says "slow down" everyone waits,
not only the caller that was told (avidxchange.md 8).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

from connector.transport.errors import System
from connector.transport.guard import Guard
from connector.transport.places import Places, Seats


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one client. Times in seconds, sizes in bytes.

    ``max_rps`` None means unpaced. ``timeout_read_s`` is the longest silence, ``timeout_total_s`` the longest a whole
    answer may take, so that a server that dribbles bytes does not hold a worker. ``max_body_bytes`` is the largest
    answer taken into memory; downloads have a limit of their own.
    """

    max_concurrency: int = 2
    max_rps: float | None = None
    min_interval_s: float = 0
    timeout_connect_s: float = 10
    timeout_read_s: float = 60
    timeout_total_s: float = 600
    max_body_bytes: int = 64 * 1024 * 1024

    def __post_init__(self) -> None:
        if self.max_concurrency < 1:
            raise ValueError(f"max_concurrency must be at least 1, not {self.max_concurrency}")
        if self.max_rps is not None and self.max_rps <= 0:
            raise ValueError(f"max_rps must be above 0, not {self.max_rps}")

    @property
    def interval_s(self) -> float:
        """The least time between the starts of two calls."""
        return max(self.min_interval_s, 1 / self.max_rps if self.max_rps else 0)


@dataclass(frozen=True, slots=True)
class Shared:
    """What a client shares with the connection's other workers: what is known of it, and its places."""

    guard: Guard
    seats: Seats


class Gate:
    """Lets the threads of one client through: so many at once, so far apart, none while paused.

    ``shared`` holds the limits for all workers of the connection; without it they hold for this client alone.
    """

    def __init__(
        self,
        limits: Limits,
        *,
        system: System,
        shared: Shared | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._guard: Guard | None = None
        self._places: Places | None = None
        if shared:
            self._guard = shared.guard
            self._places = Places(system, shared.seats, shared.guard.width, paced=limits.interval_s > 0, clock=clock)
        self._slots = threading.BoundedSemaphore(limits.max_concurrency)
        self._interval = limits.interval_s
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._next = float("-inf")

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Hold one of the places; entered after the wait that pace and pauses ask for. Raises ``Waits`` when the
        connection is not to be called, or has no place free for long."""
        with self._slots, self._places.one() if self._places else nullcontext(1.0) as crowd:
            # Asked with the place in hand: whoever waited for it may have waited into a pause.
            if self._guard and (pause := self._guard.admit()) > 0:
                self.pause(pause)
            wait = self._reserve(crowd)
            if wait > 0:
                self._sleep(wait)
            yield

    def pause(self, seconds: float) -> None:
        """Let nobody of this client start a call for so many seconds."""
        with self._lock:
            self._next = max(self._next, self._clock() + seconds)

    def close(self) -> None:
        """Give the connection's places back."""
        if self._places:
            self._places.close()

    def _reserve(self, crowd: float) -> float:
        # The place in the queue is taken under the lock, the waiting is done outside it.
        with self._lock:
            now = self._clock()
            start = max(now, self._next)
            if self._interval or self._next > now:
                self._next = start + self._interval * crowd
            return start - now
