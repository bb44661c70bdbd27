"""Clients of one connection over real HTTP: what one is told holds for all, and nobody calls who is not to."""

from __future__ import annotations

import threading
import time as real_time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from connector.transport.auth import BearerTokenAuth, SendToken, Token, TokenRequest
from connector.transport.breaker import Breaker
from connector.transport.errors import Retry, System, Uncertain, Waits
from connector.transport.limits import Limits, Shared
from connector.transport.tokens import ClientCredentials
from tests.transport.far_side import NOW, Asked, Caller, FarSide, Say, caller
from tests.transport.shared_side import MemorySeats, MemoryStore, Time, guard

SLOW = Say(429, b"slow down")
LONG = Say(429, b"come back later", {"Retry-After": "5000"})
DOWN = Say(503, b"down")


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def store(time: Time) -> MemoryStore:
    return MemoryStore(time)


@pytest.fixture
def worker(store: MemoryStore) -> Callable[..., Caller]:
    """Make a client of a far side that shares the connection with the others; it waits on paper only."""
    everybody: dict[int, MemorySeats] = {}

    def make(far: FarSide, **options: Any) -> Caller:
        return caller(far, shared=Shared(guard(store), MemorySeats(everybody)), **options)

    return make


Worker = Callable[..., Caller]


def read(mine: Caller, far: FarSide) -> int:
    return mine.client.read(f"{far.url}/x", operation="read x").status


def write(mine: Caller, far: FarSide) -> int:
    return mine.client.write(f"{far.url}/x", operation="write x", body=b"{}").status


@pytest.mark.parametrize("call", [read, write])
def test_a_long_wish_ends_the_call_and_the_next_is_not_made(call: Any, worker: Worker) -> None:
    with FarSide(LONG) as far:
        mine = worker(far)
        for _ in range(3):
            with pytest.raises(Waits) as stopped:
                call(mine, far)
        mine.client.close()
    assert len(far.asked) == 1
    assert mine.waits == []
    assert stopped.value.delay_s == 900, "the wish, up to what is honoured"
    assert stopped.value.message == "come back later"


def test_the_date_form_of_a_wish_is_kept_likewise(worker: Worker, store: MemoryStore) -> None:
    # The far side's clock says what time it is, not ours, which stands still at NOW.
    wish = format_datetime(datetime.now(UTC) + timedelta(seconds=600), usegmt=True)
    with FarSide(Say(429, b"", {"Retry-After": wish})) as far:
        mine = worker(far)
        with pytest.raises(Waits) as stopped:
            read(mine, far)
        mine.client.close()
    assert stopped.value.delay_s == pytest.approx(600, abs=5)


def test_a_short_wish_is_waited_and_holds_up_the_others(worker: Worker, store: MemoryStore) -> None:
    with FarSide(Say(429, b"", {"Retry-After": "20"}), Say()) as far:
        mine, other = worker(far), worker(far)
        assert read(mine, far) == 200
        assert read(other, far) == 200
        mine.client.close()
        other.client.close()
    assert mine.waits[0] == 20
    assert other.waits == [pytest.approx(20, abs=1)]


def test_slow_down_without_a_wish_is_waited_longer_each_time_and_no_longer_than_a_run_may(worker: Worker) -> None:
    with FarSide(SLOW) as far:
        mine = worker(far)
        with pytest.raises(Waits):
            read(mine, far)
        mine.client.close()
    assert mine.waits[0] == 10
    assert 20 in mine.waits
    assert len(far.asked) == 4


def test_a_write_whose_fate_is_unknown_stays_so_whatever_the_server_wishes(worker: Worker, store: MemoryStore) -> None:
    """It was sent: that nobody is to call for an hour must not make it look as if it was not."""
    with FarSide(Say(503, b"down", {"Retry-After": "3600"})) as far:
        mine = worker(far)
        with pytest.raises(Uncertain):
            write(mine, far)
        with pytest.raises(Waits):
            read(mine, far)
        mine.client.close()
    assert len(far.asked) == 1


def test_nothing_is_sent_while_the_connection_is_open_not_even_for_a_token(worker: Worker, store: MemoryStore) -> None:
    class Tokens:
        identity, secrets = "tokens", ()

        def fetch(self, send: SendToken, *, now: datetime) -> Token:
            send(TokenRequest(url=f"{far.url}/token", headers={}))
            raise AssertionError("the token address was called")

    store.breaker = Breaker(since=store.now, until=store.now.replace(minute=30), trips=1)
    with FarSide() as far:
        mine = worker(far, auth=BearerTokenAuth(Tokens(), now=lambda: NOW))
        for call in (read, write):
            with pytest.raises(Waits):
                call(mine, far)
        mine.client.close()
    assert (far.asked, mine.attempts, mine.waits) == ([], [], [])


def test_after_a_read_that_was_given_up_on_one_more_try_is_the_last(worker: Worker) -> None:
    """The read may have asked for the one thing that cannot be had; a second one that fails tells the two apart."""
    with FarSide(DOWN) as far:
        mine = worker(far)
        with pytest.raises(Retry) as first:
            read(mine, far)
        for call in (read, write):
            with pytest.raises(Waits):
                call(mine, far)
        mine.client.close()
    assert not isinstance(first.value, Waits)
    assert len(far.asked) == 6


def test_writes_that_fail_one_after_the_other_end_too(worker: Worker) -> None:
    with FarSide(Say(drop=True)) as far:
        mine = worker(far)
        for _ in range(6):
            with pytest.raises(Uncertain):
                write(mine, far)
        with pytest.raises(Waits):
            write(mine, far)
        mine.client.close()
    assert len(far.asked) == 6


def credentials(far: FarSide) -> BearerTokenAuth:
    source = ClientCredentials(
        system=System.EPICOR, token_url=f"{far.url}/token", client_id="id", client_secret="secret-canary"
    )
    return BearerTokenAuth(source, now=lambda: NOW)


def test_a_token_address_that_is_down_counts_as_the_connection(worker: Worker) -> None:
    with FarSide(DOWN) as far:
        mine = worker(far, auth=credentials(far))
        with pytest.raises(Retry):
            read(mine, far)
        with pytest.raises(Waits):
            read(mine, far)
        mine.client.close()
    assert {asked.path for asked in far.asked} == {"/token"}
    assert len(far.asked) == 6


def test_a_token_address_may_ask_for_peace_too(worker: Worker) -> None:
    with FarSide(LONG) as far:
        mine = worker(far, auth=credentials(far))
        with pytest.raises(Waits) as stopped:
            read(mine, far)
        mine.client.close()
    assert (len(far.asked), stopped.value.delay_s) == (1, 900)


def test_a_wish_of_the_token_address_is_cut_to_what_is_honoured() -> None:
    """Kept as it came, a wish of many years could not be added to any date."""
    with FarSide(Say(503, b"", {"Retry-After": "99999999999999"})) as far:
        mine = caller(far, auth=credentials(far))
        with pytest.raises(Retry) as stopped:
            write(mine, far)
        mine.client.close()
    assert stopped.value.delay_s == 900


def test_all_workers_together_call_no_more_than_so_many_at_once(worker: Worker) -> None:
    inside, most, lock = 0, 0, threading.Lock()

    def answer(_asked: Asked) -> Say:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        real_time.sleep(0.01)
        with lock:
            inside -= 1
        return Say()

    with FarSide(answer=answer) as far:
        workers = [worker(far, limits=Limits(max_concurrency=2)) for _ in range(3)]
        threads = [threading.Thread(target=lambda one=one: [read(one, far) for _ in range(4)]) for one in workers]
        for thread in threads:
            thread.start()
        for one, thread in zip(workers, threads, strict=True):
            thread.join()
            one.client.close()
    assert len(far.asked) == 12
    assert most == 2
