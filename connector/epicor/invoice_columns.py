"""One column of an AP invoice's header, read and written by name: where a tenant wants the approval to be seen.

The column is the tenant's choice, mostly one of its own (``_c``), so it is none of ``records.Invoice``. It is written
through UpdateExt, because a posted invoice is closed to the entry program (epicor.md 3, 4.5). UpdateExt answers HTTP
200 also when it wrote nothing: the errors are rows of the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connector.epicor.client import EpicorClient
from connector.epicor.datasets import Dataset, TableRow, dataset, is_true, put, refuse, rows
from connector.transport.errors import Held, Rejected, System

INVOICES = "Erp.BO.APInvoiceSvc"
HEADER = "APInvHed"


def read_column(client: EpicorClient, vendor_num: int, invoice_num: str, column: str) -> str:
    """Return a header column as text.

    Raises ``Rejected`` (``not_found``) for an invoice that is not there and ``Held`` (``column_missing``) for a column
    that this Epicor does not have.
    """
    row = _header(_document(client, vendor_num, invoice_num), invoice_num)
    if column not in row:
        raise Held(
            f"Epicor's AP invoices have no column {column}.",
            system=System.EPICOR,
            code="column_missing",
            hint="Correct the tenant's option approval_column, or add the column in Epicor.",
        )
    return str(row[column] or "").strip()


def write_column(client: EpicorClient, vendor_num: int, invoice_num: str, column: str, value: str) -> None:
    """Set a header column through UpdateExt, the rest of the invoice as it stands.

    Raises ``Held`` (what the words mean, else ``not_saved``) if Epicor says that it did not.
    """
    ds = _document(client, vendor_num, invoice_num)
    row = _header(ds, invoice_num)
    put(row, {column: value})
    row["RowMod"] = "U"
    question = {"ds": {HEADER: [row]}, "continueProcessingOnError": False, "rollbackParentOnChildError": True}
    _check(client.method(INVOICES, "UpdateExt", question, writes=True))


def _document(client: EpicorClient, vendor_num: int, invoice_num: str) -> Dataset:
    key = {"vendorNum": vendor_num, "invoiceNum": invoice_num}
    return dataset(client.method(INVOICES, "GetByID", key, writes=False), "GetByID", name="returnObj")


def _header(ds: Dataset, invoice_num: str) -> TableRow:
    found = rows(ds, HEADER)
    if len(found) != 1:
        raise Rejected(f"Epicor has no invoice {invoice_num}.", system=System.EPICOR, code="not_found")
    return found[0]


def _check(reply: Mapping[str, Any]) -> None:
    """Raise ``Held`` if the answer carries errors, flagged or not."""
    told = reply.get("returnObj")
    errors = rows(told, "BOUpdError") if isinstance(told, Mapping) else []
    if errors or is_true(reply.get("errorsOccurred")):
        words = "; ".join(str(row.get("ErrorText") or "").strip() for row in errors)
        raise refuse(words, operation="UpdateExt", code="not_saved")
