"""A system that does not answer: found out once, asked after by one, told to people once, over by itself.

A run that ends on a failed call pings. If the ping fails too, the connection is open: every stage of the tenant that
needs the system is put off until the pause is over, and the first that runs then pings again. Other tenants, and stages
that do not need that system, go on. One problem a connection says what waits; the ping that succeeds resolves it.
"""

from __future__ import annotations

import logging
import random
from datetime import datetime
from zoneinfo import ZoneInfo

from django.db import transaction

from connector.stages import LABELS, SYSTEMS, Stage, needing
from connector.transport.breaker import Breaker, Stand, asked_for, closed, opened
from connector.transport.checks import Check
from connector.transport.errors import ConnectorError, Retry, System, Uncertain, Waits
from connector.transport.guard import Doubt
from connector.transport.places import PLACES_TAKEN
from syncjobs.engine import connections, problems, schedule
from syncjobs.engine.context import StageContext
from syncjobs.engine.problems import Finding
from syncjobs.models import ConnectionHealth
from tenants import audit, clients
from tenants.audit import Actor
from tenants.models import Tenant

log = logging.getLogger(__name__)

CODE = "connection_down"
HINT = (
    "Nothing has to be done here: it is tried again by itself, at least every half hour, and what waits then goes on"
    " from where it stopped. If the system is up again, choose Try again now on the tenant's page of stages."
)


def arrive(ctx: StageContext) -> None:
    """Let a run begin only if the systems its stage needs are called at present. Raises ``Waits``.

    A pause that is over is ended, or prolonged, by one ping: of whichever run comes first, even if its stage begins
    without that system, because it may need it for a part of its work and be the only one that is switched on.
    """
    for row in connections.open_ones(ctx.tenant.pk, System):
        if not _is_back(ctx, row) and System(row.system) in SYSTEMS[ctx.stage]:
            raise _waits(row)


def leave(ctx: StageContext, fault: Retry | Uncertain | None = None) -> ConnectorError | None:
    """Find out whether a system that a run has come to doubt is down, and open its connection if it is.

    Returns what really ended the run: ``Waits`` where ``fault`` was about a system that is down, else ``fault`` itself.
    """
    doubted = {system: guard.doubt for system, guard in ctx.guards.items() if guard.doubt is not None}
    for system, doubt in doubted.items():
        _look(ctx, system, doubt)
    if fault is None or fault.code == PLACES_TAKEN:
        return fault
    down = connections.open_ones(ctx.tenant.pk, [fault.system])
    if down:
        return _waits(down[0])
    if isinstance(fault, Waits) and fault.system in doubted:
        said = f"{fault.system.label} answers, but not to what was asked: {fault.message}"
        return Retry(said, system=fault.system, code="unavailable")
    return fault


def waits_until(tenant: Tenant, stage: Stage) -> datetime | None:
    """Return until when a stage waits for a system; None if it may run, which ends a pause that is over."""
    later = [row.breaker.next_try(row.read_at) for row in connections.open_ones(tenant.pk, SYSTEMS[stage])]
    return max((moment for moment in later if moment is not None), default=None)


def try_again(tenant: Tenant, system: System, *, actor: Actor) -> bool:
    """Have an open connection tried by the next run at a person's wish; False if it is not open."""
    with transaction.atomic():
        before, after = connections.move(
            tenant, system, lambda state, now: state if state.since is None else asked_for(state, now)
        )
        if before.since is None:
            return False
        schedule.bring_forward(tenant, needing(system), before.latest)
        audit.record(
            tenant,
            "connection.tried_again",
            actor=actor,
            subject=("connection", str(system)),
            before=_told(before),
            after=_told(after),
        )
    return True


def checks(tenant: Tenant) -> list[Check]:
    """Return a line of the connection test for each connection that is not called at present."""
    return [
        Check(
            system=System(row.system),
            name="outage",
            ok=False,
            detail=f"{words(row)} It failed with: {row.reason}",
            hint="It goes on by itself. If the other checks are well, choose Try again now on the page of stages.",
        )
        for row in connections.open_ones(tenant.pk, System)
    ]


def words(row: ConnectionHealth) -> str:
    """Say how an open connection stands, and when it is tried again."""
    name, zone = System(row.system).label, row.tenant.zone
    later = row.breaker.next_try(row.read_at)
    next_try = "It is tried again with the next run." if later is None else f"It is tried again at {_at(later, zone)}."
    return f"{name} has been unavailable since {_at(row.since or row.read_at, zone)}. {next_try}"


def _is_back(ctx: StageContext, row: ConnectionHealth) -> bool:
    """Ping an open connection if that is due and nobody else's business; return whether it is closed now."""
    system = System(row.system)
    if row.breaker.stand(row.read_at) is Stand.OPEN or not connections.claim_probe(ctx.tenant, system):
        return False
    failed = _ping(ctx, system)
    if failed is None:
        _close(ctx, system)
    else:
        _open(ctx, system, failed)
    return failed is None


def _look(ctx: StageContext, system: System, doubt: Doubt) -> None:
    """Open a connection whose far side asked for peace, or does not answer a ping; one is pinged once by all."""
    if doubt.wish_s:
        _open(ctx, system, doubt)
    elif not connections.open_ones(ctx.tenant.pk, [system]) and (failed := _ping(ctx, system)) is not None:
        _open(ctx, system, failed)


def _ping(ctx: StageContext, system: System) -> Doubt | None:
    """Ask a system whether it answers; return why it does not. What a person has to mend is an answer."""
    try:
        clients.ping(ctx.tenant, system, on_attempt=ctx.calls.add, sleep=ctx.clock.sleep)
    except Retry as fault:
        return Doubt(fault.message, wish_s=fault.delay_s or 0.0)
    except ConnectorError as fault:
        log.info("connection.answers", extra={"tenant": ctx.tenant.slug, "system": system, "code": fault.code})
    return None


def _open(ctx: StageContext, system: System, doubt: Doubt) -> None:
    """Open a connection, or keep it open for longer; put off whatever needs it, and tell about it."""

    def trip(state: Breaker, now: datetime) -> Breaker:
        return opened(state, connections.POLICY, now, jitter=random.random(), wish_s=doubt.wish_s)  # noqa: S311

    with ctx.commit():
        before, after = connections.move(ctx.tenant, system, trip, reason=doubt.words)
        row = connections.open_ones(ctx.tenant.pk, [system])[0]
        schedule.put_off(ctx.tenant, needing(system), after.latest)
        problems.report(ctx, "connection", system, Finding(code=CODE, message=_message(row), hint=HINT))
        if before.since is None:
            _record(ctx, "connection.opened", system, before, after, reason=row.reason)
    facts = {"tenant": ctx.tenant.slug, "system": system, "until": _iso(after.until), "trips": after.trips}
    log.warning("connection.open", extra={**facts, "since": _iso(after.since), "reason": doubt.words})


def _close(ctx: StageContext, system: System) -> None:
    """Close a connection that answered and let everything that waited for it go on."""
    with ctx.commit():
        before, after = connections.move(ctx.tenant, system, lambda _state, _now: closed())
        schedule.bring_forward(ctx.tenant, needing(system), before.latest)
        why = f"{system.label} is available again."
        problems.resolve(ctx, "connection", system, codes=(CODE,), why=why)
        _record(ctx, "connection.closed", system, before, after)
    log.warning("connection.closed", extra={"tenant": ctx.tenant.slug, "system": system, "since": _iso(before.since)})


def _record(
    ctx: StageContext, action: str, system: System, before: Breaker, after: Breaker, *, reason: str = ""
) -> None:
    audit.record(
        ctx.tenant,
        action,
        actor=ctx.actor,
        subject=("connection", str(system)),
        before=_told(before),
        after=_told(after),
        run=ctx.run.pk,
        reason=reason,
    )


def _message(row: ConnectionHealth) -> str:
    """The problem's words: the same for as long as the connection is open, so that one that is ignored stays so."""
    system = System(row.system)
    since = _at(row.since or row.read_at, row.tenant.zone)
    waiting = ", ".join(LABELS[stage] for stage in needing(system))
    begins = f"{system.label} has been unavailable since {since}: {row.reason}"
    return f"{begins} Until it is back, these wait: {waiting}."


def _waits(row: ConnectionHealth) -> Waits:
    """Return the end of a run that an open connection keeps from its work, as it stands now."""
    system = System(row.system)
    rows = connections.open_ones(row.tenant_id, [system])
    row = rows[0] if rows else row
    later = row.breaker.next_try(row.read_at) or row.read_at
    return Waits(words(row), system=system, code=CODE, delay_s=(later - row.read_at).total_seconds())


def _told(state: Breaker) -> dict[str, str | int]:
    return {"since": _iso(state.since), "until": _iso(state.until), "pauses": state.trips}


def _iso(moment: datetime | None) -> str:
    return moment.isoformat(timespec="seconds") if moment else ""


def _at(moment: datetime, zone: ZoneInfo) -> str:
    local = moment.astimezone(zone)
    return f"{local.day} {local:%b %Y %H:%M} {local.tzname()}"
