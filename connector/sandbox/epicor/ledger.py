"""What Epicor holds, as a dump that tests and the demo compare: amounts as text, no secrets, no bank numbers."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from connector.sandbox.epicor.state import EpicorState
from connector.sandbox.epicor.store import Database
from connector.sandbox.seed import Row

_VENDOR = "VendorNum VendorID Name Inactive PayHold TermsCode CurrencyCode TaxPayerID".split()
_ACCOUNT = "COACode GLAccount GLAcctDispGLAcctDisp AccountDesc Active EffFrom EffTo".split()
_ORDER = "PONum VendorNum OpenOrder VoidOrder Approve CurrencyCode DocTotalOrder".split()
_INVOICE = """VendorNum InvoiceNum Posted OpenPayable InvoiceHeld PayHold DebitMemo CurrencyCode TermsCode InvoiceDate
    DueDate ApplyDate DocInvoiceAmt DocInvoiceVendorAmt DocInvoiceBal DocUnpostedBal GroupID ExternalID REFPONum
    Description""".split()
_LINE = """InvoiceLine LineType PartNum Description VendorQty DocUnitCost DocExtCost PONum POLine PackSlip
    PackLine""".split()
_INVOICE_GROUP = "GroupID ActiveUserID PostErrorLog".split()
_PAYMENT_GROUP = "GroupID BankAcctID PostErrorLog".split()
_PAYMENT = """HeadNum GroupID Posted Voided VendorNum BankAcctID PMUID CheckNum CheckDate CurrencyCode DocCheckAmt
    DocPaymentTotal XRefCheckNum PaymentNumber OwnReference Description VoidDate VoidedReason""".split()
_ALLOCATION = "APTranNo InvoiceNum DocTranAmt DocDiscAmt Voided Posted TranDate".split()


def ledger(state: EpicorState) -> dict[str, Any]:
    """Return every company's vendors, accounts, orders, groups, invoices and payments, in key order."""
    with state.lock:
        return {code: _company(database) for code, database in state.companies.items()}


def _company(database: Database) -> dict[str, Any]:
    return {
        "vendors": [_chosen(row, _VENDOR) for row in database["Vendor"].all()],
        "gl_accounts": [_chosen(row, _ACCOUNT) for row in database["GLAccount"].all()],
        "purchase_orders": [_order(database, row) for row in database["POHeader"].all()],
        "invoice_groups": [_chosen(row, _INVOICE_GROUP) for row in database["APInvGrp"].all()],
        "invoices": [_invoice(database, row) for row in database["APInvHed"].all()],
        "payment_groups": [_chosen(row, _PAYMENT_GROUP) for row in database["APChkGrp"].all()],
        "payments": [_payment(database, row) for row in database["CheckHed"].all()],
    }


def _order(database: Database, row: Row) -> Row:
    return _chosen(row, _ORDER) | {"lines": len(database["PODetail"].under(row["PONum"]))}


def _invoice(database: Database, row: Row) -> Row:
    key = (row["VendorNum"], row["InvoiceNum"])
    accounts: dict[int, list[str]] = {}
    for expense in database["APInvExpTGLC"].under(*key):
        accounts.setdefault(expense["InvoiceLine"], []).append(expense["GLAccount"])
    lines = []
    for line in database["APInvDtl"].under(*key):
        booked = accounts.get(line["InvoiceLine"], [])
        lines.append(_chosen(line, _LINE) | {"GLAccount": booked[0] if booked else "", "accounts": booked})
    return _chosen(row, _INVOICE) | {"lines": lines, "attachments": len(database["APInvHedAttch"].under(*key))}


def _payment(database: Database, row: Row) -> Row:
    allocations = [_chosen(tran, _ALLOCATION) for tran in database["APTran"].under(row["HeadNum"])]
    return _chosen(row, _PAYMENT) | {"allocations": allocations}


def _chosen(row: Row, columns: list[str]) -> Row:
    return {name: _plain(name, row[name]) for name in columns}


def _plain(name: str, value: Any) -> Any:
    """Return amounts to the cent and other decimals as they are, both as text."""
    if not isinstance(value, Decimal):
        return value
    return f"{value + 0:.2f}" if name.startswith("Doc") and name != "DocUnitCost" else str(value)
