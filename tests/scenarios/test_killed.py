"""A worker killed with -9 in the middle of a cycle: start again, and both systems end as if nothing had happened.

The stand-ins run here and the cycle in a process of its own, which is killed at a chosen remote call: before the far
side has seen it, or after it has carried it out and before the answer is read.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from connector.sandbox.server import Sandbox
from syncjobs.models import Batch, BatchItem, Posting, StageRun
from tenants import audit
from tenants.models import Tenant
from tests.scenarios.books import books, payment_faults

pytestmark = pytest.mark.django_db(transaction=True)

#: Long enough for a cycle of this size on a slow machine; a hang is a failure, not a wait.
PATIENCE_S = 100


_UNDISTURBED: dict[str, Any] = {}


class Trap:
    """Kills a process when the stand-ins meet their n-th call, before or after carrying it out."""

    def __init__(self) -> None:
        self.calls = 0
        self.writes = 0
        self.saved = 0
        self._at = 0
        self._after = False
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()

    def arm(self, process: subprocess.Popen[str], *, write: int, after: bool) -> None:
        self._process, self._at, self._after, self.writes = process, write, after, 0

    def quiet(self) -> None:
        self._process, self.saved = None, 0

    def wrap(self, app: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
        def trapped(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            mine = environ["PATH_INFO"].startswith("/__sandbox__")
            hit = False
            if not mine:
                with self._lock:
                    self.calls += 1
                    self.writes += environ["REQUEST_METHOD"] != "GET"
                    self.saved += environ["REQUEST_METHOD"] != "GET" and not asks(environ["PATH_INFO"])
                    hit = self.writes == self._at and environ["REQUEST_METHOD"] != "GET"
            if hit and not self._after:
                self._kill()
            answer = app(environ, start_response)
            if hit and self._after:
                self._kill()
            return answer

        return trapped

    def _kill(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()


def asks(path: str) -> bool:
    """Whether a call that is a POST saves nothing: a sign-in, a download, a method that only computes."""
    last = path.rsplit("/", 1)[-1]
    return last in {"token", "authorizations", "DownloadFile"} or last.startswith(("GetNew", "OnChange", "Change"))


@pytest.fixture
def sandbox_options() -> dict[str, Any]:
    return {"vendors": 12, "invoices": 16, "seed": 3, "pace": 0}


@pytest.fixture
def trap() -> Trap:
    return Trap()


@pytest.fixture
def sandbox(sandbox_options: dict[str, Any], trap: Trap) -> Iterator[Sandbox]:
    box = Sandbox(**sandbox_options)
    box.epicor_app, box.avidxchange_app = trap.wrap(box.epicor_app), trap.wrap(box.avidxchange_app)
    with box:
        yield box


def environment() -> dict[str, str]:
    """What a process of its own needs to work on this test's database."""
    settings = connection.settings_dict
    place = f"{settings['HOST'] or ''}:{settings['PORT']}" if settings["PORT"] else settings["HOST"] or ""
    if place.startswith("/"):
        url = f"postgres://{settings['USER']}@/{settings['NAME']}?host={place.split(':', maxsplit=1)[0]}"
    else:
        url = f"postgres://{settings['USER']}:{settings['PASSWORD'] or ''}@{place}/{settings['NAME']}"
    return {
        **os.environ,
        "DATABASE_URL": url,
        "ALLOW_PRIVATE_HOSTS": "1",
        "DJANGO_SETTINGS_MODULE": "tests.settings",
    }


def start(checkout: Path, tenant: Tenant) -> subprocess.Popen[str]:
    """Start a cycle in a process of its own, on this test's database."""
    command = [sys.executable, "manage.py", "sync_now", tenant.slug]
    return subprocess.Popen(
        command, cwd=checkout, env=environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def finish(checkout: Path, tenant: Tenant) -> str:
    """Run a cycle to its end in a process of its own; returns what it said."""
    process = start(checkout, tenant)
    said, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, said
    return said


def let_leases_pass() -> None:
    """Do what time does: every claim of a dead worker runs out."""
    past = "now() - interval '1 second'"
    with connection.cursor() as cursor:
        for model in (StageRun, Batch, Posting):
            table = model._meta.db_table
            cursor.execute(f"UPDATE {table} SET lease_until = {past} WHERE lease_until IS NOT NULL")  # noqa: S608
        cursor.execute(f"UPDATE syncjobs_posting SET next_try_at = {past} WHERE next_try_at IS NOT NULL")  # noqa: S608
        # Contract section 8: an invoice that is not there is only surely absent after 15 minutes.
        cursor.execute("UPDATE syncjobs_batch SET sent_at = sent_at - interval '20 minutes'")


@pytest.fixture
def undisturbed(sandbox_options: dict[str, Any], checkout: Path, make_tenant: Callable[..., Tenant]) -> dict[str, Any]:
    """The books of a story in which nobody is killed; the same for every test, so it is told once."""
    if _UNDISTURBED:
        return _UNDISTURBED
    with Sandbox(**sandbox_options) as calm:
        from tenants import services
        from tests.stages.conftest import SYSTEM, document

        tenant = services.apply(document(calm, "undisturbed", "EPIC06", "a"), actor=SYSTEM)
        finish(checkout, tenant)
        finish(checkout, tenant)
        _UNDISTURBED.update(books({name: calm.ledger()[name]["EPIC06"] for name in ("epicor", "avidxchange")}))
    return _UNDISTURBED


@pytest.mark.parametrize(
    ("part", "after"), [(0.1, True), (0.4, False), (0.9, True)], ids=["early-after", "middle-before", "late-after"]
)
def test_a_killed_cycle_ends_like_one_that_was_not(
    part: float,
    after: bool,
    *,
    checkout: Path,
    trap: Trap,
    tenant: Tenant,
    undisturbed: dict[str, Any],
    ledger: Callable[[Tenant], dict[str, Any]],
) -> None:
    """Killed at a write: nothing lost, nothing twice, nothing left to do, and the audit chain whole."""
    rehearsed = WRITES_OF_A_CYCLE * part
    process = start(checkout, tenant)
    trap.arm(process, write=max(1, int(rehearsed)), after=after)
    said, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == -signal.SIGKILL, f"the cycle ended before it could be killed: {said}"

    let_leases_pass()
    finish(checkout, tenant)
    let_leases_pass()
    finish(checkout, tenant)

    assert books(ledger(tenant)) == undisturbed
    assert payment_faults(ledger(tenant)) == []
    assert not BatchItem.objects.filter(tenant=tenant, state="pending").exists()
    assert not StageRun.objects.filter(tenant=tenant, status="running").exists()
    assert audit.verify(tenant).ok

    trap.quiet()
    finish(checkout, tenant)
    assert trap.saved == 0, "a further cycle wrote"


#: About how many calls that are not plain reads one cycle of this size makes; the parts above are of that.
WRITES_OF_A_CYCLE = 150
