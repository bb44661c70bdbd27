"""A store and seats of one connection in memory, and time that passes only when somebody says so."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from connector.transport import width
from connector.transport.breaker import Breaker, slowed
from connector.transport.errors import System
from connector.transport.guard import Guard, View
from connector.transport.width import Cut

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@dataclass
class Time:
    """A monotonic clock; ``sleep`` moves it."""

    at: float = 1000.0

    def __call__(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds


@dataclass
class MemoryStore:
    """What the workers of a connection know; ``loads`` counts how often it was looked at."""

    time: Time
    breaker: Breaker = field(default_factory=Breaker)
    cut: Cut | None = None
    away: bool = False
    loads: int = 0

    @property
    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.time.at - 1000.0)

    def load(self) -> View | None:
        self.loads += 1
        return None if self.away else View(self.breaker, self.cut, self.now)

    def slow(self, seconds: float) -> None:
        self.breaker = slowed(self.breaker, self.now, seconds)

    def halve(self, most: int) -> None:
        self.cut = width.halved(self.cut, self.now, most)


def guard(store: MemoryStore, *, most: int = 4, attempts: int = 5, **options: Any) -> Guard:
    """Return one worker's guard."""
    made = Guard(System.EPICOR, store, clock=store.time, **options)
    made.fit(most=most, attempts=attempts)
    return made


class MemorySeats:
    """One worker's seats among those of ``everybody``; ``asked`` counts how often one was asked for."""

    def __init__(self, everybody: dict[int, MemorySeats]) -> None:
        self._everybody = everybody
        self._lock = threading.Lock()
        self.asked = 0

    def take(self, numbers: Sequence[int]) -> int | None:
        with self._lock:
            self.asked += 1
            for number in numbers:
                if number not in self._everybody:
                    self._everybody[number] = self
                    return number
        return None

    def give(self, number: int) -> None:
        assert self._everybody.pop(number) is self, "gave back what was not its own"

    def taken(self) -> int:
        return len(self._everybody)

    def keep(self) -> None:
        """Nobody is thrown out."""
