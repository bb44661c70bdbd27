"""When a connection is left alone and for how long, as pure functions of data: no clock, no chance, no storage.

A connection is one tenant's way to one system. It opens when calls failed and the cheapest call there is, the ping,
failed right after them. From then on nobody calls. When the pause is over one caller pings, and what comes of it holds
for everybody: the connection closes, or opens for a longer pause. So a system that is down costs a bounded number of
calls (``most_pings``), however many stages and workers want it. A wish to slow down for some seconds is kept in the
same place but opens nothing: whoever meets it waits.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerPolicy:
    """How patient a connection is. Times in seconds.

    ``streak`` failed tries in a row, with no good answer between them, stop a client. The first pause is ``first_s``,
    each further one twice as long up to ``cap_s``, and each is cut by up to ``spread`` of it by chance, so that many
    tenants of one system do not come back at once. Whoever pings has ``probe_s`` for it before another one may.
    """

    streak: int = 5
    first_s: float = 30
    cap_s: float = 1800
    spread: float = 0.25
    probe_s: float = 120


class Stand(Enum):
    """How a connection stands: calls are made, made after a short wait, not made, or pinged first."""

    CLOSED = "closed"
    SLOW = "slow"
    OPEN = "open"
    DUE = "due"


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """What is known of a connection. Moments are UTC-aware and of one clock, the store's.

    ``since`` is when it opened, None while it is closed; nobody calls before ``until``; ``trips`` counts the pauses of
    this outage; until ``probe_until`` somebody is pinging.
    """

    since: datetime | None = None
    until: datetime | None = None
    trips: int = 0
    probe_until: datetime | None = None

    def stand(self, now: datetime) -> Stand:
        """Say how the connection stands."""
        ahead = self.next_try(now) is not None
        if self.since is None:
            return Stand.SLOW if ahead else Stand.CLOSED
        return Stand.OPEN if ahead else Stand.DUE

    @property
    def latest(self) -> datetime | None:
        """The later of the pause's and the ping's end, past or to come."""
        return max((moment for moment in (self.until, self.probe_until) if moment is not None), default=None)

    def next_try(self, now: datetime) -> datetime | None:
        """Return when the next call may be made, None for at once."""
        return self.latest if self.latest is not None and self.latest > now else None


def opened(state: Breaker, policy: BreakerPolicy, now: datetime, *, jitter: float, wish_s: float = 0) -> Breaker:
    """Return the connection after its ping failed, or after the far side asked for ``wish_s`` of peace.

    ``jitter`` is a number from 0 to 1. Several workers may find the same failure: one that is open already, its pause
    not over, is only ever prolonged by a wish.
    """
    if state.since is not None and state.until is not None and state.until > now:
        return replace(state, until=max(state.until, now + timedelta(seconds=wish_s)))
    pause = max(_ceiling(policy, state.trips) * (1 - policy.spread * min(max(jitter, 0.0), 1.0)), wish_s)
    return Breaker(since=state.since or now, until=now + timedelta(seconds=pause), trips=state.trips + 1)


def slowed(state: Breaker, now: datetime, seconds: float) -> Breaker:
    """Return the connection after the far side asked everybody to wait some seconds; a longer wish stays."""
    until = now + timedelta(seconds=max(0.0, seconds))
    return replace(state, until=until if state.until is None else max(state.until, until))


def probing(state: Breaker, policy: BreakerPolicy, now: datetime) -> Breaker:
    """Return the connection with a ping under way; only one that is ``DUE`` may be pinged."""
    return replace(state, probe_until=now + timedelta(seconds=policy.probe_s))


def closed() -> Breaker:
    """Return a connection that answered."""
    return Breaker()


def asked_for(state: Breaker, now: datetime) -> Breaker:
    """Return an open connection that a person wants tried now: due at once, and its pauses short again."""
    return replace(state, until=now, trips=0, probe_until=None)


def most_pings(policy: BreakerPolicy, seconds: float) -> int:
    """Return how many pings a system that is down for so long costs at the most, the one that opens it included."""
    at, pings = 0.0, 0
    while at < seconds:
        at += _ceiling(policy, pings) * (1 - policy.spread)
        pings += 1
    return pings


def _ceiling(policy: BreakerPolicy, trips: int) -> float:
    # The exponent is bounded because 2.0**2000 raises; nobody waits longer than cap_s anyway.
    return min(policy.cap_s, policy.first_s * 2.0 ** min(trips, 30))
