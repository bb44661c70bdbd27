"""The product under a virtual clock, in one process: the few places where it would wait, thread or talk to a broker.

Nothing of the product's logic is replaced. Sockets, sleeping, thread pools, the heartbeat's thread and the broker are;
each of them by something that does the same under the scheduler's hand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, nullcontext
from functools import cached_property, partial
from typing import Any, Protocol, Self
from unittest.mock import patch

import requests
from celery.app.task import Task

from connector.avidxchange.client import AvidXchangeClient
from connector.epicor.client import EpicorClient
from connector.transport.guard import Guard
from connector.transport.limits import Gate
from syncjobs.engine.context import Clock, StageContext
from syncjobs.engine.outgoing import Desk
from tenants.clients import DatabaseTokenCache


class Inline:
    """A thread pool without threads: what is submitted is done at once, in the caller's thread."""

    def __init__(self, *_args: Any, **_kwargs: Any) -> None:
        self._broken = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        return None

    def submit(self, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(call(*args, **kwargs))
        except Exception as error:  # noqa: BLE001  (as a pool does: it comes up where the result is asked for)
            done.set_exception(error)
        return done

    def map(self, call: Callable[..., Any], *rows: Any) -> Iterator[Any]:
        return iter([call(*one) for one in zip(*rows, strict=False)])


class Unlimited:
    """Places without end: a worker that waited for one would stop the scheduler, which lets one worker go at a time."""

    def take(self, numbers: Sequence[int]) -> int | None:
        return numbers[0]

    def give(self, number: int) -> None:
        return None

    def taken(self) -> int:
        return 0

    def keep(self) -> None:
        return None


class Surroundings(Protocol):
    """What the product is run in."""

    def session(self) -> requests.Session: ...

    def now(self) -> Any: ...

    def sleep(self, seconds: float) -> None: ...

    def monotonic(self) -> float: ...

    def publish(self, task: Task, args: Any = None, kwargs: Any = None, **options: Any) -> None: ...

    def beating(self, run: Any) -> Any: ...


def _locked_properties() -> list[Any]:
    """Return the cached properties that Python 3.11 locks for all instances of a class at once.

    Our workers stand for processes, which have nothing to do with each other's locks.
    """
    found = [value for kind in (StageContext, Desk) for value in vars(kind).values()]
    return [value for value in found if isinstance(value, cached_property) and hasattr(value, "lock")]


@contextmanager
def under(world: Surroundings) -> Iterator[None]:
    """Run the product in ``world`` until the block ends."""

    def client(kind: type) -> Callable[..., Any]:
        def make(*args: Any, **kwargs: Any) -> Any:
            return kind(*args, **{**kwargs, "now": world.now, "sleep": world.sleep, "session": world.session()})

        return make

    def publish(task: Task, args: Any = None, kwargs: Any = None, **options: Any) -> None:
        world.publish(task, args, kwargs, **options)

    places: dict[str, Any] = {
        "tenants.clients.EpicorClient": client(EpicorClient),
        "tenants.clients.AvidXchangeClient": client(AvidXchangeClient),
        "tenants.clients.DatabaseTokenCache": partial(DatabaseTokenCache, monotonic=world.monotonic),
        "connector.transport.sender.Gate": partial(Gate, clock=world.monotonic),
        "syncjobs.engine.context.Guard": partial(Guard, clock=world.monotonic),
        "syncjobs.engine.context.AdvisorySeats": lambda *_where: Unlimited(),
        "connector.epicor.paging.ThreadPoolExecutor": Inline,
        "syncjobs.engine.outgoing.ThreadPoolExecutor": Inline,
        "syncjobs.engine.loop.Clock": lambda: Clock(now=world.now, sleep=world.sleep),
        "syncjobs.engine.heartbeat.beating": world.beating,
        "django.utils.timezone.now": world.now,
        "celery.app.task.Task.apply_async": publish,
    }
    with ExitStack() as stack:
        for descriptor in _locked_properties():
            stack.enter_context(patch.object(descriptor, "lock", nullcontext()))
        for place, stand_in in places.items():
            stack.enter_context(patch(place, stand_in))
        yield
