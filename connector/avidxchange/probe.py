"""The connection test: every check by name, in the order in which things break (contract R24).

Only reads are made. A write path is asked with a GET: 404 and 501 say that it is not there, while 405 says nothing, so
a stage may still meet a missing one; it pauses then with ``capability_unavailable`` and says which path it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial

from connector.avidxchange.client import AvidXchangeClient, BatchKind
from connector.avidxchange.config import AvidXchangeConfig
from connector.avidxchange.resources import RESOURCES
from connector.transport.checks import Check
from connector.transport.errors import ConnectorError, System

#: A look-up that cannot find anything: proves that the path is there without reading data.
_NOBODY = "connection-test"


def checks(config: AvidXchangeConfig, client: AvidXchangeClient, *, today: date | None = None) -> Iterator[Check]:
    """Yield the checks of one connection; later ones are left out where they would only repeat a failure."""
    login = _try("login", lambda: _systems(config, client))
    yield login
    if not login.ok:
        return
    yield _try("accounting system", lambda: _chosen(client))
    day = today or datetime.now(UTC).date()
    yield _reads("vendors", lambda: _first(client.vendors(modified_from=day)))
    yield _reads("invoices", lambda: _found(len(client.invoices_by_external_id([_NOBODY]))))
    yield _reads("closed_batches", lambda: _first(client.captured_batches(day - timedelta(days=1), day)))
    yield _reads("payments", lambda: _first(client.payments_modified(day - timedelta(days=1), day)))
    for kind in BatchKind:
        yield _try(RESOURCES[kind.path_name].use, partial(_offered, client, kind))
    yield _banks(client)


def _try(name: str, act: Callable[[], str]) -> Check:
    try:
        return Check(system=System.AVIDXCHANGE, name=name, ok=True, detail=act())
    except ConnectorError as error:
        return Check(system=System.AVIDXCHANGE, name=name, ok=False, detail=error.message, hint=error.hint)


def _reads(name: str, act: Callable[[], str]) -> Check:
    row = RESOURCES[name]
    return _try(row.use, act)


def _systems(config: AvidXchangeConfig, client: AvidXchangeClient) -> str:
    found = client.accounting_systems()
    listed = ", ".join(f"{system_id} ({name})" for system_id, name in found) or "none"
    return f"Logged in with {config.auth_mode.replace('_', ' ')}; accounting systems: {listed}."


def _offered(client: AvidXchangeClient, kind: BatchKind) -> str:
    client.check_offered(kind)
    return "The path is there, as far as can be seen without sending."


def _chosen(client: AvidXchangeClient) -> str:
    return f"Working for accounting system {client.accounting_system_id()}."


def _first(pages: Iterator[Sequence[object]]) -> str:
    return _found(len(next(pages, ())))


def _found(count: int) -> str:
    return f"Answered ({count} found)."


def _banks(client: AvidXchangeClient) -> Check:
    """Bank accounts only inform: one that is not ready says nothing against the connection (facts 2.1)."""
    try:
        found = client.bank_accounts()
    except ConnectorError as error:
        missing = error.code == "capability_unavailable"
        detail = "Not offered by this AvidXchange." if missing else error.message
        return Check(system=System.AVIDXCHANGE, name="bank accounts", ok=missing, detail=detail, hint=error.hint)
    waiting = [f"{account} is {status or 'blank'}" for account, status in found if status.casefold() != "synced"]
    return Check(
        system=System.AVIDXCHANGE,
        name="bank accounts",
        ok=True,
        detail="; ".join(waiting) or f"{len(found)} ready.",
        hint="Payments from an account that is not ready wait; ask AvidXchange about it." if waiting else "",
    )
