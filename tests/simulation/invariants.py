"""What must hold whenever faults have stopped and time has passed: nothing lost, nothing twice, nothing stuck.

Each check returns one line a fault. A record that is not where it should be is excused only by a problem that is open,
or that a person has closed; and every problem that is open must itself be explained (``justified``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal

from connector.stages import Stage
from syncjobs.models import (
    InvoiceLink,
    VendorMapping,
)
from syncjobs.states import INVOICE_THERE
from tests.simulation import own_rows
from tests.simulation.books import IDENTITY, Books, Row

Check = Callable[[Books], Iterator[str]]
CHECKS: dict[Stage, list[Check]] = {stage: [] for stage in Stage}


def of(stage: Stage) -> Callable[[Check], Check]:
    """Register a check of what a stage is responsible for."""

    def register(check: Check) -> Check:
        CHECKS[stage].append(check)
        return check

    return register


def broken(books: Books, stages: frozenset[Stage]) -> list[str]:
    """Return every fault found in a tenant's books, as far as these stages answer for it."""
    found = [line for check in own_rows.CHECKS for line in check(books)]
    found += [line for stage in Stage if stage in stages for check in CHECKS[stage] for line in check(books)]
    return [f"{books.tenant.slug}: {line}" for line in found]


# --- vendors, accounts, orders ----------------------------------------------------------------------------------------


@of(Stage.VENDORS_OUT)
def vendors(books: Books) -> Iterator[str]:
    states = dict(VendorMapping.objects.filter(tenant=books.tenant).values_list("vendor_num", "state"))
    for vendor in books.epicor["Vendor"]:
        number = vendor["VendorNum"]
        records = books.vendor_records(number)
        if len(records) > 1:
            yield f"vendor {number} is at AvidXchange {len(records)} times"
        if books.is_told("vendor", f"{books.company}|{number}") or states.get(number) in ("rejected", "ignored"):
            continue
        if vendor["Inactive"]:
            if any(row["IsActive"] for row in records):
                yield f"vendor {number} is inactive in Epicor and active at AvidXchange"
        elif not records:
            yield f"vendor {number} is missing at AvidXchange"
        else:
            yield from _vendor(books, vendor, records[0])


def _vendor(books: Books, vendor: Row, record: Row) -> Iterator[str]:
    remits = books.under("VendRemitTo", VendorNum=vendor["VendorNum"], DefaultRemitTo=True, Inactive=False)
    line1 = min(remits, key=lambda row: row["RemitToSeq"])["RemitToAddress1"] if remits else vendor["Address1"]
    shown = (record["VendorName"], record["IsActive"], (record["RemitToAddress"] or {}).get("Line1"))
    if shown != (vendor["Name"], True, line1):
        yield f"vendor {vendor['VendorNum']} is {shown} at AvidXchange, not {(vendor['Name'], True, line1)}"


@of(Stage.GL_CODES_OUT)
def gl_accounts(books: Books) -> Iterator[str]:
    today = books.today
    shown: dict[str, bool] = {}
    for account in books.epicor["GLAccount"]:
        begins, ends = (account["EffFrom"] or "")[:10], (account["EffTo"] or "9999-12-31")[:10]
        usable = bool(account["Active"]) and begins <= today <= ends
        number = account["GLAcctDispGLAcctDisp"]
        shown[number] = shown.get(number, False) or usable
        key = f"{books.company}|{account['COACode']}|{account['GLAccount1']}"
        record = books.gl_accounts.get(number)
        if books.is_told("gl_account", key):
            continue
        if usable and (record is None or not record["IsActive"]):
            yield f"account {number} is missing or inactive at AvidXchange"
        elif usable and record is not None and record["Description"] != account["AccountDesc"]:
            yield f"account {number} is called {record['Description']!r} at AvidXchange, not {account['AccountDesc']!r}"
    for number, record in books.gl_accounts.items():
        if record["IsActive"] and not shown.get(number) and number not in books.excused_accounts:
            yield f"account {number} is active at AvidXchange and not in Epicor"


@of(Stage.PURCHASE_ORDERS_OUT)
def purchase_orders(books: Books) -> Iterator[str]:
    approved = set(
        VendorMapping.objects.filter(tenant=books.tenant, state="approved").values_list("vendor_num", flat=True)
    )
    for order in books.epicor["POHeader"]:
        number = order["PONum"]
        record = books.purchase_orders.get(str(number))
        key = f"{books.company}|{number}"
        if books.is_told("purchase_order", key) or order["VendorNum"] not in approved:
            continue
        status = "Void" if order["VoidOrder"] else "Open" if order["OpenOrder"] else "Closed"
        if record is None:
            if status == "Open" and order["Approve"]:
                yield f"PO {number} is missing at AvidXchange"
            continue
        lines = [row for row in books.under("PODetail", PONUM=number) if not (row["VoidLine"] or order["VoidOrder"])]
        total = sum((row["DocExtCost"] for row in lines), Decimal(0))
        if (record["Status"], record["TotalAmount"]) != (status, total):
            yield f"PO {number} is {record['Status']} over {record['TotalAmount']}, not {status} over {total}"
        if not books.is_told("receipts", key):
            yield from _receipts(books, number)


def _receipts(books: Books, number: int) -> Iterator[str]:
    got = sum((row["VendorQty"] for row in books.under("RcvDtl", PONum=number) if row["Received"]), Decimal(0))
    there = sum(
        (line["ReceivedQuantity"] for row in books.receipts if row["PONumber"] == str(number) for line in row["Lines"]),
        Decimal(0),
    )
    if got != there:
        yield f"of PO {number} {got} are received in Epicor and {there} at AvidXchange"


# --- invoices ---------------------------------------------------------------------------------------------------------


@of(Stage.INVOICES_OUT)
def submitted(books: Books) -> Iterator[str]:
    captured = {str(number) for number in books.captured}
    accounted = set()
    for header in books.epicor["APInvHed"]:
        key = (header["VendorNum"], header["InvoiceNum"])
        copies = books.submitted(*key)
        accounted |= {row["Id"] for row in copies}
        if len(copies) > 1:
            yield f"invoice {key} is at AvidXchange {len(copies)} times"
        if copies and header["ExternalID"] in captured:
            yield f"invoice {key} came from AvidXchange and was submitted back to it"
        if header["ExternalID"]:
            continue
        told = books.is_told("invoice", f"{books.company}|{key[0]}|{key[1]}")
        if not copies and not told and _to_be_submitted(books, header):
            yield f"invoice {key} is missing at AvidXchange"
        for row in copies:
            if row["GrossAmount"] != header["DocInvoiceAmt"] and not told:
                yield f"invoice {key} is {row['GrossAmount']} at AvidXchange, {header['DocInvoiceAmt']} in Epicor"
            yield from _image(books, key, row, told=told)
    gone = [row["ExternalId"] for row in books.invoices if row["Id"] not in accounted]
    for external_id in gone:
        if external_id not in books.excused_invoices:
            yield f"AvidXchange has invoice {external_id}, and Epicor has none like it"


def _to_be_submitted(books: Books, header: Row) -> bool:
    key = {"VendorNum": header["VendorNum"], "InvoiceNum": header["InvoiceNum"]}
    free = header["Posted"] and header["OpenPayable"] and not header["PayHold"] and not header["InvoiceHeld"]
    if not free or header["DocUnpostedBal"] != header["DocInvoiceAmt"]:
        return False
    mapping = VendorMapping.objects.filter(tenant=books.tenant, vendor_num=header["VendorNum"]).first()
    if mapping is None or mapping.state != "approved" or not mapping.active:
        return False
    shown = {row["GLAccount1"]: row["GLAcctDispGLAcctDisp"] for row in books.epicor["GLAccount"]}
    accounts = {row["GLAccount"] for row in books.under("APInvExpTGLC", **key)}
    there = {number for number, row in books.gl_accounts.items() if row["IsActive"]}
    return {shown.get(account) for account in accounts} <= there


def _image(books: Books, key: tuple[int, str], row: Row, *, told: bool) -> Iterator[str]:
    wanted, hashes = books.first_pdf(*key), [image["ContentHash"] for image in row["Images"]]
    if len(hashes) > 1:
        yield f"invoice {key} has {len(hashes)} images at AvidXchange"
    elif hashes != [wanted] * bool(wanted) and not told:
        yield f"invoice {key} has the images {hashes} at AvidXchange, not {wanted!r}"


@of(Stage.APPROVALS_IN)
def approvals(books: Books) -> Iterator[str]:
    known = {
        link.external_id: link
        for link in InvoiceLink.objects.filter(tenant=books.tenant, direction="out", state__in=INVOICE_THERE)
    }
    for row in books.invoices:
        link = known.get(row["ExternalId"])
        says = "pending" if row["State"] == "Received" else row["State"].lower()
        if link is None:
            yield f"invoice {row['ExternalId']} is at AvidXchange, and we do not know it"
        elif (link.approval, link.avid_id) != (says, str(row["Id"])):
            yield f"invoice {row['ExternalId']} is {says} as {row['Id']}; we have it {link.approval} as {link.avid_id}"


@of(Stage.INVOICES_IN)
def captured(books: Books) -> Iterator[str]:
    display = {row["GLAccount1"]: row["GLAcctDispGLAcctDisp"] for row in books.epicor["GLAccount"]}
    for batch in books.captured_batches:
        excused = books.is_told("batch", batch["BatchGUID"])
        if not batch["Acknowledged"] and not excused:
            yield f"batch {batch['BatchName']} is not acknowledged"
        for number in batch["InvoiceIds"]:
            row = books.captured[number]
            there = books.under("APInvHed", ExternalID=str(number))
            if len(there) > 1:
                yield f"captured invoice {row['Number']} is in Epicor {len(there)} times"
            told = excused or books.captured_told(row, there)
            if not there and not told:
                yield f"captured invoice {row['Number']} ({number}) is missing in Epicor"
            for header in there if not told else ():
                yield from _written(books, row, header, display)
    ours = [row for row in books.epicor["APInvHed"] if row["ExternalID"]]
    kept = {str(number) for batch in books.captured_batches for number in batch["InvoiceIds"]}
    for header in ours:
        if header["ExternalID"] not in kept and not books.captured_told({"Id": header["ExternalID"]}, [header]):
            yield f"Epicor has captured invoice {header['ExternalID']}, which is in no closed batch any more"


def _written(books: Books, row: Row, header: Row, display: dict[str, str]) -> Iterator[str]:
    key = {"VendorNum": header["VendorNum"], "InvoiceNum": header["InvoiceNum"]}
    lines = books.under("APInvDtl", **key)
    booked = {one["InvoiceLine"]: one["GLAccount"] for one in books.under("APInvExpTGLC", **key)}
    stands = Counter((one["DocExtCost"], display.get(booked.get(one["InvoiceLine"], ""), "")) for one in lines)
    wanted = Counter((line["Amount"], line["GLAccount"]) for line in row["Lines"])
    if header["DocInvoiceAmt"] != row["GrossAmount"] or stands != wanted:
        yield (
            f"captured invoice {row['Number']} over {row['GrossAmount']} {dict(wanted)} stands in Epicor over "
            f"{header['DocInvoiceAmt']} {dict(stands)}"
        )
    group_told = any(kind == "ap_invoice_group" for kind, _key, _code in books.told)
    if not header["Posted"] and not group_told:
        yield f"captured invoice {row['Number']} is not posted in Epicor (group {header['GroupID']})"


# --- payments ---------------------------------------------------------------------------------------------------------


@of(Stage.PAYMENTS_IN)
def payments(books: Books) -> Iterator[str]:
    by_identity: dict[str, list[Row]] = {}
    for head in books.epicor["CheckHed"]:
        if head["Description"].startswith(IDENTITY):
            by_identity.setdefault(head["Description"].removeprefix(IDENTITY), []).append(head)
    for number, payment in books.payments.items():
        live = [row for row in by_identity.pop(str(number), []) if not row["Voided"]]
        wanted = 1 if payment["Status"] == "Cleared" else 0
        told = books.is_told("payment", str(number))
        if len(live) > 1:
            yield f"payment {number} is in Epicor {len(live)} times"
        elif len(live) != wanted and not told:
            yield f"payment {number} ({payment['Status']}) is in Epicor {len(live)} times, not {wanted}"
        for head in live if wanted else ():
            yield from _payment(books, payment, head, told=told)
    for number in by_identity:
        yield f"Epicor has a payment {number} that AvidXchange does not know"


def _payment(books: Books, payment: Row, head: Row, *, told: bool) -> Iterator[str]:
    taken: Counter[str] = Counter()
    for part in books.under("APTran", HeadNum=head["HeadNum"]):
        taken[part["InvoiceNum"]] += part["DocTranAmt"]
    wanted: Counter[str] = Counter()
    for part in payment["Remittances"]:
        wanted[part["Number"]] += part["Gross"]
    if (head["DocCheckAmt"], taken) != (payment["Amount"], wanted) and not told:
        yield f"payment {payment['PaymentId']} over {payment['Amount']} {dict(wanted)} is in Epicor as {dict(taken)}"
    if not head["Posted"] and not told:
        yield f"payment {payment['PaymentId']} is not posted in Epicor"
