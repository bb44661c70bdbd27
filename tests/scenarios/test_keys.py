"""Keys rotated while a cycle runs: ``rotate_keys`` in a process of its own, the worker with the list it began with.

Every call of the worker is signed in with secrets that it reads from the database anew in each stage, and every page it
stores moves the trail's head on. No run fails, whoever wrote last.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from connector.stages import Stage
from syncjobs.engine.context import CallLog
from syncjobs.models import StageRun
from tenants import audit
from tenants.models import AuditEvent, EpicorConnection, Tenant
from tests.scenarios.test_killed import PATIENCE_S, environment

pytestmark = pytest.mark.django_db(transaction=True)

WELL = {"done", "done_with_problems"}


@pytest.fixture
def sandbox_options() -> dict[str, Any]:
    return {"vendors": 10, "invoices": 4, "seed": 3, "pace": 0}


def test_no_run_fails_while_keys_are_rotated_beneath_it(
    tenant: Tenant, other: Tenant, run_stage: Callable[..., StageRun], checkout: Path, settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    old, new = settings.FERNET_KEYS[0], Fernet.generate_key().decode()
    command = [sys.executable, "manage.py", "rotate_keys"]
    rotating: list[subprocess.Popen[str]] = []

    def begin(log: CallLog, **about: Any) -> None:
        if not rotating:
            keys = {"FERNET_KEYS": f"{new},{old}"}
            rotating.append(
                subprocess.Popen(command, cwd=checkout, env=environment() | keys, text=True, stdout=subprocess.PIPE)
            )
        flush(log, **about)

    flush = CallLog.flush
    monkeypatch.setattr(CallLog, "flush", begin)

    # A worker that was started long ago, with the old key only. Rotation begins within its first stage.
    ended = [run_stage(tenant, Stage.VENDORS_OUT).status]
    said, _ = rotating[0].communicate(timeout=PATIENCE_S)
    assert rotating[0].returncode == 0, said
    assert AuditEvent.objects.filter(tenant=tenant, action="key.rotated").count() == 2
    ended += [run_stage(tenant, stage).status for stage in (Stage.INVOICES_OUT, Stage.INVOICES_IN)]
    # One that was restarted, and once more the old one, which ends then.
    for keys in ([new, old], [old], [new, old]):
        settings.FERNET_KEYS = keys
        ended.append(run_stage(tenant, Stage.APPROVALS_IN).status)
        assert audit.verify(tenant).ok
    assert set(ended) <= WELL

    # Everything was restarted; the old key goes.
    settings.FERNET_KEYS = [new]
    assert run_stage(tenant, Stage.PAYMENTS_IN).status in WELL
    assert audit.verify(tenant).ok
    assert all(row.password.reveal() for row in EpicorConnection.objects.all() if row.password)
    assert run_stage(other, Stage.APPROVALS_IN).status in WELL
    assert audit.verify(other).ok
