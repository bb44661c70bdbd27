"""One client's part in what all workers of a connection know together: whether to call, how long to wait, how wide.

Between calls everything is in memory. The shared store (``Store``) is looked at again when what is known is a few
seconds old, and written to only when the far side asks for peace or shows strain, so a good call costs no look-up. A
guard never opens a connection: it stops its own client, and whoever runs the client pings (``doubt``) and decides.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Protocol

from connector.transport import width
from connector.transport.breaker import Breaker, BreakerPolicy, Stand
from connector.transport.errors import ConnectorError, Retry, System, Waits
from connector.transport.width import Cut

#: For how long what was read from the store is good enough.
FRESH_S = 5.0
#: How long one wait inside a run may be, and all of them together: a waiting run holds a worker.
NAP_S, NAPS_S = 30.0, 60.0
#: A call that takes longer is a strain; Epicor lets calls wait some 20 s when licences run out (epicor.md 8).
SLOW_S = 15.0


class Sign(Enum):
    """What one try says about the connection. A refusal of a record is a good sign: somebody answers."""

    GOOD = "good"
    FAILED = "failed"
    THROTTLED = "throttled"


#: The code of the ``Retry`` by which a system's ``classify`` says "slow down", whatever the status it came with.
THROTTLED = "throttled"
#: Statuses that mean that there are too many calls at once.
BUSY = frozenset({429, 503})


def is_throttled(status: int | None, error: ConnectorError | None) -> bool:
    """Tell whether an answer asks us to slow down."""
    return status == 429 or (isinstance(error, Retry) and error.code == THROTTLED)


def sign_of(status: int, error: ConnectorError | None) -> Sign:
    """Return what an answer, and what it was understood as, says about the connection."""
    if is_throttled(status, error):
        return Sign.THROTTLED
    return Sign.FAILED if isinstance(error, Retry) else Sign.GOOD


@dataclass(frozen=True, slots=True)
class View:
    """What the store holds, and its clock's time when it was read."""

    breaker: Breaker
    cut: Cut | None
    now: datetime


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why a client does not trust its connection any more; ``wish_s`` is the peace that the far side asked for."""

    words: str
    wish_s: float = 0.0


class Store(Protocol):
    """Where the workers of a connection share what they know. Must be safe across threads and processes.

    Notes must not change what became of a call, so none of these raises: ``load`` returns None if it cannot read.
    """

    def load(self) -> View | None: ...

    def slow(self, seconds: float) -> None: ...

    def halve(self, most: int) -> None: ...


class Guard:
    """Stands before every call of one client. Safe to be used by several threads."""

    def __init__(
        self,
        system: System,
        store: Store,
        *,
        policy: BreakerPolicy | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._system = system
        self._store = store
        self._clock = clock
        self._most = 1
        self._longest_streak = (policy or BreakerPolicy()).streak
        self._lock = threading.Lock()
        self._view: View | None = None
        self._view_at = self._asked_at = float("-inf")
        self._own_pause = float("-inf")
        self._napped = 0.0
        self._streak = 0
        self._doubt: Doubt | None = None
        self._last = Doubt("")
        self._last_sign = Sign.GOOD

    def fit(self, *, most: int, attempts: int) -> None:
        """Take over what the client's tenant allows: calls at once, and tries of a call, which are not cut short."""
        self._most = most
        # One thing that cannot be had, however often it is asked for, says nothing about the system.
        self._longest_streak = max(self._longest_streak, attempts + 1)

    @property
    def doubt(self) -> Doubt | None:
        """Why somebody should ping before this connection is trusted again; None after a good sign."""
        return self._doubt or (self._last if self._last_sign is not Sign.GOOD else None)

    def admit(self) -> float:
        """Return for how many seconds a call has to wait; raises ``Waits`` when it is not to be made at all."""
        with self._lock:
            if self._doubt is not None:
                raise self._waits(self._doubt.words, self._doubt.wish_s or None)
            now = self._now()
            if now is None or self._view is None:
                return 0.0
            stand = self._view.breaker.stand(now)
            if stand is Stand.CLOSED:
                return 0.0
            until = self._view.breaker.next_try(now) or now
            left = (until - now).total_seconds()
            if stand is not Stand.SLOW:
                raise self._waits("Another worker found that the system does not answer.", left)
            if self._clock() + left > self._own_pause + 1:
                self._nap(left, "The system asked for fewer calls.")
            return left

    def heard(self, sign: Sign, *, seconds: float = 0.0, status: int | None = None, words: str = "") -> None:
        """Take note of one try, and of the ``seconds`` it took (0 where they say nothing)."""
        with self._lock:
            self._last_sign = sign
            self._streak = self._streak + 1 if sign is Sign.FAILED else 0
            if sign is not Sign.GOOD:
                self._last = Doubt(words)
            if self._streak >= self._longest_streak and self._doubt is None:
                self._doubt = Doubt(f"{self._streak} calls in a row failed. {words}".strip())
            cut = sign is Sign.THROTTLED or status in BUSY or seconds > SLOW_S
            if cut and self._view is not None and (now := self._now()) is not None:
                halved = width.halved(self._view.cut, now, self._most)
                cut = halved != self._view.cut
                self._view = View(self._view.breaker, halved, self._view.now)
        if cut:
            self._store.halve(self._most)

    def slow_down(self, seconds: float, words: str) -> None:
        """Let nobody call for some seconds; raises ``Waits`` where that is too long to be waited for in a run."""
        with self._lock:
            if seconds > NAP_S:
                self._doubt = Doubt(words, wish_s=seconds)
                raise self._waits(words, seconds)
            self._own_pause = max(self._own_pause, self._clock() + seconds)
        self._store.slow(seconds)
        with self._lock:
            self._nap(seconds, words)

    def width(self) -> int:
        """Return how many calls at once all workers together may make now."""
        with self._lock:
            now = self._now()
            return self._most if now is None or self._view is None else width.current(self._view.cut, now, self._most)

    def _nap(self, seconds: float, words: str) -> None:
        self._napped += seconds
        if seconds > NAP_S or self._napped > NAPS_S:
            self._doubt = self._doubt or Doubt(words)
            raise self._waits(words, seconds)

    def _now(self) -> datetime | None:
        """Return the store's time, having looked at the store again if that is due; None where nothing is known."""
        clock = self._clock()
        if clock - self._asked_at > FRESH_S:
            # Asking counts even if nothing could be read: a store that is away is not asked before every call.
            self._asked_at = clock
            view = self._store.load()
            if view is not None:
                self._view, self._view_at = view, clock
        return None if self._view is None else self._view.now + timedelta(seconds=self._clock() - self._view_at)

    def _waits(self, words: str, delay_s: float | None) -> Waits:
        return Waits(words, system=self._system, code="connection_waits", delay_s=delay_s)
