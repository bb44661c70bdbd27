"""One client's guard: no look-up for a good call, short waits in the run, long ones out of it, and doubts that pass."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.transport.breaker import Breaker
from connector.transport.errors import Misconfigured, Rejected, Retry, System, Waits
from connector.transport.guard import NAPS_S, Doubt, Sign, is_throttled, sign_of
from connector.transport.width import Cut
from tests.transport.shared_side import NOW, MemoryStore, Time, guard


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def store(time: Time) -> MemoryStore:
    return MemoryStore(time)


def test_good_calls_cost_a_look_every_few_seconds(store: MemoryStore, time: Time) -> None:
    mine = guard(store)
    for _ in range(1000):
        assert mine.admit() == 0.0
        mine.heard(Sign.GOOD, seconds=0.01, status=200)
        mine.width()
        time.sleep(0.01)
    assert store.loads == 2


def test_a_store_that_is_away_stops_nobody_and_is_not_asked_before_every_call(store: MemoryStore, time: Time) -> None:
    store.away = True
    mine = guard(store)
    assert [mine.admit() for _ in range(10)] == [0.0] * 10
    assert store.loads == 1
    assert mine.width() == 4


def test_what_was_known_before_the_store_went_away_still_counts(store: MemoryStore, time: Time) -> None:
    mine = guard(store)
    store.slow(20)
    assert mine.admit() == 20
    store.away = True
    time.sleep(12)
    assert mine.admit() == pytest.approx(8)


# -- failures ------------------------------------------------------------------------------------------------------


def fail(mine: object, times: int) -> None:
    for _ in range(times):
        mine.heard(Sign.FAILED, words="The server refused the connection.")  # type: ignore[attr-defined]


def test_failures_in_a_row_end_the_run_and_ask_for_a_ping(store: MemoryStore) -> None:
    mine = guard(store)
    fail(mine, 5)
    mine.heard(Sign.GOOD)
    fail(mine, 5)
    assert mine.admit() == 0.0
    fail(mine, 1)
    with pytest.raises(Waits, match=r"6 calls in a row failed\. The server refused the connection\."):
        mine.admit()
    assert mine.doubt is not None


def test_one_call_that_fails_as_often_as_its_tenant_allows_says_nothing_about_the_system(store: MemoryStore) -> None:
    mine = guard(store, attempts=9)
    fail(mine, 9)
    assert mine.admit() == 0.0
    fail(mine, 1)
    with pytest.raises(Waits):
        mine.admit()


def test_a_single_failure_is_a_doubt_that_the_next_good_answer_ends(store: MemoryStore) -> None:
    mine = guard(store)
    assert mine.doubt is None
    fail(mine, 1)
    assert mine.doubt == Doubt("The server refused the connection.")
    mine.heard(Sign.GOOD)
    assert mine.doubt is None


def test_nobody_calls_while_another_worker_has_found_it_open_or_is_pinging(store: MemoryStore, time: Time) -> None:
    mine = guard(store)
    assert mine.admit() == 0.0
    store.breaker = Breaker(since=NOW, until=NOW.replace(minute=10), trips=1)
    assert mine.admit() == 0.0, "known within some seconds"
    time.sleep(6)
    with pytest.raises(Waits) as stopped:
        mine.admit()
    assert stopped.value.delay_s == pytest.approx(594)
    time.sleep(600)
    with pytest.raises(Waits):
        mine.admit()  # its pause is over: that is for a new run to find out, by a ping
    assert mine.doubt is None


# -- slow down -----------------------------------------------------------------------------------------------------


def test_a_short_wish_holds_for_all_workers_and_is_waited_in_the_run(store: MemoryStore, time: Time) -> None:
    mine, other = guard(store), guard(store)
    assert other.admit() == 0.0
    mine.slow_down(20, "Slow down.")
    time.sleep(6)
    assert other.admit() == pytest.approx(14)
    time.sleep(14)
    assert (mine.admit(), other.admit()) == (0.0, 0.0)


def test_a_long_wish_ends_the_run_and_is_handed_on_without_a_ping(store: MemoryStore) -> None:
    mine = guard(store)
    with pytest.raises(Waits) as stopped:
        mine.slow_down(900, "Come back in a quarter of an hour.")
    assert stopped.value.delay_s == 900
    assert mine.doubt == Doubt("Come back in a quarter of an hour.", wish_s=900)
    with pytest.raises(Waits):
        mine.admit()


def test_all_waits_of_a_run_together_are_bounded(store: MemoryStore, time: Time) -> None:
    mine = guard(store)
    for _ in range(int(NAPS_S // 20)):
        mine.slow_down(20, "Slow down.")
        time.sleep(20)
    with pytest.raises(Waits):
        mine.slow_down(20, "Slow down.")
    assert mine.doubt == Doubt("Slow down.")


def test_waits_that_others_were_asked_for_count_as_well(store: MemoryStore, time: Time) -> None:
    mine, waited = guard(store), 0.0
    assert mine.admit() == 0.0
    while waited + 14 <= NAPS_S:
        store.slow(20)
        time.sleep(6)
        left = mine.admit()
        time.sleep(left)
        waited += left
    store.slow(20)
    time.sleep(6)
    with pytest.raises(Waits):
        mine.admit()


# -- width ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "strain",
    [
        {"sign": Sign.THROTTLED, "status": 403}, {"sign": Sign.FAILED, "status": 503},
        {"sign": Sign.GOOD, "status": 200, "seconds": 20.0},
    ],
    ids=["throttled", "503", "slow"],
)  # fmt: skip
def test_strain_halves_what_all_workers_may_do_at_once(
    strain: dict[str, object], store: MemoryStore, time: Time
) -> None:
    mine, other = guard(store), guard(store)
    assert (mine.admit(), other.admit()) == (0.0, 0.0)
    mine.heard(**strain)  # type: ignore[arg-type]
    assert mine.width() == 2
    time.sleep(6)
    assert other.width() == 2
    time.sleep(120)
    assert (mine.width(), other.width()) == (4, 4)


def test_other_failures_and_files_say_nothing_about_the_width(store: MemoryStore) -> None:
    mine = guard(store)
    mine.admit()
    mine.heard(Sign.FAILED, status=500)
    mine.heard(Sign.GOOD, status=200, seconds=0.0)
    assert (mine.width(), store.cut) == (4, None)


def test_a_burst_is_written_once(store: MemoryStore, time: Time) -> None:
    mine, cuts = guard(store), []
    mine.admit()
    store.halve = cuts.append  # type: ignore[method-assign]
    for _ in range(10):
        mine.heard(Sign.THROTTLED, status=429)
    assert cuts == [4]


def test_a_width_that_others_cut_is_taken_over(store: MemoryStore) -> None:
    store.cut = Cut(1, NOW)
    assert guard(store).width() == 1


# -- signs ---------------------------------------------------------------------------------------------------------


def error(kind: type[Retry | Rejected | Misconfigured], code: str = "") -> Retry | Rejected | Misconfigured:
    return kind("no", system=System.EPICOR, code=code)


def test_what_an_answer_says_about_the_connection() -> None:
    assert sign_of(200, None) is Sign.GOOD
    assert sign_of(400, error(Rejected)) is Sign.GOOD
    assert sign_of(500, error(Rejected)) is Sign.GOOD, "Epicor refuses records with 500 too"
    assert sign_of(401, error(Misconfigured)) is Sign.GOOD, "a login that is refused is for a person to mend"
    assert sign_of(500, error(Retry)) is Sign.FAILED
    assert sign_of(200, error(Retry)) is Sign.FAILED, "a proxy's page"
    assert sign_of(429, error(Retry)) is Sign.THROTTLED
    assert sign_of(403, error(Retry, "throttled")) is Sign.THROTTLED
    assert not is_throttled(403, error(Rejected, "throttled"))


@given(signs=st.lists(st.sampled_from(Sign), max_size=40))
def test_a_guard_stops_exactly_after_a_streak(signs: list[Sign]) -> None:
    mine, streak = guard(MemoryStore(Time())), 0
    for sign in signs:
        mine.heard(sign)
        streak = streak + 1 if sign is Sign.FAILED else 0
        if streak >= 6:
            with pytest.raises(Waits):
                mine.admit()
            return
        assert mine.admit() == 0.0
