"""Why AvidXchange refuses one item of a batch: its codes, or its words where no code came (contract 7).

An unknown code is kept and its category is ``unexpected``: new reasons are shown to a person, never guessed at.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class Category(StrEnum):
    """What kind of refusal it is (contract 7)."""

    AUTH = "auth"
    PERMISSION = "permission"
    VALIDATION = "validation"
    NOT_FOUND = "not_found"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    THROTTLED = "throttled"
    TRANSIENT = "transient"
    CAPABILITY = "capability"
    UNKNOWN_OUTCOME = "unknown_outcome"
    UNEXPECTED = "unexpected"


@dataclass(frozen=True, slots=True)
class ItemFault:
    """Why one item was refused: our code for it, its kind, and what a person can do."""

    code: str
    category: Category
    hint: str


def _item(code: str, category: Category, hint: str) -> ItemFault:
    return ItemFault(code.lower(), category, hint)


_V, _N, _D = Category.VALIDATION, Category.NOT_FOUND, Category.DUPLICATE

#: AvidXchange's item codes. The first five names were seen, the others are assumed (contract 7).
ITEM_FAULTS: dict[str, ItemFault] = {
    row.code: row
    for row in (
        _item("VENDOR_NOT_FOUND", _N, "Send the vendor first, or approve its mapping."),
        _item("PO_NOT_FOUND", _N, "Send the purchase order first, or take its number off the invoice."),
        _item(
            "PO_VENDOR_MISMATCH", _V, "The purchase order belongs to another vendor; correct one of the two in Epicor."
        ),
        _item("UNEXPECTED_MATCH_ERROR", _V, "Compare the invoice's lines with the purchase order."),
        _item("USER_MARKED_INVALID", _V, "Somebody marked it invalid in AvidXchange; ask there for the reason."),
        _item("GL_NOT_FOUND", _N, "Send the GL account first, or correct the coding in Epicor."),
        _item("DIMENSION_NOT_FOUND", _N, "Add the dimension value in AvidXchange."),
        _item("DUPLICATE_INVOICE", _D, "AvidXchange has this invoice already; link it instead of sending it again."),
        _item("PERIOD_CLOSED", _V, "The accounting period is closed; choose another date."),
        _item("BANK_NOT_READY", _V, "The bank account is not ready in AvidXchange; see its status there."),
        _item("AMOUNT_MISMATCH", _V, "The lines do not add up to the invoice; correct it in Epicor."),
        _item("IMAGE_REJECTED", _V, "Attach a PDF of at most 10 MB."),
        _item("VALIDATION", _V, "Correct the field that is named."),
    )
}

#: Messages that came without a code (only Message was ever seen, contract 2.5) -> code.
_ITEM_TEXTS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), code)
    for pattern, code in (
        (r"\bduplicate\b|\balready (exists|submitted|(is )?here)\b", "duplicate_invoice"),
        (r"\b(po|purchase order)\b.*\bvendor\b.*\b(mismatch|match|differ|another)", "po_vendor_mismatch"),
        (r"\b(po|purchase order)\b.*(not found|unknown|does not exist)", "po_not_found"),
        (r"\b(gl|account)\b.*(not found|unknown|does not exist)", "gl_not_found"),
        (r"\bvendor\b.*(not found|unknown|does not exist)", "vendor_not_found"),
        (r"\bdimension\b.*(not found|unknown|does not exist)", "dimension_not_found"),
        (r"\bperiod\b.*\bclosed\b", "period_closed"),
    )
)
_UNEXPECTED_HINT = "This reason is not known here; read AvidXchange's own words."


def item_fault(wire_code: str, message: str = "") -> ItemFault:
    """Return what a refused item's code, or failing that its message, means.

    An unknown code is kept in lower case as the fault's code, with category ``unexpected``.
    """
    code = re.sub(r"[^a-z0-9]+", "_", wire_code.lower()).strip("_")[:60]
    if not code:
        code = next((name for pattern, name in _ITEM_TEXTS if pattern.search(message)), "unexpected")
    return ITEM_FAULTS.get(code) or ItemFault(code, Category.UNEXPECTED, _UNEXPECTED_HINT)
