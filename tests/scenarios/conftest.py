"""Whole stories use the same two tenants and stand-ins as the stage tests."""

from __future__ import annotations

from tests.stages.conftest import (  # noqa: F401  (fixtures, used by name)
    approve_all,
    clock,
    cycle,
    ledger,
    listeners,
    make_tenant,
    other,
    run_stage,
    sandbox,
    sandbox_options,
    tenant,
)
