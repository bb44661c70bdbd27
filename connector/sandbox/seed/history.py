"""Payments made before the story begins: what closed the closed invoices and part of the partly paid ones.

One posted check each, so that balances, allocations and payment headers agree from the first moment.
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

from connector.sandbox.seed.rows import Company, Row
from connector.sandbox.seed.writer import Writer, stamp

FIRST_HEAD = 3001
FIRST_CHECK = 50_101
_CENT = Decimal("0.01")


def pay(writer: Writer, company: Company, invoice: Row, *, part: Decimal, today: date) -> None:
    """Post a payment of ``part`` (0 to 1) of an invoice and lower its balances."""
    vendor = next(row for row in company.tables["Vendor"] if row["VendorNum"] == invoice["VendorNum"])
    place = len(company.tables["CheckHed"])
    amount = (invoice["DocInvoiceAmt"] * part).quantize(_CENT)
    base = (amount * invoice["ExchangeRate"]).quantize(_CENT)
    when = stamp(today - timedelta(days=1 + place % 20))
    bank = "CADOP" if invoice["CurrencyCode"] == "CAD" else "OPER"
    shared = {"HeadNum": FIRST_HEAD + place, "GroupID": "HISTORY", "Posted": True, "BankAcctID": bank,
              "CheckNum": FIRST_CHECK + place, "VendorNum": invoice["VendorNum"],
              "CurrencyCode": invoice["CurrencyCode"], "EntryPerson": "ap.clerk", "ChangedBy": "ap.clerk",
              "ChangeDate": when}  # fmt: skip
    writer.add(company, "CheckHed", **shared, CheckDate=when, CheckAmt=base, DocCheckAmt=amount, PaymentTotal=base,
               DocPaymentTotal=amount, VendorID=vendor["VendorID"], Name=vendor["Name"],
               Address1=vendor["Address1"], City=vendor["City"], State=vendor["State"], ZIP=vendor["ZIP"],
               Country=vendor["Country"], PMUID=1, PMUIDName="Check", Description="Check run")  # fmt: skip
    writer.add(company, "APTran", **shared, APTranNo=1, InvoiceNum=invoice["InvoiceNum"], TranType="Pay", TranAmt=base,
               DocTranAmt=amount, BankPaidAmt=base, DocBankPaidAmt=amount, TranDate=when, ApplyDate=when,
               DebitMemo=invoice["DebitMemo"], Description=invoice["Description"])  # fmt: skip
    left = invoice["DocInvoiceAmt"] - amount
    left_base = invoice["InvoiceAmt"] - base
    invoice.update(DocInvoiceBal=left, DocUnpostedBal=left, ScrDocInvoiceBal=abs(left), ScrDocUnpostedBal=abs(left),
                   InvoiceBal=left_base, UnpostedBal=left_base, OpenPayable=left != 0)  # fmt: skip
