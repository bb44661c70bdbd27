"""What management commands about tenants share: finding the tenant that was named, and files that are kept."""

from __future__ import annotations

import difflib
from pathlib import Path

from django.core.management.base import CommandError

from tenants import heads
from tenants.models import Tenant

FOREIGN_KEY = (
    "{path} is signed with a key that this site does not have now. If the keys were rotated since, that is how it "
    "should be; then only how the file was kept says that it is genuine."
)


def tenant_named(slug: str) -> Tenant:
    """Return the tenant. Raises ``CommandError`` (exit 1) that names the nearest one there is."""
    tenant = Tenant.objects.filter(slug=slug).first()
    if tenant is None:
        known = list(Tenant.objects.values_list("slug", flat=True))
        near = difflib.get_close_matches(slug, known, n=1)
        raise CommandError(f"There is no tenant {slug!r}{f'; did you mean {near[0]!r}?' if near else '.'}")
    return tenant


def kept_head(path: Path, tenant: Tenant) -> tuple[heads.Head, str]:
    """Return the head that was kept in a file, and what a person should know of its signature, "" for nothing.

    Raises ``CommandError`` (exit 1) for a file that cannot be read or is no head of this tenant.
    """
    try:
        kept, ours = heads.from_file(path.read_bytes(), tenant)
    except OSError as fault:
        raise CommandError(f"{path} cannot be read: {fault.strerror}.") from None
    except heads.UnusableHead as fault:
        raise CommandError(f"{path} cannot be used: {fault}.") from None
    return kept, "" if ours else FOREIGN_KEY.format(path=path)


def write_new(path: Path, text: bytes) -> None:
    """Write a file that is not there yet: what was kept is never written over. Raises ``CommandError`` (exit 1)."""
    try:
        with path.open("xb") as file:
            file.write(text)
    except FileExistsError:
        raise CommandError(f"{path} is there already and is not written over: name a new file.") from None
    except OSError as fault:
        raise CommandError(f"{path} cannot be written: {fault.strerror}.") from None
