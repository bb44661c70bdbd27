"""A client's places among the calls that all workers of a connection may make at once.

A place is taken for several seconds and not for one call, so that most calls cost no look-up; after ``SLICE_S`` it is
given back between two calls, so that workers that wait get their turn, and after ``IDLE_S`` without a call a thread
gives it back, so that a worker that is busy with its database keeps nobody waiting. Where the places are kept is
somebody else's business (``Seats``); a process that dies must lose its own there.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from connector.transport.errors import System, Waits

#: The code of a ``Waits`` that is about places and not about the far side.
PLACES_TAKEN = "places_taken"
#: How long a place is kept from call to call, and how long without a call.
SLICE_S, IDLE_S = 5.0, 1.0
#: How long a call waits for a place before its run ends: a waiting run holds a worker.
WAIT_S = 60.0
#: How often the seats are told that whoever holds them is alive.
KEEP_S = 30.0


class Seats(Protocol):
    """Where the places of one connection are kept, numbered from 1. Must be safe across threads and processes."""

    def take(self, numbers: Sequence[int]) -> int | None:
        """Take one of the numbers, none of which is ours, waiting a moment at the most; None if none came free."""

    def give(self, number: int) -> None:
        """Give one back; does not raise."""

    def taken(self) -> int:
        """Return how many places of the connection are taken, by all workers together."""

    def keep(self) -> None:
        """Say that we are alive; does not raise."""


@dataclass(slots=True)
class _Held:
    number: int
    since: float
    used: float
    crowd: float


def _is_idle(held: _Held, *, now: float) -> bool:
    return now - held.used > IDLE_S


class Places:
    """The places of one client. Safe to be used by several threads; ``close`` it when done."""

    def __init__(
        self,
        system: System,
        seats: Seats,
        width: Callable[[], int],
        *,
        paced: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._system = system
        self._seats = seats
        self._width = width
        self._paced = paced
        self._clock = clock
        self._lock = threading.Lock()
        self._asking = threading.Lock()
        self._freed = threading.Condition(self._lock)
        self._idle: list[_Held] = []
        self._mine: set[int] = set()
        self._closing = threading.Event()
        self._keeper: threading.Thread | None = None

    @contextmanager
    def one(self) -> Iterator[float]:
        """Hold a place. Yields how many times as many places are taken by all workers as by this client (1 where the
        pace does not matter), by which the client slows down. Raises ``Waits`` if none came free."""
        held = self._kept() or self._new()
        try:
            yield held.crowd
        finally:
            self._put_back(held)

    def close(self) -> None:
        """Give everything back."""
        self._closing.set()
        if self._keeper is not None:
            self._keeper.join()
        self._give(self._over(lambda held: True))

    def _kept(self) -> _Held | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _new(self) -> _Held:
        end = self._clock() + WAIT_S
        # One thread asks at a time: seats tell workers apart, not threads, and would give one number to both.
        with self._asking:
            while (left := end - self._clock()) > 0:
                if kept := self._kept():
                    return kept
                width = self._width()
                with self._lock:
                    free = sorted(set(range(1, width + 1)) - self._mine)
                number = self._seats.take(free) if free else None
                if number is not None:
                    return self._taken(number)
                if not free:
                    with self._freed:
                        self._freed.wait(min(left, IDLE_S))
        raise Waits(
            f"Other runs made all the calls that {self._system.label} bears at once, for {WAIT_S:.0f} seconds.",
            system=self._system,
            code=PLACES_TAKEN,
            delay_s=WAIT_S,
        )

    def _taken(self, number: int) -> _Held:
        with self._lock:
            self._mine.add(number)
            mine = len(self._mine)
            if self._keeper is None:
                self._keeper = threading.Thread(target=self._look_after, name=f"places-{self._system}", daemon=True)
                self._keeper.start()
        crowd = max(1.0, self._seats.taken() / mine) if self._paced else 1.0
        now = self._clock()
        return _Held(number, now, now, crowd)

    def _put_back(self, held: _Held) -> None:
        held.used, width = self._clock(), self._width()
        with self._freed:
            self._idle.append(held)
            self._freed.notify()
        self._give(self._over(lambda one: one.used - one.since > SLICE_S or one.number > width))

    def _look_after(self) -> None:
        kept_at = self._clock()
        while not self._closing.wait(IDLE_S / 2):
            now = self._clock()
            self._give(self._over(partial(_is_idle, now=now)))
            if self._mine and now - kept_at > KEEP_S:
                self._seats.keep()
                kept_at = now

    def _over(self, ended: Callable[[_Held], bool]) -> list[_Held]:
        with self._lock:
            over = [held for held in self._idle if ended(held)]
            self._idle = [held for held in self._idle if held not in over]
        return over

    def _give(self, over: list[_Held]) -> None:
        for held in over:
            self._seats.give(held.number)
            with self._freed:
                self._mine.discard(held.number)
                self._freed.notify()
