"""POST to an entity set: stored through UpdateExt, so the defaulting of the UI does not run (epicor.md section 3).

The trap of epicor.md 5.4 is here: a line posted to ``APInvDtls`` has no GL distribution at all unless
``UpdateExtCreateLineGL`` is true.
"""

from __future__ import annotations

from typing import Any

from connector.sandbox.epicor.calls import Call, typed
from connector.sandbox.epicor.errors import API, Refused, bad_query, business
from connector.sandbox.epicor.groups import MAX_GROUP_ID, is_closed
from connector.sandbox.epicor.invoice_distributions import save_line
from connector.sandbox.epicor.invoice_entry import open_invoice
from connector.sandbox.epicor.invoice_update import add_header, recalculate
from connector.sandbox.epicor.state import EpicorState
from connector.sandbox.epicor.store import Database
from connector.sandbox.seed import KINDS, TEMPLATES, Row


def create_in_set(state: EpicorState, database: Database, service: str, name: str, given: dict[str, Any]) -> Row:
    """Create one row through its set and return it. Raises 405 for a set that takes no rows here."""
    makers = {"APInvGrps": ("APInvGrp", _group), "APInvoices": ("APInvHed", _header), "APInvDtls": ("APInvDtl", _line)}
    if name not in makers:
        raise Refused(405, API, "The requested resource does not support http method 'POST'.")
    table, make = makers[name]
    kinds = KINDS[table]
    for column in given:
        if column not in kinds and not column.endswith("_c"):
            raise bad_query(f"Could not find a property named '{column}' on type 'Erp.{table}'.")
    row = TEMPLATES[table] | {column: typed(column, kinds.get(column, ""), value) for column, value in given.items()}
    return make(Call(state, database, service, {}), row)


def _group(call: Call, row: Row) -> Row:
    if not row["GroupID"] or len(row["GroupID"]) > MAX_GROUP_ID:
        raise business(f"Group must have 1 to {MAX_GROUP_ID} characters.", table="APInvGrp", field="GroupID")
    if call.database["APInvGrp"].get(row["GroupID"]) is not None:
        raise business("The Group already exists.", table="APInvGrp", field="GroupID")
    today = call.state.today
    defaults = {"ApplyDate": row["ApplyDate"] or call.state.stamp, "CreatedBy": call.user, "ActiveUserID": ""}
    return call.database.insert(
        "APInvGrp", row | defaults | {"FiscalYear": today.year, "FiscalPeriod": today.month}, **call.who
    )


def _header(call: Call, row: Row) -> Row:
    row = row | {"ApplyDate": row["ApplyDate"] or row["InvoiceDate"]}
    if is_closed(call.state, row["ApplyDate"]):
        raise business("The apply date is not in an open fiscal period.", table="APInvHed", field="ApplyDate")
    return add_header(call, row)


def _line(call: Call, row: Row) -> Row:
    header = open_invoice(call, row["VendorNum"], row["InvoiceNum"])
    stored = call.database["APInvDtl"].under(header["VendorNum"], header["InvoiceNum"])
    number = row["InvoiceLine"] or max((line["InvoiceLine"] for line in stored), default=0) + 1
    values = row | {"InvoiceLine": number, "LineType": row["LineType"] or "M", "VendorQty": row["VendorQty"] or 1}
    line = save_line(call, header, values | {"RowMod": "A", "DebitMemo": header["DebitMemo"]}, None,
                     with_account=row["UpdateExtCreateLineGL"])  # fmt: skip
    recalculate(call, header["VendorNum"], header["InvoiceNum"])
    return line
