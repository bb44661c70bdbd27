"""The broker as the product sees it, and as bad as brokers are: bells wait here until the scheduler delivers, doubles,
delays or loses them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from celery.app.task import Task

from tests.simulation.clock import VirtualClock


@dataclass(frozen=True, slots=True)
class Bell:
    """One message: a task with its arguments as they come out of JSON, not to be delivered before ``due``."""

    task: Task
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    due: datetime

    def ring(self) -> None:
        """Carry the task out in the calling thread."""
        self.task.run(*self.args, **self.kwargs)

    def __str__(self) -> str:
        told = [str(one) for one in self.args] + [f"{name}={value}" for name, value in self.kwargs.items()]
        return f"{self.task.__name__}({', '.join(told)})"


class Broker:
    """The queue. ``publish`` stands in for ``Task.apply_async``."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.bells: list[Bell] = []
        self.down = False

    def publish(self, task: Task, args: Any = None, kwargs: Any = None, countdown: float = 0, **_options: Any) -> None:
        """Take a message. Raises ``OSError`` while the broker is down, as a lost connection does."""
        if self.down:
            raise OSError("the broker is down")
        plain_args, plain_kwargs = json.loads(json.dumps([list(args or ()), kwargs or {}]))
        due = self._clock.true + timedelta(seconds=countdown)
        self.bells.append(Bell(task, tuple(plain_args), plain_kwargs, due))

    def due(self) -> list[Bell]:
        """Return what may be delivered now, oldest first."""
        return [bell for bell in self.bells if bell.due <= self._clock.true]

    def take(self, bell: Bell) -> None:
        """Take a message out of the queue."""
        self.bells.remove(bell)
