"""Whether to try again, as a pure function of data: no clock, no randomness, no sleeping in here.

Safety of the method comes first: only reads are repeated (design section 5, step 3). Then the server's own wish
(``Retry-After`` in seconds or as a date), then full jitter below an exponential ceiling. A server that says "slow down"
(429, or its like on another status) is asked again later and more often than one that failed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how patiently a read is repeated. Times in seconds.

    ``attempts`` counts every try of one call, the first included; the ``throttle_`` ones hold where the server said
    "slow down". ``budget`` is how many repeats one client, and so one run, may spend in all, so that a sick server is
    given up on instead of being asked five times for every page. ``cap_s`` is the longest time a call sleeps, because a
    sleeping run holds a worker; a server that asks for more is not slept on, the call fails with ``Retry`` and the
    server's wish cut to ``retry_after_cap_s``.
    """

    attempts: int = 5
    base_s: float = 0.5
    cap_s: float = 30
    statuses: frozenset[int] = frozenset({408, 425, 429, 500, 502, 503, 504})
    retry_after_cap_s: float = 900
    budget: int = 100
    throttle_attempts: int = 8
    throttle_base_s: float = 5


#: One try and no more, for whoever only wants to know whether anybody answers.
ONCE = RetryPolicy(attempts=1, throttle_attempts=1, budget=0)


def decide(
    policy: RetryPolicy,
    *,
    method_is_safe: bool,
    status: int | None,
    headers: Mapping[str, str],
    attempt: int,
    jitter: float,
    now: datetime | None = None,
    throttled: bool = False,
) -> float | None:
    """Return how many seconds to wait before the next try, or None to give up.

    ``attempt`` is how many tries have been made (from 1), ``status`` None when no complete answer came, ``jitter`` a
    number from 0 to 1, ``now`` our clock for the date form of ``Retry-After`` where the answer has no ``Date``;
    ``throttled`` says that the server asked us to slow down, whatever the status it said so with.
    """
    if not method_is_safe or attempt >= (policy.throttle_attempts if throttled else policy.attempts):
        return None
    if status is not None and status not in policy.statuses and not throttled:
        return None
    wait = pause(policy, headers=headers, attempt=attempt, jitter=jitter, now=now, throttled=throttled)
    return wait if wait <= policy.cap_s else None


def pause(
    policy: RetryPolicy,
    *,
    headers: Mapping[str, str],
    attempt: int,
    jitter: float,
    now: datetime | None = None,
    throttled: bool = False,
) -> float:
    """Return for how many seconds the server is to be left alone after an answer: its own wish, up to
    ``retry_after_cap_s``, or ours. Ours after "slow down" lies in the upper half below the ceiling."""
    wish = retry_after(headers, now=now)
    if wish is not None:
        return min(wish, policy.retry_after_cap_s)
    share = min(max(jitter, 0.0), 1.0)
    # The exponent is bounded because 2.0**2000 raises; nobody waits longer than cap_s anyway.
    doubled = 2.0 ** min(attempt - 1, 30)
    if throttled:
        return (1 + share) / 2 * min(policy.cap_s, 2 * policy.throttle_base_s * doubled)
    return share * min(policy.cap_s, policy.base_s * doubled)


def retry_after(headers: Mapping[str, str], *, now: datetime | None = None) -> float | None:
    """Return the server's wish in seconds from either form of ``Retry-After``, or None without a readable one.

    A date is compared with the answer's own ``Date`` header, so that our clock being wrong does not matter.
    """
    found = {name.lower(): value for name, value in headers.items() if name.lower() in {"retry-after", "date"}}
    written = found.get("retry-after", "").strip()
    if not written:
        return None
    try:
        seconds = float(written)
    except ValueError:
        return _until(written, found.get("date", ""), now or datetime.now(UTC))
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _until(written: str, server_date: str, now: datetime) -> float | None:
    then = http_date(written)
    if then is None:
        return None
    return max(0.0, (then - (http_date(server_date) or now)).total_seconds())


def http_date(written: str) -> datetime | None:
    """Return the instant of an HTTP date header, or None for a text that is none."""
    try:
        moment = parsedate_to_datetime(written)
    except (TypeError, ValueError, OverflowError):  # the last for a zone with too many digits
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
