"""POST to an entity set: stored through UpdateExt, so the defaulting of the UI does not run (epicor.md section 3)."""

from __future__ import annotations

from typing import Any

from connector.sandbox.epicor.calls import typed
from connector.sandbox.epicor.errors import Refused, bad_query
from connector.sandbox.epicor.state import EpicorState
from connector.sandbox.epicor.store import Database
from connector.sandbox.seed import KINDS, TEMPLATES, Row


def create_in_set(
    state: EpicorState, database: Database, service: str, name: str, given: dict[str, Any]
) -> dict[str, Any]:
    """Create one row through its set and return it. Raises 405 for a set that takes no rows here."""
    raise Refused(405, "", "")
