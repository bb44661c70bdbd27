"""What a tenant may choose about how its records are moved, as one typed structure.

``Tenant.options`` stores only what was chosen; everything else is the default here, so that a better default reaches
every tenant that did not choose. Each option is a decision of ``translate.Rules`` or of a stage; the letters are the
rows of epicor-unknowns.md that it settles. A key that is not here is refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import msgspec
from msgspec import Meta, Struct

from connector.translate.holds import LIMITS
from tenants.parsing import convert_fields

Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}$")]
if TYPE_CHECKING:
    FieldName = str
else:
    FieldName = Literal[tuple(LIMITS)]  # the wire fields whose lengths translation knows
PaymentMethodName = Literal["check", "ach", "card"]
Text = Annotated[str, Meta(max_length=200)]
Clause = Annotated[str, Meta(max_length=1000)]
Column = Annotated[str, Meta(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,63}$")]
OptionalColumn = Annotated[str, Meta(pattern=r"^([A-Za-z][A-Za-z0-9_]{0,63})?$")]


class OptionFaults(ValueError):
    """Options that cannot be used; ``faults`` has one line for each."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


class TenantOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One tenant's choices. Days and megabytes are whole numbers; currencies three-letter ISO codes."""

    # Mappings (design section 4): what the machine may decide without a person.
    auto_approve_certain: bool = True
    """Approve a vendor match by the same external id; any scored match waits for a person."""
    auto_approve_creations: bool = False
    """Create a vendor in AvidXchange without asking when nothing there resembles it."""
    auto_create_gl_codes: bool = True
    """Create GL accounts in AvidXchange without asking: Epicor owns the chart."""

    # What is read from Epicor.
    vendor_filter: Clause = ""
    """Further OData clause for vendors (C2)."""
    gl_filter: Clause = ""
    """Further OData clause for GL accounts (C6)."""
    invoices_since: date | None = None
    """Open invoices dated before this day stay in Epicor; None sends all open ones."""
    approval_column: OptionalColumn = ""
    """Epicor invoice column, mostly a ``_c`` one, that is told approved or rejected; "" writes nothing back (D12)."""
    delta_overlap_days: Annotated[int, Meta(ge=0, le=60)] = 2
    """How far behind its mark a poll by change date begins (B6)."""
    full_reconcile_every_days: Annotated[int, Meta(ge=1, le=90)] = 7
    """How often everything is read again, to see deletions and what a poll missed (B9)."""

    # How records are translated.
    currencies: tuple[Currency, ...] = ()
    """Currencies besides the base currency in which AvidXchange pays; others are held (E12)."""
    limits: dict[FieldName, Annotated[int, Meta(ge=1, le=10_000)]] = {}
    """Lengths that differ from the contract's, by field (C10)."""
    po_match_mode: Literal["receipts_only", "allow_unreceived", "none"] = "none"
    """Whether captured lines with a PO are matched to receipts in Epicor (D9)."""
    default_line_description: Text = "Invoice line"
    """Description of a captured line that has none (D8)."""
    tax_gl_account: Text = ""
    """GL account of tax that has no account of its own; "" holds such an invoice (D7)."""
    receipt_gl_account: Text = ""
    """GL account of receipt lines without a distribution; "" holds such an invoice (D9)."""
    country_codes: dict[int, Annotated[str, Meta(pattern=r"^[A-Z]{2,3}$")]] = {}
    """ISO codes of the company's own country numbers (C9)."""
    apply_date_rule: Literal["invoice", "today"] = "invoice"
    """Which day decides the fiscal period of a captured invoice (D10)."""
    external_ref_field: Column = "ExternalID"
    """Epicor invoice column that carries AvidXchange's id (D13)."""

    # Images.
    attach_invoice_image: bool = False
    """Attach the captured image to the invoice in Epicor (D14)."""
    attachment_doc_types: tuple[Text, ...] = ()
    """Epicor document types that are invoice images; none takes the first PDF (F4). The first is used for upload."""
    max_attachment_mb: Annotated[int, Meta(ge=1, le=100)] = 10
    """Larger images are not sent (avidxchange.md 5.4)."""

    # Payments.
    record_on: Literal["ISSUED", "CLEARED"] = "CLEARED"
    """When a payment is entered in Epicor (avidxchange.md 6.3)."""
    bank_accounts: dict[Currency, Text] = {}
    """Epicor BankAcctID by currency, beside the connection's for the base currency (E6)."""
    payment_methods: dict[PaymentMethodName, Annotated[int, Meta(ge=0)]] = {}
    """Epicor PMUID by method, beside the connection's for all others (E6)."""
    check_num_source: Literal["avid_number", "payment_id"] = "avid_number"
    """What becomes Epicor's whole-number CheckNum (E2)."""
    payment_ref_field: Column = "XRefCheckNum"
    """Epicor payment column that carries check number, trace or card's last four (E3)."""
    discounts: bool = False
    """Enter payments that took a discount; off holds them (E4)."""
    discount_semantics: Literal["gross", "net"] = "gross"
    """Whether DocTranAmt includes the discount (E4)."""
    allow_credit_rows: bool = True
    """Let a payment settle debit memos as negative rows (E5)."""

    @classmethod
    def from_mapping(cls, given: Mapping[str, Any]) -> Self:
        """Return options with ``given`` over the defaults. Raises ``OptionFaults`` naming every fault."""
        values, faults = convert_fields(cls, given)
        if faults:
            raise OptionFaults(faults)
        return cls(**values)


def option_faults(given: Mapping[str, Any], *, prefix: str = "") -> list[str]:
    """Return one line for each option that cannot be used; none when all can."""
    return convert_fields(TenantOptions, given, prefix=prefix)[1]


def stored_form(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return chosen options as JSON values for ``Tenant.options``. Raises ``OptionFaults``."""
    options = TenantOptions.from_mapping(given)
    return {key: msgspec.to_builtins(getattr(options, key), str_keys=True) for key in given}
