"""First load of many vendors: memory, queries, and where the time goes.

Run from the checkout: ``python benchmarks/first_load.py --vendors 20000``. It starts the stand-ins in a process of
their own on this machine, loads every vendor (page size 100) in a database of its own, and prints one JSON object.
Shares are of one run's wall time: ``http`` is waiting for answers, ``decoding`` turning them into records, ``database``
executing SQL (COPY included), ``rest`` everything else (translating, hashing, encoding). Fetching ahead overlaps HTTP
with the rest, so shares may add up to more than one. Queries are given a vendor, twice: for all of the vendors and for
a tenth of them, so that a query a row would show as a number near or above one and a fixed cost as a falling one.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
os.environ["ALLOW_PRIVATE_HOSTS"] = "1"

MIB = 1024 * 1024


class Stopwatch:
    """Adds up the wall time spent inside wrapped calls, from any thread."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.calls = 0
        self._lock = threading.Lock()

    def wrap(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            began = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                with self._lock:
                    self.seconds += time.perf_counter() - began
                    self.calls += 1

        return timed


class PeakMemory:
    """Samples this process's resident memory until stopped."""

    def __init__(self) -> None:
        self.first = self.peak = resident()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(0.05):
            self.peak = max(self.peak, resident())


def resident() -> int:
    """This process's resident memory in bytes (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def sandbox(vendors: int) -> Iterator[dict[str, Any]]:
    """The stand-ins in a process of their own; yields a document for ``load_tenant``."""
    with tempfile.TemporaryDirectory() as folder:
        document = Path(folder) / "tenant.json"
        command = [sys.executable, "-m", "connector.sandbox", "--vendors", str(vendors), "--invoices", "10"]
        command += ["--pace", "0", "--tenant-file", str(document)]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield json.loads(document.read_text())
        finally:
            process.terminate()
            process.wait()


def measured(vendors: int, load: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    """Load ``vendors`` vendors once and say what it took."""
    from django.db import connection
    from psycopg import Copy

    from connector.epicor import client as epicor_client
    from connector.transport.client import HttpClient

    http, decoding, sql = Stopwatch(), Stopwatch(), Stopwatch()
    epicor_client.decode = decoding.wrap(epicor_client.decode)
    Copy.__exit__ = sql.wrap(Copy.__exit__)
    HttpClient.read, HttpClient.write = http.wrap(HttpClient.read), http.wrap(HttpClient.write)
    with sandbox(vendors) as document, PeakMemory() as memory:
        began = time.perf_counter()
        with connection.execute_wrapper(lambda execute, *rest: sql.wrap(execute)(*rest)):
            run = load(document)
        wall = time.perf_counter() - began
    return {
        "vendors": vendors,
        "status": run.status,
        "counts": run.counts,
        "requests": run.requests,
        "seconds": round(wall, 2),
        "vendors_a_second": round(vendors / wall),
        "queries_a_vendor": round(sql.calls / vendors, 3),
        "memory_growth_mib": round((memory.peak - memory.first) / MIB, 1),
        "shares": {
            "http": round(http.seconds / wall, 2),
            "decoding": round(decoding.seconds / wall, 2),
            "database": round(sql.seconds / wall, 2),
        },
    }


def main() -> int:
    """Measure one load; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vendors", type=int, default=20_000)
    vendors = parser.parse_args().vendors

    import django

    django.setup()
    from django.test.utils import setup_databases, teardown_databases

    from connector.stages import Stage
    from syncjobs import stages
    from syncjobs.engine import loop
    from tenants import services
    from tenants.audit import Actor
    from tenants.models import Tenant

    actor = Actor.system("benchmark")

    def load(document: dict[str, Any]) -> Any:
        document.pop("stages")
        document["options"] = {"auto_approve_creations": True}
        # The contract's default of four calls a second would be most of what is measured.
        document["avidxchange"]["profile"] = {"max_rps": None}
        tenant = services.apply(document, actor=actor)
        policy = stages.policy(Stage.VENDORS_OUT)
        return loop.run_stage(
            Tenant.objects.get(pk=tenant.pk), Stage.VENDORS_OUT, policy, trigger="command", actor=actor
        )

    databases = setup_databases(verbosity=0, interactive=False)
    try:
        print(json.dumps(measured(vendors, load), indent=2))
    finally:
        teardown_databases(databases, verbosity=0)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
