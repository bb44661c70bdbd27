"""What limits that hold for all workers cost a remote call: a client that shares its connection, and one that does not.

Run from the checkout: ``python benchmarks/shared_limits.py --calls 2000``. It starts the stand-ins in a process of
their own, makes the same small call again and again with both clients in turn, slice by slice, so that a busy machine
slows both, and prints one JSON object. ``ratio`` is CPU time of this process a call, shared over alone; the database's
own share is counted in statements. The stand-in answers in a few milliseconds; a real system takes some hundred, so
the ratio of wall times is nearer to one there.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from first_load import Stopwatch, sandbox

SLICES = 20


def cost(call: Callable[[], Any], times: int) -> tuple[float, float]:
    """CPU and wall seconds a call."""
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(times):
        call()
    return (time.process_time() - cpu) / times, (time.perf_counter() - wall) / times


def measured(alone: Callable[[], Any], shared: Callable[[], Any], calls: int, sql: Stopwatch) -> dict[str, Any]:
    """Make the calls in turn and compare."""
    for call in (alone, shared):
        cost(call, 20)
    sql.calls = 0
    slices = [(cost(alone, calls // SLICES), cost(shared, calls // SLICES)) for _ in range(SLICES)]
    mine, theirs = ([one[side] for one in slices] for side in (1, 0))
    return {
        "calls": calls,
        "cpu_ms_alone": round(statistics.median(cpu for cpu, _ in theirs) * 1000, 3),
        "cpu_ms_shared": round(statistics.median(cpu for cpu, _ in mine) * 1000, 3),
        "ratio": round(statistics.median(own[0] / other[0] for own, other in zip(mine, theirs, strict=True)), 3),
        "wall_ratio": round(statistics.median(own[1] / other[1] for own, other in zip(mine, theirs, strict=True)), 3),
        "statements_a_call": round(sql.calls / calls, 4),
    }


def main() -> int:
    """Measure; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=2_000)
    calls = parser.parse_args().calls

    import django

    django.setup()
    from django.db.backends.utils import CursorWrapper
    from django.test.utils import setup_databases, teardown_databases

    from connector.transport.errors import System
    from connector.transport.guard import Guard
    from connector.transport.limits import Shared
    from syncjobs.engine import connections
    from syncjobs.engine.places import AdvisorySeats, Session
    from tenants import services
    from tenants.audit import Actor
    from tenants.clients import epicor_client

    databases = setup_databases(verbosity=0, interactive=False)
    session = Session()
    try:
        with sandbox(20) as document:
            document.pop("stages")
            tenant = services.apply(document, actor=Actor.system("benchmark"))
            connections.ensure(tenant, System.EPICOR)
            guard = Guard(System.EPICOR, connections.DatabaseStore(tenant, System.EPICOR))
            seats = AdvisorySeats(session, tenant.pk, System.EPICOR)
            alone, shared = epicor_client(tenant), epicor_client(tenant, shared=Shared(guard, seats))
            sql = Stopwatch()
            CursorWrapper.execute = sql.wrap(CursorWrapper.execute)
            print(json.dumps(measured(alone.ping, shared.ping, calls, sql), indent=2))
            alone.close()
            shared.close()
    finally:
        session.close()
        teardown_databases(databases, verbosity=0)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
