"""A stand-in for Epicor Kinetic's REST v2: state, rules and the WSGI application that serves them."""

from __future__ import annotations

from connector.sandbox.epicor import reads
from connector.sandbox.epicor.app import make_app
from connector.sandbox.epicor.options import EpicorOptions
from connector.sandbox.epicor.state import EpicorState

__all__ = ["EpicorOptions", "EpicorState", "make_app", "reads"]
