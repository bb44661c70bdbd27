"""One simulated world: both far systems, two tenants, the product under a virtual clock, all in one process."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import requests
from celery.app.task import Task

from connector.sandbox import credentials
from connector.sandbox.server import Sandbox
from syncjobs.engine import schedule
from tenants import services
from tenants.audit import Actor
from tenants.models import Tenant
from tests.simulation import data, database, product, transport
from tests.simulation.broker import Broker
from tests.simulation.clock import VirtualClock

BUILDER = Actor.system("simulator")
EPICOR, AVIDXCHANGE = "epicor.invalid", "avidxchange.invalid"
SLUGS = {"EPIC06": "tenant-a", "EPIC07": "tenant-b"}
#: What AvidXchange does by itself is switched by the plan of each run.
CALM = {"stories": {}, "reject_percent": 0, "percent_202": 0, "awkward": False}


def document(slug: str, company: str, letter: str) -> dict[str, Any]:
    """What ``load_tenant`` is given for one of the two companies."""
    return {
        "slug": slug,
        "name": f"Tenant {slug}",
        "time_zone": "America/Chicago",
        "currency": "USD",
        "status": "live",
        "options": {"auto_approve_creations": True, "post_captured_invoices": True},
        "epicor": {
            "base_url": f"http://{EPICOR}",
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
            "base_url": f"http://{AVIDXCHANGE}",
            "auth_mode": "tokens",
            "company_token": f"sandbox-company-token-{letter}",
            "user_token": f"sandbox-user-token-{letter}",
        },
    }


@dataclass(frozen=True, slots=True)
class Start:
    """A prepared state: the far systems' and the statements that bring back our tables."""

    far: bytes
    tables: str


class World:
    """Everything of one run that is not the scheduler's."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.broker = Broker(self.clock)
        self.sandbox: Sandbox = None  # type: ignore[assignment]  (a run begins with ``begin``)
        self.gate: transport.Gate = lambda exchange: None
        self.last_pages: dict[tuple[str, str, str], transport.Answer] = {}
        self.after_sleep: Callable[[float], None] = lambda seconds: None
        self.beating: Callable[[Any], Any] = _no_heartbeat

    def begin(self, start: Start, *, seed: int, pace: float = 0, **switches: Any) -> None:
        """Set everything back to a prepared state."""
        random.seed(seed)  # the transport's jitter
        database.restore(start.tables)
        self.broker.bells.clear()
        self.last_pages.clear()
        self.broker.down = False
        self.sandbox = data.take_out(start.far, clock=self.clock.far_now, pace=pace, **{**CALM, **switches})

    def tenants(self) -> list[Tenant]:
        """Return both tenants afresh."""
        return list(Tenant.objects.order_by("pk"))

    # -- what the product is run in (``product.Surroundings``) --------------------------------------------------------

    def session(self) -> requests.Session:
        apps = {
            EPICOR: ("epicor", self.sandbox.epicor_app),
            AVIDXCHANGE: ("avidxchange", self.sandbox.avidxchange_app),
        }
        return transport.session(apps, self.gate)

    def now(self) -> Any:
        return self.clock.now()

    def sleep(self, seconds: float) -> None:
        self.clock.pass_by(seconds)
        self.after_sleep(seconds)

    def monotonic(self) -> float:
        return self.clock.true.timestamp()

    def publish(self, task: Task, args: Any = None, kwargs: Any = None, **options: Any) -> None:
        self.broker.publish(task, args, kwargs, **options)


@contextmanager
def _no_heartbeat(_run: Any) -> Iterator[None]:
    yield


def make_tenants() -> None:
    """Onboard both tenants, as ``load_tenant`` does."""
    for company, letter in (("EPIC06", "a"), ("EPIC07", "b")):
        tenant = services.apply(document(SLUGS[company], company, letter), actor=BUILDER)
        schedule.apply(tenant, {}, actor=BUILDER)


@contextmanager
def running(world: World) -> Iterator[World]:
    """Run the product in a world."""
    with product.under(world):
        yield world
