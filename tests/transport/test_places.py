"""Places: kept for a while, shared in turn, given back when idle, and never more of them than the width."""

from __future__ import annotations

import threading
import time as real_time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from connector.transport import places as module
from connector.transport.errors import System, Waits
from connector.transport.places import Places
from tests.transport.shared_side import MemorySeats, Time


@pytest.fixture
def everybody() -> dict[int, MemorySeats]:
    return {}


Make = Callable[..., tuple[Places, MemorySeats]]


@pytest.fixture
def make(everybody: dict[int, MemorySeats]) -> Iterator[Make]:
    """Make one worker's places."""
    with ExitStack() as stack:

        def one(*, width: int = 2, clock: Callable[[], float] = real_time.monotonic, paced: bool = False) -> object:
            seats = MemorySeats(everybody)
            places = Places(System.EPICOR, seats, lambda: width, paced=paced, clock=clock)
            stack.callback(places.close)
            return places, seats

        yield one  # type: ignore[misc]
    assert everybody == {}, "closing gives everything back"


def test_a_place_is_asked_for_once_for_many_calls(make: Make) -> None:
    clock = Time()
    places, seats = make(clock=clock)
    for _ in range(400):
        with places.one():
            clock.sleep(0.01)
    assert seats.asked == 1


def test_a_place_is_given_back_after_its_slice_so_that_others_get_their_turn(
    make: Make, everybody: dict[int, MemorySeats]
) -> None:
    clock = Time()
    mine, seats = make(width=1, clock=clock)
    with mine.one():
        clock.sleep(module.SLICE_S + 1)
    assert everybody == {}
    other, theirs = make(width=1)
    with other.one():
        assert everybody == {1: theirs}
    other.close()
    with mine.one():
        assert everybody == {1: seats}


def test_an_idle_worker_keeps_nobody_waiting(
    make: Make, everybody: dict[int, MemorySeats], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "IDLE_S", 0.02)
    places, _seats = make()
    with places.one():
        pass
    end = real_time.monotonic() + 5
    while everybody and real_time.monotonic() < end:
        real_time.sleep(0.01)
    assert everybody == {}


def test_a_place_in_use_is_not_given_back_however_long_the_call(
    make: Make, everybody: dict[int, MemorySeats], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "IDLE_S", 0.01)
    monkeypatch.setattr(module, "KEEP_S", 0.01)
    places, seats = make()
    kept = threading.Event()
    monkeypatch.setattr(seats, "keep", kept.set)
    with places.one():
        assert kept.wait(5), "a long call says that its worker is alive"
        assert list(everybody) == [1]


def test_workers_and_their_threads_are_never_more_than_the_width(make: Make) -> None:
    inside, most, lock = 0, 0, threading.Lock()

    def work(places: Places) -> None:
        nonlocal inside, most
        for _ in range(10):
            with places.one():
                with lock:
                    inside += 1
                    most = max(most, inside)
                real_time.sleep(0.001)
                with lock:
                    inside -= 1
            # Between slices: places change hands.
            places._give(places._over(lambda held: True))

    workers = [make(width=3)[0] for _ in range(3)]
    threads = [threading.Thread(target=work, args=[places]) for places in workers for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 3


def test_a_narrower_width_takes_a_place_away(make: Make, everybody: dict[int, MemorySeats]) -> None:
    width = [2]
    seats = MemorySeats(everybody)
    places = Places(System.EPICOR, seats, lambda: width[0], paced=False)
    with places.one(), places.one():
        assert set(everybody) == {1, 2}
        width[0] = 1
    assert set(everybody) == {1}
    places.close()


def test_waiting_for_a_place_ends(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Time()
    places, seats = make(width=1, clock=clock)
    other, _theirs = make(width=1)

    def take(numbers: object) -> None:
        clock.sleep(1)

    monkeypatch.setattr(seats, "take", take)
    with other.one(), pytest.raises(Waits) as stopped, places.one():
        raise AssertionError("there was no place")
    assert stopped.value.code == "places_taken"
    assert clock.at == pytest.approx(1000 + module.WAIT_S, abs=1)


def test_a_pace_is_shared_by_those_who_have_places(make: Make) -> None:
    alone, _ = make(width=4, paced=True)
    second, _ = make(width=4, paced=True)
    with alone.one() as first, second.one() as other, alone.one() as again:
        assert (first, other) == (1, 2)
        assert again == 1.5, "three places, two of them ours"
