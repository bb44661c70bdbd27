"""The seven stages: their names, their order, and what each needs before it.

One name is used everywhere: the module, the enum value, the task argument, the log field, the admin filter and the
test file (style rule 1). ``_out`` leaves Epicor, ``_in`` arrives there. This module is pure on purpose: a form, a
task and a test can all ask it without loading Django.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from connector.transport.errors import System


class Stage(StrEnum):
    """A stage's name; members are in the order in which one cycle runs them."""

    VENDORS_OUT = "vendors_out"
    GL_CODES_OUT = "gl_codes_out"
    PURCHASE_ORDERS_OUT = "purchase_orders_out"
    INVOICES_OUT = "invoices_out"
    APPROVALS_IN = "approvals_in"
    INVOICES_IN = "invoices_in"
    PAYMENTS_IN = "payments_in"


#: What a stage needs to have been run first (design section 1). A stage that is switched off is not waited for.
NEEDS: dict[Stage, tuple[Stage, ...]] = {
    Stage.VENDORS_OUT: (),
    Stage.GL_CODES_OUT: (),
    Stage.PURCHASE_ORDERS_OUT: (Stage.VENDORS_OUT, Stage.GL_CODES_OUT),
    Stage.INVOICES_OUT: (Stage.VENDORS_OUT, Stage.GL_CODES_OUT, Stage.PURCHASE_ORDERS_OUT),
    Stage.APPROVALS_IN: (Stage.INVOICES_OUT,),
    Stage.INVOICES_IN: (Stage.VENDORS_OUT, Stage.GL_CODES_OUT),
    Stage.PAYMENTS_IN: (Stage.VENDORS_OUT,),
}

#: The systems without which a stage does not begin. Approvals come from AvidXchange; only their marks go to Epicor,
#: where a tenant wants them, and those wait by themselves.
SYSTEMS: dict[Stage, tuple[System, ...]] = {
    Stage.VENDORS_OUT: tuple(System),
    Stage.GL_CODES_OUT: tuple(System),
    Stage.PURCHASE_ORDERS_OUT: tuple(System),
    Stage.INVOICES_OUT: tuple(System),
    Stage.APPROVALS_IN: (System.AVIDXCHANGE,),
    Stage.INVOICES_IN: tuple(System),
    Stage.PAYMENTS_IN: tuple(System),
}

#: What a person reads for a stage's name.
LABELS: dict[Stage, str] = {
    Stage.VENDORS_OUT: "Vendors to AvidXchange",
    Stage.GL_CODES_OUT: "GL codes to AvidXchange",
    Stage.PURCHASE_ORDERS_OUT: "Purchase orders to AvidXchange",
    Stage.INVOICES_OUT: "Invoices to AvidXchange",
    Stage.APPROVALS_IN: "Approvals from AvidXchange",
    Stage.INVOICES_IN: "Captured invoices to Epicor",
    Stage.PAYMENTS_IN: "Payments to Epicor",
}


def needing(system: System) -> list[Stage]:
    """Return the stages that wait while a system cannot be reached, in the order of a cycle."""
    return [stage for stage in Stage if system in SYSTEMS[stage]]


def in_order(names: Iterable[str]) -> list[Stage]:
    """Return the named stages once each, in the order of a cycle.

    Raises ``ValueError`` naming the first unknown stage and the known ones.
    """
    wanted = set()
    for name in names:
        try:
            wanted.add(Stage(name))
        except ValueError:
            raise ValueError(f"unknown stage {name!r}; known: {', '.join(Stage)}") from None
    return [stage for stage in Stage if stage in wanted]
