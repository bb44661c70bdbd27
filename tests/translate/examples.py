"""Plain, whole records for the translation tests; a test changes what it is about.

Two accounts and two vendors are mapped. The chart's display order differs from its internal order on purpose.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st

from connector.avidxchange import records as avid
from connector.epicor import records as epicor
from connector.translate.codebook import AccountEntry, Codebook, Hold, Rules, VendorEntry

T = TypeVar("T")

#: Decorates every property test: the machine may be busy, so time is no criterion.
property_test = settings(deadline=None)

TODAY = date(2026, 11, 20)
FREIGHT, STEEL, TAX = "6100|20|01", "5010|20|01", "2200|00|01"

CENTS = st.decimals(min_value=-100_000, max_value=100_000, places=2)
SOME_CENTS = CENTS.filter(bool)
POSITIVE = st.decimals(min_value="0.01", max_value=100_000, places=2)


def good(result: T | Hold) -> T:
    """Return a translation's record; fail with the hold if it is one."""
    assert not isinstance(result, Hold), result
    return result


def held(result: object) -> Hold:
    """Return a translation's hold; fail with the record if it is none."""
    assert isinstance(result, Hold), result
    assert result.message
    return result


def shown(internal: str) -> str:
    """Return the display form of an account: location, department, natural account."""
    return "-".join(reversed(internal.split("|")))


def rules(**changes: Any) -> Rules:
    given: dict[str, Any] = {
        "company": "EPIC06",
        "bank_accounts": {"USD": "AVID"},
        "payment_methods": {"check": 11, "ach": 12, "card": 13},
    }
    return Rules(**{**given, **changes})


def codebook(**changes: Any) -> Codebook:
    vendors = [
        VendorEntry(104, "BOLTS", "EPIC06|104|MAIN", "A-104", "Bolts and Nuts Inc", "USD", "N30"),
        VendorEntry(105, "PIPES", "EPIC06|105|2", "A-105", "Pipes Ltd", "USD", "N10"),
    ]
    accounts = [AccountEntry("MAIN", internal, shown(internal)) for internal in (FREIGHT, STEEL, TAX)]
    given: dict[str, Any] = {
        "company": "EPIC06",
        "vendors": {entry.vendor_num: entry for entry in vendors},
        "vendors_by_external": {entry.external_id: entry for entry in vendors},
        "accounts": {entry.gl_account: entry for entry in accounts},
        "accounts_by_avid": {entry.avid_account: entry for entry in accounts},
        "terms": {"N30": "Net 30", "N10": "Net 10", "M30": "net 30 "},
    }
    return Codebook(**{**given, **changes})


def vendor(**changes: Any) -> epicor.Vendor:
    given: dict[str, Any] = {
        "company": "EPIC06", "vendor_num": 104, "vendor_id": "BOLTS", "name": "Bolts and Nuts Inc",
        "address1": "1 Mill Street", "city": "Dayton", "state": "OH", "zip": "45402", "country": "USA",
        "tax_payer_id": "00-1234567", "terms_code": "N30", "currency_code": "USD",
    }  # fmt: skip
    return epicor.Vendor(**{**given, **changes})


def remit_to(**changes: Any) -> epicor.RemitTo:
    given: dict[str, Any] = {
        "company": "EPIC06", "vendor_num": 104, "remit_to_seq": 2, "name": "Bolts Lockbox", "address1": "PO Box 9",
        "city": "Chicago", "state": "IL", "zip": "60601", "country_num": 1, "default_remit_to": True,
    }  # fmt: skip
    return epicor.RemitTo(**{**given, **changes})


def header(amount: Decimal, **changes: Any) -> epicor.Invoice:
    given: dict[str, Any] = {
        "company": "EPIC06", "vendor_num": 104, "invoice_num": "INV-77", "posted": True, "open_payable": True,
        "debit_memo": amount < 0, "invoice_date": "2026-11-02T00:00:00", "due_date": "2026-12-02T00:00:00",
        "doc_invoice_amt": amount, "doc_invoice_bal": amount, "doc_unposted_bal": amount, "currency_code": "USD",
        "terms_code": "N30",
    }  # fmt: skip
    return epicor.Invoice(**{**given, **changes})


def line(number: int, amount: Decimal, **changes: Any) -> epicor.InvoiceLine:
    given: dict[str, Any] = {
        "company": "EPIC06", "vendor_num": 104, "invoice_num": "INV-77", "invoice_line": number, "line_type": "M",
        "description": f"Line {number}", "vendor_qty": Decimal(1), "doc_unit_cost": amount, "doc_ext_cost": amount,
    }  # fmt: skip
    return epicor.InvoiceLine(**{**given, **changes})


def expense(number: int, seq: int, amount: Decimal, account: str = FREIGHT, **changes: Any) -> epicor.InvoiceExpense:
    given: dict[str, Any] = {
        "company": "EPIC06", "vendor_num": 104, "invoice_num": "INV-77", "invoice_line": number, "inv_exp_seq": seq,
        "doc_exp_amt": amount, "gl_account": account,
    }  # fmt: skip
    return epicor.InvoiceExpense(**{**given, **changes})


def stored(number: int, seq: int, account: str, **changes: Any) -> epicor.InvoiceExpenseAccount:
    return epicor.InvoiceExpenseAccount(
        company="EPIC06", invoice_line=number, inv_exp_seq=seq, gl_account=account, **changes
    )


def charge(number: int, amount: Decimal, description: str = "Freight") -> epicor.InvoiceCharge:
    return epicor.InvoiceCharge(
        company="EPIC06", vendor_num=104, invoice_num="INV-77", msc_num=number, misc_code="FRT",
        description=description, doc_misc_amt=amount,
    )  # fmt: skip


def charge_expense(seq: int, amount: Decimal, account: str = FREIGHT) -> epicor.InvoiceChargeExpense:
    return epicor.InvoiceChargeExpense(
        company="EPIC06", vendor_num=104, invoice_num="INV-77", inv_exp_seq=seq, doc_exp_amt=amount, gl_account=account
    )


def document(*amounts: str, **changes: Any) -> epicor.InvoiceDocument:
    """Return an invoice with a line of one distribution for each amount; header fields and tables may be changed."""
    values = [Decimal(amount) for amount in amounts]
    tables = {name: changes.pop(name) for name in epicor.InvoiceDocument.__struct_fields__ if name in changes}
    given: dict[str, Any] = {
        "header": [header(sum(values, Decimal(0)), **changes)],
        "lines": [line(number, value) for number, value in enumerate(values, start=1)],
        "expenses": [expense(number, 1, value) for number, value in enumerate(values, start=1)],
    }
    return epicor.InvoiceDocument(**{**given, **tables})


def captured(*amounts: str, **changes: Any) -> avid.CapturedInvoice:
    values = [Decimal(amount) for amount in amounts]
    given: dict[str, Any] = {
        "id": "880123", "number": "C-1", "invoice_date": date(2026, 11, 2), "due_date": date(2026, 12, 2),
        "gross_amount": sum(values, Decimal(0)), "vendor_external_id": "EPIC06|104|MAIN", "vendor_name": "Bolts",
        "lines": tuple(
            avid.CapturedLine(line_number=number, amount=value, gl_account=shown(FREIGHT), description=f"Line {number}")
            for number, value in enumerate(values, start=1)
        ),
    }  # fmt: skip
    return avid.CapturedInvoice(**{**given, **changes})


def remittance(number: str, net: str, *, discount: str = "0", **changes: Any) -> avid.Remittance:
    given: dict[str, Any] = {
        "number": number, "external_id": f"EPIC06|104|{number}|1", "net": Decimal(net), "discount": Decimal(discount),
        "gross": Decimal(net) + Decimal(discount),
    }  # fmt: skip
    return avid.Remittance(**{**given, **changes})


def payment(*remittances: avid.Remittance, **changes: Any) -> avid.Payment:
    given: dict[str, Any] = {
        "id": "9001", "status": avid.PaymentStatus.CLEARED, "status_text": "Cleared",
        "method": avid.PaymentMethod.CHECK, "method_text": "AvidPay Check",
        "amount": sum((row.net for row in remittances), Decimal(0)), "currency": "USD",
        "network_check_number": "000123",
        "vendor_external_id": "EPIC06|104|MAIN", "paid_at": datetime(2026, 11, 5, 15, 30, tzinfo=UTC),
        "remittances": remittances,
    }  # fmt: skip
    return avid.Payment(**{**given, **changes})
