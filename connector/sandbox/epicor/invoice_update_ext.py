"""UpdateExt of AP invoices: HTTP 200 whatever happens, the errors as rows of the answer (epicor.md section 3).

Of a posted invoice only what has no bearing on the books can be changed; which columns those are is assumed.
"""

from __future__ import annotations

from connector.sandbox.epicor.calls import Body, Call, edited, full_dataset, method, reply
from connector.sandbox.epicor.errors import Refused, business
from connector.sandbox.epicor.groups import changes, current
from connector.sandbox.epicor.invoice_entry import INVOICES
from connector.sandbox.seed import Row

_FREE = frozenset({"Description", "ExternalID", "InvoiceComment", "InvoiceRef", "PayHold"})


@method(INVOICES, "UpdateExt", "ds continueProcessingOnError rollbackParentOnChildError")
def _update_ext(call: Call) -> Body:
    errors: list[Row] = []
    saved: list[Row] = []
    for sent in edited(INVOICES, call.ds, "APInvHed"):
        try:
            saved.append(_save(call, sent))
        except Refused as refusal:
            errors.append(_error(refusal.message, sent))
    return reply({"BOUpdError": errors}, ds=full_dataset(INVOICES, {"APInvHed": saved}), errorsOccurred=bool(errors))


def _save(call: Call, sent: Row) -> Row:
    stored = current(call.database, "APInvHed", sent)
    changed = changes(stored, sent)
    locked = [name for name in changed if name not in _FREE and not name.endswith("_c")]
    if stored["Posted"] and locked:
        raise business(f"The invoice is posted: {', '.join(locked)} cannot be changed.", table="APInvHed")
    return call.database.change("APInvHed", stored, changed, **call.who)


def _error(message: str, sent: Row) -> Row:
    return {
        "TableName": "APInvHed",
        "ErrorLevel": "Error",
        "ErrorType": "BLException",
        "ErrorText": message,
        "ErrorSysRowID": sent["SysRowID"],
    }
