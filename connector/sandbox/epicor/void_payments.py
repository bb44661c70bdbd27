"""Voiding posted payments: reverse allocations are written and the invoices open again (epicor.md 6.3)."""

from __future__ import annotations

from connector.sandbox.epicor.calls import Body, Call, Dataset, edited, full_dataset, method, reply
from connector.sandbox.epicor.errors import business, not_found
from connector.sandbox.epicor.groups import current, is_closed
from connector.sandbox.epicor.payment_update import move_balance
from connector.sandbox.seed import Row

VOIDS = "Erp.BO.VoidPaymentSvc"
_TURNED = ("TranAmt", "DocTranAmt", "DiscAmt", "DocDiscAmt", "BankPaidAmt", "DocBankPaidAmt")


@method(VOIDS, "CheckBeforeVoid", "headNum fromAutoBankRec bankAcctID cashBookNum cashBookLine")
def _check(call: Call) -> Body:
    payment = _voidable(call, call.number("headNum"))
    if payment["ClearedCheck"]:
        return reply(1, message="The payment has already been cleared.")
    return reply(0, message="")


@method(VOIDS, "SetVoidDate", "ds HeadNum VoidDate")
def _set_date(call: Call) -> Body:
    day = call.text("VoidDate")
    if is_closed(call.state, day):
        raise business("The void date is in a closed fiscal period.", table="CheckHed", field="VoidDate")
    ds = call.ds
    rows = [row for row in ds.get("CheckHed", []) if row["HeadNum"] == call.number("HeadNum")]
    if not rows:
        raise not_found()
    rows[-1]["VoidDate"] = f"{day[:10]}T00:00:00"
    return reply(ds=ds)


@method(VOIDS, "VoidChecks", "ds")
def _void(call: Call) -> Body:
    return reply(ds=_void_all(call, edited(VOIDS, call.ds, "CheckHed")))


@method(VOIDS, "VoidSelectedChecks", "ds singleVoid")
def _void_selected(call: Call) -> Body:
    rows = [row for row in edited(VOIDS, call.ds, "CheckHed") if row["SelectedForAction"]]
    return reply(allOK=True, rvnJrnUID=0, ds=_void_all(call, rows))


def _voidable(call: Call, number: int) -> Row:
    payment = call.database["CheckHed"].get(number)
    if payment is None or not payment["Posted"]:
        raise not_found(f"Payment {number} is not a posted payment.")
    if payment["Voided"]:
        raise business(f"Payment {number} is void already.", table="CheckHed", field="Voided")
    return payment


def _void_all(call: Call, rows: list[Row]) -> Dataset:
    if not rows:
        raise business("No payment is selected to be voided.", table="CheckHed", field="SelectedForAction")
    voided = []
    for sent in rows:
        payment = current(call.database, "CheckHed", sent)
        _voidable(call, payment["HeadNum"])
        if not sent["VoidDate"]:
            raise business("Void date is required.", table="CheckHed", field="VoidDate")
        _void_one(call, payment, sent)
        voided.append(payment)
    return full_dataset(VOIDS, {"CheckHed": voided})


def _void_one(call: Call, payment: Row, sent: Row) -> None:
    database = call.database
    for row in database["APTran"].under(payment["HeadNum"]):
        invoice = database["APInvHed"].get(row["VendorNum"], row["InvoiceNum"])
        if invoice is not None:
            move_balance(call, invoice, unposted_by=row["DocTranAmt"], posted_by=row["DocTranAmt"])
        turned = {name: -row[name] for name in _TURNED}
        database.insert("APTran", row | turned | {"Voided": True, "TranDate": sent["VoidDate"],
                                                  "ApplyDate": sent["VoidDate"]}, **call.who)  # fmt: skip
    database.change(
        "CheckHed",
        payment,
        {
            "Voided": True,
            "VoidDate": sent["VoidDate"],
            "VoidedReason": sent["VoidedReason"],
            "SelectedForAction": False,
        },
        **call.who,
    )
