"""The methods of invoice groups and payment groups (epicor.md 5.1 and 6.1)."""

from __future__ import annotations

from decimal import Decimal

from connector.sandbox.epicor.calls import Body, Call, full_dataset, method, reply
from connector.sandbox.epicor.errors import business
from connector.sandbox.epicor.groups import (
    entered,
    guard_group,
    is_closed,
    new_group,
    pay_method,
    set_holder,
    update_groups,
)

INVOICE_GROUPS = "Erp.BO.APInvGrpSvc"
PAYMENT_GROUPS = "Erp.BO.APChkGrpSvc"


@method(INVOICE_GROUPS, "GetNewAPInvGrp", "ds")
def _new_invoice_group(call: Call) -> Body:
    return new_group(call, "APInvGrp", lock=True)


@method(INVOICE_GROUPS, "GetNewAPInvGrpNoLock", "ds")
def _new_invoice_group_no_lock(call: Call) -> Body:
    return new_group(call, "APInvGrp", lock=False)


@method(INVOICE_GROUPS, "Update", "ds")
def _update_invoice_groups(call: Call) -> Body:
    return update_groups(call, "APInvGrp")


@method(INVOICE_GROUPS, "UnlockGroup", "InGroupID")
def _unlock_invoice_group(call: Call) -> Body:
    set_holder(call, "APInvGrp", call.text("InGroupID"), holder="")
    return reply()


@method(INVOICE_GROUPS, "LockAPGroup", "ds groupID")
def _lock_invoice_group(call: Call) -> Body:
    row = set_holder(call, "APInvGrp", call.text("groupID"), holder=call.user)
    return reply(ds=full_dataset(call.service, {"APInvGrp": [row]}))


@method(INVOICE_GROUPS, "OnChangeofApplyDate", "GroupID NewApplyDate ds")
def _change_group_apply_date(call: Call) -> Body:
    ds = call.ds
    day = call.text("NewApplyDate")
    row = entered(ds, "APInvGrp")
    row["ApplyDate"] = f"{day[:10]}T00:00:00"
    message = "The apply date is in a closed fiscal period." if is_closed(call.state, day) else ""
    return reply(DateMessage=message, ds=ds)


@method(INVOICE_GROUPS, "PrePostGroupInvoices", "PostGroupID")
def _pre_post(call: Call) -> Body:
    group = guard_group(call.database, "APInvGrp", call.text("PostGroupID"), call.user)
    off = [
        f"Invoice {row['InvoiceNum']} has a variance of {row['DocInvoiceVariance']}."
        for row in call.database["APInvHed"].all()
        if row["GroupID"] == group["GroupID"] and not row["Posted"] and row["DocInvoiceVariance"] != Decimal(0)
    ]
    return reply(ReturnMessage="", TaxCalcFlag=False, VarianceMessage="\n".join(off))


@method(PAYMENT_GROUPS, "GetNewAPChkGrp", "ds")
def _new_payment_group(call: Call) -> Body:
    return new_group(call, "APChkGrp", lock=True)


@method(PAYMENT_GROUPS, "GetNewAPChkGrpNoLock", "ds")
def _new_payment_group_no_lock(call: Call) -> Body:
    return new_group(call, "APChkGrp", lock=False)


@method(PAYMENT_GROUPS, "OnChangeBankAcctID", "ds pcBankAcctID")
def _change_bank(call: Call) -> Body:
    bank = call.database["BankAcct"].get(call.text("pcBankAcctID"))
    if bank is None:
        raise business(f"Bank account {call.text('pcBankAcctID')} is not valid.", table="APChkGrp", field="BankAcctID")
    ds = call.ds
    row = entered(ds, "APChkGrp")
    row |= {"BankAcctID": bank["BankAcctID"], "BankAcctIDDescription": bank["Description"],
            "CurrencyCode": bank["CurrencyCode"]}  # fmt: skip
    return reply(ds=ds)


@method(PAYMENT_GROUPS, "OnChangePayMethod", "ds vPMUID")
def _change_pay_method(call: Call) -> Body:
    ds = call.ds
    row = entered(ds, "APChkGrp")
    row |= pay_method(call.database, call.number("vPMUID"), table="APChkGrp")
    return reply(ds=ds)


@method(PAYMENT_GROUPS, "Update", "ds")
def _update_payment_groups(call: Call) -> Body:
    return update_groups(call, "APChkGrp")


@method(PAYMENT_GROUPS, "DeleteByID", "groupID")
def _delete_payment_group(call: Call) -> Body:
    raise business("The group cannot be deleted here.", table="APChkGrp")  # epicor.md 6.1: use Update with RowMod D


@method(PAYMENT_GROUPS, "LockGroup", "pcGroupID")
def _lock_payment_group(call: Call) -> Body:
    row = set_holder(call, "APChkGrp", call.text("pcGroupID"), holder=call.user)
    return reply(full_dataset(call.service, {"APChkGrp": [row]}), plSuccess=True)


@method(PAYMENT_GROUPS, "UnLockGroup", "pcGroupID")
def _unlock_payment_group(call: Call) -> Body:
    set_holder(call, "APChkGrp", call.text("pcGroupID"), holder="")
    return reply(plSuccess=True)


@method(PAYMENT_GROUPS, "GroupExits", "groupID")
def _group_exists(call: Call) -> Body:
    return reply(call.database["APChkGrp"].get(call.text("groupID")) is not None)


@method(PAYMENT_GROUPS, "PrePostGrp", "postGroupID")
def _pre_post_payments(call: Call) -> Body:
    guard_group(call.database, "APChkGrp", call.text("postGroupID"), call.user)
    return reply(taxRecMessage="", LNMessage="")
