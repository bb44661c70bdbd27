"""One simulated run: the steps of a plan, then healing, then the invariants. Everything is drawn from the seed."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

from django.db import connection

from syncjobs.engine import heartbeat
from syncjobs.models import StageSchedule
from tenants.models import AvidXchangeConnection, EpicorConnection
from tests.simulation import books, healing, invariants, mishaps, own_rows, steps
from tests.simulation.books import Books, Told
from tests.simulation.broker import Bell
from tests.simulation.faults import Weather
from tests.simulation.plan import Plan
from tests.simulation.transport import Answer, Exchange
from tests.simulation.workers import Crew, Worker
from tests.simulation.world import Start, World


@dataclass
class Outcome:
    """What came of a run; ``faults`` is empty when every invariant held."""

    plan: Plan
    faults: list[str] = field(default_factory=list)
    trace: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.faults


class Run:
    """One run under way."""

    def __init__(self, world: World, plan: Plan, starts: dict[str, Start]) -> None:
        self.world, self.plan = world, plan
        self.trace: list[str] = [str(plan)]
        self.faults: list[str] = []
        self.excuses: dict[str, set[Told]] = {"EPIC06": set(), "EPIC07": set()}
        self.excused_invoices: set[str] = set()
        self.excused_accounts: set[str] = set()
        #: What is to be put right over there when healing begins.
        self.lift: list[Callable[[], None]] = []
        self.crew = Crew(self.tell)
        self.weather = Weather(world, Random(plan.seed))
        self._names = 0
        #: Counts what mishaps make, so that everything they make has a name of its own.
        self.made = 0
        self.payments_met: dict[str, set[int]] = {"EPIC06": set(), "EPIC07": set()}
        #: How likely a mishap is at any one call of this step.
        self.unrest = 0.0
        world.begin(starts[plan.theme.start], seed=plan.seed, pace=plan.pace, **plan.switches)
        world.clock.restart(ours=plan.ours, database=plan.database)
        world.gate, world.after_sleep, world.beating = self._gate, self._slept, self._beating
        EpicorConnection.objects.update(page_size=plan.page)
        profile = {"page_size": plan.page, "batch_max_items": min(plan.page, 50), "max_rps": 1000}
        AvidXchangeConnection.objects.update(profile=profile)
        StageSchedule.objects.exclude(stage__in=list(plan.theme.stages)).update(enabled=False)
        self.tenants = {tenant.epicor_connection.company: tenant for tenant in world.tenants()}
        for company, tenant in self.tenants.items():
            if company not in plan.companies:
                StageSchedule.objects.filter(tenant=tenant).update(enabled=False)
        self._bystanders = {
            company: books.everything(world.sandbox, company)
            for company in self.tenants
            if company not in plan.companies
        }

    # -- telling -------------------------------------------------------------------------------------------------------

    def tell(self, words: str) -> None:
        self.trace.append(f"{self.world.clock.true:%d %H:%M:%S} {words}")

    def fail(self, words: str) -> None:
        self.tell(f"FAULT {words}")
        self.faults.append(words)

    # -- the whole run -------------------------------------------------------------------------------------------------

    def play(self) -> Outcome:
        """Carry out the plan and return what came of it."""
        for number, step in enumerate(self.plan.steps):
            self.tell(f"{number}. {step.kind}")
            steps.STEPS[step.kind](self, Random(step.seed))
            if self.faults:
                break
        else:
            self.weather.chance = self.unrest = 0
            healing.heal(self)
        self._end_workers()
        return Outcome(self.plan, self.faults, self.trace)

    def broken(self) -> list[str]:
        """Compare everything with everything; a tenant that did not take part must not have noticed a thing."""
        found = []
        for company in self.plan.companies:
            found += invariants.broken(self.books(company), self.plan.theme.stages)
        for company, before in self._bystanders.items():
            if books.everything(self.world.sandbox, company) != before:
                found.append(f"the books of {company}, which did not take part, have changed")
        return found

    def unfinished(self) -> list[str]:
        """Return what is still under way."""
        return [line for company in self.plan.companies for line in own_rows.stuck(self.books(company))]

    def books(self, company: str) -> Books:
        found = books.read(self.world.sandbox, self.tenants[company])
        found.excuses |= self.excuses[company]
        found.excused_invoices |= self.excused_invoices
        found.excused_accounts |= self.excused_accounts
        return found

    # -- work ----------------------------------------------------------------------------------------------------------

    def worker(self, job: Callable[[], Any], name: str, *, kill_at: int = 0, freeze_at: int = 0) -> Worker:
        """Start a worker at a job."""
        self._names += 1
        worker = Worker(f"{self._names}:{name}", job, kill_at=kill_at, freeze_at=freeze_at)
        self.crew.start(worker)
        return worker

    def go(self, random: Random, *, switch: float = 0.0) -> None:
        """Let the workers work, and look at how they ended."""
        for ended in self.crew.run(random, switch=switch):
            if ended.error is not None:
                told = "".join(traceback.format_exception(ended.error))
                self.fail(f"{ended.name} ended with {type(ended.error).__name__}: {told[-3000:]}")

    def ring(self, bell: Bell, random: Random, **fate: int) -> Worker:
        self.tell(f"{bell}")
        return self.worker(bell.ring, bell.task.__name__, **fate)

    def _end_workers(self) -> None:
        """No thread outlives its run."""
        for worker in self.crew.frozen:
            worker.dead = True
            self.crew.thaw(worker)
        self.crew.run(Random(0))

    # -- what the product is run in ------------------------------------------------------------------------------------

    def _gate(self, exchange: Exchange) -> Answer | None:
        if connection.in_atomic_block:
            self.fail(f"a transaction is open across {exchange.method} {exchange.path}")
        self.crew.point("call")
        if self.unrest and self.weather.random.random() < self.unrest:
            self.unrest /= 3
            mishaps.happen(self, self.weather.random)
        answer = self.weather.strike(exchange) or exchange.carry_out()
        if exchange.method == "GET" and answer.status == 200:
            self.world.last_pages[exchange.place] = answer
        self.crew.point("answered")
        return answer

    def _slept(self, _seconds: float) -> None:
        """Heartbeats go on while a worker sleeps or waits; a frozen one gives no sign of life."""
        self.beat()
        self.crew.point("slept")

    def beat(self) -> None:
        for worker in self.crew.workers:
            if not worker.frozen and not worker.dead:
                for run in worker.runs:
                    heartbeat.beat(run)

    @contextmanager
    def _beating(self, run: Any) -> Iterator[None]:
        worker = self.crew.current
        if worker is not None:
            worker.runs.append(run)
        yield
        if worker is not None:
            worker.runs.remove(run)

    def pass_time(self, seconds: float) -> None:
        """Let time pass between two steps."""
        self.world.clock.pass_by(seconds)
