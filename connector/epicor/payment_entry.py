"""Writing an AP payment that AvidXchange has already made: group, header, allocations, posting, void (epicor.md 6).

Like ``ap_invoice_entry`` one function a step, resumed by looking. A header is found again by the AvidXchange payment id
in ``identity_field``; what a step did is read back from Epicor and never taken from a reply. The order of calls is that
of public payment generators; no public REST client creates payments end to end, so a pilot company comes first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import msgspec

from connector.epicor import odata
from connector.epicor.client import EpicorClient
from connector.epicor.datasets import Dataset, dataset, is_true, new_row, put, refuse, rows, stamp
from connector.epicor.drafts import AllocationDraft, PaymentDraft
from connector.epicor.groups import CHECK_GROUPS, CheckGroup, find_group, find_or_make, require_free
from connector.epicor.records import ALLOCATIONS, PAYMENTS, Allocation, EntitySet, Payment, columns, text
from connector.transport.errors import Held, Rejected, System, Uncertain

GROUPS = "Erp.BO.APChkGrpSvc"
PAYMENT = "Erp.BO.PaymentEntrySvc"
VOID = "Erp.BO.VoidPaymentSvc"
POST = "Erp.PROC.APPaymentPostSvc"

#: The void screen's view of CheckHed. PaymentEntries may leave out what is posted (epicor.md 6.3), this one does not.
POSTED_PAYMENTS = EntitySet(VOID, "VoidPayments", ("HeadNum",), Payment)


def ensure_group(client: EpicorClient, group_id: str, draft: PaymentDraft) -> None:
    """Make the payment group with its bank account, pay method and check date if it is not there.

    Raises ``Held``: ``group_locked`` naming who holds it, ``group_other_bank`` if it pays from another account.
    """
    group = find_or_make(client, CHECK_GROUPS, group_id, CheckGroup, make=lambda: _make_group(client, group_id, draft))
    if group is not None and text(group.bank_acct_id).lower() != draft.bank_account_id.lower():
        raise Held(
            f"Group {group_id} pays from bank account {text(group.bank_acct_id)}, not from {draft.bank_account_id}.",
            system=System.EPICOR,
            code="group_other_bank",
            hint="Post or delete that group in Epicor; a new one is made then.",
        )


def _make_group(client: EpicorClient, group_id: str, draft: PaymentDraft) -> None:
    reply = client.method(GROUPS, "GetNewAPChkGrpNoLock", {"ds": {"APChkGrp": []}}, writes=False)
    ds = dataset(reply, "GetNewAPChkGrpNoLock")
    put(new_row(ds, "APChkGrp", "GetNewAPChkGrpNoLock"), {"GroupID": group_id})
    ds = _change(client, GROUPS, "OnChangeBankAcctID", {"ds": ds, "pcBankAcctID": draft.bank_account_id})
    ds = _change(client, GROUPS, "OnChangePayMethod", {"ds": ds, "vPMUID": draft.payment_method_id})
    put(new_row(ds, "APChkGrp", "OnChangePayMethod"), {"CheckDate": stamp(draft.check_date)})
    client.method(GROUPS, "Update", {"ds": ds}, writes=True)


def find(client: EpicorClient, *, identity_field: str, identity: str, vendor_num: int) -> list[Payment]:
    """Return the vendor's payments that carry this identity, unposted, posted and voided, in the order of HeadNum.

    The server may compare without case; a known column is compared again here, where case counts.
    """
    column = next((item.name for item in msgspec.structs.fields(Payment) if item.encode_name == identity_field), "")
    where = odata.and_(odata.eq("VendorNum", vendor_num), odata.eq(identity_field, identity))
    found: dict[int, Payment] = {}
    for entity in (PAYMENTS, POSTED_PAYMENTS):
        for row in client.find(entity, where):
            if isinstance(row, Payment) and (not column or text(getattr(row, column)) == identity):
                found.setdefault(row.head_num, row)
    return [found[head_num] for head_num in sorted(found)]


def standing(client: EpicorClient, *, identity_field: str, identities: Sequence[str]) -> dict[str, Payment]:
    """Return which of these identities a payment that is not void carries, unposted or posted: a few dozen a question.

    Of several payments with one identity the first is returned; that there are several is for ``find`` to see. Raises
    ``KeyError`` for a column that a payment does not have.
    """
    column = {item.encode_name: item.name for item in msgspec.structs.fields(Payment)}[identity_field]
    room = odata.MAX_QUERY - len(",".join(columns(Payment))) - 500
    found: dict[str, Payment] = {}
    for entity in (PAYMENTS, POSTED_PAYMENTS):
        for clause in odata.any_of(identity_field, identities, room=max(room, 300)):
            for row in client.find(entity, clause):
                if isinstance(row, Payment) and not row.voided:
                    found.setdefault(text(getattr(row, column)), row)
    return {name: found[name] for name in identities if name in found}


def create_header(client: EpicorClient, group_id: str, draft: PaymentDraft) -> int:
    """Save the payment's header and return its HeadNum.

    Number and date are known, so it is a manual payment (6.2). Raises ``Rejected`` (``check_number_used``) if the bank
    account has that check number.
    """
    reply = client.method(PAYMENT, "CreateNewCheckHed", {"ds": {}, "pcGroupID": group_id}, writes=True)
    ds = dataset(reply, "CreateNewCheckHed", writes=True)
    ds = _change(client, PAYMENT, "OnChangeVendor", {"ds": ds, "pcVendorID": draft.vendor_id})
    header = _marked(ds, "CheckHed")
    if header.get("VendorNum") != draft.vendor_num:
        raise Held(
            f"Vendor {draft.vendor_id} is no longer vendor number {draft.vendor_num} in Epicor.",
            system=System.EPICOR,
            code="vendor_changed",
            hint="The vendor ID was given to another vendor. Review the vendor's mapping.",
        )
    if header.get("CurrencyCode") != draft.currency:
        ds = _change(client, PAYMENT, "OnChangeCurrency", {"ds": ds, "pCurrencyCode": draft.currency})
    ds = _change(client, PAYMENT, "OnChangeManualPrint", {"ds": ds, "plManualPrint": True})
    ds = _change(client, PAYMENT, "OnChangeCheckNum", {"ds": ds, "piCheckNum": draft.check_number})
    ds = _change(client, PAYMENT, "OnChangeCheckDate", {"ds": ds, "pdtCheckDate": draft.check_date})
    header = _marked(ds, "CheckHed")
    put(header, {draft.reference_field: draft.reference, draft.identity_field: draft.identity})
    if header.get("PMUID") != draft.payment_method_id:
        put(header, {"PMUID": draft.payment_method_id})
    return _save_header(client, ds)


def _save_header(client: EpicorClient, ds: Dataset) -> int:
    reply = client.method(PAYMENT, "PreUpdate", {"ds": ds}, writes=False)
    if is_true(reply.get("requiresUserInput")):
        raise refuse("", operation="PreUpdate", code="needs_user_input")
    known = int(str(_marked(ds, "CheckHed").get("HeadNum") or 0))
    saved = dataset(client.method(PAYMENT, "Update", {"ds": ds}, writes=True), "Update", writes=True)
    numbers = [int(row["HeadNum"]) for row in rows(saved, "CheckHed") if row.get("HeadNum")]
    if known in numbers:
        return known
    if not numbers:
        raise Uncertain("Update: the answer does not show the payment.", system=System.EPICOR, code="answer_unreadable")
    return numbers[-1]


def allocate(client: EpicorClient, head_num: int, allocation: AllocationDraft) -> None:
    """Take one amount off one invoice: gross off the balance, of which the discount is not cash (6.1).

    Raises ``Rejected`` (``over_allocated``) if the invoice has less open, ``Held`` for a question asked back.
    """
    reply = client.method(PAYMENT, "GetByID", {"headNum": head_num}, writes=False)
    ds = dataset(reply, "GetByID", name="returnObj")
    new = {"ds": ds, "headNum": head_num, "apTranNo": 0, "invoiceNum": ""}
    ds = _change(client, PAYMENT, "GetNewAPTran", new)
    chosen = {"ds": ds, "pcInvoiceNum": allocation.invoice_num, "pcChangeExchangeRateResponse": "Yes"}
    ds = _change(client, PAYMENT, "OnChangeInvoiceNum", chosen)
    ds = _change(client, PAYMENT, "OnChangeDocTranAmt", {"ds": ds, "pdDocTranAmt": allocation.amount})
    # Always, because the server may have filled in a discount by the terms.
    ds = _change(client, PAYMENT, "OnChangeDocDiscAmt", {"ds": ds, "pdDocDiscAmt": allocation.discount})
    client.method(PAYMENT, "Update", {"ds": ds}, writes=True)


def allocations(client: EpicorClient, head_num: int) -> list[Allocation]:
    """Return what a payment takes off invoices, reversals (``voided``) included."""
    found = client.find(ALLOCATIONS, odata.eq("HeadNum", head_num))
    return [row for row in found if isinstance(row, Allocation)]


def post_group(client: EpicorClient, group_id: str) -> None:
    """Post the group and look at its error log; whether a payment is posted is for the caller to read.

    Raises ``Held``: ``group_locked``, ``check_number_missing``, ``posting_not_allowed``, ``posting_refused``, or what
    a message means; ``Uncertain`` if the posting may have run.
    """
    group = find_group(client, CHECK_GROUPS, group_id, CheckGroup)
    if group is None:
        raise Rejected(f"Group {group_id} is not there.", system=System.EPICOR, code="not_found")
    require_free(client, group)
    numbered = client.method(PAYMENT, "CheckAllCheckNumsAssigned", {"groupID": group_id}, writes=False)
    if not is_true(numbered.get("returnObj")):
        raise refuse("A payment of the group has no number.", operation="Posting", code="check_number_missing")
    allowed = client.method(PAYMENT, "PostAllowed", {"pcGroupID": group_id}, writes=False)
    if not is_true(allowed.get("allowed")):
        raise refuse("Epicor does not allow this group to be posted.", operation="Posting", code="posting_not_allowed")
    before = client.method(GROUPS, "PrePostGrp", {"postGroupID": group_id}, writes=True)
    says = " ".join(str(before.get(name) or "") for name in ("taxRecMessage", "LNMessage")).strip()
    if says:
        raise refuse(says, operation="PrePostGrp", code="needs_user_input", show=client.show)
    ds = dataset(client.method(POST, "GetNewParameters", {}, writes=False), "GetNewParameters", name="returnObj")
    for row in rows(ds, "APPaymentPostProcess"):
        put(row, {"GroupID": group_id})
    client.method(POST, "RunDirect", {"ds": ds}, writes=True)
    after = find_group(client, CHECK_GROUPS, group_id, CheckGroup)
    if after is not None and text(after.post_error_log):
        raise refuse(text(after.post_error_log), operation="Posting", code="posting_refused", show=client.show)


def delete_unposted(client: EpicorClient, head_num: int) -> None:
    """Delete an unposted payment with its allocations; one that is gone already is fine."""
    try:
        client.method(PAYMENT, "DeleteByID", {"headNum": head_num}, writes=True)
    except Rejected as error:
        if error.code != "not_found":
            raise


def void(client: EpicorClient, head_num: int, *, void_date: date, bank_account_id: str) -> None:
    """Void a posted payment, which reopens its invoices (6.3). Whether it is voided is for the caller to read.

    Raises ``Held`` (``void_question``, ``void_refused``) where Epicor asks or declines.
    """
    ds = dataset(client.method(VOID, "GetByID", {"headNum": head_num}, writes=False), "GetByID", name="returnObj")
    question = {
        "headNum": head_num,
        "fromAutoBankRec": False,
        "bankAcctID": bank_account_id,
        "cashBookNum": 0,
        "cashBookLine": 0,
    }
    check = client.method(VOID, "CheckBeforeVoid", question, writes=False)
    if str(check.get("message") or "").strip():
        raise refuse(str(check["message"]), operation="CheckBeforeVoid", code="void_question", show=client.show)
    for row in rows(ds, "CheckHed"):
        if row.get("HeadNum") == head_num:
            put(row, {"SelectedForAction": True, "RowMod": "U"})
    ds = _change(client, VOID, "SetVoidDate", {"ds": ds, "HeadNum": head_num, "VoidDate": void_date})
    reply = client.method(VOID, "VoidSelectedChecks", {"ds": ds, "singleVoid": True}, writes=True)
    if not is_true(reply.get("allOK")):
        raise refuse("Epicor did not void the payment.", operation="VoidSelectedChecks", code="void_refused")


def _change(client: EpicorClient, service: str, method: str, question: Mapping[str, object]) -> Dataset:
    """Call a method that only computes and return the dataset it changed; a question it asks back is for a person."""
    reply = client.method(service, method, question, writes=False)
    if str(reply.get("pcQuestion") or "").strip():
        raise refuse(str(reply["pcQuestion"]), operation=method, code="needs_user_input", show=client.show)
    return dataset(reply, method)


def _marked(ds: Dataset, table: str) -> dict[str, object]:
    """The row being entered: the last one marked A or U, else the last one."""
    found = rows(ds, table)
    for row in reversed(found):
        if row.get("RowMod") in {"A", "U"}:
            return row
    if not found:
        raise Held(f"The answer holds no row of {table}.", system=System.EPICOR, code="answer_unreadable")
    return found[-1]
