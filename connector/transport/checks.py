"""One line of a connection test, the same for both systems, so that a form and a command can show them alike."""

from __future__ import annotations

from dataclasses import dataclass

from connector.transport.errors import System


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What was tried (``name``), whether it went well, what was seen, and what a person can do if it did not.

    ``detail`` and ``hint`` are plain, redacted text.
    """

    system: System
    name: str
    ok: bool
    detail: str
    hint: str = ""
