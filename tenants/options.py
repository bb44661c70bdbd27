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


#: The options by what they are about, in the order in which a form shows them.
GROUPS: dict[str, tuple[str, ...]] = {
    "Mappings": ("auto_approve_certain", "auto_approve_creations", "auto_create_gl_codes"),
    "Reading": (
        "vendor_filter", "gl_filter", "invoices_since", "approval_column", "delta_overlap_days",
        "full_reconcile_every_days",
    ),
    "Translation": (
        "currencies", "limits", "po_match_mode", "default_line_description", "tax_gl_account", "receipt_gl_account",
        "country_codes", "apply_date_rule", "post_captured_invoices", "external_ref_field",
    ),
    "Images": ("attach_invoice_image", "attachment_doc_types", "max_attachment_mb"),
    "Payments": (
        "record_on", "bank_accounts", "payment_methods", "check_num_source", "payment_ref_field", "discounts",
        "discount_semantics", "allow_credit_rows",
    ),
}  # fmt: skip


class TenantOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One tenant's choices. Days and megabytes are whole numbers; currencies three-letter ISO codes."""

    # Mappings (design section 4): what the machine may decide without a person.
    auto_approve_certain: Annotated[
        bool, Meta(description="Approve a vendor match by the same external id; any scored match waits for a person.")
    ] = True
    auto_approve_creations: Annotated[
        bool, Meta(description="Create a vendor in AvidXchange without asking when nothing there resembles it.")
    ] = False
    auto_create_gl_codes: Annotated[
        bool, Meta(description="Create GL accounts in AvidXchange without asking: Epicor owns the chart.")
    ] = True

    # What is read from Epicor.
    vendor_filter: Annotated[Clause, Meta(description="Further OData clause for vendors (C2).")] = ""
    gl_filter: Annotated[Clause, Meta(description="Further OData clause for GL accounts (C6).")] = ""
    invoices_since: Annotated[
        date | None, Meta(description="Open invoices dated before this day stay in Epicor; None sends all open ones.")
    ] = None
    approval_column: Annotated[
        OptionalColumn,
        Meta(description='Epicor invoice column, mostly a _c one, told approved or rejected; "" tells none (D12).'),
    ] = ""
    delta_overlap_days: Annotated[
        int, Meta(ge=0, le=60, description="How far behind its mark a poll by change date begins (B6).")
    ] = 2
    full_reconcile_every_days: Annotated[
        int,
        Meta(
            ge=1, le=90, description="How often everything is read again, to see deletions and what a poll missed (B9)."
        ),
    ] = 7

    # How records are translated.
    currencies: Annotated[
        tuple[Currency, ...],
        Meta(description="Currencies besides the base currency in which AvidXchange pays; others are held (E12)."),
    ] = ()
    limits: Annotated[
        dict[FieldName, Annotated[int, Meta(ge=1, le=10_000)]],
        Meta(description="Lengths that differ from the contract's, by field (C10)."),
    ] = {}
    po_match_mode: Annotated[
        Literal["receipts_only", "allow_unreceived", "none"],
        Meta(description="Whether captured lines with a PO are matched to receipts in Epicor (D9)."),
    ] = "none"
    default_line_description: Annotated[
        Text, Meta(description="Description of a captured line that has none (D8).")
    ] = "Invoice line"
    tax_gl_account: Annotated[
        Text, Meta(description='GL account of tax that has no account of its own; "" holds such an invoice (D7).')
    ] = ""
    receipt_gl_account: Annotated[
        Text, Meta(description='GL account of receipt lines without a distribution; "" holds such an invoice (D9).')
    ] = ""
    country_codes: Annotated[
        dict[int, Annotated[str, Meta(pattern=r"^[A-Z]{2,3}$")]],
        Meta(description="ISO codes of the company's own country numbers (C9)."),
    ] = {}
    apply_date_rule: Annotated[
        Literal["invoice", "today"],
        Meta(description="Which day decides the fiscal period of a captured invoice (D10)."),
    ] = "invoice"
    post_captured_invoices: Annotated[
        bool, Meta(description="Post the groups of captured invoices in Epicor; off leaves that to a person (D11).")
    ] = False
    external_ref_field: Annotated[
        Column, Meta(description="Epicor invoice column that carries AvidXchange's id (D13).")
    ] = "ExternalID"

    # Images.
    attach_invoice_image: Annotated[
        bool, Meta(description="Attach the captured image to the invoice in Epicor (D14).")
    ] = False
    attachment_doc_types: Annotated[
        tuple[Text, ...],
        Meta(
            description="Epicor document types of invoice images, the first for uploads; none takes the first PDF (F4)."
        ),
    ] = ()
    max_attachment_mb: Annotated[
        int, Meta(ge=1, le=100, description="Larger images are not sent (avidxchange.md 5.4).")
    ] = 10

    # Payments.
    record_on: Annotated[
        Literal["ISSUED", "CLEARED"], Meta(description="When a payment is entered in Epicor (avidxchange.md 6.3).")
    ] = "CLEARED"
    bank_accounts: Annotated[
        dict[Currency, Text],
        Meta(description="Epicor BankAcctID by currency, beside the connection's for the base currency (E6)."),
    ] = {}
    payment_methods: Annotated[
        dict[PaymentMethodName, Annotated[int, Meta(ge=0)]],
        Meta(description="Epicor PMUID by method, beside the connection's for all others (E6)."),
    ] = {}
    check_num_source: Annotated[
        Literal["avid_number", "payment_id"], Meta(description="What becomes Epicor's whole-number CheckNum (E2).")
    ] = "avid_number"
    payment_ref_field: Annotated[
        Column, Meta(description="Epicor payment column that carries check number, trace or card's last four (E3).")
    ] = "XRefCheckNum"
    discounts: Annotated[bool, Meta(description="Enter payments that took a discount; off holds them (E4).")] = False
    discount_semantics: Annotated[
        Literal["gross", "net"], Meta(description="Whether DocTranAmt includes the discount (E4).")
    ] = "gross"
    allow_credit_rows: Annotated[bool, Meta(description="Let a payment settle debit memos as negative rows (E5).")] = (
        True
    )

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
    written: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(TenantOptions.from_mapping(given)))
    return {key: written[key] for key in given}
