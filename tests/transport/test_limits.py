"""So many at once, so far apart, and nobody while paused."""

from __future__ import annotations

import threading

import pytest

from connector.transport.errors import System
from connector.transport.limits import Gate, Limits


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 6))
        self.now += seconds


def test_calls_keep_their_distance() -> None:
    clock = Clock()
    gate = Gate(Limits(max_rps=4), system=System.EPICOR, clock=lambda: clock.now, sleep=clock.sleep)
    for _ in range(3):
        with gate.turn():
            pass
    assert clock.slept == [0.25, 0.25]


def test_a_pause_holds_everybody_up() -> None:
    clock = Clock()
    gate = Gate(Limits(), system=System.EPICOR, clock=lambda: clock.now, sleep=clock.sleep)
    gate.pause(5)
    gate.pause(3)  # a shorter wish does not shorten the pause
    with gate.turn():
        pass
    with gate.turn():
        pass
    assert clock.slept == [5.0]


def test_no_more_than_so_many_are_inside() -> None:
    gate = Gate(Limits(max_concurrency=2), system=System.EPICOR)
    inside = threading.Semaphore(0)
    leave = threading.Event()

    def visit() -> None:
        with gate.turn():
            inside.release()
            leave.wait(10)

    threads = [threading.Thread(target=visit) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert inside.acquire(timeout=5)
    assert inside.acquire(timeout=5)
    assert not inside.acquire(timeout=0.05)
    leave.set()
    assert inside.acquire(timeout=5)
    for thread in threads:
        thread.join()


def test_a_place_is_given_back_after_an_error() -> None:
    gate = Gate(Limits(max_concurrency=1), system=System.EPICOR)
    for _ in range(2):
        with pytest.raises(OSError, match="disk"), gate.turn():
            raise OSError("disk")


def test_the_slower_of_two_paces_counts() -> None:
    assert Limits(max_rps=10, min_interval_s=0.5).interval_s == 0.5
    assert Limits(max_rps=1, min_interval_s=0.5).interval_s == 1.0
    assert Limits().interval_s == 0


def test_limits_that_would_never_let_anybody_in_are_refused() -> None:
    with pytest.raises(ValueError, match="max_concurrency"):
        Limits(max_concurrency=0)
    with pytest.raises(ValueError, match="max_rps"):
        Limits(max_rps=0)
