"""The one data set both stand-ins start from, deterministic from its three numbers and a date."""

from __future__ import annotations

from connector.sandbox.seed.build import build
from connector.sandbox.seed.rows import KEYS, Company, Row, Seed

__all__ = ["KEYS", "Company", "Row", "Seed", "build"]
