"""Rows as Epicor's REST v2 sends them, limited to the columns this product reads.

Names are the real columns (epicor.md section 4); attribute names are their snake_case. Text may come as null or as an
empty string, and both mean empty (epicor-unknowns B16), so text columns are ``Text`` and readers go through
``text()``. Date columns are midnight timestamps: the date part is taken textually, never shifted by a time zone
(epicor.md section 3), through ``day()``. Unknown columns are ignored; a missing required one fails with its path.
Long, but of one topic: a list of columns for each record.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from functools import cache
from typing import ClassVar

import msgspec
from msgspec import Struct, field

Text = str | None
Money = Decimal

ZERO = Decimal(0)


def text(value: Text) -> str:
    """Return a text column with null read as empty and outer blanks cut."""
    return (value or "").strip()


def day(value: Text) -> date | None:
    """Return the date part of an Epicor timestamp as written, or None for null, blank and the server's empty dates.

    Raises ``ValueError`` naming the text when it does not begin with a date.
    """
    written = text(value)
    if not written or written.startswith(("0001-01-01", "1900-01-01")):
        return None
    try:
        return date.fromisoformat(written[:10])
    except ValueError:
        raise ValueError(f"not an Epicor date: {written!r}") from None


class Row(Struct, frozen=True, kw_only=True, rename="pascal"):
    """One row of an entity set; every row says which company it belongs to."""

    company: str
    sys_rev_id: int = field(name="SysRevID", default=0)
    sys_row_id: Text = field(name="SysRowID", default=None)


class Vendor(Row, frozen=True, kw_only=True, rename="pascal"):
    """Erp.BO.VendorSvc / Vendors: the vendor master (epicor.md 4.3)."""

    vendor_num: int
    vendor_id: str = field(name="VendorID")
    name: Text = None
    legal_name: Text = None
    group_code: Text = None
    account_ref: Text = None
    address1: Text = None
    address2: Text = None
    address3: Text = None
    city: Text = None
    state: Text = None
    zip: Text = field(name="ZIP", default=None)
    country: Text = None
    phone_num: Text = None
    email: Text = field(name="EMailAddress", default=None)
    tax_payer_id: Text = field(name="TaxPayerID", default=None)
    terms_code: Text = None
    currency_code: Text = None
    pmuid: int | None = field(name="PMUID", default=None)
    inactive: bool = False
    pay_hold: bool = False


class RemitTo(Row, frozen=True, kw_only=True, rename="pascal"):
    """VendorSvc / VendRemitToes: where a vendor wants to be paid."""

    vendor_num: int
    remit_to_seq: int
    remit_to_id: Text = field(name="RemitToID", default=None)
    name: Text = field(name="RemitToName", default=None)
    address1: Text = field(name="RemitToAddress1", default=None)
    address2: Text = field(name="RemitToAddress2", default=None)
    address3: Text = field(name="RemitToAddress3", default=None)
    city: Text = field(name="RemitToCity", default=None)
    state: Text = field(name="RemitToState", default=None)
    zip: Text = field(name="RemitToZip", default=None)
    country_num: int | None = field(name="RemitToCountry", default=None)
    email: Text = field(name="RemitToEmail", default=None)
    phone_num: Text = field(name="RemitToPhoneNum", default=None)
    default_remit_to: bool = False
    inactive: bool = False


class PurTerms(Row, frozen=True, kw_only=True, rename="pascal"):
    """Erp.BO.PurTermsSvc / PurTerms: purchase terms, sent to AvidXchange by their description."""

    terms_code: str
    description: Text = None


class GLAccount(Row, frozen=True, kw_only=True, rename="pascal"):
    """Erp.BO.GLAccountSvc / GLAccounts; ``gl_account`` is the internal string, segments joined by a pipe (4.4)."""

    coa_code: str = field(name="COACode")
    gl_account: str = field(name="GLAccount1")
    display: Text = field(name="GLAcctDispGLAcctDisp", default=None)
    description: Text = field(name="AccountDesc", default=None)
    active: bool = True
    effective_from: Text = field(name="EffFrom", default=None)
    effective_to: Text = field(name="EffTo", default=None)


class PurchaseOrder(Row, frozen=True, kw_only=True, rename="pascal"):
    """Erp.BO.POSvc / POes: a purchase order's header (epicor.md 4.6)."""

    po_num: int = field(name="PONum")
    vendor_num: int
    open_order: bool = True
    void_order: bool = False
    approve: bool = True
    order_date: Text = None
    terms_code: Text = None
    currency_code: Text = None
    doc_total_order: Money = ZERO
    change_date: Text = None


class PurchaseOrderLine(Row, frozen=True, kw_only=True, rename="pascal"):
    """POSvc / PODetails; the key column is spelled PONUM here (epicor.md 4.1)."""

    po_num: int = field(name="PONUM")
    po_line: int = field(name="POLine")
    part_num: Text = None
    line_desc: Text = None
    order_qty: Money = ZERO
    pum: Text = field(name="PUM", default=None)
    doc_unit_cost: Money = ZERO
    doc_ext_cost: Money = ZERO
    open_line: bool = True
    void_line: bool = False
    change_date: Text = None


class PurchaseOrderRelease(Row, frozen=True, kw_only=True, rename="pascal"):
    """POSvc / PORels: what of a line is wanted when, and how much of it came and was invoiced."""

    po_num: int = field(name="PONum")
    po_line: int = field(name="POLine")
    po_rel_num: int = field(name="PORelNum")
    open_release: bool = True
    rel_qty: Money = ZERO
    received_qty: Money = ZERO
    invoiced_qty: Money = ZERO
    due_date: Text = None


class Receipt(Row, frozen=True, kw_only=True, rename="pascal"):
    """Erp.BO.ReceiptSvc / Receipts: a packing slip received."""

    vendor_num: int
    pur_point: Text = None
    pack_slip: str
    receipt_date: Text = None
    received: bool = False
    po_num: int | None = field(name="PONum", default=None)
    change_date: Text = None


class ReceiptLine(Row, frozen=True, kw_only=True, rename="pascal"):
    """ReceiptSvc / RcvDtls: one line of a packing slip, against a PO release."""

    vendor_num: int
    pur_point: Text = None
    pack_slip: str
    pack_line: int
    po_num: int = field(name="PONum", default=0)
    po_line: int = field(name="POLine", default=0)
    po_rel_num: int = field(name="PORelNum", default=0)
    vendor_qty: Money = ZERO
    vendor_unit_cost: Money = ZERO
    received: bool = False
    receipt_date: Text = None
    pum: Text = field(name="PUM", default=None)
    change_date: Text = None


class Invoice(Row, frozen=True, kw_only=True, rename="pascal"):
    """Erp.BO.APInvoiceSvc / APInvoices: an AP invoice's header. ``doc_*`` is the invoice's currency, negative for
    debit memos (epicor.md 4.5)."""

    vendor_num: int
    invoice_num: str
    ref_po_num: int | None = field(name="REFPONum", default=None)
    external_id: Text = field(name="ExternalID", default=None)
    open_payable: bool = False
    posted: bool = False
    group_id: Text = field(name="GroupID", default=None)
    invoice_held: bool = False
    pay_hold: bool = False
    debit_memo: bool = False
    invoice_date: Text = None
    due_date: Text = None
    discount_date: Text = None
    doc_invoice_amt: Money = ZERO
    doc_invoice_vendor_amt: Money = ZERO
    doc_invoice_bal: Money = ZERO
    doc_unposted_bal: Money = ZERO
    doc_discount_amt: Money = ZERO
    doc_tax_amt: Money = ZERO
    currency_code: Text = None
    terms_code: Text = None
    description: Text = None
    change_date: Text = None


class InvoiceLine(Row, frozen=True, kw_only=True, rename="pascal"):
    """APInvDtl: one line of an AP invoice."""

    vendor_num: int
    invoice_num: str
    invoice_line: int
    line_type: Text = None
    part_num: Text = None
    description: Text = None
    vendor_qty: Money = ZERO
    pum: Text = field(name="PUM", default=None)
    doc_unit_cost: Money = ZERO
    doc_ext_cost: Money = ZERO
    po_num: int | None = field(name="PONum", default=None)
    po_line: int | None = field(name="POLine", default=None)
    po_rel_num: int | None = field(name="PORelNum", default=None)
    pack_slip: Text = None
    pack_line: int | None = None


class InvoiceExpense(Row, frozen=True, kw_only=True, rename="pascal"):
    """APInvExp: one GL distribution of a line; several rows a line are a split."""

    vendor_num: int
    invoice_num: str
    invoice_line: int
    inv_exp_seq: int
    doc_exp_amt: Money = ZERO
    gl_account: Text = field(name="GLAccount", default=None)
    coa_code: Text = field(name="COACode", default=None)


class InvoiceExpenseAccount(Row, frozen=True, kw_only=True, rename="pascal"):
    """APInvExpTGLC: where the account of a distribution really is stored and written (epicor.md 4.5, 5.1)."""

    vendor_num: int | None = None
    invoice_num: Text = None
    invoice_line: int = 0
    inv_exp_seq: int = 0
    gl_account: Text = field(name="GLAccount", default=None)
    coa_code: Text = field(name="COACode", default=None)


class InvoiceCharge(Row, frozen=True, kw_only=True, rename="pascal"):
    """APIHAPInvMsc: a header charge such as freight."""

    vendor_num: int
    invoice_num: str
    msc_num: int
    misc_code: Text = None
    description: Text = None
    doc_misc_amt: Money = ZERO


class InvoiceChargeExpense(Row, frozen=True, kw_only=True, rename="pascal"):
    """APIHAPInvExp: the GL distribution of a header charge; its ``inv_exp_seq`` follows the charge's number."""

    vendor_num: int
    invoice_num: str
    invoice_line: int = 0
    inv_exp_seq: int
    doc_exp_amt: Money = ZERO
    gl_account: Text = field(name="GLAccount", default=None)


class Attachment(Row, frozen=True, kw_only=True, rename="pascal"):
    """APInvHedAttch: a file hanging on an invoice. ``file_name`` is a path on the far server: never use it as one."""

    vendor_num: int
    invoice_num: str
    drawing_seq: int
    file_ref: int = field(name="XFileRefNum")
    description: Text = field(name="DrawDesc", default=None)
    file_name: Text = None
    doc_type_id: Text = field(name="DocTypeID", default=None)


class InvoiceDocument(Struct, frozen=True, kw_only=True):
    """APInvoiceSvc/GetByID: one invoice with everything below it."""

    header: list[Invoice] = field(name="APInvHed")
    lines: list[InvoiceLine] = field(name="APInvDtl", default_factory=list)
    expenses: list[InvoiceExpense] = field(name="APInvExp", default_factory=list)
    expense_accounts: list[InvoiceExpenseAccount] = field(name="APInvExpTGLC", default_factory=list)
    charges: list[InvoiceCharge] = field(name="APIHAPInvMsc", default_factory=list)
    charge_expenses: list[InvoiceChargeExpense] = field(name="APIHAPInvExp", default_factory=list)
    attachments: list[Attachment] = field(name="APInvHedAttch", default_factory=list)


class Payment(Row, frozen=True, kw_only=True, rename="pascal"):
    """CheckHed through PaymentEntries: an AP payment's header (epicor.md 4.7)."""

    head_num: int
    group_id: Text = field(name="GroupID", default=None)
    posted: bool = False
    voided: bool = False
    vendor_num: int
    bank_acct_id: Text = field(name="BankAcctID", default=None)
    check_num: int = 0
    check_date: Text = None
    doc_check_amt: Money = ZERO
    currency_code: Text = None
    payment_number: Text = None
    own_reference: Text = None
    x_ref_check_num: Text = field(name="XRefCheckNum", default=None)
    description: Text = None
    change_date: Text = None


class Allocation(Row, frozen=True, kw_only=True, rename="pascal"):
    """APTran through APTranSearches: what one payment took off one invoice. ``doc_tran_amt`` is the gross amount off
    the balance; cash is that less ``doc_disc_amt`` (epicor.md 6.1). ``voided`` rows are the reversal."""

    head_num: int
    ap_tran_no: int = field(name="APTranNo")
    invoice_num: str
    vendor_num: int
    doc_tran_amt: Money = ZERO
    doc_disc_amt: Money = ZERO
    tran_date: Text = None
    check_num: int = 0
    bank_acct_id: Text = field(name="BankAcctID", default=None)
    posted: bool = False
    voided: bool = False
    change_date: Text = None


class PayMethod(Row, frozen=True, kw_only=True, rename="pascal"):
    """Erp.BO.PayMethodSvc / PayMethods; type 0 is a manual payment (epicor.md 6.2)."""

    pmuid: int = field(name="PMUID")
    name: Text = None
    type: int = 0
    pm_source: int = field(name="PMSource", default=0)
    inactive: bool = False


class BankAccount(Row, frozen=True, kw_only=True, rename="pascal"):
    """Erp.BO.BankAcctSvc / BankAccts, without any account number."""

    bank_acct_id: str = field(name="BankAcctID")
    description: Text = None
    currency_code: Text = None


class EntitySet(Struct, frozen=True):
    """Where a record type is read: service, entity set and the key that orders it (epicor.md 4.1).

    ``key`` lists column names without Company, in key order; ``row`` is the record type.
    """

    service: str
    name: str
    key: tuple[str, ...]
    row: type[Row]
    numeric_key: ClassVar[frozenset[str]] = frozenset(
        {
            *("VendorNum", "RemitToSeq", "PONum", "PONUM", "POLine", "PORelNum", "PackLine"),
            *("InvoiceLine", "InvExpSeq", "HeadNum", "APTranNo", "PMUID"),
        }
    )


VENDORS = EntitySet("Erp.BO.VendorSvc", "Vendors", ("VendorNum",), Vendor)
REMIT_TOS = EntitySet("Erp.BO.VendorSvc", "VendRemitToes", ("VendorNum", "RemitToSeq"), RemitTo)
PUR_TERMS = EntitySet("Erp.BO.PurTermsSvc", "PurTerms", ("TermsCode",), PurTerms)
GL_ACCOUNTS = EntitySet("Erp.BO.GLAccountSvc", "GLAccounts", ("COACode", "GLAccount1"), GLAccount)
PURCHASE_ORDERS = EntitySet("Erp.BO.POSvc", "POes", ("PONum",), PurchaseOrder)
PO_LINES = EntitySet("Erp.BO.POSvc", "PODetails", ("PONUM", "POLine"), PurchaseOrderLine)
PO_RELEASES = EntitySet("Erp.BO.POSvc", "PORels", ("PONum", "POLine", "PORelNum"), PurchaseOrderRelease)
RECEIPTS = EntitySet("Erp.BO.ReceiptSvc", "Receipts", ("VendorNum", "PurPoint", "PackSlip"), Receipt)
RECEIPT_LINES = EntitySet(
    "Erp.BO.ReceiptSvc", "RcvDtls", ("VendorNum", "PurPoint", "PackSlip", "PackLine"), ReceiptLine
)
INVOICES = EntitySet("Erp.BO.APInvoiceSvc", "APInvoices", ("VendorNum", "InvoiceNum"), Invoice)
PAYMENTS = EntitySet("Erp.BO.PaymentEntrySvc", "PaymentEntries", ("HeadNum",), Payment)
ALLOCATIONS = EntitySet(
    "Erp.BO.APTranSearchSvc", "APTranSearches", ("HeadNum", "APTranNo", "InvoiceNum", "Voided"), Allocation
)
PAY_METHODS = EntitySet("Erp.BO.PayMethodSvc", "PayMethods", ("PMUID",), PayMethod)
BANK_ACCOUNTS = EntitySet("Erp.BO.BankAcctSvc", "BankAccts", ("BankAcctID",), BankAccount)


@cache
def columns(row: type[Row]) -> tuple[str, ...]:
    """Return a record type's column names as Epicor spells them, for ``$select``."""
    return tuple(item.encode_name for item in msgspec.structs.fields(row))
