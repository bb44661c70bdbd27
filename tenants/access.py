"""Who may see which tenants, and do what with them. Every admin queryset and view asks here (style rule 20).

A person's role with a tenant decides; Django's own permission tables are not used, because they know no tenants.
A superuser may do everything with every tenant. Somebody inactive may do nothing.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet

from tenants.models import Membership, Role, Tenant

M = TypeVar("M", bound=Model)
Person = AbstractBaseUser | AnonymousUser


class Capability(StrEnum):
    """What a role allows."""

    VIEW = "view"
    """See records, runs and the audit trail."""
    REVIEW = "review"
    """Approve mappings, resolve and correct held records."""
    OPERATE = "operate"
    """Run, replay, cancel, pause."""
    CONFIGURE = "configure"
    """Change connections, options and schedule, and test connections."""
    ADMINISTER = "administer"
    """Grant and revoke memberships."""


ALLOWS: dict[Role, frozenset[Capability]] = {
    Role.FINANCE: frozenset({Capability.VIEW, Capability.REVIEW}),
    Role.IMPLEMENTER: frozenset({Capability.VIEW, Capability.OPERATE, Capability.CONFIGURE}),
    Role.OPERATOR: frozenset({Capability.VIEW, Capability.OPERATE}),
    Role.AUDITOR: frozenset({Capability.VIEW}),
    Role.ADMINISTRATOR: frozenset(Capability),
}


def roles_with(capability: Capability) -> list[Role]:
    """Return the roles that allow something."""
    return [role for role, allowed in ALLOWS.items() if capability in allowed]


def tenants_for(user: Person, capability: Capability = Capability.VIEW) -> QuerySet[Tenant]:
    """Return the tenants with which a person may do something; none for somebody inactive or not logged in."""
    if not user.is_active or user.pk is None:
        return Tenant.objects.none()
    if getattr(user, "is_superuser", False):
        return Tenant.objects.all()
    granted = Membership.objects.filter(user_id=user.pk, role__in=roles_with(capability))
    return Tenant.objects.filter(pk__in=granted.values("tenant"))


def scope(
    queryset: QuerySet[M], user: Person, *, path: str = "tenant", capability: Capability = Capability.VIEW
) -> QuerySet[M]:
    """Return the rows of ``queryset`` whose tenant the person may see (or more, by ``capability``).

    ``path`` leads from the model to its tenant, such as ``batch__tenant``; for ``Tenant`` itself it is not used.
    """
    allowed = tenants_for(user, capability)
    lookup = "pk__in" if issubclass(queryset.model, Tenant) else f"{path}__in"
    return queryset.filter(**{lookup: allowed})


def can(user: Person, tenant: Tenant, capability: Capability) -> bool:
    """Whether a person may do something with one tenant."""
    return tenants_for(user, capability).filter(pk=tenant.pk).exists()


def can_anywhere(user: Person, capability: Capability = Capability.VIEW) -> bool:
    """Whether there is a tenant with which a person may do something; a superuser may even where there is none yet."""
    if not user.is_active:
        return False
    return bool(getattr(user, "is_superuser", False)) or tenants_for(user, capability).exists()


def require(user: Person, tenant: Tenant, capability: Capability) -> None:
    """Raise ``PermissionDenied`` unless the person may."""
    if not can(user, tenant, capability):
        raise PermissionDenied(f"Your role with {tenant} does not allow this ({capability}).")
