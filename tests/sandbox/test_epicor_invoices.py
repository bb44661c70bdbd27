"""Writing AP invoices: the UpdateMaster sequence, where the account lives, and every refusal on the way."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.sandbox.epicor_world import (
    INVOICE_GROUPS,
    INVOICES,
    SWITCHES,
    EpicorWorld,
    account_that_is,
    add_line,
    book,
    error,
    good_vendor,
    make_header,
    make_invoice_group,
    open_invoice,
)

POSTING = "Erp.PROC.APInvoicePostSvc"


def post_group(world: EpicorWorld, group: str = "AVX1") -> str:
    """Post an invoice group; returns its error log."""
    ds = world.call(POSTING, "GetNewParameters")["returnObj"]
    ds["APInvoicePostParam"][0]["GroupID"] = group
    world.call(POSTING, "RunDirect", ds=ds)
    return str(world.stored("APInvGrp", group)["PostErrorLog"])


def test_a_whole_invoice_is_entered_coded_and_posted() -> None:
    with EpicorWorld() as world:
        vendor = good_vendor(world)
        first, second = account_that_is(world, Active=True), "6010|10|02"
        make_invoice_group(world)
        header = make_header(world, vendor, "CAP-1", "150.00")
        reply = add_line(world, header, "100.25")
        assert (reply["lUpdateRan"], reply["requiresUserInput"], reply["opMessage"]) == (True, False, "")
        assert reply["grpTotalInvAmt"] == 100.25
        assert [row["GLAccount"] for row in reply["ds"]["APInvExpTGLC"]] == ["5999|00|01"]
        assert [row["GLAccount"] for row in reply["ds"]["APInvExp"]] == ["5999|00|01"]
        add_line(world, header, "49.75")
        assert book(world, header, first).status_code == 200
        assert book(world, header, second, line=2).status_code == 200
        assert post_group(world) == ""
        world.call(INVOICE_GROUPS, "UnlockGroup", InGroupID="AVX1")
        written = world.invoice(101, "CAP-1")
        lines = written.pop("lines")
        assert written == {
            "VendorNum": 101, "InvoiceNum": "CAP-1", "Posted": True, "OpenPayable": True, "InvoiceHeld": False,
            "PayHold": False, "DebitMemo": False, "CurrencyCode": "USD", "TermsCode": vendor["TermsCode"],
            "InvoiceDate": "2026-11-20T00:00:00", "DueDate": header["DueDate"], "ApplyDate": "2026-11-23T00:00:00",
            "DocInvoiceAmt": "150.00", "DocInvoiceVendorAmt": "150.00", "DocInvoiceBal": "150.00",
            "DocUnpostedBal": "150.00", "GroupID": "AVX1", "ExternalID": "avid-CAP-1", "REFPONum": 0,
            "Description": "", "attachments": 0,
        }  # fmt: skip
        assert [(line["InvoiceLine"], line["DocExtCost"], line["accounts"]) for line in lines] == [
            (1, "100.25", [first]),
            (2, "49.75", [second]),
        ]


def test_a_debit_memo_is_negative_in_doc_columns_and_positive_on_the_screen() -> None:
    with EpicorWorld() as world:
        make_invoice_group(world)
        header = make_header(world, good_vendor(world), "CM-1", "80.00", debit_memo=True)
        reply = add_line(world, header, "80.00")
        assert (header["DocInvoiceVendorAmt"], header["ScrDocInvoiceVendorAmt"]) == (Decimal(-80), Decimal(80))
        assert (header["DocInvoiceAmt"], header["ScrDocInvoiceAmt"]) == (Decimal(-80), Decimal(80))
        assert reply["ds"]["APInvDtl"][0]["DocExtCost"] == -80.0
        assert post_group(world) == ""
        assert world.invoice(101, "CM-1")["DocUnpostedBal"] == "-80.00"


def test_a_closed_period_answers_200_and_saves_nothing() -> None:
    with EpicorWorld() as world:
        make_invoice_group(world)
        header = make_header(world, good_vendor(world), "CAP-1", "10.00")
        world.state.edit({"options": {"closed_through": "2026-11-30"}})
        before = world.ledger()
        reply = add_line(world, header, "10.00")
        assert (reply["lUpdateRan"], reply["requiresUserInput"]) == (False, False)
        assert reply["opMessage"] == "The apply date is not in an open fiscal period."
        assert world.ledger() == before


def test_update_refuses_a_closed_period() -> None:
    with EpicorWorld() as world:
        make_invoice_group(world)
        world.state.edit({"options": {"closed_through": "2026-11-30"}})
        with pytest.raises(AssertionError, match=r"400.*|The apply date is not in an open fiscal period"):
            make_header(world, good_vendor(world), "CAP-1", "10.00")


def test_a_prompt_answers_200_requires_input_and_saves_nothing() -> None:
    with EpicorWorld() as world:
        make_invoice_group(world)
        header = make_header(world, good_vendor(world), "CAP-1", "10.00")
        world.state.edit({"options": {"bpm_prompt": "Over budget. Continue?"}})
        before = world.ledger()
        reply = add_line(world, header, "10.00")
        assert (reply["lUpdateRan"], reply["requiresUserInput"], reply["opMessage"]) == (
            False,
            True,
            "Over budget. Continue?",
        )
        assert world.ledger() == before


def test_the_same_number_again_is_a_duplicate_whatever_it_is() -> None:
    with EpicorWorld() as world:
        make_invoice_group(world)
        posted = open_invoice(world)
        vendor = world.stored("Vendor", posted["VendorNum"])
        ds = world.call(INVOICES, "GetNewAPInvHedDebitMemo", ds={}, cGroupID="AVX1")["ds"]
        ds["APInvHed"][0] |= {"InvoiceNum": posted["InvoiceNum"].lower(), "VendorNumVendorID": vendor["VendorID"]}
        status, kind, message = error(world.post(INVOICES, "Update", {"ds": ds}))
        assert (status, kind) == (409, "DuplicateRecordException")
        assert "already exists" in message


def test_a_row_built_by_hand_is_refused() -> None:
    row = {"VendorNum": 101, "InvoiceNum": "CAP-1", "GroupID": "APOPEN", "RowMod": "A"}
    with EpicorWorld() as world:
        status, kind, message = error(world.post(INVOICES, "Update", {"ds": {"APInvHed": [row]}}))
        assert (status, kind, message) == (
            400,
            "BusinessObjectException",
            "Column Company is missing from a row of APInvHed.",
        )
        ds = world.call(INVOICES, "GetNewAPInvHedInvoice", ds={}, cGroupID="APOPEN")["ds"]
        ds["APInvHed"][0]["NoSuchColumn"] = 1
        assert error(world.post(INVOICES, "Update", {"ds": ds}))[2] == (
            "Could not find a property named 'NoSuchColumn' on type 'Erp.Tablesets.APInvHedRow'."
        )


def test_a_stale_row_is_refused() -> None:
    with EpicorWorld() as world:
        make_invoice_group(world)
        header = make_header(world, good_vendor(world), "CAP-1", "10.00")
        add_line(world, header, "10.00")
        ds = world.call(INVOICES, "GetByID", vendorNum=101, invoiceNum="CAP-1")["returnObj"]
        world.edit("APInvHed", {"VendorNum": 101, "InvoiceNum": "CAP-1"}, Description="Somebody else")
        ds["APInvHed"][0] |= {"Description": "Mine", "RowMod": "U"}
        assert error(world.post(INVOICES, "Update", {"ds": ds})) == (
            409,
            "RecordModifiedException",
            "Row has been modified by another user and couldn't be updated.",
        )
        assert world.invoice(101, "CAP-1")["Description"] == "Somebody else"


def test_accounts_that_may_not_be_used_are_refused_and_the_default_stays() -> None:
    with EpicorWorld() as world:
        make_invoice_group(world)
        header = make_header(world, good_vendor(world), "CAP-1", "10.00")
        add_line(world, header, "10.00")
        future = account_that_is(world, EffFrom="2027-01-22T00:00:00")
        for account in (account_that_is(world, Active=False), future, "9999|00|01"):
            assert error(book(world, header, account))[:2] == (400, "BusinessObjectException")
        ds = world.call(INVOICES, "GetByID", vendorNum=101, invoiceNum="CAP-1")["returnObj"]
        ds["APInvExpTGLC"][0] |= {"GLAccount": "6010|10|02", "RowMod": "U"}
        body = {"ds": ds, "cGroupID": "AVX1", "cTableName": "APInvExpTGLC", **SWITCHES}
        assert error(world.post(INVOICES, "UpdateMaster", body))[2] == (
            "Segment values do not make up GL account 6010|10|02."
        )
        assert [line["accounts"] for line in world.invoice(101, "CAP-1")["lines"]] == [["5999|00|01"]]


def test_a_line_posted_to_its_set_has_no_account_unless_the_switch_is_on() -> None:
    with EpicorWorld() as world:
        make_invoice_group(world)
        make_header(world, good_vendor(world), "CAP-1", "30.00")
        line = {"Company": "EPIC06", "VendorNum": 101, "InvoiceNum": "CAP-1", "Description": "Line"}
        bare = world.post(INVOICES, "APInvDtls", {**line, "DocExtCost": 10.0})
        assert (bare.status_code, bare.json()["GLAccount"]) == (201, "")
        with_gl = world.post(INVOICES, "APInvDtls", {**line, "DocExtCost": 20.0, "UpdateExtCreateLineGL": True})
        assert (with_gl.status_code, with_gl.json()["GLAccount"]) == (201, "5999|00|01")
        lines = world.invoice(101, "CAP-1")["lines"]
        assert [(line["DocExtCost"], line["accounts"]) for line in lines] == [("10.00", []), ("20.00", ["5999|00|01"])]
        assert post_group(world) == "Invoice CAP-1: line 1 has no GL account"


def test_an_invoice_whose_lines_miss_the_control_total_is_not_posted() -> None:
    with EpicorWorld() as world:
        make_invoice_group(world)
        header = make_header(world, good_vendor(world), "CAP-1", "10.00")
        add_line(world, header, "9.99")
        before = world.call(INVOICE_GROUPS, "PrePostGroupInvoices", PostGroupID="AVX1")
        assert before["VarianceMessage"] == "Invoice CAP-1 has a variance of 0.01."
        assert post_group(world) == "Invoice CAP-1: variance of 0.01"
        assert world.invoice(101, "CAP-1")["Posted"] is False


def test_a_group_that_a_person_holds_refuses_writes() -> None:
    message = "Group AVX1 is in use by user ap.clerk."
    with EpicorWorld() as world:
        make_invoice_group(world)
        header = make_header(world, good_vendor(world), "CAP-1", "10.00")
        world.edit("APInvGrp", {"GroupID": "AVX1"}, ActiveUserID="ap.clerk")
        before = world.ledger()
        body = {"ds": {}, "iVendorNum": 101, "cInvoiceNum": header["InvoiceNum"]}
        refused = (400, "BusinessObjectException", message)
        assert error(world.post(INVOICES, "GetNewAPInvDtlMiscellaneous", body)) == refused
        assert error(world.post(INVOICES, "GetNewAPInvHedInvoice", {"ds": {}, "cGroupID": "AVX1"})) == refused
        assert error(world.post(INVOICE_GROUPS, "UnlockGroup", {"InGroupID": "AVX1"})) == refused
        assert world.ledger() == before


def test_groups_are_made_once_and_kept_short() -> None:
    with EpicorWorld() as world:
        make_invoice_group(world)
        with pytest.raises(AssertionError, match=r"The Group already exists\."):
            make_invoice_group(world)
        with pytest.raises(AssertionError, match="at most 9 characters"):
            make_invoice_group(world, "AVX1234567")
        made = world.post(INVOICE_GROUPS, "APInvGrps", {"Company": "EPIC06", "GroupID": "BYSET"})
        assert (made.status_code, made.json()["GroupID"]) == (201, "BYSET")
        ds = world.call(INVOICE_GROUPS, "GetNewAPInvGrp", ds={"APInvGrp": []})["ds"]
        assert ds["APInvGrp"][0]["ActiveUserID"] == "sandbox-user"


def test_inactive_vendors_and_posted_invoices_take_no_writes() -> None:
    with EpicorWorld() as world:
        make_invoice_group(world)
        inactive = world.stored("Vendor", 114)
        ds = world.call(INVOICES, "GetNewAPInvHedInvoice", ds={}, cGroupID="AVX1")["ds"]
        body = {"ds": ds, "ProposedVendorID": inactive["VendorID"], "confirmCheck": False}
        assert error(world.post(INVOICES, "ChangeVendorID", body))[2] == f"Supplier {inactive['VendorID']} is inactive."
        posted = open_invoice(world)
        key = {"ds": {}, "iVendorNum": posted["VendorNum"], "cInvoiceNum": posted["InvoiceNum"]}
        assert error(world.post(INVOICES, "GetNewAPInvDtlMiscellaneous", key))[2] == (
            f"Invoice {posted['InvoiceNum']} is posted and cannot be changed."
        )


def test_a_header_charge_follows_its_code() -> None:
    with EpicorWorld() as world:
        make_invoice_group(world)
        header = make_header(world, good_vendor(world), "CAP-1", "15.00")
        add_line(world, header, "10.00")
        key = {"iVendorNum": 101, "cInvoiceNum": "CAP-1", "lcFlag": False}
        ds = world.call(INVOICES, "GetNewHdrCharge", ds={}, **key)["ds"]
        ds["APIHAPInvMsc"][0] |= {"MiscCode": "FRT", "ScrDocMiscAmt": "5.00"}
        world.call(INVOICES, "UpdateMaster", ds=ds, cGroupID="AVX1", cTableName="APIHAPInvMsc", **SWITCHES)
        assert world.invoice(101, "CAP-1")["DocInvoiceAmt"] == "15.00"
        whole = world.call(INVOICES, "GetByID", vendorNum=101, invoiceNum="CAP-1")["returnObj"]
        assert [row["GLAccount"] for row in whole["APIHAPInvExp"]] == ["5030|10|01"]


def test_an_unposted_invoice_can_be_deleted() -> None:
    with EpicorWorld() as world:
        make_invoice_group(world)
        before = world.ledger()
        add_line(world, make_header(world, good_vendor(world), "CAP-1", "10.00"), "10.00")
        world.call(INVOICES, "DeleteByID", vendorNum=101, invoiceNum="CAP-1")
        assert world.ledger() == before


def test_a_refused_row_takes_back_what_the_same_call_wrote() -> None:
    with EpicorWorld() as world:
        make_invoice_group(world)
        before = world.ledger()
        ds = world.call(INVOICES, "GetNewAPInvHedInvoice", ds={}, cGroupID="AVX1")["ds"]
        ds["APInvHed"] *= 2
        vendor = good_vendor(world)["VendorID"]
        ds["APInvHed"] = [{**row, "VendorNumVendorID": vendor, "InvoiceNum": "CAP-1"} for row in ds["APInvHed"]]
        assert error(world.post(INVOICES, "Update", {"ds": ds}))[0] == 409
        assert world.ledger() == before
