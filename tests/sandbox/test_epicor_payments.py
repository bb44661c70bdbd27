"""AP payments: entered against invoices, posted, voided; balances before and after each step."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from connector.sandbox.seed import Row
from tests.sandbox.epicor_world import (
    PAYMENT_GROUPS,
    PAYMENTS,
    TODAY,
    VOIDS,
    EpicorWorld,
    allocation,
    error,
    make_payment,
    make_payment_group,
    open_invoice,
    post_payments,
)


def balances(world: EpicorWorld, invoice: Row) -> tuple[Decimal, Decimal, bool]:
    """Return DocInvoiceBal, DocUnpostedBal and OpenPayable of an invoice."""
    row = world.stored("APInvHed", invoice["VendorNum"], invoice["InvoiceNum"])
    return row["DocInvoiceBal"], row["DocUnpostedBal"], row["OpenPayable"]


def vendor_id(world: EpicorWorld, invoice: Row) -> str:
    return str(world.stored("Vendor", invoice["VendorNum"])["VendorID"])


def paid(world: EpicorWorld, invoice: Row, amount: str, discount: str = "0", *, check: int = 777001) -> int:
    """Make a payment with one allocation; returns its HeadNum."""
    head = make_payment(world, vendor_id(world, invoice), check=check)
    world.call(PAYMENTS, "Update", ds=allocation(world, head, invoice["InvoiceNum"], amount, discount))
    return head


def test_balances_before_and_after_a_payment_and_its_void() -> None:
    with EpicorWorld() as world:
        invoice = open_invoice(world)
        total = Decimal(invoice["DocInvoiceAmt"])
        part = total - Decimal("0.01")
        before = world.ledger()
        make_payment_group(world)
        assert balances(world, invoice) == (total, total, True)
        head = paid(world, invoice, str(part), "1.00")
        assert balances(world, invoice) == (total, Decimal("0.01"), True)
        assert world.call(PAYMENTS, "CheckAllCheckNumsAssigned", groupID="PAY1")["returnObj"] is True
        assert world.call(PAYMENTS, "PostAllowed", pcGroupID="PAY1")["allowed"] is True
        checked = world.call(PAYMENT_GROUPS, "PrePostGrp", postGroupID="PAY1")
        assert checked == {"taxRecMessage": "", "LNMessage": ""}
        assert post_payments(world) == ""
        assert balances(world, invoice) == (Decimal("0.01"), Decimal("0.01"), True)
        payment = next(row for row in world.ledger()["payments"] if row["HeadNum"] == head)
        assert payment == {
            "HeadNum": head, "GroupID": "PAY1", "Posted": True, "Voided": False, "VendorNum": invoice["VendorNum"],
            "BankAcctID": "AVID", "PMUID": 2, "CheckNum": 777001, "CheckDate": TODAY, "CurrencyCode": "USD",
            "DocCheckAmt": str(part - 1), "DocPaymentTotal": str(part - 1), "XRefCheckNum": "", "PaymentNumber": "",
            "OwnReference": "", "Description": "", "VoidDate": None, "VoidedReason": "",
            "allocations": [{"APTranNo": 1, "InvoiceNum": invoice["InvoiceNum"], "DocTranAmt": str(part),
                             "DocDiscAmt": "1.00", "Voided": False, "Posted": True, "TranDate": TODAY}],
        }  # fmt: skip
        void(world, head)
        assert balances(world, invoice) == (total, total, True)
        after = world.ledger()
        assert after["invoices"] == before["invoices"]
        payment = next(row for row in after["payments"] if row["HeadNum"] == head)
        assert (payment["Voided"], payment["VoidDate"], payment["VoidedReason"]) == (True, TODAY, "Refunded")
        assert [(row["DocTranAmt"], row["DocDiscAmt"], row["Voided"]) for row in payment["allocations"]] == [
            (str(part), "1.00", False),
            (str(-part), "-1.00", True),
        ]


def void(world: EpicorWorld, head: int) -> Row:
    """Void a payment in the order of the contract; returns the reply of the last call."""
    ds = world.call(VOIDS, "GetByID", headNum=head)["returnObj"]
    bank = {"fromAutoBankRec": False, "bankAcctID": "AVID", "cashBookNum": 0, "cashBookLine": 0}
    assert world.call(VOIDS, "CheckBeforeVoid", headNum=head, **bank) == {"returnObj": 0, "message": ""}
    ds = world.call(VOIDS, "SetVoidDate", ds=ds, HeadNum=head, VoidDate="2026-11-23")["ds"]
    ds["CheckHed"][0] |= {"SelectedForAction": True, "VoidedReason": "Refunded", "RowMod": "U"}
    return world.call(VOIDS, "VoidSelectedChecks", ds=ds, singleVoid=True)


def test_paying_all_of_an_invoice_closes_it_and_the_void_opens_it() -> None:
    with EpicorWorld() as world:
        invoice = open_invoice(world)
        total = Decimal(invoice["DocInvoiceAmt"])
        make_payment_group(world)
        head = paid(world, invoice, str(total))
        assert balances(world, invoice) == (total, Decimal(0), True)
        assert post_payments(world) == ""
        assert balances(world, invoice) == (Decimal(0), Decimal(0), False)
        assert void(world, head)["allOK"] is True
        assert balances(world, invoice) == (total, total, True)
        ds = world.call(VOIDS, "GetByID", headNum=head)["returnObj"]
        ds["CheckHed"][0] |= {"SelectedForAction": True, "RowMod": "U"}
        assert error(world.post(VOIDS, "VoidSelectedChecks", {"ds": ds, "singleVoid": True}))[2] == (
            f"Payment {head} is void already."
        )


def test_void_checks_needs_a_void_date_in_an_open_period() -> None:
    with EpicorWorld() as world:
        make_payment_group(world)
        head = paid(world, open_invoice(world), "5.00")
        post_payments(world)
        ds = world.call(VOIDS, "GetByID", headNum=head)["returnObj"]
        ds["CheckHed"][0]["RowMod"] = "U"
        assert error(world.post(VOIDS, "VoidChecks", {"ds": ds}))[2] == "Void date is required."
        body = {"ds": ds, "HeadNum": head, "VoidDate": "2020-01-01"}
        assert error(world.post(VOIDS, "SetVoidDate", body))[2] == "The void date is in a closed fiscal period."
        ds = world.call(VOIDS, "SetVoidDate", ds=ds, HeadNum=head, VoidDate="2026-11-23")["ds"]
        world.call(VOIDS, "VoidChecks", ds=ds)
        assert world.stored("CheckHed", head)["Voided"] is True


def test_a_debit_memo_rides_along_as_a_negative_allocation() -> None:
    with EpicorWorld(invoices=80) as world:
        memo = open_invoice(world, DebitMemo=True)
        invoice = open_invoice(world)
        # One vendor must own both, as in a payment that nets them.
        key = {"VendorNum": memo["VendorNum"], "InvoiceNum": "NETTED"}
        template = world.stored("APInvHed", invoice["VendorNum"], invoice["InvoiceNum"])
        world.state.edit({"company": "EPIC06", "table": "APInvHed", "insert": {**template, **key}})
        make_payment_group(world)
        head = paid(world, key, invoice["DocInvoiceAmt"])
        ds = allocation(world, head, memo["InvoiceNum"], memo["DocInvoiceAmt"])
        world.call(PAYMENTS, "Update", ds=ds)
        cash = Decimal(invoice["DocInvoiceAmt"]) + Decimal(memo["DocInvoiceAmt"])
        assert world.stored("CheckHed", head)["DocCheckAmt"] == cash
        assert error(world.post(PAYMENTS, "Update", {"ds": ds}))[2] == (
            f"Invoice {memo['InvoiceNum']} is already in this payment."
        )


@pytest.mark.parametrize(("more", "discount"), [("0.01", "0"), ("0", "99999999")])
def test_more_than_the_balance_is_refused(more: str, discount: str) -> None:
    with EpicorWorld() as world:
        invoice = open_invoice(world)
        make_payment_group(world)
        head = make_payment(world, vendor_id(world, invoice))
        before = world.ledger()
        amount = str(Decimal(invoice["DocUnpostedBal"]) + Decimal(more))
        ds = allocation(world, head, invoice["InvoiceNum"], amount, discount)
        assert error(world.post(PAYMENTS, "Update", {"ds": ds}))[:2] == (400, "BusinessObjectException")
        assert world.ledger() == before


def test_an_unposted_payment_keeps_a_second_one_from_paying_again() -> None:
    with EpicorWorld() as world:
        invoice = open_invoice(world)
        make_payment_group(world)
        paid(world, invoice, invoice["DocInvoiceAmt"])
        second = make_payment(world, vendor_id(world, invoice), check=777002)
        ds = allocation(world, second, invoice["InvoiceNum"], "0.01")
        assert error(world.post(PAYMENTS, "Update", {"ds": ds}))[2] == (
            f"Amount 0.01 is not within the balance 0.00 of invoice {invoice['InvoiceNum']}."
        )


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"PayHold": True}, "is on payment hold."),
        ({"Posted": False}, "is not open for payment."),
        ({"OpenPayable": False}, "is not open for payment."),
    ],
)
def test_invoices_that_may_not_be_paid(wanted: Row, message: str) -> None:
    with EpicorWorld() as world:
        invoice = open_invoice(world, **wanted)
        make_payment_group(world)
        head = make_payment(world, vendor_id(world, invoice))
        ds = world.call(PAYMENTS, "GetNewAPTran", ds={}, headNum=head, apTranNo=0, invoiceNum="")["ds"]
        body = {"ds": ds, "pcInvoiceNum": invoice["InvoiceNum"], "pcChangeExchangeRateResponse": "Yes"}
        assert error(world.post(PAYMENTS, "OnChangeInvoiceNum", body))[2].endswith(message)


def test_a_check_number_is_unique_in_its_bank_account_even_after_a_void() -> None:
    with EpicorWorld() as world:
        invoice = open_invoice(world)
        make_payment_group(world)
        head = paid(world, invoice, "5.00")
        post_payments(world)
        void(world, head)
        ds = world.call(PAYMENTS, "CreateNewCheckHed", ds={}, pcGroupID="PAY1")["ds"]
        assert ds["CheckHed"][0]["HeadNum"] == head + 1
        without = {"ds": ds, "piCheckNum": 777001}
        assert error(world.post(PAYMENTS, "OnChangeCheckNum", without))[2] == (
            "A check number can be entered for a manual payment only."
        )
        ds = world.call(PAYMENTS, "OnChangeManualPrint", ds=ds, plManualPrint=True)["ds"]
        assert error(world.post(PAYMENTS, "OnChangeCheckNum", {"ds": ds, "piCheckNum": 777001}))[2] == (
            "Check 777001 already exists for bank account AVID."
        )


def test_a_group_with_a_payment_without_number_is_not_posted() -> None:
    with EpicorWorld() as world:
        invoice = open_invoice(world)
        make_payment_group(world)
        first = paid(world, invoice, "5.00")
        second = paid(world, invoice, "6.00", check=0)
        assert world.call(PAYMENTS, "CheckAllCheckNumsAssigned", groupID="PAY1")["returnObj"] is False
        assert post_payments(world) == f"Payment {second}: no check number is assigned"
        assert world.stored("CheckHed", first)["Posted"] is False
        assert balances(world, invoice)[0] == Decimal(invoice["DocInvoiceAmt"])


def test_a_group_with_a_variance_is_not_posted() -> None:
    zeros = dict.fromkeys(("pOrigBankTotalAmt", "pOrigExchangeRate", "pOrigLockRate", "pOrigPaymentBankRate"), 0)
    with EpicorWorld() as world:
        make_payment_group(world)
        head = paid(world, open_invoice(world), "5.00")
        ds = world.call(PAYMENTS, "GetByID", headNum=head)["returnObj"]
        ds["CheckHed"][0]["RowMod"] = "U"
        ds = world.call(PAYMENTS, "OnChangeIsEnterTotal", ds=ds, pIsEnterTotal=True, pFirstTest=True, **zeros)["ds"]
        ds = world.call(PAYMENTS, "OnChangeDocPaymentTotal", ds=ds, pDocPaymentTotal="5.01")["ds"]
        world.call(PAYMENTS, "Update", ds=ds)
        assert post_payments(world) == (
            f"Payment {head}: variance of 0.01 between the payment total and its allocations"
        )


def test_posting_through_the_task_agent_needs_an_agent() -> None:
    service = "Erp.PROC.APPaymentPostSvc"
    with EpicorWorld() as world:
        make_payment_group(world)
        head = paid(world, open_invoice(world), "5.00")
        ds = world.call(service, "GetNewParameters")["returnObj"]
        ds["APPaymentPostProcess"][0]["GroupID"] = "PAY1"
        agent = {"agentID": "", "agentSchedNum": 0, "agentTaskNum": 0, "maintProgram": "connector"}
        assert error(world.post(service, "SubmitToAgent", {"ds": ds, **agent}))[2] == "Task agent is required."
        world.call(service, "SubmitToAgent", ds=ds, **{**agent, "agentID": "SystemTaskAgent"})
        assert world.stored("CheckHed", head)["Posted"] is True


def test_deleting_an_unposted_payment_gives_the_balance_back() -> None:
    with EpicorWorld() as world:
        make_payment_group(world)
        before = world.ledger()
        head = paid(world, open_invoice(world), "5.00")
        world.call(PAYMENTS, "DeleteByID", headNum=head)
        assert world.ledger() == before
        assert error(world.post(PAYMENT_GROUPS, "DeleteByID", {"groupID": "PAY1"}))[0] == 400
        ds = world.call(PAYMENT_GROUPS, "GetByID", groupID="PAY1")["returnObj"]
        ds["APChkGrp"][0]["RowMod"] = "D"
        world.call(PAYMENT_GROUPS, "Update", ds=ds)
        assert world.ledger()["payment_groups"] == []


def test_a_payment_group_that_a_person_holds_refuses_writes() -> None:
    refused = (400, "BusinessObjectException", "Group PAY1 is in use by user ap.clerk.")
    with EpicorWorld() as world:
        make_payment_group(world)
        head = paid(world, open_invoice(world), "5.00")
        world.edit("APChkGrp", {"GroupID": "PAY1"}, ActiveUserID="ap.clerk")
        for service, method, body in (
            (PAYMENTS, "CreateNewCheckHed", {"ds": {}, "pcGroupID": "PAY1"}),
            (PAYMENTS, "DeleteByID", {"headNum": head}),
            (PAYMENT_GROUPS, "PrePostGrp", {"postGroupID": "PAY1"}),
        ):
            assert error(world.post(service, method, body)) == refused


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"HeadNum": 999_999}, "HeadNum must come from CreateNewCheckHed."),
        ({"VendorNum": 0}, "Supplier is required."),
        ({"CheckDate": None}, "Check date is required."),
        ({"BankAcctID": "OPER"}, "The payment's bank account must be its group's."),
        ({"PMUID": 4}, "Payment method 4 is not a valid AP payment method."),
        ({"PMUID": 5}, "Payment method 5 is not a valid AP payment method."),
    ],
)
def test_a_header_that_is_wrong_is_refused(values: dict[str, Any], message: str) -> None:
    with EpicorWorld() as world:
        make_payment_group(world)
        ds = world.call(PAYMENTS, "CreateNewCheckHed", ds={}, pcGroupID="PAY1")["ds"]
        ds["CheckHed"][0] |= {"VendorNum": 101, **values}
        assert error(world.post(PAYMENTS, "Update", {"ds": ds})) == (400, "BusinessObjectException", message)
