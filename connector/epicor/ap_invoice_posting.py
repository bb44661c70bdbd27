"""Posting a group of captured AP invoices, for tenants that want it done for them (epicor.md 5.6, unknown D11).

Epicor posts what it can and tells about the rest in the group's error log, not in the reply; so whether an invoice is
posted is for the caller to read.
"""

from __future__ import annotations

from connector.epicor.client import EpicorClient
from connector.epicor.datasets import dataset, put, refuse, rows
from connector.epicor.groups import INVOICE_GROUPS, InvoiceGroup, find_group, require_free
from connector.epicor.records import text

GROUPS = "Erp.BO.APInvGrpSvc"
POST = "Erp.PROC.APInvoicePostSvc"


def post_group(client: EpicorClient, group_id: str) -> None:
    """Post the group, unless Epicor has removed it, as it does with one that is posted.

    Raises ``Held``: ``group_locked``, ``group_posting``, ``posting_refused`` with what the error log says, or what a
    message means; ``Uncertain`` if the posting may have run.
    """
    group = find_group(client, INVOICE_GROUPS, group_id, InvoiceGroup)
    if group is None:
        return
    require_free(client, group)
    before = client.method(GROUPS, "PrePostGroupInvoices", {"PostGroupID": group_id}, writes=True)
    says = " ".join(str(before.get(name) or "") for name in ("ReturnMessage", "VarianceMessage")).strip()
    if says:
        raise refuse(says, operation="PrePostGroupInvoices", code="posting_refused", show=client.show)
    ds = dataset(client.method(POST, "GetNewParameters", {}, writes=False), "GetNewParameters", name="returnObj")
    for row in rows(ds, "APInvoicePostParam"):
        put(row, {"GroupID": group_id})
    client.method(POST, "RunDirect", {"ds": ds}, writes=True)
    after = find_group(client, INVOICE_GROUPS, group_id, InvoiceGroup)
    if after is not None and text(after.post_error_log):
        raise refuse(text(after.post_error_log), operation="Posting", code="posting_refused", show=client.show)
