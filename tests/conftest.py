"""What every test may use: where the checkout is, and a browser if the machine has one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import TransactionTestCase

from tests import baseline

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM_MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The checkout's folder."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """The test database; a test whose transactions were committed leaves it as the migrations did."""
    with django_db_blocker.unblock():
        migrated = baseline.read()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda _case: baseline.restore(migrated))
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
