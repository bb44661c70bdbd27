"""What a seed means: a theme, clocks, switches, and a list of steps, each with a seed of its own.

Steps are drawn before anything runs and know nothing of each other, so a run can be told again without some of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any

from connector.stages import Stage
from tests.simulation import faults

S = Stage


@dataclass(frozen=True, slots=True)
class Theme:
    """Which prepared state a run begins with, and which stages take part."""

    name: str
    start: str
    stages: frozenset[Stage]


THEMES = {
    theme.name: theme
    for theme in (
        Theme("master", "new", frozenset({S.VENDORS_OUT, S.GL_CODES_OUT, S.PURCHASE_ORDERS_OUT})),
        Theme("submit", "mapped", frozenset({S.INVOICES_OUT, S.APPROVALS_IN})),
        Theme("capture", "mapped", frozenset({S.INVOICES_IN})),
        Theme("pay", "paid", frozenset({S.PAYMENTS_IN})),
        Theme("orders", "settled", frozenset({S.VENDORS_OUT, S.GL_CODES_OUT, S.PURCHASE_ORDERS_OUT})),
        Theme("out", "settled", frozenset({S.VENDORS_OUT, S.INVOICES_OUT, S.APPROVALS_IN})),
        Theme("in", "settled", frozenset({S.INVOICES_IN, S.PAYMENTS_IN})),
        Theme("whole", "new", frozenset(Stage)),
    )
}
WEIGHTS = {"master": 3, "submit": 5, "capture": 5, "pay": 5, "orders": 2, "out": 3, "in": 4, "whole": 1}
#: Step kinds and how often each is drawn.
STEPS = {"work": 20, "deliver": 4, "tick": 3, "time": 6, "reap": 2, "poll": 2, "thaw": 2, "clock": 1, "broker": 1,
         "mishap": 8, "person": 4, "sweep": 1, "prune": 1}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens; everything about it is drawn from its own seed."""

    kind: str
    seed: int


@dataclass(frozen=True, slots=True)
class Plan:
    """One whole run."""

    seed: int
    theme: Theme
    #: Companies whose tenants work; the other one must not notice a thing.
    companies: tuple[str, ...]
    ours: timedelta
    database: timedelta
    pace: float
    switches: dict[str, Any]
    #: Rows a page at both systems, and items a batch; small ones make many pages of few rows.
    page: int
    chance: float
    kinds: tuple[str, ...]
    steps: tuple[Step, ...] = field(default=())

    def __str__(self) -> str:
        return (
            f"seed {self.seed}: {self.theme.name}, {' and '.join(self.companies)}, our clock {self.ours}, the "
            f"database's {self.database}, pace {self.pace:g} s, pages of {self.page}, {self.switches}, "
            f"faults {self.chance:.0%} of {', '.join(self.kinds)}"
        )


def draw(seed: int) -> Plan:
    """Return the plan of a seed."""
    random = Random(seed)
    theme = THEMES[random.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]]
    companies = random.choices([("EPIC06",), ("EPIC07",), ("EPIC06", "EPIC07")], [3, 2, 2])[0]
    hours = random.choice([0, 0, 0, 48, -48, random.randint(-47, 47)])
    database = random.choice([0, 0, 0, 0, hours])
    count = random.randint(3, 12)
    return Plan(
        seed=seed,
        theme=theme,
        companies=companies,
        ours=timedelta(hours=hours),
        database=timedelta(hours=database),
        pace=random.choice([0, 0, 0, 60, 900]),
        switches={
            "awkward": random.random() < 0.5,
            "percent_202": random.choice([0, 0, 30, 100]),
            "reject_percent": random.choice([0, 0, 30]),
        },
        page=random.choice([100, 100, 3]),
        chance=random.choice([0, 0.02, 0.05, 0.1, 0.2, 0.4]),
        kinds=_kinds(random),
        steps=tuple(
            Step(random.choices(list(STEPS), list(STEPS.values()))[0], random.getrandbits(48)) for _ in range(count)
        ),
    )


def _kinds(random: Random) -> tuple[str, ...]:
    """Return all faults, or a few, so that combinations are met that a mix of all would hide."""
    known = sorted(faults.FAULTS)
    return tuple(known) if random.random() < 0.4 else tuple(random.sample(known, random.randint(1, 4)))
