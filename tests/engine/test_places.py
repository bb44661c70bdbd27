"""Places as advisory locks: one holder a number, gone with its process, and taken away from one that is frozen."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.db import connection

from connector.transport.errors import System
from syncjobs.engine import places
from syncjobs.engine.places import AdvisorySeats, Session

pytestmark = pytest.mark.django_db
Worker = Callable[..., AdvisorySeats]


@pytest.fixture
def worker() -> Iterator[Worker]:
    """Make a worker: a session of its own, as another process has it."""
    sessions: list[Session] = []

    def make(tenant: int = 7, system: System = System.EPICOR) -> AdvisorySeats:
        sessions.append(Session())
        return AdvisorySeats(sessions[-1], tenant, system)

    yield make
    for session in sessions:
        session.close()


def test_a_number_has_one_holder_until_it_is_given_back(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "ASK_S", 0.05)
    mine, other = worker(), worker()
    assert (mine.take([1, 2]), other.take([1, 2]), other.taken()) == (1, 2, 2)
    assert mine.take([2]) is None
    other.give(2)
    assert (mine.take([2]), mine.taken()) == (2, 2)


def test_connections_do_not_share_places(worker: Worker) -> None:
    taken = [worker(7), worker(8), worker(7, System.AVIDXCHANGE), worker(8, System.AVIDXCHANGE)]
    assert [one.take([1]) for one in taken] == [1, 1, 1, 1]
    assert [one.taken() for one in taken] == [1, 1, 1, 1]


def test_whoever_waits_gets_the_place_as_soon_as_it_is_given_back(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "ASK_S", 20)
    mine, other, got = worker(), worker(), []
    assert mine.take([1]) == 1
    waiting = threading.Thread(target=lambda: got.append(other.take([1])))
    waiting.start()
    while not _waiting():
        time.sleep(0.005)
    mine.give(1)
    again = mine._session.ask("SELECT pg_try_advisory_lock(%s, %s)", mine._key(1))
    waiting.join()
    assert (got, again) == ([1], False), "the one who asked first was passed over"


def _waiting() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        return bool(cursor.fetchone()[0])


def test_workers_that_wait_for_each_others_places_go_on_and_keep_their_own(worker: Worker) -> None:
    mine, other = worker(), worker()
    assert (mine.take([1]), other.take([2])) == (1, 2)
    got: dict[str, int | None] = {}
    waiting = [
        threading.Thread(target=lambda: got.update(mine=mine.take([2]))),
        threading.Thread(target=lambda: got.update(other=other.take([1]))),
    ]
    for thread in waiting:
        thread.start()
    for thread in waiting:
        thread.join()
    assert got == {"mine": None, "other": None}
    assert worker().taken() == 2


def test_a_killed_worker_leaves_its_place_at_once(worker: Worker) -> None:
    """kill -9, without a word: nobody has to notice, sweep up or wait for a lease."""
    name = connection.settings_dict["NAME"]
    program = (
        "import django, sys, time; django.setup()\n"
        f"from django.db import connections; connections['default'].settings_dict['NAME'] = {name!r}\n"
        "from connector.transport.errors import System\n"
        "from syncjobs.engine.places import AdvisorySeats, Session\n"
        "seats = AdvisorySeats(Session(), 7, System.EPICOR)\n"
        "print(seats.take([1]), flush=True); time.sleep(60)\n"
    )
    root = Path(__file__).resolve().parent.parent.parent
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=root)
    try:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "1"
        mine = worker()
        assert mine.taken() == 1
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    assert mine.take([1]) == 1


def test_a_frozen_worker_loses_its_place_and_goes_on_with_another(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its session is silent: the server itself ends it (field lesson 19)."""
    monkeypatch.setattr(places, "LEASE_S", 1)
    frozen = worker()
    assert frozen.take([1]) == 1
    other = worker()
    taken = next(number for number in (other.take([1]) for _ in range(10)) if number)
    assert taken == 1, "taken over when the lease is over"
    assert frozen.take([2]) == 2, "awake again, in a new session"
    frozen.give(1)
    assert other.taken() == 2, "what it had before is not given away a second time"


def test_a_worker_that_speaks_up_keeps_its_place(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "LEASE_S", 1)
    mine = worker()
    assert mine.take([1]) == 1
    for _ in range(4):
        time.sleep(0.4)
        mine.keep()
    assert worker().taken() == 1
