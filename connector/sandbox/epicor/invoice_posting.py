"""Posting a group of AP invoices: what cannot be posted is told in the group's error log, not in the HTTP reply."""

from __future__ import annotations

from connector.sandbox.epicor.calls import Body, Call, Dataset, method, reply
from connector.sandbox.epicor.errors import bad_input, business
from connector.sandbox.epicor.groups import guard_group, is_closed
from connector.sandbox.seed import Row

INVOICE_POSTING = "Erp.PROC.APInvoicePostSvc"
PAYMENT_POSTING = "Erp.PROC.APPaymentPostSvc"
#: Columns of a posting process's parameter row.
PARAMETER_COLUMNS = "GroupID AgentID AgentSchedNum AgentTaskNum RecurringTask WorkstationID TaskNote RowMod".split()


def new_parameters(table: str) -> Body:
    """Return a posting process's empty parameters."""
    row: Row = dict.fromkeys(PARAMETER_COLUMNS, "")
    row |= {"AgentSchedNum": 0, "AgentTaskNum": 0, "RecurringTask": False, "RowMod": "A"}
    return reply({table: [row], "ExtensionTables": []})


def group_of(ds: Dataset, table: str) -> str:
    """Return the group that a posting process's parameters name. Raises a 400 refusal if they name none."""
    rows = ds.get(table, [])
    if len(rows) != 1 or any(name not in rows[0] for name in PARAMETER_COLUMNS):
        raise bad_input(f"The dataset must hold the one {table} row that GetNewParameters gave.")
    if not rows[0]["GroupID"]:
        raise business("Group is required.", table=table, field="GroupID")
    return str(rows[0]["GroupID"])


def check_agent(call: Call) -> None:
    """Raise a 400 refusal unless the call names a task agent."""
    if not call.text("agentID"):
        raise business("Task agent is required.", field="agentID")


@method(INVOICE_POSTING, "GetNewParameters")
def _new_parameters(call: Call) -> Body:
    return new_parameters("APInvoicePostParam")


@method(INVOICE_POSTING, "RunDirect", "ds")
def _run(call: Call) -> Body:
    _post(call, group_of(call.ds, "APInvoicePostParam"))
    return reply()


@method(INVOICE_POSTING, "SubmitToAgent", "ds agentID agentSchedNum agentTaskNum maintProgram")
def _submit(call: Call) -> Body:
    check_agent(call)
    return _run(call)


def _post(call: Call, name: str) -> None:
    """Post every invoice of a group that may be; the rest stays, with the reasons in PostErrorLog."""
    database = call.database
    group = guard_group(database, "APInvGrp", name, call.user)
    problems = []
    for row in [row for row in database["APInvHed"].all() if row["GroupID"] == group["GroupID"] and not row["Posted"]]:
        reason = _obstacle(call, row)
        if reason:
            problems.append(f"Invoice {row['InvoiceNum']}: {reason}")
            continue
        database.change("APInvHed", row, {"Posted": True, "OpenPayable": row["DocInvoiceAmt"] != 0}, **call.who)
        for table in ("APInvDtl", "APInvExp"):
            for child in database[table].under(row["VendorNum"], row["InvoiceNum"]):
                database.change(table, child, {"Posted": True}, **call.who)
    database.change("APInvGrp", group, {"PostErrorLog": "\n".join(problems)}, **call.who)


def _obstacle(call: Call, row: Row) -> str:
    """Return why an invoice cannot be posted, or nothing."""
    lines = call.database["APInvDtl"].under(row["VendorNum"], row["InvoiceNum"])
    if row["InvoiceHeld"]:
        return "the invoice is held"
    if row["DocInvoiceVariance"] != 0:
        return f"variance of {row['DocInvoiceVariance']}"
    if is_closed(call.state, row["ApplyDate"]):
        return "the apply date is in a closed fiscal period"
    if not lines:
        return "the invoice has no lines"
    without = [line for line in lines if not call.database["APInvExp"].under(*_key(line))]
    return f"line {without[0]['InvoiceLine']} has no GL account" if without else ""


def _key(line: Row) -> tuple[int, str, int]:
    return line["VendorNum"], line["InvoiceNum"], line["InvoiceLine"]
