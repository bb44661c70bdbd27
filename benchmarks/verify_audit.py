"""Verifying an audit trail: rows a second, against a floor, and whether memory stays flat.

Run from the checkout: ``python benchmarks/verify_audit.py --rows 500000``. It writes a trail such as the stages write
(by ``record_many``, in a database of its own), reads it in four ways, and prints one JSON object. The floor reads the
very same rows with the same cursor and takes one SHA-256 of each row's texts: nothing is decoded, compared or chained.
Each way is given in rows a CPU second of this process, which a busy machine does not change, and with PostgreSQL's own
CPU time beside it, which runs at the same time on another core; ``wall_seconds`` is what a clock on the wall showed.
``head`` also grows the hash tree, ``story`` also collects one invoice's events. Memory is the growth of this process's
peak between a tenth of the rows and all of them.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

MIB = 1024 * 1024
INVOICES = 2000


def entries(first: int, last: int) -> Iterator[Any]:
    """Audit rows such as verdicts and decisions make."""
    from tenants.audit import Entry

    for number in range(first, last):
        yield Entry(
            action="invoices_out.accepted",
            subject=("invoice", f"EPIC06|{number % 500}|INV-{number % INVOICES:06}"),
            before={"state": "ready", "approval": ""} if number % 3 == 0 else None,
            after={
                "batch": f"north-invoices-{number:016x}",
                "avid_id": str(880_000 + number),
                "hash": f"{number:064x}",
            },
        )


def write(tenant: Any, first: int, last: int) -> float:
    """Append rows; returns the CPU seconds it took."""
    from django.db import transaction

    from tenants import audit

    began = time.process_time()
    with transaction.atomic():
        audit.record_many(tenant, entries(first, last), actor=audit.Actor.system("benchmark"), run=7)
    return time.process_time() - began


def floor(tenant: Any) -> int:
    """Read the rows and hash their texts."""
    from django.db import transaction

    from tenants import chain

    number = 0
    with transaction.atomic():
        for row in chain._stream(tenant.pk):
            hashlib.sha256("".join(map(str, row)).encode()).digest()
            number += 1
    return number


def server_seconds(pid: int) -> float:
    """CPU seconds of one process (Linux); of PostgreSQL's only where it runs on this machine."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak() -> int:
    """This process's peak resident memory in bytes (Linux)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def measured(read: Callable[[], Any], rows: int, *, repeat: int) -> dict[str, float]:
    """Time the best of several readings."""
    from django.db import connection

    connection.ensure_connection()
    pid = connection.connection.info.backend_pid
    best: dict[str, float] = {}
    for _ in range(repeat):
        cpu, server, wall = time.process_time(), server_seconds(pid), time.perf_counter()
        read()
        took = time.process_time() - cpu
        if not best or rows / took > best["rows_a_cpu_second"]:
            best = {
                "rows_a_cpu_second": round(rows / took),
                "postgresql_cpu_seconds": round(server_seconds(pid) - server, 2),
                "wall_seconds": round(time.perf_counter() - wall, 2),
            }
    return best


def report(rows: int, repeat: int) -> dict[str, Any]:
    """Write a trail and read it in all ways."""
    from tenants import chain, heads, story
    from tenants.models import Tenant

    tenant = Tenant.objects.create(slug="benchmark", name="Benchmark")
    written = write(tenant, 0, rows // 10)
    assert chain.verify(tenant).ok
    small = peak()
    written += write(tenant, rows // 10, rows)
    before = peak()
    assert chain.verify(tenant).events == rows
    grown = peak() - max(small, before)
    subject = [("invoice", "EPIC06|7|INV-000007")]
    found = {
        "floor": measured(lambda: floor(tenant), rows, repeat=repeat),
        "verify": measured(lambda: chain.verify(tenant), rows, repeat=repeat),
        "head": measured(lambda: heads.read_trail(tenant), rows, repeat=repeat),
        "story": measured(lambda: story.export(tenant, about={}, subjects=subject), rows, repeat=repeat),
    }
    return {
        "rows": rows,
        "rows_written_a_cpu_second": round(rows / written),
        **found,
        "verify_to_floor": round(found["floor"]["rows_a_cpu_second"] / found["verify"]["rows_a_cpu_second"], 2),
        "memory_growth_mib": round(grown / MIB, 1),
    }


def main() -> int:
    """Measure; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--repeat", type=int, default=3)
    wanted = parser.parse_args()

    import django

    django.setup()
    from django.test.utils import setup_databases, teardown_databases

    databases = setup_databases(verbosity=0, interactive=False)
    try:
        print(json.dumps(report(wanted.rows, wanted.repeat), indent=2))
    finally:
        teardown_databases(databases, verbosity=0)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
