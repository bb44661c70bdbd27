"""Proof that the simulator can see: a product with a naive behaviour put back is caught within so many seeds.

Each mutant undoes one of the promises of design section 5. If a mutant survives, an invariant has gone blind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from unittest.mock import patch

import pytest

from syncjobs.engine import captured, locks, postings, submissions
from syncjobs.models import Batch, Posting
from tests.simulation import plan
from tests.simulation.session import Simulator
from tests.simulation.test_simulation import world  # noqa: F401  (a fixture, used by name)

pytestmark = pytest.mark.timeout(600)
#: Seeds after which a mutant has survived.
MOST = 60

Mutant = Callable[[], AbstractContextManager[None]]


@contextmanager
def resends_blindly() -> Iterator[None]:
    """A payment's step that was started is made again without a look at what Epicor shows."""

    def take(ctx: object, posting: Posting, step: postings.Step) -> None:
        state = next((entry["state"] for entry in reversed(posting.steps) if entry["step"] == step.name), "")
        if state == "started" and step.name == "header":
            postings._note(ctx, posting, step.name, "done", step.do(ctx, posting))
        else:
            honest(ctx, posting, step)

    honest = postings._take
    with patch.object(postings, "_take", take):
        yield
