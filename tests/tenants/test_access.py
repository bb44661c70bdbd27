"""Who may: a cast of people with every role, a stranger, somebody gone, and a superuser, against two tenants."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied

from tenants import access
from tenants.access import Capability
from tenants.models import AuditEvent, Role, Tenant

pytestmark = pytest.mark.django_db

MAY = {
    Role.FINANCE: {"view", "review"},
    Role.IMPLEMENTER: {"view", "operate", "configure"},
    Role.OPERATOR: {"view", "operate"},
    Role.AUDITOR: {"view"},
    Role.ADMINISTRATOR: {"view", "review", "operate", "configure", "administer"},
}


@pytest.mark.parametrize("role", Role)
def test_a_role_allows_what_it_says_with_its_own_tenant_only(
    role: Role, north: Tenant, south: Tenant, person: Any
) -> None:
    user = person("ann", (north, role))
    assert {c for c in Capability if access.can(user, north, c)} == MAY[role]
    assert {c for c in Capability if access.can(user, south, c)} == set()
    assert {c for c in Capability if access.can_anywhere(user, c)} == MAY[role]
    assert list(access.tenants_for(user)) == [north]
    events = access.scope(AuditEvent.objects.all(), user)
    assert set(events.values_list("tenant__slug", flat=True)) == {"north"}
    assert list(access.scope(Tenant.objects.all(), user)) == [north]


def test_two_roles_stay_with_their_tenants(north: Tenant, south: Tenant, person: Any) -> None:
    user = person("ann", (north, Role.AUDITOR), (south, Role.OPERATOR))
    assert set(access.tenants_for(user)) == {north, south}
    assert list(access.tenants_for(user, Capability.OPERATE)) == [south]
    assert not access.can(user, north, Capability.OPERATE)


def test_a_stranger_sees_nothing(north: Tenant, person: Any) -> None:
    for nobody in (person("stranger"), AnonymousUser()):
        assert not access.tenants_for(nobody).exists()
        assert not access.scope(AuditEvent.objects.all(), nobody).exists()
        assert not access.can_anywhere(nobody)


def test_somebody_inactive_may_nothing_any_more(north: Tenant, person: Any) -> None:
    for user in (person("gone", (north, Role.ADMINISTRATOR)), person("root", superuser=True)):
        user.is_active = False
        user.save()
        assert not access.tenants_for(user).exists()
        assert not access.can_anywhere(user)


def test_a_superuser_may_everything_even_before_the_first_tenant(person: Any) -> None:
    root = person("root", superuser=True)
    assert access.can_anywhere(root, Capability.CONFIGURE)
    tenant = Tenant.objects.create(slug="new", name="New")
    assert all(access.can(root, tenant, capability) for capability in Capability)


def test_require_says_what_is_missing(north: Tenant, person: Any) -> None:
    user = person("ann", (north, Role.AUDITOR))
    access.require(user, north, Capability.VIEW)
    with pytest.raises(PermissionDenied, match=r"Your role with North Works does not allow this \(operate\)"):
        access.require(user, north, Capability.OPERATE)


def test_the_document_shows_the_table_that_is_asked(checkout: Path) -> None:
    """If this fails: put what ``access.role_table()`` returns into the document, and read what changed."""
    assert access.role_table() in (checkout / "docs" / "access.md").read_text()
    assert set(access.COVERS) == set(Capability)
