"""Who may see which tenants, and do what with them. Every admin queryset and view asks here (style rule 20).

A person's role with a tenant decides; Django's own permission tables are not used, because they know no tenants.
A superuser may do everything with every tenant. Somebody inactive may do nothing.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet

from tenants.models import Membership, Role, Tenant

M = TypeVar("M", bound=Model)
Person = AbstractBaseUser | AnonymousUser


class Capability(StrEnum):
    """What a role allows; what each covers is told to people in ``COVERS``."""

    VIEW = "view"
    REVIEW = "review"
    OPERATE = "operate"
    CONFIGURE = "configure"
    ADMINISTER = "administer"


#: What each capability covers, for the table in docs/access.md.
COVERS: dict[Capability, str] = {
    Capability.VIEW: "see records, runs, problems, differences and the audit trail; export what a list shows",
    Capability.REVIEW: "decide about mappings and problems: approve, reject, ignore, resolve, take back",
    Capability.OPERATE: "run stages, cancel runs, replay, pause and resume a stage or the tenant",
    Capability.CONFIGURE: "change the tenant, its connections, secrets, options, schedule; test connections; go live",
    Capability.ADMINISTER: "give and take roles; see the tenant's people; reset a second factor or a password, unlock",
}

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


def capabilities_anywhere(user: Person) -> frozenset[Capability]:
    """Return what a person may do with some tenant, by one query; a superuser may all, even where there is none yet."""
    if not user.is_active or user.pk is None:
        return frozenset()
    if getattr(user, "is_superuser", False):
        return frozenset(Capability)
    roles = Membership.objects.filter(user_id=user.pk).order_by().values_list("role", flat=True).distinct()
    return frozenset().union(*(ALLOWS[Role(role)] for role in roles))


def can_anywhere(user: Person, capability: Capability = Capability.VIEW) -> bool:
    """Whether there is a tenant with which a person may do something."""
    return capability in capabilities_anywhere(user)


def require(user: Person, tenant: Tenant, capability: Capability) -> None:
    """Raise ``PermissionDenied`` unless the person may."""
    if not can(user, tenant, capability):
        raise PermissionDenied(f"Your role with {tenant} does not allow this ({capability}).")


def people_for(user: Person) -> QuerySet[User]:
    """Return the people whom a person looks after: those with a role in a tenant that the person administers.

    Nobody learns from it who else there is: people of other tenants are not in it. A superuser looks after everybody.
    """
    if user.is_active and getattr(user, "is_superuser", False):
        return User.objects.all()
    mine = Membership.objects.filter(tenant__in=tenants_for(user, Capability.ADMINISTER))
    return User.objects.filter(pk__in=mine.values("user"))


def may_let_in(user: Person, person: User) -> bool:
    """Whether ``user`` may reset how ``person`` signs in, which is as good as being that person for a while.

    So a superuser's only by a superuser, and that of somebody who works for a tenant too that ``user`` does not
    administer by nobody else either: it would open that tenant. One's own is changed on one's own page.
    """
    if user.pk == person.pk or not user.is_active:
        return False
    if getattr(user, "is_superuser", False):
        return True
    if person.is_superuser or not people_for(user).filter(pk=person.pk).exists():
        return False
    elsewhere = Membership.objects.filter(user=person).exclude(tenant__in=tenants_for(user, Capability.ADMINISTER))
    return not elsewhere.exists()


def role_table() -> str:
    """Return who may do what as a table, as docs/access.md shows it."""
    head = ["capability", *(role.label for role in Role), "what it covers"]
    rows = [
        [f"`{capability}`", *("yes" if capability in ALLOWS[role] else "–" for role in Role), COVERS[capability]]
        for capability in Capability
    ]
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
