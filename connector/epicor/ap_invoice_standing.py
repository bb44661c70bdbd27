"""How a drafted AP invoice stands in Epicor: which of its lines are there, and what differs (epicor.md 5.4, 5.5).

Nothing is asked for here: a document that was read is compared with the draft it is to be, so that a posting goes on
from what Epicor shows and an invoice that a person finished by hand is recognised. A line against a receipt is known
by what it bills; any other by its amount and account, or by its amount alone, because the save of the account is a
second one and may have been lost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from connector.epicor.drafts import InvoiceDraft, InvoiceLineDraft
from connector.epicor.records import InvoiceDocument, InvoiceLine, text

_Fits = Callable[[InvoiceDocument, InvoiceLineDraft, InvoiceLine], bool]


@dataclass(frozen=True, slots=True)
class Standing:
    """Which InvoiceLine each drafted line is over there (by line number), and the lines over there nobody drafted."""

    lines: Mapping[int, int]
    strange: tuple[int, ...]


def standing(document: InvoiceDocument, draft: InvoiceDraft) -> Standing:
    """Pair the drafted lines with the document's, the surest pairs first, each line once."""
    left = {row.invoice_line: row for row in document.lines}
    found: dict[int, int] = {}
    fits: _Fits
    for fits in (_bills_the_same, _same_in_full, _same_amount):
        for line in draft.lines:
            if line.line_number in found:
                continue
            rows = sorted(left.values(), key=lambda row: (row.invoice_line != line.line_number, row.invoice_line))
            row = next((row for row in rows if fits(document, line, row)), None)
            if row is not None:
                found[line.line_number] = row.invoice_line
                del left[row.invoice_line]
    return Standing(found, tuple(sorted(left)))


def wrong_accounts(document: InvoiceDocument, draft: InvoiceDraft) -> dict[int, int]:
    """Return the lines that stand on another account than drafted: line number → InvoiceLine.

    A line against a receipt takes its account from the receipt, so it is never among them.
    """
    lines = standing(document, draft).lines
    return {
        line.line_number: lines[line.line_number]
        for line in draft.lines
        if line.line_number in lines and line.po_line is None and not _same_in_account(document, line, lines)
    }


def differences(document: InvoiceDocument, draft: InvoiceDraft) -> list[str]:
    """Say line by line what does not stand as drafted, in plain words; nothing if all does."""
    stands = standing(document, draft)
    rows = {row.invoice_line: row for row in document.lines}
    wrong = wrong_accounts(document, draft)
    said = []
    for line in draft.lines:
        number = line.line_number
        if number not in stands.lines:
            said.append(f"line {number} ({line.amount}) is missing")
            continue
        row = rows[stands.lines[number]]
        if row.doc_ext_cost != line.amount:
            said.append(f"line {number}: {line.amount} wanted, {row.doc_ext_cost.normalize():f} found")
        if number in wrong:
            shown = ", ".join(accounts(document, wrong[number])) or "none"
            said.append(f"line {number}: account {line.gl_account} wanted, {shown} found")
    said += [f"line {number} in Epicor ({rows[number].doc_ext_cost:f}) was not approved" for number in stands.strange]
    return said or _header_differences(document, draft)


def _header_differences(document: InvoiceDocument, draft: InvoiceDraft) -> list[str]:
    header = document.header[0]
    said = []
    if header.doc_invoice_vendor_amt != draft.amount:
        said.append(f"invoice amount: {draft.amount} wanted, {header.doc_invoice_vendor_amt:f} found")
    if header.doc_invoice_amt != draft.amount:
        said.append(f"total of lines, charges and tax: {draft.amount} wanted, {header.doc_invoice_amt:f} found")
    if text(header.currency_code) and draft.currency and text(header.currency_code) != draft.currency:
        said.append(f"currency: {draft.currency} wanted, {text(header.currency_code)} found")
    return said


def accounts(document: InvoiceDocument, invoice_line: int) -> list[str]:
    """Return the accounts a line is booked on, in the chart of its first distribution; other charts follow from it."""
    rows = [row for row in document.expense_accounts if row.invoice_line == invoice_line]
    if not rows:
        return [text(row.gl_account) for row in document.expenses if row.invoice_line == invoice_line]
    return [text(row.gl_account) for row in rows if row.coa_code == rows[0].coa_code]


def _bills_the_same(_document: InvoiceDocument, line: InvoiceLineDraft, row: InvoiceLine) -> bool:
    same_order = line.po_line is not None and (row.po_num, row.po_line) == (line.po_num, line.po_line)
    slip = text(row.pack_slip).casefold()
    return same_order and bool(slip) and line.receipt_number.casefold() in ("", slip)


def _same_in_full(document: InvoiceDocument, line: InvoiceLineDraft, row: InvoiceLine) -> bool:
    booked = {_bare(account) for account in accounts(document, row.invoice_line)}
    return _same_amount(document, line, row) and booked == {_bare(line.gl_account)}


def _same_amount(_document: InvoiceDocument, line: InvoiceLineDraft, row: InvoiceLine) -> bool:
    return line.po_line is None and not text(row.pack_slip) and row.doc_ext_cost == line.amount


def _same_in_account(document: InvoiceDocument, line: InvoiceLineDraft, lines: Mapping[int, int]) -> bool:
    booked = {_bare(account) for account in accounts(document, lines[line.line_number])}
    return booked == {_bare(line.gl_account)}


def _bare(account: str) -> str:
    """Empty trailing segments are written by some calls and not by others."""
    return account.rstrip("|")
