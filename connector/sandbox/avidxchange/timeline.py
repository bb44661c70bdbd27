"""What will happen over there, and when: a queue of due actions that is worked off when somebody looks.

Nothing runs by itself (no thread, no timer). With ``pace`` zero an action's follow-up is due at once, so one look
brings everything to its end; with a pace, a look sees exactly what is due by the clock then, at the time it was due.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count

Action = Callable[[datetime], None]

#: More actions than this in one look is a loop in the sandbox itself, better loud than endless.
MOST_AT_ONCE = 5_000_000


class Timeline:
    """Due actions of one customer. Equal times keep the order in which they were planned."""

    def __init__(self, pace: float) -> None:
        self.pace = timedelta(seconds=pace)
        self._due: list[tuple[datetime, int, Action]] = []
        self._ticket = count()

    def after(self, start: datetime, action: Action, *, steps: int = 1) -> None:
        """Plan an action ``steps`` paces after ``start``."""
        heapq.heappush(self._due, (start + steps * self.pace, next(self._ticket), action))

    def run(self, now: datetime) -> None:
        """Do everything that is due by ``now``, each with the time it was due.

        Raises ``RuntimeError`` when the actions never end.
        """
        for _ in range(MOST_AT_ONCE):
            if not self._due or self._due[0][0] > now:
                return
            due, _ticket, action = heapq.heappop(self._due)
            action(due)
        raise RuntimeError("the sandbox's timeline does not come to an end")

    @property
    def empty(self) -> bool:
        """Whether nothing is left to happen."""
        return not self._due
