"""A payment as R19 shows it: the fields of contract 6.2 in the spellings and shapes that were seen."""

from __future__ import annotations

from connector.sandbox.avidxchange.chance import happens, roll
from connector.sandbox.avidxchange.options import Options
from connector.sandbox.avidxchange.scripts import METHODS, STATUS_IDS, TAKEN_BACK
from connector.sandbox.avidxchange.wire import Row, moment

#: Spellings of the network's check number; the first is the one that was seen (contract 6.2).
CHECK_NUMBER_NAMES = ("AvidPayChecknumber", "AvidPayCheckNumber", "AvidpayCheckNumber")
OPTIONAL = ("VoidReason", "RefundedAmount", "RefundedDate", "VoidedDate", "ReplacesPaymentId", "ReplacedByPaymentId")
UNKNOWN_ID = 99


def payment_view(row: Row, options: Options) -> Row:
    """Return a payment on the wire; in awkward mode numbers may be text, spellings vary, nulls may be left out."""
    number = row["PaymentId"]
    naive = options.awkward and happens(50, "naive", number)
    name = CHECK_NUMBER_NAMES[roll("spelling", number, sides=3)] if options.awkward else CHECK_NUMBER_NAMES[0]
    view: Row = {
        "PaymentId": number,
        "ExternalPaymentIds": [{"Value": value} for value in row["ExternalPaymentIds"]],
        "BatchId": row["BatchId"],
        "Status": {"Id": STATUS_IDS.get(row["Status"], UNKNOWN_ID), "Description": row["Status"]},
        "PaymentMethod": {"Id": METHODS.get(row["Method"], UNKNOWN_ID), "Description": row["Method"]},
        "Amount": row["Amount"],
        "CheckNumber": row["CheckNumber"],
        name: row["AvidPayCheckNumber"],
        "ClearedDate": moment(row["ClearedDate"], naive=naive),
        "HasClearedCheckImages": row["HasClearedCheckImages"],
        "BankAccount": {"ClientIds": row["BankAccountClientIds"]},
        "Exceptions": row["Exceptions"],
        "LastModified": moment(row["LastModified"], naive=naive),
        "AchTraceNumber": row["AchTraceNumber"],
        "VirtualCardLast4": row["VirtualCardLast4"],
        "FeeAmount": row["FeeAmount"],
        "Remittances": [_remittance(item) for item in row["Remittances"]],
        "ReplacesPaymentId": row["ReplacesPaymentId"],
        "ReplacedByPaymentId": row["ReplacedByPaymentId"],
        "RefundedAmount": row["RefundedAmount"],
        "RefundedDate": moment(row["RefundedDate"], naive=naive),
        "VoidedDate": moment(row["VoidedDate"], naive=naive),
        "VoidReason": row["VoidReason"],
    }
    if options.awkward:
        _bend(view, number)
    return view


def _bend(view: Row, number: int) -> None:
    if happens(25, "text amount", number):
        view["Amount"] = str(view["Amount"])
        for item in view["Remittances"]:
            item.update({name: str(item[name]) for name in ("Gross", "Discount", "Net")})
    if happens(25, "text id", number):
        view["PaymentId"] = str(number)
    if len(view["Exceptions"]) == 1 and happens(50, "one exception", number):
        view["Exceptions"] = view["Exceptions"][0]
    if happens(50, "leave out", number):
        for name in OPTIONAL:
            if view[name] is None:
                del view[name]
    if happens(30, "more", number):
        view["Channel"] = "sandbox"


def _remittance(item: Row) -> Row:
    external = item["ExternalId"]
    return {**item, "ExternalId": {"Value": external, "SchemeOwner": "Buyer"} if external else None}


def history_view(entry: Row) -> Row:
    """Return a line of a payment's history (R20)."""
    return {**entry, "InsertDateTime": moment(entry["InsertDateTime"], naive=True)}


def batch_view(batch: Row, payments: list[Row]) -> Row:
    """Return a payment batch with its status (R18), which follows from its payments (numbers assumed)."""
    statuses = {payment["Status"] for payment in payments}
    status = {"Id": 1, "Description": "Processing"}
    if "Error" in statuses:
        status = {"Id": 2, "Description": "Processing with Exceptions"}
    elif statuses <= TAKEN_BACK | {"Cleared"}:
        status = {"Id": 3, "Description": "Closed"}
    return {
        "BatchId": batch["BatchId"],
        "Status": status,
        "PaymentCount": len(payments),
        "CreatedDate": moment(batch["CreatedDate"], naive=True),
    }
