"""Two tenants whose Epicor ids collide, people with every role, and secrets that must never be seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User

from tenants import services
from tenants.audit import Actor
from tenants.models import Role, Tenant

CANARY = "canary-7f3a"


@pytest.fixture(autouse=True)
def private_hosts(settings: Any) -> None:
    """Addresses as in production: public and https, whatever the machine's environment says."""
    settings.ALLOW_PRIVATE_HOSTS = False


@pytest.fixture
def actor() -> Actor:
    return Actor.system("tests")


@pytest.fixture
def canary() -> str:
    """What every secret contains."""
    return CANARY


def document(slug: str, company: str) -> dict[str, Any]:
    return {
        "slug": slug,
        "name": f"{slug.title()} Works",
        "time_zone": "America/Chicago",
        "currency": "USD",
        "epicor": {
            "base_url": f"https://{slug}.erp.example.com",
            "instance": "KineticLive",
            "company": company,
            "auth_mode": "basic",
            "username": "integration",
            "password": f"{CANARY}-password-{slug}",
            "api_key": f"{CANARY}-api-key-{slug}",
            "bank_account_id": "MAIN",
            "payment_method_id": 1,
        },
        "avidxchange": {
            "base_url": f"https://{slug}.avid.example.com",
            "auth_mode": "tokens",
            "company_token": f"{CANARY}-company-{slug}",
            "user_token": f"{CANARY}-user-{slug}",
            "company_id": "AVID-A",
        },
    }


@pytest.fixture
def load() -> dict[str, Any]:
    """A whole, correct document."""
    return document("north", "EPIC06")


@pytest.fixture
def north(db: None, actor: Actor) -> Tenant:
    return services.apply(document("north", "EPIC06"), actor=actor)


@pytest.fixture
def south(db: None, actor: Actor) -> Tenant:
    return services.apply(document("south", "EPIC06"), actor=actor)


@pytest.fixture
def person(db: None) -> Callable[..., User]:
    """Make a person with roles: ``person("ann", (tenant, Role.FINANCE), …)``."""

    def make(name: str, *roles: tuple[Tenant, Role], superuser: bool = False) -> User:
        user = User.objects.create_user(name, password="not-a-real-password", is_staff=True, is_superuser=superuser)
        for tenant, role in roles:
            services.set_membership(tenant, user, role, actor=Actor.system("tests"))
        return user

    return make
