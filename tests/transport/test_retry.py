"""Retry decisions: only reads, bounded, and the server's wish before ours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.transport.retry import RetryPolicy, decide, http_date, pause, retry_after

POLICY = RetryPolicy()
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def ask(
    status: int | None = 503, *, attempt: int = 1, safe: bool = True, jitter: float = 1.0, **headers: str
) -> float | None:
    return decide(POLICY, method_is_safe=safe, status=status, headers=headers, attempt=attempt, jitter=jitter, now=NOW)


def test_waits_double_up_to_the_cap_and_end() -> None:
    assert [ask(attempt=attempt) for attempt in range(1, 6)] == [0.5, 1.0, 2.0, 4.0, None]


def test_jitter_is_full() -> None:
    assert ask(jitter=0.0) == 0.0
    assert ask(jitter=0.25, attempt=3) == 0.5


def test_a_write_is_never_repeated() -> None:
    assert ask(503, safe=False) is None
    assert ask(None, safe=False) is None


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, None])
def test_passing_statuses_and_lost_answers_are_repeated(status: int | None) -> None:
    assert ask(status) == 0.5


@pytest.mark.parametrize("status", [200, 301, 400, 401, 403, 404, 409, 410, 413, 501])
def test_final_statuses_are_not(status: int) -> None:
    assert ask(status) is None


def test_the_servers_wish_goes_before_ours() -> None:
    assert ask(429, **{"Retry-After": "7"}) == 7.0


def test_a_wish_longer_than_anybody_should_sleep_ends_the_call() -> None:
    assert ask(429, **{"Retry-After": "61"}) is None


def test_the_date_form_is_measured_by_the_servers_clock() -> None:
    theirs = NOW + timedelta(hours=48)  # our clock is two days off
    wish = format_datetime(theirs + timedelta(seconds=9), usegmt=True)
    headers = {"retry-after": wish, "date": format_datetime(theirs, usegmt=True)}
    assert retry_after(headers, now=NOW) == 9.0


def test_the_date_form_without_a_date_header_takes_our_clock() -> None:
    assert retry_after({"Retry-After": format_datetime(NOW + timedelta(seconds=30), usegmt=True)}, now=NOW) == 30.0


@pytest.mark.parametrize("written", ["", "soon", "nan", "inf", "Tue, 99 Foo 2026"])
def test_an_unreadable_wish_is_none(written: str) -> None:
    assert retry_after({"Retry-After": written}, now=NOW) is None


def test_a_wish_in_the_past_is_now() -> None:
    assert retry_after({"Retry-After": "-5"}, now=NOW) == 0.0
    assert retry_after({"Retry-After": format_datetime(NOW - timedelta(hours=1))}, now=NOW) == 0.0


def test_http_date_reads_all_forms() -> None:
    assert http_date("Mon, 23 Nov 2026 12:00:00 GMT") == NOW
    assert http_date("no date") is None


@given(
    attempts=st.integers(1, 50), base=st.floats(0.001, 1000), cap=st.floats(0.001, 1000), attempt=st.integers(1, 10**6),
    jitter=st.floats(-5, 5), status=st.none() | st.integers(100, 599), safe=st.booleans(),
    wish=st.none() | st.text(max_size=12) | st.integers(-10, 10**9).map(str) | st.floats().map(str),
)  # fmt: skip
def test_decisions_are_bounded(
    *,
    attempts: int,
    base: float,
    cap: float,
    attempt: int,
    jitter: float,
    status: int | None,
    safe: bool,
    wish: str | None,
) -> None:
    policy = RetryPolicy(attempts=attempts, base_s=base, cap_s=cap)
    headers = {"Retry-After": wish} if wish is not None else {}
    wait = decide(policy, method_is_safe=safe, status=status, headers=headers, attempt=attempt, jitter=jitter, now=NOW)
    if wait is not None:
        assert safe
        assert attempt < attempts
        assert 0 <= wait <= cap
        assert status is None or status in policy.statuses


# -- "slow down" ---------------------------------------------------------------------------------------------------


def slow(attempt: int, *, jitter: float = 0.0, status: int = 429, **headers: str) -> float | None:
    facts = {"method_is_safe": True, "status": status, "headers": headers, "now": NOW}
    return decide(POLICY, attempt=attempt, jitter=jitter, throttled=True, **facts)


def test_slow_down_is_waited_from_five_seconds_on_for_eight_tries() -> None:
    """avidxchange.md section 8; never longer at one go than a run may wait."""
    assert [slow(attempt) for attempt in range(1, 9)] == [5, 10, 15, 15, 15, 15, 15, None]
    assert [slow(attempt, jitter=1.0) for attempt in range(1, 5)] == [10, 20, 30, 30]


def test_slow_down_on_another_status_is_waited_likewise() -> None:
    """WSO2 says 9008xx on any status; the system's classify has said so."""
    assert slow(1, status=403) == 5
    assert slow(1, status=403, **{"Retry-After": "7"}) == 7


def test_a_write_is_not_repeated_even_if_it_was_turned_away() -> None:
    facts = {"status": 429, "headers": {}, "attempt": 1, "jitter": 0.5, "now": NOW}
    assert decide(POLICY, method_is_safe=False, throttled=True, **facts) is None


def test_a_pause_is_the_servers_wish_up_to_what_is_honoured() -> None:
    def asked(wish: str) -> float:
        return pause(POLICY, headers={"Retry-After": wish}, attempt=3, jitter=0.5, now=NOW, throttled=True)

    assert [asked("0"), asked("42"), asked("99999999999999999999")] == [0, 42, 900]


@pytest.mark.parametrize(
    "written",
    [
        "Mon, 23 Nov 2026 12:00:00 +9999999999999", "Mon, 23 Nov 99999 12:00:00 GMT", "Mon, 31 Feb 2026 12:00:00 GMT",
        "Mon, 23 Nov 2026 25:00:00 GMT", "1e999", "-", "\x00", "²",
    ],
)  # fmt: skip
def test_no_wish_breaks_the_call(written: str) -> None:
    assert retry_after({"Retry-After": written}, now=NOW) is None
    assert retry_after({"Retry-After": "Mon, 23 Nov 2026 12:00:09 GMT", "Date": written}, now=NOW) == 9.0


@given(written=st.text(max_size=40) | st.datetimes().map(format_datetime))
def test_any_wish_at_all_is_a_number_or_none(written: str) -> None:
    wish = retry_after({"Retry-After": written, "Date": written[::-1]}, now=NOW)
    assert wish is None or 0 <= wish < float("inf")
