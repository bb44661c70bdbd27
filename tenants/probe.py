"""Is a tenant's connection good? Every check of both systems by name, with what to do about the ones that fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from connector.avidxchange import probe as avidxchange_probe
from connector.epicor import probe as epicor_probe
from connector.transport.checks import Check
from connector.transport.errors import ConnectorError, System
from tenants import clients
from tenants.models import Tenant


def checks(tenant: Tenant) -> list[Check]:
    """Return all checks of both systems; a system without a usable connection has one failed check. Reads only."""
    return [*_system(System.EPICOR, _epicor, tenant), *_system(System.AVIDXCHANGE, _avidxchange, tenant)]


def _system(system: System, probe: Callable[[Tenant], Iterator[Check]], tenant: Tenant) -> Iterator[Check]:
    try:
        yield from probe(tenant)
    except ConnectorError as error:
        yield Check(system=system, name="connection", ok=False, detail=error.message, hint=error.hint)


def _epicor(tenant: Tenant) -> Iterator[Check]:
    config = clients.epicor_config(tenant)
    client = clients.epicor_client(tenant)
    try:
        yield from epicor_probe.checks(config, client)
    finally:
        client.close()


def _avidxchange(tenant: Tenant) -> Iterator[Check]:
    config = clients.avidxchange_config(tenant)
    client = clients.avidxchange_client(tenant)
    try:
        yield from avidxchange_probe.checks(config, client)
    finally:
        client.close()
