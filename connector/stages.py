"""The seven stages: their names, their order, and what each needs before it.

One name is used everywhere: the module, the enum value, the task argument, the log field, the admin filter and the
test file (style rule 1). ``_out`` leaves Epicor, ``_in`` arrives there. This module is pure on purpose: a form, a
task and a test can all ask it without loading Django.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


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
