"""Writing an AP invoice against the stand-in: whole end states, every refusal, and every place to stop in."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from connector.epicor import ap_invoice_entry as entry
from connector.epicor.drafts import InvoiceDraft, InvoiceLineDraft
from connector.transport.errors import ConnectorError, Held, Rejected, Uncertain
from tests.epicor.connected import Connected, connected, invoice_draft

GROUP = "AVX1"


def write(here: Connected, draft: InvoiceDraft) -> None:
    """The whole posting, as a stage drives it."""
    entry.ensure_group(here.client, GROUP)
    entry.create_header(here.client, GROUP, draft)
    for line in draft.lines:
        entry.add_line(here.client, GROUP, draft, line)
    entry.release_group(here.client, GROUP)


def resume(here: Connected, draft: InvoiceDraft) -> None:
    """Look, then call the steps that are missing."""
    entry.ensure_group(here.client, GROUP)
    document = here.client.invoice(draft.vendor_num, draft.invoice_num)
    if document is None:
        entry.create_header(here.client, GROUP, draft)
    there = {line.invoice_line for line in document.lines} if document else set()
    for line in draft.lines:
        if line.line_number in there:
            entry.set_account(here.client, GROUP, draft, line.line_number, line)
        else:
            entry.add_line(here.client, GROUP, draft, line)


@dataclass
class Written:
    """What EPIC06 holds of an invoice."""

    header: dict[str, Any]
    lines: list[tuple[int, Decimal]]
    accounts: list[tuple[int, str, Decimal]]
    stored_accounts: list[tuple[int, str, str, str, str]]


def written(here: Connected, draft: InvoiceDraft) -> Written:
    def below(table: str) -> list[dict[str, Any]]:
        key = (draft.vendor_num, draft.invoice_num)
        return [row for row in here.rows(table) if (row["VendorNum"], row["InvoiceNum"]) == key]

    [header] = below("APInvHed")
    return Written(
        header,
        [(row["InvoiceLine"], row["DocExtCost"]) for row in below("APInvDtl")],
        [(row["InvoiceLine"], row["GLAccount"], row["DocExpAmt"]) for row in below("APInvExp")],
        [
            (row["InvoiceLine"], row["GLAccount"], row["SegValue1"], row["SegValue2"], row["SegValue3"])
            for row in below("APInvExpTGLC")
        ],
    )


def good(draft: InvoiceDraft) -> tuple[Any, Any, Any]:
    lines = [(line.line_number, line.amount) for line in draft.lines]
    accounts = [(line.line_number, line.gl_account, line.amount) for line in draft.lines]
    segments = [(line.line_number, line.gl_account, *line.gl_account.split("|")) for line in draft.lines]
    return lines, accounts, segments


@pytest.mark.parametrize("debit_memo", [False, True])
def test_an_invoice_is_written_with_every_lines_account(debit_memo: bool) -> None:
    with connected() as here:
        sign = "-" if debit_memo else ""
        draft = invoice_draft(here, f"{sign}10.05", f"{sign}0.01", f"{sign}1234567.89", debit_memo=debit_memo)
        write(here, draft)
        found = written(here, draft)
        assert (found.lines, found.accounts, found.stored_accounts) == good(draft)
        header = {name: found.header[name] for name in (
            "Company", "VendorNum", "InvoiceDate", "DueDate", "ApplyDate", "TermsCode", "CurrencyCode", "Description",
            "ExternalID", "DebitMemo", "GroupID", "Posted", "DocInvoiceAmt", "DocInvoiceVendorAmt",
            "DocInvoiceVariance",
        )}  # fmt: skip
        assert header == {
            "Company": "EPIC06", "VendorNum": draft.vendor_num, "InvoiceDate": "2026-11-20T00:00:00",
            "DueDate": "2026-12-13T00:00:00", "ApplyDate": "2026-11-23T00:00:00", "TermsCode": "N30",
            "CurrencyCode": "USD", "Description": "Captured invoice", "ExternalID": "avid-1001",
            "DebitMemo": debit_memo,
            "GroupID": GROUP, "Posted": False, "DocInvoiceAmt": draft.amount, "DocInvoiceVendorAmt": draft.amount,
            "DocInvoiceVariance": Decimal(0),
        }  # fmt: skip
        [group] = [row for row in here.rows("APInvGrp") if row["GroupID"] == GROUP]
        assert group["ActiveUserID"] == ""


def test_an_invoice_with_a_credit_line() -> None:
    with connected() as here:
        draft = invoice_draft(here, "100.00", "-25.50")
        write(here, draft)
        assert written(here, draft).lines == [(1, Decimal("100.00")), (2, Decimal("-25.50"))]
        assert written(here, draft).header["DocInvoiceAmt"] == Decimal("74.50")


def test_making_the_group_again_changes_nothing() -> None:
    with connected() as here:
        entry.ensure_group(here.client, GROUP)
        before = here.rows("APInvGrp")
        entry.ensure_group(here.client, GROUP)
        assert here.rows("APInvGrp") == before


def test_somebody_else_making_the_group_meanwhile_is_fine() -> None:
    with connected() as here:
        here.fault(kind="status", status=400, path="APInvGrpSvc/Update",
                   body={"ErrorMessage": "The Group already exists.", "ErrorType": "BLException"})  # fmt: skip
        entry.ensure_group(here.client, GROUP)
        assert [row for row in here.rows("APInvGrp") if row["GroupID"] == GROUP] == []


def test_a_locked_group_is_held_and_names_its_holder() -> None:
    with connected() as here:
        draft = invoice_draft(here, "10.00")
        entry.ensure_group(here.client, GROUP)
        here.world.edit("APInvGrp", {"GroupID": GROUP}, ActiveUserID="kim")
        for act in (
            lambda: entry.ensure_group(here.client, GROUP),
            lambda: entry.create_header(here.client, GROUP, draft),
            lambda: entry.release_group(here.client, GROUP),
        ):
            with pytest.raises(Held) as caught:
                act()
            assert caught.value.code == "group_locked"
            assert "kim" in caught.value.message


def test_our_own_lock_is_no_obstacle() -> None:
    with connected() as here:
        entry.ensure_group(here.client, GROUP)
        here.world.edit("APInvGrp", {"GroupID": GROUP}, ActiveUserID=here.client.user.upper())
        entry.ensure_group(here.client, GROUP)


@pytest.mark.parametrize("debit_memo", [False, True])
def test_a_number_the_vendor_has_used_is_a_duplicate(debit_memo: bool) -> None:
    with connected() as here:
        draft = invoice_draft(here, "10.00")
        write(here, draft)
        before = here.world.ledger()
        again = msgspec.structs.replace(draft, debit_memo=debit_memo)
        with pytest.raises(Rejected) as caught:
            entry.create_header(here.client, GROUP, again)
        assert (caught.value.code, caught.value.status) == ("duplicate", 409)
        assert here.world.ledger() == before


def test_a_vendor_id_given_to_another_vendor_is_noticed_before_anything_is_written() -> None:
    with connected() as here:
        draft = msgspec.structs.replace(invoice_draft(here, "10.00"), vendor_num=999_999)
        entry.ensure_group(here.client, GROUP)
        with pytest.raises(Held) as caught:
            entry.create_header(here.client, GROUP, draft)
        assert caught.value.code == "vendor_changed"


def test_an_unknown_reference_column_is_held_and_not_dropped() -> None:
    with connected() as here:
        draft = msgspec.structs.replace(invoice_draft(here, "10.00"), external_ref_field="AvidId_c")
        entry.ensure_group(here.client, GROUP)
        with pytest.raises(Held) as caught:
            entry.create_header(here.client, GROUP, draft)
        assert caught.value.code == "column_missing"
        assert "AvidId_c" in caught.value.message


def test_a_closed_period_is_held_and_leaves_nothing() -> None:
    with connected() as here:
        draft = msgspec.structs.replace(invoice_draft(here, "10.00"), apply_date=date(2026, 1, 15))
        entry.ensure_group(here.client, GROUP)
        before = here.world.ledger()
        with pytest.raises(Held) as caught:
            entry.create_header(here.client, GROUP, draft)
        assert caught.value.code == "period_closed"
        assert here.world.ledger() == before


def test_a_period_closed_between_two_lines_is_seen_though_the_answer_was_200() -> None:
    with connected() as here:
        draft = invoice_draft(here, "10.00", "20.00")
        entry.ensure_group(here.client, GROUP)
        entry.create_header(here.client, GROUP, draft)
        entry.add_line(here.client, GROUP, draft, draft.lines[0])
        here.world.state.options.closed_through = here.today
        before = here.world.ledger()
        with pytest.raises(Held) as caught:
            entry.add_line(here.client, GROUP, draft, draft.lines[1])
        assert caught.value.code == "period_closed"
        assert here.calls("UpdateMaster")[-1].status == 200
        assert here.world.ledger() == before


def test_a_prompt_nobody_can_answer_is_held_with_its_words() -> None:
    with connected() as here:
        draft = invoice_draft(here, "10.00")
        entry.ensure_group(here.client, GROUP)
        entry.create_header(here.client, GROUP, draft)
        here.world.state.options.bpm_prompt = "Is this invoice approved by the buyer?"
        with pytest.raises(Held) as caught:
            entry.add_line(here.client, GROUP, draft, draft.lines[0])
        assert caught.value.code == "needs_user_input"
        assert caught.value.message == "UpdateMaster: Is this invoice approved by the buyer?"
        assert written(here, draft).lines == []


@pytest.mark.parametrize("account", ["9999|99|99", "inactive"])
def test_an_account_epicor_refuses_leaves_the_line_and_names_the_account(account: str) -> None:
    with connected() as here:
        if account == "inactive":
            account = next(row["GLAccount1"] for row in here.rows("GLAccount") if not row["Active"])
        draft = invoice_draft(here, "10.00")
        line = msgspec.structs.replace(draft.lines[0], gl_account=account)
        entry.ensure_group(here.client, GROUP)
        entry.create_header(here.client, GROUP, draft)
        with pytest.raises(Rejected) as caught:
            entry.add_line(here.client, GROUP, draft, line)
        assert caught.value.code == "gl_account_refused"
        entry.set_account(here.client, GROUP, draft, 1, draft.lines[0])  # after a person has mapped it anew
        found = written(here, draft)
        assert (found.lines, found.accounts, found.stored_accounts) == good(draft)


def test_an_account_that_stands_there_already_is_not_written_again() -> None:
    with connected() as here:
        draft = invoice_draft(here, "10.00")
        write(here, draft)
        sent = len(here.calls("UpdateMaster"))
        entry.set_account(here.client, GROUP, draft, 1, draft.lines[0])
        assert len(here.calls("UpdateMaster")) == sent


def test_a_line_without_a_distribution_is_held() -> None:
    with connected() as here:
        draft = invoice_draft(here, "10.00")
        write(here, draft)
        with pytest.raises(Held) as caught:
            entry.set_account(here.client, GROUP, draft, 7, draft.lines[0])
        assert caught.value.code == "no_distribution"


WRITES = ["APInvGrpSvc/Update", "APInvoiceSvc/Update\\b", "UpdateMaster"]


@pytest.mark.parametrize("kind", ["reset_before", "reset_after"])
@pytest.mark.parametrize(("path", "skip"), [(WRITES[0], 0), (WRITES[1], 0), *((WRITES[2], n) for n in range(4))])
def test_a_posting_that_stopped_at_any_write_is_resumed_to_the_same_end(kind: str, path: str, skip: int) -> None:
    with connected() as here:
        draft = invoice_draft(here, "10.05", "20.10")
        here.fault(kind=kind, path=path, skip=skip)
        with pytest.raises(Uncertain):
            write(here, draft)
        resume(here, draft)
        found = written(here, draft)
        assert (found.lines, found.accounts, found.stored_accounts) == good(draft)
        assert found.header["DocInvoiceVariance"] == Decimal(0)
        invoices = [row for row in here.rows("APInvHed") if row["ExternalID"] == "avid-1001"]
        assert len(invoices) == 1


def test_reads_between_the_writes_get_over_faults_by_themselves() -> None:
    with connected() as here:
        draft = invoice_draft(here, "10.05")
        for path in ("GetNewAPInvGrpNoLock", "GetNewAPInvHedInvoice", "ChangeVendorID", "GetNewAPInvDtl", "GetByID"):
            here.fault(kind="reset_after", path=path)
        write(here, draft)
        found = written(here, draft)
        assert (found.lines, found.accounts, found.stored_accounts) == good(draft)


# -- receipts ------------------------------------------------------------------------------------------------------


def receipt_draft(here: Connected) -> tuple[InvoiceDraft, dict[str, Any]]:
    """An invoice for one received line that nobody has invoiced."""
    slip = next(
        row for row in here.rows("RcvDtl")
        if row["Received"] and not row["Invoiced"] and row["SupplierUnInvcReceiptQty"] > 0
        and not next(v["Inactive"] for v in here.rows("Vendor") if v["VendorNum"] == row["VendorNum"])
    )  # fmt: skip
    vendor = next(row for row in here.rows("Vendor") if row["VendorNum"] == slip["VendorNum"])
    amount = (slip["SupplierUnInvcReceiptQty"] * slip["DocVendorUnitCost"]).quantize(Decimal("0.01"))
    line = InvoiceLineDraft(
        line_number=1, amount=amount, gl_account="", description="Goods", quantity=slip["SupplierUnInvcReceiptQty"],
        po_num=slip["PONum"], po_line=slip["POLine"], receipt_number=slip["PackSlip"],
    )  # fmt: skip
    base = invoice_draft(here, number="RECEIVED-1")
    draft = msgspec.structs.replace(
        base, vendor_num=vendor["VendorNum"], vendor_id=vendor["VendorID"], currency=vendor["CurrencyCode"],
        amount=amount, po_num=slip["PONum"], lines=(line,),
    )  # fmt: skip
    return draft, slip


def test_a_received_line_is_billed_from_its_receipt() -> None:
    with connected() as here:
        draft, slip = receipt_draft(here)
        entry.ensure_group(here.client, GROUP)
        entry.create_header(here.client, GROUP, draft)
        entry.add_receipt_lines(here.client, GROUP, draft, draft.lines)
        document = here.client.invoice(draft.vendor_num, draft.invoice_num)
        assert document is not None
        assert document.header[0].ref_po_num == slip["PONum"]
        [line] = document.lines
        assert (line.line_type, line.po_num, line.po_line, line.pack_slip, line.doc_ext_cost) == (
            "R", slip["PONum"], slip["POLine"], slip["PackSlip"], draft.amount,
        )  # fmt: skip
        assert here.world.stored("RcvDtl", slip["VendorNum"], slip["PurPoint"], slip["PackSlip"], slip["PackLine"])[
            "Invoiced"
        ]


def test_part_of_a_receipt_can_be_billed() -> None:
    with connected() as here:
        draft, _ = receipt_draft(here)
        line = msgspec.structs.replace(draft.lines[0], quantity=Decimal(1))
        entry.ensure_group(here.client, GROUP)
        entry.create_header(here.client, GROUP, draft)
        entry.add_receipt_lines(here.client, GROUP, draft, [line])
        document = here.client.invoice(draft.vendor_num, draft.invoice_num)
        assert document is not None
        assert document.lines[0].vendor_qty == 1


@pytest.mark.parametrize("changed", [{"receipt_number": "NOT-THERE"}, {"po_line": 99}])
def test_a_receipt_that_is_not_there_is_held_and_nothing_written(changed: dict[str, Any]) -> None:
    with connected() as here:
        draft, _ = receipt_draft(here)
        line = msgspec.structs.replace(draft.lines[0], **changed)
        entry.ensure_group(here.client, GROUP)
        entry.create_header(here.client, GROUP, draft)
        before = here.world.ledger()
        with pytest.raises(Held) as caught:
            entry.add_receipt_lines(here.client, GROUP, draft, [line])
        assert caught.value.code == "receipt_not_found"
        assert here.world.ledger() == before


def test_the_same_receipt_line_is_not_billed_twice_in_one_invoice() -> None:
    with connected() as here:
        draft, _ = receipt_draft(here)
        entry.ensure_group(here.client, GROUP)
        entry.create_header(here.client, GROUP, draft)
        entry.add_receipt_lines(here.client, GROUP, draft, draft.lines)
        with pytest.raises(Held):
            entry.add_receipt_lines(here.client, GROUP, draft, draft.lines)


# -- images --------------------------------------------------------------------------------------------------------


def test_an_image_hangs_on_the_invoice_and_comes_back_as_it_was() -> None:
    with connected() as here:
        draft = invoice_draft(here, "10.00")
        write(here, draft)
        content = bytes(range(256)) * 40
        entry.attach(here.client, draft, file_name="scan +1.pdf", doc_type="INV", file=io.BytesIO(content))
        document = here.client.invoice(draft.vendor_num, draft.invoice_num)
        assert document is not None
        [attachment] = document.attachments
        assert (attachment.description, attachment.doc_type_id) == ("scan +1.pdf", "INV")
        sink = io.BytesIO()
        here.client.download(attachment.file_ref, sink, max_bytes=10**6)
        assert sink.getvalue() == content


def test_bytes_of_an_image_are_not_kept_in_the_notes() -> None:
    with connected() as here:
        draft = invoice_draft(here, "10.00")
        write(here, draft)
        entry.attach(here.client, draft, file_name="a.pdf", doc_type="", file=io.BytesIO(b"%PDF" + b"x" * 200_000))
        [upload] = here.calls("UploadFile")
        assert set(upload.request_shape) == {"bytes"}  # type: ignore[call-overload]


def test_errors_of_a_posting_are_all_of_the_five_kinds() -> None:
    """A server that answers nonsense to any step is an error with a name, never a KeyError."""
    with connected() as here:
        draft = invoice_draft(here, "10.00")
        entry.ensure_group(here.client, GROUP)
        for path in (
            "GetNewAPInvHedInvoice",
            "ChangeVendorID",
            "GetNewAPInvDtlMiscellaneous",
            "UpdateMaster",
            "GetByID",
        ):
            for body in (
                {},
                {"parameters": {}},
                {"parameters": {"ds": {}}},
                {"parameters": {"ds": None}},
                {"returnObj": {}},
            ):
                here.fault(
                    kind="status", status=200, body=body, path=path, headers={"Content-Type": "application/json"}
                )
                with pytest.raises(ConnectorError):
                    write(here, msgspec.structs.replace(draft, invoice_num=f"X-{path}-{len(here.attempts)}"))
