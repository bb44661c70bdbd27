"""Tenants whose far systems are never called, stages with policies of the test's own, and bells that only record."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from connector.stages import Stage
from syncjobs import stages, tasks
from syncjobs.engine import loop, schedule
from syncjobs.engine.context import Clock, StageContext
from syncjobs.models import StageRun
from tenants import services
from tenants.audit import Actor
from tenants.models import Tenant

TESTER = Actor.system("test")


def document(slug: str, company: str) -> dict[str, Any]:
    """What ``load_tenant`` would be given, without ``stages``."""
    return {
        "slug": slug,
        "name": f"Tenant {slug}",
        "time_zone": "America/Chicago",
        "currency": "USD",
        "epicor": {
            "base_url": "https://erp.example.com",
            "instance": "KineticTest",
            "company": company,
            "auth_mode": "basic",
            "username": "integration",
            "password": "not-a-real-password",
            "api_key": "not-a-real-key",
            "bank_account_id": "MAIN",
            "payment_method_id": 1,
        },
        "avidxchange": {
            "base_url": "https://avid.example.com",
            "auth_mode": "tokens",
            "company_token": "not-a-real-token-a",
            "user_token": "not-a-real-token-b",
        },
    }


@pytest.fixture
def load() -> dict[str, Any]:
    """A whole, correct document."""
    return {**document("north", "EPIC06"), "stages": {}}


@pytest.fixture
def north(db: None) -> Tenant:
    tenant = services.apply(document("north", "EPIC06"), actor=TESTER)
    schedule.apply(tenant, {}, actor=TESTER)
    return tenant


@pytest.fixture
def south(db: None) -> Tenant:
    tenant = services.apply(document("south", "EPIC06"), actor=TESTER)
    schedule.apply(tenant, {}, actor=TESTER)
    return tenant


@pytest.fixture
def policies(monkeypatch: pytest.MonkeyPatch) -> dict[str, Callable[[StageContext], None]]:
    """The stages' policies: those that a test puts in here, and for all others one that does nothing."""
    chosen: dict[str, Callable[[StageContext], None]] = {}
    monkeypatch.setattr(stages, "policy", lambda stage: chosen.get(str(stage), lambda ctx: None))
    return chosen


@pytest.fixture
def ran(policies: dict[str, Any]) -> Callable[..., StageRun]:
    """Run a stage that comes to the given counts: ``ran(tenant, "vendors_out", created=3)``."""

    def run(tenant: Tenant, stage: str, *, dry_run: bool = False, full_read: bool = False, **counts: int) -> StageRun:
        def policy(ctx: StageContext) -> None:
            for outcome, number in counts.items():
                ctx.settle_count(outcome, number)

        return loop.run_stage(
            tenant,
            Stage(stage),
            policy,
            trigger="command",
            actor=TESTER,
            dry_run=dry_run,
            full_read=full_read,
            clock=Clock(sleep=lambda _seconds: None),
        )

    return run


@pytest.fixture
def bells(monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any) -> Callable[[], Any]:
    """Record bells instead of ringing them: ``with bells() as rung: …`` fills ``rung`` when the block is committed."""

    @contextmanager
    def record() -> Iterator[list[tuple[Any, ...]]]:
        rung: list[tuple[Any, ...]] = []
        with monkeypatch.context() as patch:
            patch.setattr(
                tasks.run_stage,
                "delay",
                lambda tenant, stage, trigger, *_actor, **o: rung.append((tenant, stage, trigger)),
            )
            patch.setattr(tasks.poll_invoices, "delay", lambda tenant: rung.append((tenant, "poll_invoices")))
            patch.setattr(tasks.poll, "apply_async", lambda args, countdown: rung.append((*args, "poll", countdown)))
            with django_capture_on_commit_callbacks(execute=True):
                yield rung
                assert rung == [], "a bell was rung before the commit"

    return record
