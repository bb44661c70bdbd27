"""How many calls at once: halved under strain, one more a quiet minute, never none and never too many."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from connector.transport.width import Cut, current, halved

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def test_it_begins_at_the_most_and_is_halved_once_for_what_happens_together() -> None:
    assert current(None, NOW, 8) == 8
    cut = halved(None, NOW, 8)
    assert cut == Cut(4, NOW)
    assert halved(cut, at(4), 8) == cut
    assert halved(cut, at(5), 8) == Cut(2, at(5))


def test_it_comes_back_one_by_one() -> None:
    cut = Cut(1, NOW)
    assert [current(cut, at(seconds), 4) for seconds in (0, 59, 60, 119, 120, 180, 9999)] == [1, 1, 2, 2, 3, 4, 4]


def test_a_strain_at_the_least_begins_the_quiet_minute_anew() -> None:
    cut = halved(Cut(1, NOW), at(50), 4)
    assert cut == Cut(1, at(50))
    assert current(cut, at(109), 4) == 1


def test_one_call_at_once_cannot_be_fewer() -> None:
    assert halved(None, NOW, 1) is None


def test_a_tenant_that_allows_fewer_now_gets_fewer() -> None:
    assert current(Cut(6, NOW), NOW, 2) == 2


def test_a_database_restored_from_before_the_cut_does_no_harm() -> None:
    assert current(Cut(2, at(3600)), NOW, 8) == 2


@given(most=st.integers(1, 16), strains=st.lists(st.floats(0, 600), max_size=40))
def test_it_stays_between_one_and_the_most_and_falls_under_lasting_strain(most: int, strains: list[float]) -> None:
    cut, now = None, NOW
    for seconds in strains:
        now += timedelta(seconds=seconds)
        before = current(cut, now, most)
        cut = halved(cut, now, most)
        assert 1 <= current(cut, now, most) <= before <= most
    for _ in range(5):
        now += timedelta(seconds=6)
        cut = halved(cut, now, most)
    assert current(cut, now, most) == 1
    assert current(cut, now + timedelta(minutes=16), most) == most
