"""The connection test from a tenant's row to both stand-ins over HTTP, and secrets that stay out of what it says."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from connector.sandbox.server import Sandbox
from connector.sandbox.tenant import tenant_document
from connector.transport.errors import System
from tenants import probe, services
from tenants.audit import Actor
from tenants.models import SharedToken, Tenant

pytestmark = pytest.mark.django_db

CANARY = "canary-9b1e"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(vendors=10, invoices=5) as running:
        yield running


@pytest.fixture
def document(sandbox: Sandbox, settings: Any) -> dict[str, Any]:
    settings.ALLOW_PRIVATE_HOSTS = True
    whole = tenant_document(epicor_url=sandbox.epicor_url, avidxchange_url=sandbox.avidxchange_url)
    del whole["stages"]
    whole["avidxchange"]["profile"] = {"max_rps": None}
    return whole


@pytest.fixture
def demo(document: dict[str, Any], actor: Actor) -> Tenant:
    return services.apply(document, actor=actor)


def test_the_stand_ins_pass_every_check(demo: Tenant) -> None:
    out = StringIO()
    call_command("check_connection", "demo", "--json", stdout=out)
    report = json.loads(out.getvalue())
    assert [check for check in report["checks"] if not check["ok"]] == []
    assert (report["tenant"], report["ok"]) == ("demo", True)
    names = {(check["system"], check["name"]) for check in report["checks"]}
    assert {("epicor", "login"), ("epicor", "company"), ("avidxchange", "login")} <= names
    assert SharedToken.objects.filter(tenant=demo, system="epicor").count() == 1


@pytest.mark.parametrize(
    ("system", "name", "failing"),
    [
        ("epicor", "client_secret", "login"),
        ("epicor", "api_key", "API key"),
        ("avidxchange", "user_token", "login"),
    ],
)
def test_a_wrong_secret_is_a_failed_check_with_a_hint_and_is_never_said(
    document: dict[str, Any],
    actor: Actor,
    caplog: pytest.LogCaptureFixture,
    system: str,
    name: str,
    failing: str,
) -> None:
    document[system][name] = f"{CANARY}-{name}"
    demo = services.apply(document, actor=actor)
    with caplog.at_level(logging.DEBUG):
        checks = probe.checks(demo)
    failed = [check for check in checks if not check.ok]
    assert [(check.system, check.name) for check in failed] == [(System(system), failing)]
    assert failed[0].hint
    assert CANARY not in str(checks) + caplog.text


def test_a_wrong_company_is_found(document: dict[str, Any], actor: Actor) -> None:
    document["epicor"]["company"] = "NOPE"
    checks = probe.checks(services.apply(document, actor=actor))
    assert [(check.system, check.name) for check in checks if not check.ok] == [(System.EPICOR, "company")]


def test_a_system_that_is_down_is_one_failed_check_and_the_other_is_still_tested(
    document: dict[str, Any], actor: Actor
) -> None:
    document["epicor"]["base_url"] = "http://127.0.0.1:1"
    document["epicor"]["token_url"] = "http://127.0.0.1:1/token"
    checks = probe.checks(services.apply(document, actor=actor))
    failed = [check for check in checks if not check.ok]
    assert [(check.system, check.name) for check in failed] == [(System.EPICOR, "address")]
    assert any(check.system == System.AVIDXCHANGE and check.ok for check in checks)
