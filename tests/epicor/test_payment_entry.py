"""Writing an AP payment against the stand-in: balances before and after, refusals, stops at every write, the void."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from connector.epicor import payment_entry as entry
from connector.epicor.drafts import AllocationDraft, PaymentDraft
from connector.sandbox.seed import Row
from connector.transport.errors import ConnectorError, Held, Rejected, Uncertain
from tests.epicor.connected import Connected, connected, open_invoice, payment_draft

GROUP = "AVP1"


def found(here: Connected, draft: PaymentDraft) -> list[Any]:
    return entry.find(
        here.client, identity_field=draft.identity_field, identity=draft.identity, vendor_num=draft.vendor_num
    )


def write(here: Connected, draft: PaymentDraft) -> int:
    """The whole posting up to the allocations, as a stage drives it."""
    entry.ensure_group(here.client, GROUP, draft)
    head_num = entry.create_header(here.client, GROUP, draft)
    for allocation in draft.allocations:
        entry.allocate(here.client, head_num, allocation)
    return head_num


def write_and_post(here: Connected, draft: PaymentDraft) -> None:
    write(here, draft)
    entry.post_group(here.client, GROUP)


def balances(here: Connected, invoice: Row) -> tuple[Decimal, Decimal, bool]:
    row = here.world.stored("APInvHed", invoice["VendorNum"], invoice["InvoiceNum"])
    return row["DocUnpostedBal"], row["DocInvoiceBal"], row["OpenPayable"]


def allocated(here: Connected, head_num: int) -> list[tuple[str, Decimal, Decimal, bool, bool]]:
    rows = entry.allocations(here.client, head_num)
    return [(row.invoice_num, row.doc_tran_amt, row.doc_disc_amt, row.posted, row.voided) for row in rows]


def test_a_payment_lowers_the_unposted_balance_and_posting_the_real_one() -> None:
    with connected() as here:
        invoice = open_invoice(here)
        total, number = invoice["DocInvoiceBal"], invoice["InvoiceNum"]
        draft = payment_draft(here, invoice)
        head_num = write(here, draft)
        assert balances(here, invoice) == (Decimal(0), total, True)
        entry.post_group(here.client, GROUP)
        assert balances(here, invoice) == (Decimal(0), Decimal(0), False)
        assert allocated(here, head_num) == [(number, total, Decimal(0), True, False)]
        [payment] = found(here, draft)
        assert (payment.head_num, payment.posted, payment.voided, payment.doc_check_amt) == (
            head_num,
            True,
            False,
            total,
        )
        stored = here.world.stored("CheckHed", head_num)
        values = {name: stored[name] for name in (
            "BankAcctID", "CheckNum", "CheckDate", "ManualPrint", "PMUID", "VendorNum", "XRefCheckNum", "Description",
            "CurrencyCode", "GroupID",
        )}  # fmt: skip
        assert values == {
            "BankAcctID": "AVID", "CheckNum": 777001, "CheckDate": "2026-11-23T00:00:00", "ManualPrint": True,
            "PMUID": draft.payment_method_id, "VendorNum": draft.vendor_num, "XRefCheckNum": "ACH-0001",
            "Description": "avid-pay-1", "CurrencyCode": "USD", "GroupID": stored["GroupID"],
        }  # fmt: skip


def test_a_discount_is_not_cash() -> None:
    with connected() as here:
        invoice = open_invoice(here)
        total = invoice["DocInvoiceBal"]
        draft = payment_draft(here, invoice, discount="2.50")
        head_num = write(here, draft)
        entry.post_group(here.client, GROUP)
        assert allocated(here, head_num) == [(invoice["InvoiceNum"], total, Decimal("2.50"), True, False)]
        assert here.world.stored("CheckHed", head_num)["DocCheckAmt"] == total - Decimal("2.50") == draft.cash
        assert balances(here, invoice) == (Decimal(0), Decimal(0), False)


def test_a_partial_payment_leaves_the_rest_open() -> None:
    with connected() as here:
        invoice = open_invoice(here)
        write(here, payment_draft(here, invoice, amount=Decimal("40.00")))
        entry.post_group(here.client, GROUP)
        rest = invoice["DocInvoiceAmt"] - Decimal("40.00")
        assert balances(here, invoice) == (rest, rest, True)


def test_a_payment_over_several_invoices_and_a_credit() -> None:
    with connected(invoices=120) as here:
        untouched = [
            row for row in here.rows("APInvHed")
            if row["Posted"] and row["OpenPayable"] and not row["PayHold"] and row["CurrencyCode"] == "USD"
            and row["DocUnpostedBal"] == row["DocInvoiceBal"]
        ]  # fmt: skip
        memo, invoice = next(
            (memo, invoice) for memo in untouched for invoice in untouched
            if memo["DebitMemo"] and not invoice["DebitMemo"] and memo["VendorNum"] == invoice["VendorNum"]
            and invoice["DocInvoiceBal"] + memo["DocInvoiceBal"] > 0
        )  # fmt: skip
        taken, credit = invoice["DocInvoiceBal"], memo["DocInvoiceBal"]
        draft = msgspec.structs.replace(
            payment_draft(here, invoice),
            allocations=(
                AllocationDraft(invoice_num=invoice["InvoiceNum"], amount=taken),
                AllocationDraft(invoice_num=memo["InvoiceNum"], amount=credit),
            ),
        )
        head_num = write(here, draft)
        entry.post_group(here.client, GROUP)
        assert credit < 0
        assert here.world.stored("CheckHed", head_num)["DocCheckAmt"] == taken + credit
        assert balances(here, invoice) == balances(here, memo) == (Decimal(0), Decimal(0), False)


def test_a_void_reopens_the_invoice_and_keeps_both_rows() -> None:
    with connected() as here:
        invoice = open_invoice(here)
        total, number = invoice["DocInvoiceBal"], invoice["InvoiceNum"]
        draft = payment_draft(here, invoice)
        head_num = write(here, draft)
        entry.post_group(here.client, GROUP)
        entry.void(here.client, head_num, void_date=here.today, bank_account_id="AVID")
        assert balances(here, invoice) == (total, total, True)
        assert allocated(here, head_num) == [
            (number, total, Decimal(0), True, False), (number, -total, Decimal(0), True, True),
        ]  # fmt: skip
        [payment] = found(here, draft)
        assert payment.voided


def test_a_void_that_epicor_asks_about_is_held_and_not_done() -> None:
    with connected() as here:
        invoice = open_invoice(here)
        draft = payment_draft(here, invoice)
        head_num = write(here, draft)
        entry.post_group(here.client, GROUP)
        here.world.edit("CheckHed", {"HeadNum": head_num}, ClearedCheck=True)
        with pytest.raises(Held) as caught:
            entry.void(here.client, head_num, void_date=here.today, bank_account_id="AVID")
        assert caught.value.code == "void_question"
        assert "already been cleared" in caught.value.message
        assert not here.world.stored("CheckHed", head_num)["Voided"]


def test_a_payment_is_found_unposted_posted_and_where_the_entry_screen_hides_it() -> None:
    with connected(payment_entries="unposted") as here:
        draft = payment_draft(here, open_invoice(here))
        assert found(here, draft) == []
        head_num = write(here, draft)
        assert [payment.head_num for payment in found(here, draft)] == [head_num]
        entry.post_group(here.client, GROUP)
        assert [(payment.head_num, payment.posted) for payment in found(here, draft)] == [(head_num, True)]


def test_many_payments_are_asked_for_at_once_and_void_ones_do_not_stand() -> None:
    with connected() as here:
        draft = payment_draft(here, open_invoice(here))
        first = msgspec.structs.replace(draft, identity="AvidXchange payment 1")
        write_and_post(here, first)
        wanted = [f"AvidXchange payment {number}" for number in range(60)]

        def standing() -> dict[str, int]:
            rows = entry.standing(here.client, identity_field=first.identity_field, identities=wanted)
            return {name: row.head_num for name, row in rows.items()}

        [posted] = found(here, first)
        assert standing() == {first.identity: posted.head_num}
        bank = first.bank_account_id
        entry.void(here.client, posted.head_num, void_date=first.check_date, bank_account_id=bank)
        assert standing() == {}


def test_an_identity_in_another_case_is_another_payment() -> None:
    """The server compares texts without case (field lessons 3)."""
    with connected() as here:
        draft = payment_draft(here, open_invoice(here))
        write(here, draft)
        assert found(here, msgspec.structs.replace(draft, identity="AVID-PAY-1")) == []


def test_an_unposted_payment_is_deleted_and_deleting_it_again_is_fine() -> None:
    with connected() as here:
        invoice = open_invoice(here)
        head_num = write(here, payment_draft(here, invoice))
        entry.delete_unposted(here.client, head_num)
        assert balances(here, invoice) == (invoice["DocInvoiceAmt"], invoice["DocInvoiceAmt"], True)
        entry.delete_unposted(here.client, head_num)
        assert head_num not in [row["HeadNum"] for row in here.rows("CheckHed")]


# -- refusals ------------------------------------------------------------------------------------------------------


def test_taking_more_than_is_open_is_refused_and_nothing_allocated() -> None:
    with connected() as here:
        invoice = open_invoice(here)
        draft = payment_draft(here, invoice, amount=invoice["DocInvoiceBal"] + Decimal("0.01"))
        with pytest.raises(Rejected) as caught:
            write(here, draft)
        assert caught.value.code == "over_allocated"
        [payment] = found(here, draft)
        assert allocated(here, payment.head_num) == []


def test_an_invoice_on_hold_is_for_a_person() -> None:
    with connected() as here:
        invoice = open_invoice(here)
        key = {"VendorNum": invoice["VendorNum"], "InvoiceNum": invoice["InvoiceNum"]}
        here.world.edit("APInvHed", key, PayHold=True)
        with pytest.raises(Held) as caught:
            write(here, payment_draft(here, invoice))
        assert caught.value.code == "invoice_not_payable"


def test_a_check_number_that_is_used_is_refused() -> None:
    with connected() as here:
        draft = payment_draft(here, open_invoice(here))
        write(here, draft)
        with pytest.raises(Rejected) as caught:
            entry.create_header(here.client, GROUP, msgspec.structs.replace(draft, identity="avid-pay-2"))
        assert caught.value.code == "check_number_used"


def test_a_group_of_another_bank_account_is_not_used() -> None:
    with connected() as here:
        draft = payment_draft(here, open_invoice(here))
        entry.ensure_group(here.client, GROUP, draft)
        other = next(row["BankAcctID"] for row in here.rows("BankAcct") if row["BankAcctID"] != "AVID")
        with pytest.raises(Held) as caught:
            entry.ensure_group(here.client, GROUP, msgspec.structs.replace(draft, bank_account_id=other))
        assert caught.value.code == "group_other_bank"


def test_a_group_somebody_holds_is_named_with_its_holder() -> None:
    with connected() as here:
        draft = payment_draft(here, open_invoice(here))
        write(here, draft)
        here.world.edit("APChkGrp", {"GroupID": GROUP}, ActiveUserID="kim")
        for act in (
            lambda: entry.ensure_group(here.client, GROUP, draft),
            lambda: entry.create_header(here.client, GROUP, draft),
            lambda: entry.post_group(here.client, GROUP),
        ):
            with pytest.raises(Held) as caught:
                act()
            assert caught.value.code == "group_locked"
            assert "kim" in caught.value.message


def test_a_payment_without_a_number_is_not_posted() -> None:
    with connected() as here:
        invoice = open_invoice(here)
        draft = payment_draft(here, invoice)
        head_num = write(here, draft)
        here.world.edit("CheckHed", {"HeadNum": head_num}, CheckNum=0)
        with pytest.raises(Held) as caught:
            entry.post_group(here.client, GROUP)
        assert caught.value.code == "check_number_missing"
        assert not here.world.stored("CheckHed", head_num)["Posted"]


def test_what_the_posting_writes_into_the_groups_log_is_shown() -> None:
    with connected() as here:
        draft = payment_draft(here, open_invoice(here))
        write(here, draft)
        here.world.edit("APChkGrp", {"GroupID": GROUP}, PostErrorLog="")
        here.fault(kind="status", status=200, path="RunDirect", body={}, headers={"Content-Type": "application/json"})
        entry.post_group(here.client, GROUP)  # the reply is no proof and the log is empty: the caller reads Posted
        assert not found(here, draft)[0].posted
        here.world.edit("APChkGrp", {"GroupID": GROUP}, PostErrorLog="Fiscal period 11 is closed.")
        here.fault(kind="status", status=200, path="RunDirect", body={}, headers={"Content-Type": "application/json"})
        with pytest.raises(Held) as caught:
            entry.post_group(here.client, GROUP)
        assert caught.value.code == "period_closed"


def test_posting_a_group_that_is_not_there_is_refused() -> None:
    with connected() as here, pytest.raises(Rejected) as caught:
        entry.post_group(here.client, "NONE")
    assert caught.value.code == "not_found"


def test_a_vendor_id_given_to_another_vendor_is_noticed() -> None:
    with connected() as here:
        draft = msgspec.structs.replace(payment_draft(here, open_invoice(here)), vendor_num=999_999)
        entry.ensure_group(here.client, GROUP, draft)
        with pytest.raises(Held) as caught:
            entry.create_header(here.client, GROUP, draft)
        assert caught.value.code == "vendor_changed"


# -- stops ---------------------------------------------------------------------------------------------------------


def resume(here: Connected, draft: PaymentDraft) -> int:
    """Look, then call the steps that are missing."""
    entry.ensure_group(here.client, GROUP, draft)
    there = found(here, draft)
    head_num = there[0].head_num if there else entry.create_header(here.client, GROUP, draft)
    done = {row.invoice_num for row in entry.allocations(here.client, head_num)}
    for allocation in draft.allocations:
        if allocation.invoice_num not in done:
            entry.allocate(here.client, head_num, allocation)
    if not found(here, draft)[0].posted:
        entry.post_group(here.client, GROUP)
    return head_num


@pytest.mark.parametrize("kind", ["reset_before", "reset_after"])
@pytest.mark.parametrize(
    ("path", "skip"),
    [("APChkGrpSvc/Update", 0), ("CreateNewCheckHed", 0), ("PaymentEntrySvc/Update", 0), ("PaymentEntrySvc/Update", 1),
     ("PrePostGrp", 0), ("RunDirect", 0)],
)  # fmt: skip
def test_a_posting_that_stopped_at_any_write_is_resumed_to_the_same_end(kind: str, path: str, skip: int) -> None:
    with connected() as here:
        invoice = open_invoice(here)
        total = invoice["DocInvoiceBal"]
        draft = payment_draft(here, invoice)
        here.fault(kind=kind, path=path, skip=skip)
        with pytest.raises(Uncertain):
            write_and_post(here, draft)
        head_num = resume(here, draft)
        assert balances(here, invoice) == (Decimal(0), Decimal(0), False)
        assert allocated(here, head_num) == [(invoice["InvoiceNum"], total, Decimal(0), True, False)]
        assert [payment.head_num for payment in found(here, draft)] == [head_num]


def test_computing_calls_get_over_faults_by_themselves() -> None:
    with connected() as here:
        invoice = open_invoice(here)
        for path in (
            "GetNewAPChkGrpNoLock",
            "OnChangeBankAcctID",
            "OnChangeVendor",
            "PreUpdate",
            "GetNewAPTran",
            "GetByID",
        ):
            here.fault(kind="reset_after", path=path)
        write(here, payment_draft(here, invoice))
        assert balances(here, invoice)[0] == Decimal(0)


def test_errors_of_a_posting_are_all_of_the_five_kinds() -> None:
    """A server that answers nonsense to any step is an error with a name, never a KeyError."""
    with connected() as here:
        invoice = open_invoice(here)
        draft = payment_draft(here, invoice)
        entry.ensure_group(here.client, GROUP, draft)
        json_type = {"Content-Type": "application/json"}
        for path in ("CreateNewCheckHed", "OnChangeVendor", "OnChangeManualPrint", "GetByID", "GetNewAPTran"):
            for body in ({}, {"parameters": {"ds": {}}}, {"parameters": {"ds": None}}):
                here.fault(kind="status", status=200, body=body, path=path, headers=json_type)
                with pytest.raises(ConnectorError):
                    write(here, msgspec.structs.replace(draft, check_number=1000 + len(here.attempts)))
