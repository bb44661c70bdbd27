"""Two tenants whose ids collide, against one sandbox over real HTTP and a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connector.sandbox import credentials
from connector.sandbox.server import Sandbox, closed
from connector.sandbox.serving import Listener
from connector.stages import Stage
from syncjobs import stages
from syncjobs.engine import loop, review, schedule
from syncjobs.engine.context import Clock
from syncjobs.models import StageRun
from tenants import services
from tenants.audit import Actor
from tenants.models import Tenant
from tests.stages import prepared
from tests.stages.captured_world import World
from tests.stages.outgoing_world import bring_master_data, bring_vendors

SYSTEM = Actor.system("test")

Ledger = Callable[[Tenant], dict[str, Any]]
RunStage = Callable[..., StageRun]
HasRun = Callable[[Tenant, str], None]


@dataclass
class FakeClock:
    """A clock that only moves when somebody sleeps: no test waits, and every pause is seen."""

    moment: datetime = field(default_factory=lambda: datetime.now(UTC))
    slept: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        return self.moment

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.moment += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def sandbox_options() -> dict[str, Any]:
    """What the sandbox is made with; a test module may override this fixture."""
    return {"vendors": 40, "invoices": 40, "seed": 1, "pace": 0}


@pytest.fixture(scope="session")
def listeners() -> Iterator[tuple[Listener, Listener]]:
    """Where the stand-ins of all tests listen, one after the other: their addresses stay the same for a process."""
    pair = Listener(closed, host="127.0.0.1", port=0), Listener(closed, host="127.0.0.1", port=0)
    for listener in pair:
        listener.start()
    yield pair
    for listener in pair:
        listener.stop()


@pytest.fixture
def sandbox(sandbox_options: dict[str, Any], listeners: tuple[Listener, Listener]) -> Iterator[Sandbox]:
    """Both stand-ins, with nothing in them but their seed."""
    box = prepared.new_sandbox(sandbox_options).start(listeners)
    with prepared.preparing(box):
        yield box
    box.stop()


def document(sandbox: Sandbox, slug: str, company: str, letter: str, **options: Any) -> dict[str, Any]:
    """What ``load_tenant`` would be given for one of the sandbox's two companies."""
    return {
        "slug": slug,
        "name": f"Tenant {slug}",
        "time_zone": "America/Chicago",
        "currency": "USD",
        "status": "live",
        "options": {"auto_approve_creations": True, "post_captured_invoices": True, **options},
        "epicor": {
            "base_url": sandbox.epicor_url,
            "instance": credentials.EPICOR_INSTANCE,
            "company": company,
            "auth_mode": "basic",
            "username": credentials.EPICOR_USER,
            "password": credentials.EPICOR_PASSWORD,
            "api_key": credentials.EPICOR_API_KEY,
            "bank_account_id": "AVID",
            "payment_method_id": 2,
            "post_payments": True,
            "void_mode": "api",
        },
        "avidxchange": {
            "base_url": sandbox.avidxchange_url,
            "auth_mode": "tokens",
            "company_token": f"sandbox-company-token-{letter}",
            "user_token": f"sandbox-user-token-{letter}",
            # The contract's four calls a second would make every test wait for nothing.
            "profile": {"max_rps": 500},
        },
    }


@pytest.fixture
def make_tenant(db: None, sandbox: Sandbox, settings: Any) -> Callable[..., Tenant]:
    """Make a tenant of the sandbox's first (``a``, EPIC06) or second (``b``, EPIC07) company."""
    settings.ALLOW_PRIVATE_HOSTS = True

    def make(letter: str = "a", **options: Any) -> Tenant:
        company = {"a": "EPIC06", "b": "EPIC07"}[letter]
        wanted = document(sandbox, f"tenant-{letter}", company, letter, **options)

        def apply() -> Tenant:
            tenant = services.apply(wanted, actor=SYSTEM)
            schedule.apply(tenant, {}, actor=SYSTEM)
            return tenant

        return prepared.new_tenant(wanted, apply)

    return make


@pytest.fixture
def tenant(make_tenant: Callable[..., Tenant]) -> Tenant:
    return make_tenant("a")


@pytest.fixture
def other(make_tenant: Callable[..., Tenant]) -> Tenant:
    """The second tenant: the same vendor numbers, invoice numbers and accounts, other content."""
    return make_tenant("b")


@pytest.fixture
def run_stage(clock: FakeClock) -> RunStage:
    """Run one stage to its end; fails loudly on a bug of ours, so that no test passes over one."""

    def run(tenant: Tenant, stage: str, **kwargs: Any) -> StageRun:
        name = Stage(stage)
        options = {"trigger": "command", "actor": SYSTEM, "clock": Clock(now=clock.now, sleep=clock.sleep), **kwargs}
        ended = loop.run_stage(Tenant.objects.get(pk=tenant.pk), name, stages.policy(name), **options)
        assert ended.status != "errored", ended.error_detail
        return ended

    return run


@pytest.fixture
def has_run(run_stage: RunStage) -> HasRun:
    """Take for given that a stage has run: what ``run_stage`` does, from a copy where it was done before."""

    def bring(tenant: Tenant, stage: str) -> None:
        prepared.step(f"{stage} has run", tenant, lambda: run_stage(tenant, stage))

    return bring


@pytest.fixture
def approve_all() -> Callable[[Tenant], int]:
    """Approve every proposed mapping, as ``review --approve-all`` does; returns how many were approved."""

    def approve(tenant: Tenant) -> int:
        return sum(review.approve(mapping, actor=SYSTEM).done for mapping in list(review.waiting(tenant)))

    return approve


@pytest.fixture
def ready(tenant: Tenant, run_stage: RunStage, approve_all: Callable[[Tenant], int]) -> Tenant:
    """The first tenant, with everything that invoices need at AvidXchange."""
    bring_master_data(tenant, run_stage, approve_all)
    return tenant


@pytest.fixture
def cycle(run_stage: RunStage) -> Callable[..., dict[str, StageRun]]:
    """Run every stage in order, as one cycle of the schedule does."""

    def run(tenant: Tenant, **kwargs: Any) -> dict[str, StageRun]:
        return {str(stage): run_stage(tenant, stage, **kwargs) for stage in Stage}

    return run


@pytest.fixture
def ledger(sandbox: Sandbox) -> Ledger:
    """What both systems hold for a tenant's company, for whole-state assertions."""

    def read(tenant: Tenant) -> dict[str, Any]:
        dump = sandbox.ledger()
        company = tenant.epicor_connection.company
        return {"epicor": dump["epicor"][company], "avidxchange": dump["avidxchange"][company]}

    return read


@pytest.fixture
def make_world(
    make_tenant: Callable[..., Tenant],
    sandbox: Sandbox,
    run_stage: RunStage,
    ledger: Ledger,
    approve_all: Callable[[Tenant], int],
) -> Callable[..., World]:
    """Make a tenant whose vendors and GL accounts are mapped, and whose captured invoices are written, not posted."""

    def make(letter: str = "a", **options: Any) -> World:
        tenant = make_tenant(letter, **{"post_captured_invoices": False, **options})

        def bring() -> None:
            bring_vendors(tenant, run_stage, approve_all)
            run_stage(tenant, "gl_codes_out")

        prepared.step("captured world", tenant, bring)
        return World(sandbox, tenant, run_stage, ledger)

    return make
