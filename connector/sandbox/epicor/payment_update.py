"""Saving a payment's dataset: the header, and allocations that lower an invoice's DocUnpostedBal at once.

The balance falls by DocTranAmt (gross), cash is DocTranAmt less DocDiscAmt, allocations to debit memos are negative
(epicor.md 6.1; the gross reading is the contract's more consistent one).
"""

from __future__ import annotations

from decimal import Decimal

from connector.sandbox.epicor.calls import Body, Call, edited, full_dataset, method, reply
from connector.sandbox.epicor.errors import business
from connector.sandbox.epicor.groups import changes, current, guard_group, pay_method, plain
from connector.sandbox.epicor.invoice_entry import CENT
from connector.sandbox.epicor.payment_entry import (
    PAYMENTS,
    check_number_is_free,
    check_number_may_be_given,
    open_payment,
    payable,
)
from connector.sandbox.epicor.reads import document
from connector.sandbox.seed import Row

_FIXED = ("HeadNum", "GroupID", "Posted", "Voided", "CheckAmt", "DocCheckAmt", "Variance", "DocVariance")


@method(PAYMENTS, "Update", "ds")
def _update(call: Call) -> Body:
    ds = call.ds
    touched = []
    for sent in edited(PAYMENTS, ds, "CheckHed"):
        number = _save_header(call, sent)
        if number is not None:
            touched.append(number)
    touched.extend(_save_allocation(call, sent) for sent in edited(PAYMENTS, ds, "APTran"))
    whole: dict[str, list[Row]] = {}
    for number in dict.fromkeys(touched):
        recalculate_payment(call, number)
        for table, rows in document(call.database, PAYMENTS, (number,)).items():
            whole.setdefault(table, []).extend(rows)
    return reply(ds=full_dataset(PAYMENTS, whole))


@method(PAYMENTS, "DeleteByID", "headNum")
def _delete(call: Call) -> Body:
    _drop(call, open_payment(call, call.number("headNum")))
    return reply()


@method(PAYMENTS, "CheckAllCheckNumsAssigned", "groupID")
def _all_numbered(call: Call) -> Body:
    group = guard_group(call.database, "APChkGrp", call.text("groupID"), call.user)
    return reply(all(row["CheckNum"] for row in unposted(call, group["GroupID"])))


@method(PAYMENTS, "PostAllowed", "pcGroupID")
def _post_allowed(call: Call) -> Body:
    group = guard_group(call.database, "APChkGrp", call.text("pcGroupID"), call.user)
    return reply(allowed=bool(unposted(call, group["GroupID"])))


def unposted(call: Call, group: str) -> list[Row]:
    """Return a group's unposted payments."""
    return [row for row in call.database["CheckHed"].all() if row["GroupID"] == group and not row["Posted"]]


def _save_header(call: Call, sent: Row) -> int | None:
    database = call.database
    if sent["RowMod"] == "A":
        return int(_add_header(call, plain(sent))["HeadNum"])
    stored = current(database, "CheckHed", sent)
    open_payment(call, stored["HeadNum"])
    if sent["RowMod"] == "D":
        _drop(call, stored)
        return None
    changed = changes(stored, sent, fixed=_FIXED)
    if changed.get("CheckNum"):
        check_number_may_be_given(sent)
        check_number_is_free(database, sent)
    if "VendorNum" in changed and database["APTran"].under(stored["HeadNum"]):
        raise business("The supplier of a payment with allocations cannot be changed.", table="CheckHed")
    database.change("CheckHed", stored, changed, **call.who)
    return int(stored["HeadNum"])


def _add_header(call: Call, row: Row) -> Row:
    database = call.database
    group = guard_group(database, "APChkGrp", row["GroupID"], call.user)
    if not row["HeadNum"] or row["HeadNum"] >= database.next_head:
        raise business("HeadNum must come from CreateNewCheckHed.", table="CheckHed", field="HeadNum")
    if database["Vendor"].get(row["VendorNum"]) is None:
        raise business("Supplier is required.", table="CheckHed", field="VendorNum")
    if not row["CheckDate"]:
        raise business("Check date is required.", table="CheckHed", field="CheckDate")
    if row["BankAcctID"] != group["BankAcctID"]:
        raise business("The payment's bank account must be its group's.", table="CheckHed", field="BankAcctID")
    method_columns = pay_method(database, row["PMUID"], table="CheckHed")
    if row["CheckNum"]:
        check_number_may_be_given(row)
        check_number_is_free(database, row)
    return database.insert("CheckHed", row | {"PMUIDName": method_columns["PayMethodName"], "Posted": False,
                                              "Voided": False, "CheckAmt": Decimal(0),
                                              "DocCheckAmt": Decimal(0)}, **call.who)  # fmt: skip


def _save_allocation(call: Call, sent: Row) -> int:
    header = open_payment(call, sent["HeadNum"])
    stored = None if sent["RowMod"] == "A" else current(call.database, "APTran", sent)
    if stored is not None:
        _give_back(call, stored)
        call.database.remove("APTran", stored)
    if sent["RowMod"] != "D":
        _allocate(call, header, plain(sent))
    return int(header["HeadNum"])


def _allocate(call: Call, header: Row, row: Row) -> None:
    database = call.database
    invoice = payable(database, header["VendorNum"], row["InvoiceNum"])
    for other in database["APTran"].under(header["HeadNum"]):
        if other["InvoiceNum"].casefold() == row["InvoiceNum"].casefold():
            raise business(f"Invoice {row['InvoiceNum']} is already in this payment.", table="APTran")
    amount, discount, left = row["DocTranAmt"], row["DocDiscAmt"], invoice["DocUnpostedBal"]
    if amount == 0 or (amount < 0) != (left < 0) or abs(amount) > abs(left):
        raise business(f"Amount {amount} is not within the balance {left} of invoice {invoice['InvoiceNum']}.",
                       table="APTran", field="DocTranAmt")  # fmt: skip
    if discount and ((discount < 0) != (amount < 0) or abs(discount) > abs(amount)):
        raise business("The discount is larger than the amount.", table="APTran", field="DocDiscAmt")
    rate = invoice["ExchangeRate"]
    base, base_discount = (amount * rate).quantize(CENT), (discount * rate).quantize(CENT)
    row |= {"InvoiceNum": invoice["InvoiceNum"], "VendorNum": header["VendorNum"], "GroupID": header["GroupID"],
            "TranAmt": base, "DiscAmt": base_discount, "BankPaidAmt": base - base_discount,
            "DocBankPaidAmt": amount - discount, "CheckNum": header["CheckNum"], "BankAcctID": header["BankAcctID"],
            "Posted": False, "Voided": False, "DebitMemo": invoice["DebitMemo"],
            "DocNewBalance": left - amount}  # fmt: skip
    database.insert("APTran", row, **call.who)
    move_balance(call, invoice, unposted_by=-amount)


def _give_back(call: Call, allocation: Row) -> None:
    invoice = call.database["APInvHed"].get(allocation["VendorNum"], allocation["InvoiceNum"])
    if invoice is not None:
        move_balance(call, invoice, unposted_by=allocation["DocTranAmt"])


def move_balance(
    call: Call, invoice: Row, *, unposted_by: Decimal = Decimal(0), posted_by: Decimal = Decimal(0)
) -> None:
    """Move an invoice's balances; the posted balance opens or closes it."""
    left, after = invoice["DocUnpostedBal"] + unposted_by, invoice["DocInvoiceBal"] + posted_by
    rate = invoice["ExchangeRate"]
    sign = -1 if invoice["DebitMemo"] else 1
    values = {"DocUnpostedBal": left, "UnpostedBal": (left * rate).quantize(CENT), "ScrDocUnpostedBal": sign * left,
              "DocInvoiceBal": after, "InvoiceBal": (after * rate).quantize(CENT), "ScrDocInvoiceBal": sign * after,
              "OpenPayable": after != 0}  # fmt: skip
    call.database.change("APInvHed", invoice, values, **call.who)


def _drop(call: Call, header: Row) -> None:
    """Delete an unposted payment; its invoices get their unposted balance back."""
    for row in call.database["APTran"].under(header["HeadNum"]):
        _give_back(call, row)
        call.database.remove("APTran", row)
    call.database.remove("CheckHed", header)


def recalculate_payment(call: Call, number: int) -> None:
    """Make a payment's amounts follow its allocations; allocations take number and date from it."""
    database = call.database
    header = database["CheckHed"].get(number)
    if header is None:
        return
    rows = database["APTran"].under(number)
    cash = sum((row["DocTranAmt"] - row["DocDiscAmt"] for row in rows), Decimal(0))
    base = sum((row["TranAmt"] - row["DiscAmt"] for row in rows), Decimal(0))
    total = header["DocPaymentTotal"] if header["IsEnterTotal"] else cash
    values = {"DocCheckAmt": cash, "CheckAmt": base, "DocPaymentTotal": total, "DocVariance": total - cash,
              "Variance": total - cash, "PaymentTotal": total if header["IsEnterTotal"] else base}  # fmt: skip
    if changes(header, values):
        database.change("CheckHed", header, values, **call.who)
    for row in rows:
        values = {"CheckNum": header["CheckNum"], "TranDate": header["CheckDate"], "BankAcctID": header["BankAcctID"]}
        if changes(row, values):
            database.change("APTran", row, values, **call.who)
    group = database["APChkGrp"].get(header["GroupID"])
    if group is not None and not group["HasDetails"]:
        database.change("APChkGrp", group, {"HasDetails": True}, **call.who)
