"""The connection test: what could be wrong with an Epicor connection, one plain line each, in the order it would fail.

One read settles address, certificate, login, API key and company: a failure is put down to the first of them that it
belongs to, and what comes after is not tried. Nothing is written: methods are called without their parameters, and the
few that a lenient server might carry out even so are only named.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from datetime import UTC, datetime

from connector.epicor.client import EpicorClient
from connector.epicor.config import EpicorConfig
from connector.epicor.records import PUR_TERMS
from connector.epicor.scope import ACCESS_SCOPE, Access
from connector.transport.checks import Check
from connector.transport.errors import ConnectorError, System

#: How far the clocks may be apart before somebody should look (seconds).
CLOCK_TOLERANCE_S = 300

#: The first steps and the codes of the failures that belong to each. One that belongs to none is the address's: then
#: nothing is known but that no good answer comes from there.
_STEPS: dict[str, frozenset[str]] = {
    "address": frozenset(),
    "certificate": frozenset({"certificate_refused"}),
    "API key": frozenset({"api_key_missing", "api_key_refused"}),
    "login": frozenset({"login_refused", "token_refused", "token_unavailable", "access_refused"}),
    "company": frozenset({"company_refused", "wrong_company"}),
    "first read": frozenset({"scope_excluded", "method_denied", "column_missing", "query_refused"}),
}
_ADDRESS_HINT = "Check base URL and instance, and that this server may reach them."


def checks(
    config: EpicorConfig, client: EpicorClient, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> Iterator[Check]:
    """Yield every check of a connection; later ones are left out once the first steps fail."""
    failed = yield from _first_steps(config, client)
    if failed:
        return
    for access in ACCESS_SCOPE:
        if not access.optional:
            yield _access(client, access)
    yield _licence(config)
    yield _clock(client, now)


def _first_steps(config: EpicorConfig, client: EpicorClient) -> Generator[Check, None, bool]:
    """Yield the steps; returns whether one failed."""
    said = {
        "address": config.root,
        "certificate": "trusted" if config.root.startswith("https:") else "not used: the address begins with http",
        "API key": "accepted",
        "login": f"accepted ({config.auth_mode.replace('_', ' ')})",
    }
    error: ConnectorError | None = None
    try:
        client.peek(PUR_TERMS)
        said["company"] = f"{config.company} ({client.company_name()}) answers as itself"
        said["first read"] = "rows can be read"
    except ConnectorError as refused:
        error = refused
    code = error.code if error else ""
    failing = next((name for name, codes in _STEPS.items() if code in codes), "address")
    for name in _STEPS:
        if error is not None and name == failing:
            hint = _ADDRESS_HINT if name == "address" and (not error.hint or code == "unknown_method") else error.hint
            yield _check(name, ok=False, detail=error.message, hint=hint)
            return True
        yield _check(name, ok=True, detail=said.get(name, "passed"))
    return False


def _access(client: EpicorClient, access: Access) -> Check:
    name = f"{access.service}/{access.name}"
    needed = "needed for " + ", ".join(access.stages)
    if not access.tried:
        return _check(name, ok=True, detail=f"not tried, because it writes; {needed}")
    try:
        error = client.refusal(access.service, access.name) if access.entity is None else None
        if access.entity is not None:
            client.peek(access.entity)
    except ConnectorError as refused:
        error = refused
    if error is None:
        return _check(name, ok=True, detail=f"allowed; {needed}")
    return _check(name, ok=False, detail=f"{error.message} ({needed})", hint=error.hint)


def _licence(config: EpicorConfig) -> Check:
    if config.license_guid:
        return _check("licence", ok=True, detail="calls claim the licence type that is set")
    return _check("licence", ok=True, detail="none set: every call claims one of the users' licences while it lasts")


def _clock(client: EpicorClient, now: Callable[[], datetime]) -> Check:
    try:
        theirs = client.server_time()
    except ConnectorError as error:
        return _check("clock", ok=False, detail=error.message, hint=error.hint)
    if theirs is None:
        return _check("clock", ok=True, detail="the server does not show its clock")
    apart = abs((now() - theirs).total_seconds())
    detail = f"the clocks are {apart:.0f} s apart"
    if apart <= CLOCK_TOLERANCE_S:
        return _check("clock", ok=True, detail=detail)
    return _check("clock", ok=False, detail=detail, hint="Set this server's clock by a time service.")


def _check(name: str, *, ok: bool, detail: str, hint: str = "") -> Check:
    return Check(system=System.EPICOR, name=name, ok=ok, detail=detail, hint=hint)
