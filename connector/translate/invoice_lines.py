"""The GL-coded lines of an Epicor AP invoice, as AvidXchange wants them (avidxchange.md 5.1).

One AvidXchange line is one GL distribution, so a split line becomes several. The account of a distribution is where
Epicor really keeps it, APInvExpTGLC, and only without that the read column APInvExp.GLAccount (epicor.md 4.5). Header
charges are lines with their own accounts. Whatever does not add up to the cent is held, never adjusted: the
distributions of a line must make its amount, and lines, charges and tax together the invoice. Distributions of
nothing move no money and are left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from connector.avidxchange.records import InvoiceLineItem
from connector.epicor.records import (
    Invoice,
    InvoiceChargeExpense,
    InvoiceDocument,
    InvoiceExpense,
    InvoiceLine,
    text,
)
from connector.translate.codebook import Codebook, Rules
from connector.translate.holds import HoldError, amount
from connector.translate.money import cents, product, total

Accounts = Mapping[tuple[int, int], Sequence[str]]

_RECEIPT = "R"  # APInvDtl.LineType of a line made from a receipt (epicor.md 4.5)


def submitted_lines(
    document: InvoiceDocument, header: Invoice, *, codebook: Codebook, rules: Rules
) -> tuple[InvoiceLineItem, ...]:
    """Return the lines of an invoice, numbered from 1, summing to its amount; raise ``HoldError`` if they cannot."""
    accounts = _accounts(document)
    po_num = reference(header, document.lines)
    coded = [
        item
        for line in sorted(document.lines, key=lambda line: line.invoice_line)
        for item in _line(document, line, accounts, po_num=po_num, codebook=codebook, rules=rules)
    ]
    coded += _charges(document, accounts, codebook=codebook)
    coded += _tax(header, total(item.amount for item in coded), codebook=codebook, rules=rules)
    if not coded:
        raise HoldError("no_lines", f"Invoice {header.invoice_num} has no line with an amount.", field="Lines")
    return tuple(msgspec.structs.replace(item, line_number=number) for number, item in enumerate(coded, start=1))


def reference(header: Invoice, lines: Sequence[InvoiceLine]) -> int:
    """Return the PO an invoice refers to: the header's, else the only one its lines name, else 0."""
    if header.ref_po_num is not None and header.ref_po_num > 0:
        return header.ref_po_num
    named = {line.po_num for line in lines if line.po_num is not None and line.po_num > 0}
    return named.pop() if len(named) == 1 else 0


def _accounts(document: InvoiceDocument) -> Accounts:
    """Return the accounts stored for each (line, distribution), without repeats and empty ones.

    A distribution has a row for each book; those of another chart than its own say nothing about it.
    """
    charts = {_key(row): text(row.coa_code) for row in document.expenses}
    stored: dict[tuple[int, int], list[str]] = defaultdict(list)
    for row in document.expense_accounts:
        key, account, chart = (row.invoice_line, row.inv_exp_seq), text(row.gl_account), text(row.coa_code)
        foreign = chart and charts.get(key) and chart != charts[key]
        if account.strip("|") and not foreign and account not in stored[key]:
            stored[key].append(account)
    return stored


def _account(what: str, read: str, stored: Sequence[str], *, codebook: Codebook) -> str:
    """Return the one account of a distribution; several (one a book) are settled by what is read or mapped."""
    if len(stored) > 1:
        known = [one for one in stored if one == read] or [one for one in stored if one in codebook.accounts]
        if len(known) != 1:
            message = f"{what} has one amount but several GL accounts: {', '.join(stored)}."
            raise HoldError("gl_account_ambiguous", message, field="GLAccount")
        stored = known
    found = stored[0] if stored else read
    if not found.strip("|"):
        raise _no_account(what)
    return found


def _no_account(what: str) -> HoldError:
    hint = "Epicor: AP Invoice Entry, give every line a GL account (or correct the posted invoice)."
    return HoldError("line_without_account", f"{what} has no GL account.", field="GLAccount", hint=hint)


def _line(
    document: InvoiceDocument,
    line: InvoiceLine,
    accounts: Accounts,
    *,
    po_num: int,
    codebook: Codebook,
    rules: Rules,
) -> list[InvoiceLineItem]:
    what = f"Line {line.invoice_line}"
    whole = amount(line.doc_ext_cost, what=f"amount of line {line.invoice_line}", field="Amount")
    rows = [row for row in document.expenses if row.invoice_line == line.invoice_line]
    if whole and not rows and text(line.line_type).upper() == _RECEIPT and rules.receipt_gl_account:
        coded = [(rules.receipt_gl_account, whole)]
    else:
        coded = _split(what, whole, rows, accounts, codebook=codebook)
    ours = po_num > 0 and line.po_num == po_num
    priced = len(coded) == 1 and _makes(line.vendor_qty, line.doc_unit_cost, whole)
    return [
        InvoiceLineItem(
            line_number=line.invoice_line,
            amount=part,
            gl_account=codebook.account(account).avid_account,
            description=text(line.description) or text(line.part_num) or rules.default_line_description,
            quantity=line.vendor_qty if priced else None,
            unit_price=line.doc_unit_cost if priced else None,
            po_line_number=line.po_line if ours and line.po_line else None,
            receipt_number=text(line.pack_slip) if ours else "",
        )
        for account, part in coded
    ]


def _key(row: InvoiceExpense | InvoiceChargeExpense) -> tuple[int, int]:
    return row.invoice_line, row.inv_exp_seq


def _split(
    what: str,
    whole: Decimal,
    rows: Sequence[InvoiceExpense | InvoiceChargeExpense],
    accounts: Accounts,
    *,
    codebook: Codebook,
) -> list[tuple[str, Decimal]]:
    """Return account and amount of every distribution that moves money; they make ``whole``, or ``HoldError``."""
    ordered = sorted(rows, key=lambda row: (row.invoice_line, row.inv_exp_seq))
    amounts = [amount(row.doc_exp_amt, what=f"GL distribution of {what}", field="Amount") for row in ordered]
    parts = [(row, part) for row, part in zip(ordered, amounts, strict=True) if part]
    if whole and not parts:
        raise _no_account(what)
    split = total(part for _, part in parts)
    if split != whole:
        message = f"{what} amounts to {whole}, its GL distributions to {cents(split)}."
        raise HoldError("split_does_not_sum", message, field="Amount")
    return [
        (_account(what, text(row.gl_account), accounts.get(_key(row), ()), codebook=codebook), part)
        for row, part in parts
    ]


def _makes(quantity: Decimal, price: Decimal, whole: Decimal) -> bool:
    """Say whether quantity times price is the amount to the cent; prices per hundred, say, are not sent."""
    return bool(quantity) and cents(product(quantity, price), lossy=True) == whole


def _charges(document: InvoiceDocument, accounts: Accounts, *, codebook: Codebook) -> list[InvoiceLineItem]:
    """Return a line for each distribution of a header charge; it bears the charge's number (epicor.md 4.5)."""
    items = []
    for charge in sorted(document.charges, key=lambda charge: charge.msc_num):
        name = text(charge.description) or text(charge.misc_code) or str(charge.msc_num)
        whole = amount(charge.doc_misc_amt, what=f"charge {name}", field="Amount")
        only = len(document.charges) == 1
        rows = [row for row in document.charge_expenses if only or row.inv_exp_seq == charge.msc_num]
        for account, part in _split(f"Charge {name}", whole, rows, accounts, codebook=codebook):
            number = codebook.account(account).avid_account
            items.append(InvoiceLineItem(line_number=0, amount=part, gl_account=number, description=name))
    return items


def _tax(header: Invoice, coded: Decimal, *, codebook: Codebook, rules: Rules) -> list[InvoiceLineItem]:
    """Return the line that closes the gap between coded lines and invoice, if the gap is exactly the tax.

    Tax that is inside the lines leaves no gap and needs no line (epicor-unknowns D7).
    """
    gross = amount(header.doc_invoice_amt, what="amount of the invoice", field="GrossAmount")
    tax = amount(header.doc_tax_amt, what="tax of the invoice", field="Amount")
    if coded == gross:
        return []
    if not tax or total((coded, tax)) != gross:
        message = f"The lines of invoice {header.invoice_num} sum to {cents(coded)}, the invoice is {gross}."
        raise HoldError("lines_do_not_sum", message, field="GrossAmount")
    if not rules.tax_gl_account:
        raise HoldError(
            "tax_without_account",
            f"Invoice {header.invoice_num} has {tax} of tax that no line carries, and no GL account is set for tax.",
            field="GLAccount",
            hint="Set the tenant's GL account for tax.",
        )
    account = codebook.account(rules.tax_gl_account).avid_account
    return [InvoiceLineItem(line_number=0, amount=tax, gl_account=account, description="Tax")]
