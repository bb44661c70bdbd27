"""The methods that fill a payment's dataset before it is saved: header, then one allocation an invoice (epicor.md 6.1).

Only ``CreateNewCheckHed`` takes something for good: the next HeadNum, whether or not the payment is ever saved.
"""

from __future__ import annotations

from decimal import Decimal

from connector.sandbox.epicor.calls import Body, Call, add_new, method, reply
from connector.sandbox.epicor.errors import business, not_found
from connector.sandbox.epicor.groups import entered, guard_group
from connector.sandbox.epicor.invoice_entry import vendor_by_id
from connector.sandbox.epicor.store import Database
from connector.sandbox.seed import Row

PAYMENTS = "Erp.BO.PaymentEntrySvc"
_VENDOR_COLUMNS = "VendorNum VendorID Name Address1 Address2 Address3 City State ZIP Country CurrencyCode".split()


@method(PAYMENTS, "CreateNewCheckHed", "ds pcGroupID")
def _new_payment(call: Call) -> Body:
    group = guard_group(call.database, "APChkGrp", call.text("pcGroupID"), call.user)
    number, call.database.next_head = call.database.next_head, call.database.next_head + 1
    ds = call.ds
    add_new(ds, "CheckHed", Company=call.database.company, HeadNum=number, GroupID=group["GroupID"],
                BankAcctID=group["BankAcctID"], CheckDate=group["CheckDate"], PMUID=group["PMUID"],
                PMUIDName=group["PayMethodName"], CurrencyCode=group["CurrencyCode"],
                EntryPerson=call.user)  # fmt: skip
    return reply(ds=ds)


@method(PAYMENTS, "GetNewCheckHed", "ds")
def _new_payment_without_group(call: Call) -> Body:
    ds = call.ds
    add_new(ds, "CheckHed", Company=call.database.company)
    return reply(ds=ds)


@method(PAYMENTS, "OnChangeVendor", "ds pcVendorID")
def _change_vendor(call: Call) -> Body:
    vendor = vendor_by_id(call.database, call.text("pcVendorID"))
    ds = call.ds
    row = entered(ds, "CheckHed")
    row |= {name: vendor[name] for name in _VENDOR_COLUMNS}
    return reply(ds=ds)


@method(PAYMENTS, "OnChangeCurrency", "ds pCurrencyCode")
def _change_currency(call: Call) -> Body:
    if call.database["Currency"].get(call.text("pCurrencyCode")) is None:
        raise business(f"Currency {call.text('pCurrencyCode')} is not valid.", table="CheckHed", field="CurrencyCode")
    ds = call.ds
    row = entered(ds, "CheckHed")
    row["CurrencyCode"] = call.text("pCurrencyCode")
    return reply(ds=ds)


@method(PAYMENTS, "OnChangeManualPrint", "ds plManualPrint")
def _change_manual(call: Call) -> Body:
    ds = call.ds
    row = entered(ds, "CheckHed")
    row["ManualPrint"] = call.flag("plManualPrint")
    return reply(ds=ds)


@method(PAYMENTS, "OnChangeCheckNum", "ds piCheckNum")
def _change_check_number(call: Call) -> Body:
    ds = call.ds
    row = entered(ds, "CheckHed")
    check_number_may_be_given(row)
    row["CheckNum"] = call.number("piCheckNum")
    check_number_is_free(call.database, row)
    return reply(ds=ds)


@method(PAYMENTS, "OnChangeCheckDate", "ds pdtCheckDate")
def _change_check_date(call: Call) -> Body:
    ds = call.ds
    row = entered(ds, "CheckHed")
    row["CheckDate"] = f"{call.text('pdtCheckDate')[:10]}T00:00:00"
    return reply(ds=ds)


@method(
    PAYMENTS,
    "OnChangeIsEnterTotal",
    "ds pIsEnterTotal pFirstTest pOrigBankTotalAmt pOrigExchangeRate pOrigLockRate pOrigPaymentBankRate",
)
def _change_enter_total(call: Call) -> Body:
    ds = call.ds
    row = entered(ds, "CheckHed")
    row["IsEnterTotal"] = call.flag("pIsEnterTotal")
    return reply(pQuestion="", ds=ds)


@method(PAYMENTS, "OnChangeDocPaymentTotal", "ds pDocPaymentTotal")
def _change_total(call: Call) -> Body:
    ds = call.ds
    row = entered(ds, "CheckHed")
    if not row["IsEnterTotal"]:
        raise business("The payment total is not entered for this payment.", table="CheckHed")
    row["DocPaymentTotal"] = call.amount("pDocPaymentTotal")
    return reply(ds=ds)


@method(PAYMENTS, "PreUpdate", "ds")
def _pre_update(call: Call) -> Body:
    return reply(ds=call.ds, requiresUserInput=False)


@method(PAYMENTS, "GetNewAPTran", "ds headNum apTranNo invoiceNum")
def _new_allocation(call: Call) -> Body:
    header = open_payment(call, call.number("headNum"))
    ds = call.ds
    stored = call.database["APTran"].under(header["HeadNum"])
    taken = [row["APTranNo"] for row in (*stored, *ds.get("APTran", [])) if row.get("HeadNum") == header["HeadNum"]]
    add_new(ds, "APTran", Company=call.database.company, HeadNum=header["HeadNum"], GroupID=header["GroupID"],
                APTranNo=max(taken, default=0) + 1, VendorNum=header["VendorNum"], TranType="Pay",
                TranDate=header["CheckDate"], ApplyDate=header["CheckDate"], BankAcctID=header["BankAcctID"],
                CheckNum=header["CheckNum"], CurrencyCode=header["CurrencyCode"], EntryPerson=call.user)  # fmt: skip
    return reply(ds=ds)


@method(PAYMENTS, "OnChangeInvoiceNum", "ds pcInvoiceNum pcChangeExchangeRateResponse")
def _change_invoice(call: Call) -> Body:
    ds = call.ds
    row = entered(ds, "APTran")
    invoice = payable(call.database, row["VendorNum"], call.text("pcInvoiceNum"))
    discount = Decimal(0)
    if invoice["DiscountDate"] and (row["TranDate"] or "9999") <= invoice["DiscountDate"]:
        discount = min(invoice["DocDiscountAmt"], invoice["DocUnpostedBal"])
    row |= {"InvoiceNum": invoice["InvoiceNum"], "DebitMemo": invoice["DebitMemo"],
            "DocTranAmt": invoice["DocUnpostedBal"], "DocDiscAmt": discount,
            "DocInvoiceBal": invoice["DocInvoiceBal"], "DocUnPostedBal": invoice["DocUnpostedBal"],
            "CurrencyCode": invoice["CurrencyCode"],
            "Description": invoice["Description"]}  # fmt: skip
    return reply(pcQuestion="", ds=ds)


@method(PAYMENTS, "OnChangeDocTranAmt", "ds pdDocTranAmt")
def _change_amount(call: Call) -> Body:
    ds = call.ds
    row = entered(ds, "APTran")
    row["DocTranAmt"] = call.amount("pdDocTranAmt")
    return reply(ds=ds)


@method(PAYMENTS, "OnChangeDocDiscAmt", "ds pdDocDiscAmt")
def _change_discount(call: Call) -> Body:
    ds = call.ds
    row = entered(ds, "APTran")
    row["DocDiscAmt"] = call.amount("pdDocDiscAmt")
    return reply(ds=ds)


def open_payment(call: Call, number: int) -> Row:
    """Return an unposted payment whose group the caller may write in. Raises refusals otherwise."""
    row = call.database["CheckHed"].get(number)
    if row is None:
        raise not_found(f"Payment {number} was not found.")
    if row["Posted"]:
        raise business(f"Payment {number} is posted and cannot be changed.", table="CheckHed")
    guard_group(call.database, "APChkGrp", row["GroupID"], call.user)
    return row


def payable(database: Database, vendor: int, number: str) -> Row:
    """Return an invoice that may be paid. Raises a 400 refusal for one that may not."""
    invoice = database["APInvHed"].get(vendor, number)
    if invoice is None:
        raise business(f"Invoice {number} is not valid for the supplier.", table="APTran", field="InvoiceNum")
    if not invoice["Posted"] or not invoice["OpenPayable"]:
        raise business(f"Invoice {number} is not open for payment.", table="APTran", field="InvoiceNum")
    if invoice["PayHold"]:
        raise business(f"Invoice {number} is on payment hold.", table="APTran", field="InvoiceNum")
    return invoice


def check_number_may_be_given(row: Row) -> None:
    """Raise a 400 refusal unless the payment is one whose number its user supplies (epicor.md 6.2)."""
    if not row["ManualPrint"]:
        raise business("A check number can be entered for a manual payment only.", table="CheckHed", field="CheckNum")


def check_number_is_free(database: Database, row: Row) -> None:
    """Raise a 400 refusal if another payment of the bank account, posted, void or neither, has the number.

    That the number is unique per bank account is assumed (epicor.md 6.2).
    """
    for other in database["CheckHed"].all():
        same = other["BankAcctID"] == row["BankAcctID"] and other["CheckNum"] == row["CheckNum"]
        if row["CheckNum"] and same and other["HeadNum"] != row["HeadNum"]:
            raise business(f"Check {row['CheckNum']} already exists for bank account {row['BankAcctID']}.",
                           table="CheckHed", field="CheckNum")  # fmt: skip
