"""Proof that the simulator can see: a product with a naive behaviour put back is caught within so many seeds.

Each mutant undoes one of the promises of design section 5. If one survives, an invariant has gone blind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest.mock import patch

import pytest

from syncjobs.engine import cursors, postings, reading
from syncjobs.engine.context import StageContext
from syncjobs.models import Posting, StageRun
from tests.simulation import plan
from tests.simulation.session import Simulator
from tests.simulation.test_simulation import world  # noqa: F401  (a fixture, used by name)

pytestmark = [pytest.mark.timeout(600), pytest.mark.django_db(transaction=True)]

Mutant = Callable[[], AbstractContextManager[None]]


@contextmanager
def enters_a_payment_again() -> Iterator[None]:
    """A payment whose header was begun, and whose answer was lost, is entered again without a look at Epicor."""
    honest = postings._take

    def take(ctx: StageContext, posting: Posting, step: postings.Step) -> None:
        state = next((entry["state"] for entry in reversed(posting.steps) if entry["step"] == step.name), "")
        if step.name == "header" and state == "started" and posting.kind == "ap_payment":
            postings._note(ctx, posting, step.name, "done", step.do(ctx, posting))
        else:
            honest(ctx, posting, step)

    with patch.object(postings, "_take", take):
        yield


@contextmanager
def takes_the_mark_in_the_middle_of_a_pass() -> Iterator[None]:
    """The mark of a stream moves with every page, as if the pages came in the order of the changes."""

    def place(page: reading.StreamPage[Any]) -> None:
        high = page._mark["pass"]["high"]
        cursors.put(page._ctx, page._stream.name, {"high": high, "from": high})

    with patch.object(reading.StreamPage, "place", place), patch.object(reading, "REVISIONS_OVERLAP", 0):
        yield


@contextmanager
def asks_for_no_fence() -> Iterator[None]:
    """A worker that was frozen past its lease goes on as if nothing had happened."""

    def renew(ctx: StageContext, **values: Any) -> None:
        StageRun.objects.filter(pk=ctx.run.pk).update(**values)

    def note(ctx: StageContext, posting: Posting, name: str, state: str, facts: dict[str, Any]) -> None:
        posting.steps.append({"step": name, "state": state, "at": ctx.now().isoformat(), **facts})
        values = {column: facts[column] for column in ("group_id", "head_num") if column in facts}
        for column, value in values.items():
            setattr(posting, column, value)
        Posting.objects.filter(pk=posting.pk).update(steps=posting.steps, **values)

    with patch.object(StageContext, "renew", renew), patch.object(postings, "_note", note):
        yield


#: Each mutant, the theme in which it shows, and the seeds of that theme after which it has survived.
MUTANTS: list[tuple[Mutant, str, int]] = [
    (enters_a_payment_again, "pay", 30),
    (takes_the_mark_in_the_middle_of_a_pass, "master", 30),
    (asks_for_no_fence, "pay", 60),
]


@pytest.mark.parametrize(("mutant", "theme", "most"), MUTANTS, ids=[one[0].__name__ for one in MUTANTS])
def test_a_naive_behaviour_is_found(world: Simulator, mutant: Mutant, theme: str, most: int) -> None:  # noqa: F811
    seeds = [seed for seed in range(3000) if plan.draw(seed).theme.name == theme][:most]
    with mutant():
        found = next((seed for seed in seeds if not world.run(seed).ok), None)
    assert found is not None, f"{mutant.__name__} survived {most} seeds"
