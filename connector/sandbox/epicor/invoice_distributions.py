"""What saving an invoice line makes beside it: distributions with the default account, which the caller then changes.

The posting account does not live in the line but in APInvExp and APInvExpTGLC, made by the server when a line is saved
(epicor.md 5.1, 5.4). Header charges get theirs from the miscellaneous charge code.
"""

from __future__ import annotations

from decimal import Decimal

from connector.sandbox.epicor.calls import Call
from connector.sandbox.epicor.errors import bad_input, business
from connector.sandbox.epicor.groups import changes, plain
from connector.sandbox.epicor.invoice_entry import CENT
from connector.sandbox.epicor.invoice_lines import line_amounts
from connector.sandbox.epicor.store import Database
from connector.sandbox.seed import TEMPLATES, Row
from connector.sandbox.seed.reference import COA, DEFAULT_EXPENSE

RECEIVED_NOT_INVOICED = "2010|00|01"
MISC_CODES = {"FRT": ("Freight", "5030|10|01"), "HND": ("Handling", DEFAULT_EXPENSE)}


def save_line(call: Call, header: Row, sent: Row, stored: Row | None, *, with_account: bool = True) -> Row:
    """Store a new or changed line; a new one gets its distribution with the default account (none if switched off)."""
    row = plain(sent) if stored is None else {**stored, **changes(stored, sent, fixed=("GLAccount",))}
    if not (row["PartNum"] or row["Description"]):
        raise business("A part number or a description is required.", table="APInvDtl", field="Description")
    shown = _shown_amount(row, stored)
    values = row | line_amounts(row, shown=shown)
    values["ExtCost"] = (values["DocExtCost"] * header["ExchangeRate"]).quantize(CENT)
    values |= {"Posted": False, "CurrencyCode": header["CurrencyCode"], "DebitMemo": header["DebitMemo"]}
    database = call.database
    if stored is not None:
        database.change("APInvDtl", stored, changes(stored, values), **call.who)
        _follow_amount(call, stored, header)
        return stored
    account = RECEIVED_NOT_INVOICED if values["LineType"] in {"R", "U"} else DEFAULT_EXPENSE
    values["GLAccount"] = account if with_account else ""
    line = database.insert("APInvDtl", values, **call.who)
    if with_account:
        key = {name: line[name] for name in ("VendorNum", "InvoiceNum", "InvoiceLine")}
        _add_expense(call, {**key, "InvExpSeq": 1}, account, line["DocExtCost"], header)
    return line


def _shown_amount(row: Row, stored: Row | None) -> Decimal:
    """Return the screen amount: the Scr column where it was set, else the Doc column, else quantity by price."""
    sign = -1 if row["DebitMemo"] else 1
    before = stored or TEMPLATES["APInvDtl"]
    if row["ScrDocExtCost"] != before["ScrDocExtCost"]:
        return Decimal(row["ScrDocExtCost"])
    if row["DocExtCost"] != before["DocExtCost"]:
        return sign * Decimal(row["DocExtCost"])
    if row["ScrDocExtCost"]:
        return Decimal(row["ScrDocExtCost"])
    return (Decimal(row["VendorQty"]) * Decimal(row["DocUnitCost"] or row["ScrUnitCost"])).quantize(CENT)


def _follow_amount(call: Call, line: Row, header: Row) -> None:
    """Let a line's only distribution follow its amount."""
    expenses = call.database["APInvExp"].under(line["VendorNum"], line["InvoiceNum"], line["InvoiceLine"])
    if len(expenses) == 1 and expenses[0]["DocExpAmt"] != line["DocExtCost"]:
        call.database.change("APInvExp", expenses[0], _expense_amounts(line["DocExtCost"], header), **call.who)


def _expense_amounts(amount: Decimal, header: Row) -> Row:
    base = (amount * header["ExchangeRate"]).quantize(CENT)
    return {"ExpAmt": base, "DocExpAmt": amount, "ScrExpAmt": abs(base), "DocScrExpAmt": abs(amount)}


def _add_expense(call: Call, key: Row, account: str, amount: Decimal, header: Row) -> None:
    shared = {**key, "COACode": COA, "BookID": "MAIN", "CurrencyCode": header["CurrencyCode"]}
    shown = _account_columns(call.database, account)
    call.database.insert(
        "APInvExp",
        {**TEMPLATES["APInvExp"], **shared, **_expense_amounts(amount, header), **shown["APInvExp"]},
        **call.who,
    )
    row = {**TEMPLATES["APInvExpTGLC"], **shared, "GLAcctContext": "Expense", "RelatedToFile": "APInvExp",
           "UserCanModify": True, "TransAmt": amount, **shown["APInvExpTGLC"]}  # fmt: skip
    call.database.insert("APInvExpTGLC", row, **call.who)


def _account_columns(database: Database, account: str) -> dict[str, Row]:
    """Return what an account sets in each table that shows it."""
    found = database["GLAccount"].get(COA, account) or TEMPLATES["GLAccount"]
    segments = {f"SegValue{number}": found[f"SegValue{number}"] for number in range(1, 5)}
    display, text = found["GLAcctDispGLAcctDisp"], found["AccountDesc"]
    return {
        "APInvExp": {"GLAccount": account, "ExpDispGLAcct": display, "GLAccountDesc": text},
        "APInvExpTGLC": segments | {"GLAccount": account, "GLAccountGLAcctDisp": display, "GLAccountAccountDesc": text},
    }


def change_account(call: Call, header: Row, stored: Row, sent: Row) -> Row:
    """Book a distribution on another account. Raises a 400 refusal for one that may not be used on the apply date."""
    account = sent["GLAccount"]
    check_account(call.database, account, day=header["ApplyDate"])
    given = [sent[f"SegValue{number}"] for number in range(1, 5) if sent[f"SegValue{number}"]]
    if given != account.split("|"):
        raise business(f"Segment values do not make up GL account {account}.", table="APInvExpTGLC", field="SegValue1")
    shown = _account_columns(call.database, account)
    key = (stored["VendorNum"], stored["InvoiceNum"], stored["InvoiceLine"])
    call.database.change("APInvExpTGLC", stored, shown["APInvExpTGLC"], **call.who)
    expense = call.database["APInvExp"].get(*key, stored["InvExpSeq"])
    line = call.database["APInvDtl"].get(*key)
    if expense is None or line is None:
        raise bad_input("The distribution belongs to no line.")
    call.database.change("APInvExp", expense, shown["APInvExp"], **call.who)
    if stored["InvExpSeq"] == 1:
        call.database.change("APInvDtl", line, {"GLAccount": account}, **call.who)
    return stored


def check_account(database: Database, account: str, *, day: str | None) -> None:
    """Raise a 400 refusal unless the account exists, is active and in effect on the day."""
    found = database["GLAccount"].get(COA, account)
    if found is None:
        raise business(f"GL Account {account} is not valid.", table="APInvExpTGLC", field="GLAccount")
    early = day and found["EffFrom"] and day < found["EffFrom"]
    late = day and found["EffTo"] and day > found["EffTo"]
    if not found["Active"] or early or late:
        raise business(f"GL Account {found['GLAcctDispGLAcctDisp']} is not active.", table="APInvExpTGLC",
                       field="GLAccount")  # fmt: skip


def save_charge(call: Call, header: Row, sent: Row) -> Row:
    """Store a header charge with its distribution; its account follows from the miscellaneous charge code."""
    if sent["MiscCode"] not in MISC_CODES:
        raise business(f"Misc charge {sent['MiscCode']} is not valid.", table="APIHAPInvMsc", field="MiscCode")
    text, account = MISC_CODES[sent["MiscCode"]]
    sign = -1 if header["DebitMemo"] else 1
    amount = sign * abs(sent["ScrDocMiscAmt"] or sent["DocMiscAmt"])
    base = (amount * header["ExchangeRate"]).quantize(CENT)
    values = plain(sent) | {"MiscCodeDescription": text, "Description": sent["Description"] or text,
                            "DocMiscAmt": amount, "MiscAmt": base, "ScrDocMiscAmt": abs(amount),
                            "ScrMiscAmt": abs(base)}  # fmt: skip
    row = call.database.insert("APIHAPInvMsc", values, **call.who)
    key = {name: row[name] for name in ("VendorNum", "InvoiceNum", "InvoiceLine", "InvExpSeq")}
    expense = {**TEMPLATES["APIHAPInvExp"], **key, **_expense_amounts(amount, header), "GLAccount": account,
               "CurrencyCode": header["CurrencyCode"]}  # fmt: skip
    call.database.insert("APIHAPInvExp", expense, **call.who)
    return row
