"""The one data set both stand-ins start from, deterministic from its three numbers and a date."""

from __future__ import annotations

from connector.sandbox.seed.build import build
from connector.sandbox.seed.columns import KINDS, TEMPLATES
from connector.sandbox.seed.rows import KEYS, Company, Row, Seed

__all__ = ["KEYS", "KINDS", "TEMPLATES", "Company", "Row", "Seed", "build"]
