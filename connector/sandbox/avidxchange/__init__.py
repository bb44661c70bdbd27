"""A stand-in AvidXchange that behaves like ``contracts/avidxchange.md``, awkward parts included."""

from __future__ import annotations

from connector.sandbox.avidxchange.app import AvidApp, make_app
from connector.sandbox.avidxchange.options import Options
from connector.sandbox.avidxchange.state import AvidState

__all__ = ["AvidApp", "AvidState", "Options", "make_app"]
