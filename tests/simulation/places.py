"""Where a mishap happens: one company's two sides, and hands to change them with.

A mishap that leaves something for a person says so: it names the problems that it explains. What a person over there
can put right again is put right when healing begins (``Run.lift``), and must then come right here by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from random import Random
from typing import TYPE_CHECKING, Any

from connector.sandbox.avidxchange.customer import Customer
from connector.sandbox.avidxchange.edits import edit
from connector.sandbox.epicor.store import Database
from connector.stages import Stage

if TYPE_CHECKING:
    from tests.simulation.run import Run

Row = dict[str, Any]
WHO = "someone.else"
#: The vendor whose one invoice is coded to an inactive account.
INACTIVE_ACCOUNT = 112


@dataclass
class Place:
    """One company's both sides, and hands to change them with. ``edits`` count up, to name things by."""

    run: Run
    company: str
    random: Random

    @property
    def database(self) -> Database:
        return self.run.world.sandbox.epicor.companies[self.company]

    @property
    def customer(self) -> Customer:
        return self.run.world.sandbox.avidxchange.customers[self.company]

    @property
    def stages(self) -> frozenset[Stage]:
        return self.run.plan.theme.stages

    def pick(self, table: str, where: Callable[[Row], Any] = lambda row: True) -> Row | None:
        """Return any row of an Epicor table that fits."""
        rows = [row for row in self.database[table].all() if where(row)]
        return self.random.choice(rows) if rows else None

    def change(self, table: str, row: Row, **values: Any) -> None:
        """Change a row as a person in Epicor does."""
        self.database.change(table, row, values, today=self.run.world.sandbox.epicor.stamp, user=WHO)

    def insert(self, table: str, row: Row) -> Row:
        return self.database.insert(table, dict(row), today=self.run.world.sandbox.epicor.stamp, user=WHO)

    def over_there(self, table: str, key: Row, **change: Any) -> None:
        """Change a record at AvidXchange as a person there does."""
        state = self.run.world.sandbox.avidxchange
        edit(state, {"company": self.company, "table": table, "key": key, **change}, state.tick())

    def excuse(self, kind: str, key: str, *codes: str) -> None:
        self.run.excuses[self.company] |= {(kind, key, code) for code in codes}

    @property
    def today(self) -> date:
        return self.run.world.sandbox.epicor.today

    def fresh(self, prefix: str) -> str:
        """Return a name that nothing has yet."""
        self.run.made += 1
        return f"{prefix}{self.run.made}"

    def lift(self, back: Callable[[], None]) -> None:
        self.run.lift.append(back)


Mishap = Callable[[Place], str]
#: Every mishap, with the stages that must take part for it.
MISHAPS: list[tuple[frozenset[Stage], Mishap]] = []


def during(*stages: Stage) -> Callable[[Mishap], Mishap]:
    """Register a mishap that needs these stages to take part."""

    def register(mishap: Mishap) -> Mishap:
        MISHAPS.append((frozenset(stages), mishap))
        return mishap

    return register
