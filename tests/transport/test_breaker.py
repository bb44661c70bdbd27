"""The breaker: opened once, prolonged with growing pauses, pinged by one, and a bounded number of pings a day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from connector.transport.breaker import (
    Breaker,
    BreakerPolicy,
    Stand,
    asked_for,
    closed,
    most_pings,
    opened,
    probing,
    slowed,
)

POLICY = BreakerPolicy()
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
DAY = 86_400


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def trip(state: Breaker, now: datetime = NOW, *, jitter: float = 0.0, wish_s: float = 0) -> Breaker:
    return opened(state, POLICY, now, jitter=jitter, wish_s=wish_s)


def test_a_connection_is_closed_until_something_happens() -> None:
    assert Breaker().stand(NOW) is Stand.CLOSED
    assert Breaker().next_try(NOW) is None


def test_it_opens_for_a_while_is_due_for_one_ping_and_closes() -> None:
    state = trip(Breaker())
    assert (state.since, state.until, state.trips) == (NOW, at(30), 1)
    assert [state.stand(at(seconds)) for seconds in (0, 29, 30)] == [Stand.OPEN, Stand.OPEN, Stand.DUE]
    pinged = probing(state, POLICY, at(30))
    assert pinged.stand(at(31)) is Stand.OPEN
    assert pinged.next_try(at(31)) == at(150)
    assert pinged.stand(at(150)) is Stand.DUE, "whoever pinged has died"
    assert closed().stand(at(31)) is Stand.CLOSED


def test_pauses_double_up_to_half_an_hour_and_the_outage_keeps_its_beginning() -> None:
    state, now, pauses = Breaker(), NOW, []
    for _ in range(9):
        state = trip(state, now)
        assert state.until is not None
        pauses.append((state.until - now).total_seconds())
        now = state.until
    assert pauses == [30, 60, 120, 240, 480, 960, 1800, 1800, 1800]
    assert state.since == NOW


def test_chance_only_shortens_a_pause_and_by_no_more_than_a_quarter() -> None:
    assert trip(Breaker(), jitter=1.0).until == at(22.5)
    assert trip(Breaker(), jitter=99.0).until == at(22.5)


def test_workers_that_find_the_same_failure_do_not_prolong_it() -> None:
    state = trip(Breaker())
    assert trip(state, at(10)) == state
    assert trip(state, at(10), wish_s=600).until == at(610)


def test_the_far_sides_wish_is_the_least_pause() -> None:
    assert trip(Breaker(), wish_s=900).until == at(900)
    assert trip(Breaker(), wish_s=5).until == at(30)


def test_slowing_down_opens_nothing_and_a_longer_wish_stays() -> None:
    state = slowed(slowed(Breaker(), NOW, 20), NOW, 5)
    assert (state.since, state.until) == (None, at(20))
    assert [state.stand(at(seconds)) for seconds in (0, 20)] == [Stand.SLOW, Stand.CLOSED]
    assert slowed(Breaker(), NOW, -5).stand(NOW) is Stand.CLOSED


def test_a_person_has_it_tried_now_and_its_pauses_are_short_again() -> None:
    state = Breaker(since=NOW, until=at(1800), trips=9, probe_until=at(60))
    tried = asked_for(state, at(10))
    assert (tried.stand(at(10)), tried.since) == (Stand.DUE, NOW)
    assert trip(tried, at(10)).until == at(40)


def test_a_day_costs_so_many_pings_and_no_more() -> None:
    assert most_pings(POLICY, DAY) == 69
    assert most_pings(BreakerPolicy(cap_s=300), DAY) == 387


@given(jitters=st.lists(st.floats(0, 1), min_size=1, max_size=8), down_s=st.integers(1, 3 * DAY))
def test_a_system_that_is_down_is_never_pinged_more_often(jitters: list[float], down_s: int) -> None:
    state, now, pings = Breaker(), NOW, 0
    while now < at(down_s):
        state = trip(state, now, jitter=jitters[pings % len(jitters)])
        pings += 1
        assert state.until is not None
        now = state.until
    assert pings <= most_pings(POLICY, down_s)


Event = tuple[str, float, float]
WHAT = st.sampled_from(["fail", "wish", "slow", "claim", "close", "person"])
EVENTS = st.lists(st.tuples(WHAT, st.floats(0, 4000), st.floats(0, 1)), max_size=30)


@given(events=EVENTS)
def test_whatever_happens_it_says_when_it_is_tried_again_and_never_later_than_it_should(events: list[Event]) -> None:
    """No order of events leaves a connection open for ever, due while it pauses, or with a ping of nobody's."""
    state, now = Breaker(), NOW
    for what, seconds, chance in events:
        now += timedelta(seconds=seconds)
        wish = chance * 900
        match what:
            case "fail":
                state = trip(state, now, jitter=chance)
            case "wish":
                state = trip(state, now, jitter=chance, wish_s=wish)
            case "slow":
                state = slowed(state, now, chance * 30)
            case "claim" if state.stand(now) is Stand.DUE:
                state = probing(state, POLICY, now)
            case "close":
                state = closed()
            case "person" if state.since is not None:
                state = asked_for(state, now)
        later, stand = state.next_try(now), state.stand(now)
        assert (later is None) == (stand in (Stand.CLOSED, Stand.DUE))
        assert (state.since is not None) == (stand in (Stand.OPEN, Stand.DUE))
        assert state.trips == 0 or state.since is not None
        if later is not None:
            assert later <= now + timedelta(seconds=max(POLICY.cap_s, 900))
            assert state.stand(later) in (Stand.CLOSED, Stand.DUE), "its time comes by itself"
