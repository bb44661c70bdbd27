"""How many calls at once a connection bears, as pure functions of data: halved under strain, one more a quiet minute.

The tenant's ``max_concurrency`` is the most; a far side that answers 429 or 503, or takes very long, gets half as many
calls at once as before, down to one. They come back one by one with time and not by counting good answers, because runs
are short and each would begin to count anew. So a width is stored once, when it is cut, and read off the clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

#: After each stretch without strain there is one call at once more.
QUIET = timedelta(seconds=60)
#: What several calls suffer together is one strain.
TOGETHER = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Cut:
    """What was left of the width when it was last cut, and when that was (UTC-aware, the store's clock)."""

    width: int
    at: datetime


def current(cut: Cut | None, now: datetime, most: int) -> int:
    """Return how many calls at once are fine now, from 1 to ``most``."""
    if cut is None:
        return most
    return max(1, min(most, cut.width + max(0, (now - cut.at) // QUIET)))


def halved(cut: Cut | None, now: datetime, most: int) -> Cut | None:
    """Return the cut after a strain; the same one where nothing changes by it."""
    if cut is not None and timedelta(0) <= now - cut.at < TOGETHER:
        return cut
    width = current(cut, now, most)
    return cut if width == 1 and cut is None else Cut(max(1, width // 2), now)
