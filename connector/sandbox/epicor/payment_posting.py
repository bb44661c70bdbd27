"""Posting a payment group: all of it or, with the reasons in PostErrorLog, none of it."""

from __future__ import annotations

from connector.sandbox.epicor.calls import Body, Call, method, reply
from connector.sandbox.epicor.groups import guard_group, is_closed
from connector.sandbox.epicor.invoice_posting import PAYMENT_POSTING, check_agent, group_of, new_parameters
from connector.sandbox.epicor.payment_update import move_balance, unposted
from connector.sandbox.seed import Row


@method(PAYMENT_POSTING, "GetNewParameters")
def _new_parameters(call: Call) -> Body:
    return new_parameters("APPaymentPostProcess")


@method(PAYMENT_POSTING, "RunDirect", "ds")
def _run(call: Call) -> Body:
    _post(call, group_of(call.ds, "APPaymentPostProcess"))
    return reply()


@method(PAYMENT_POSTING, "SubmitToAgent", "ds agentID agentSchedNum agentTaskNum maintProgram")
def _submit(call: Call) -> Body:
    check_agent(call)
    return _run(call)


def _post(call: Call, name: str) -> None:
    database = call.database
    group = guard_group(database, "APChkGrp", name, call.user)
    payments = unposted(call, group["GroupID"])
    problems = [f"Payment {row['HeadNum']}: {reason}" for row in payments if (reason := _obstacle(call, row))]
    if not problems:
        for row in payments:
            _post_one(call, row)
    database.change("APChkGrp", group, {"PostErrorLog": "\n".join(problems)}, **call.who)


def _obstacle(call: Call, row: Row) -> str:
    """Return why a payment cannot be posted, or nothing."""
    if row["CheckNum"] == 0:
        return "no check number is assigned"
    if row["Variance"] != 0:
        return f"variance of {row['Variance']} between the payment total and its allocations"
    if not call.database["APTran"].under(row["HeadNum"]):
        return "the payment has no allocations"
    if row["DocCheckAmt"] < 0:
        return "the payment is negative"
    if is_closed(call.state, row["CheckDate"]):
        return "the check date is in a closed fiscal period"
    return ""


def _post_one(call: Call, payment: Row) -> None:
    database = call.database
    for row in database["APTran"].under(payment["HeadNum"]):
        invoice = database["APInvHed"].get(row["VendorNum"], row["InvoiceNum"])
        if invoice is not None:
            move_balance(call, invoice, posted_by=-row["DocTranAmt"])
        database.change("APTran", row, {"Posted": True, "ApplyDate": payment["CheckDate"]}, **call.who)
    database.change("CheckHed", payment, {"Posted": True}, **call.who)
