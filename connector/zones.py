"""Whether a name is a time zone: asked for every profile and tenant, so the list is read from disk once a process.

``available_timezones`` walks the whole zone database each time; that was a tenth of a second for every client made.
"""

from __future__ import annotations

from functools import cache
from zoneinfo import available_timezones


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def is_zone(name: str) -> bool:
    """Return whether ``name`` is an IANA time zone such as America/Chicago."""
    return name in _zones()
