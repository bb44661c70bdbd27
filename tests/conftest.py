"""What every test may use: where the checkout is, and a browser if the machine has one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from django.db.backends.postgresql.operations import DatabaseOperations

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM_MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The checkout's folder."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True, scope="session")
def flush_lifts_the_audit_trigger() -> Iterator[None]:
    """Let the flush after a transactional test empty the audit trail, whose trigger refuses TRUNCATE otherwise.

    Only the flush's own statements are wrapped: a test that truncates by itself is refused as production is.
    """
    flush = DatabaseOperations.sql_flush
    table = "tenants_auditevent"

    def lifted(self: DatabaseOperations, style: Any, tables: Sequence[str], **options: Any) -> list[str]:
        statements: list[str] = flush(self, style, tables, **options)
        if table not in tables:
            return statements
        return [f"ALTER TABLE {table} DISABLE TRIGGER USER", *statements, f"ALTER TABLE {table} ENABLE TRIGGER USER"]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DatabaseOperations, "sql_flush", lifted)
        yield


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of the machine's own Chromium; a machine without one skips the browser tests and says how to get it."""
    found = next((path for name in CHROMIUM_NAMES if (path := shutil.which(name))), None)
    if found is None and Path(CHROMIUM_MAC).exists():
        found = CHROMIUM_MAC
    path = os.environ.get("CHROMIUM") or found
    if path is None:
        pytest.skip("no Chromium here: install one (Debian: apt-get install chromium) or set CHROMIUM to its path")
    return path
