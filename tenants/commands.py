"""What the tenants' management commands share: finding the tenant that was named."""

from __future__ import annotations

import difflib

from django.core.management.base import CommandError

from tenants.models import Tenant


def tenant_named(slug: str) -> Tenant:
    """Return the tenant. Raises ``CommandError`` (exit 1) that names the nearest one there is."""
    tenant = Tenant.objects.filter(slug=slug).first()
    if tenant is None:
        known = list(Tenant.objects.values_list("slug", flat=True))
        near = difflib.get_close_matches(slug, known, n=1)
        raise CommandError(f"There is no tenant {slug!r}{f'; did you mean {near[0]!r}?' if near else '.'}")
    return tenant
