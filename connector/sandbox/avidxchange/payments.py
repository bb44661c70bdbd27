"""Paying: approved invoices are grouped by vendor into payments, and each payment walks through its script.

T1 and T3 only: nobody submits a payment here. Credits ride with positive invoices of the same vendor and currency, a
card pays one invoice at a time (facts 3.6), a group never exceeds 35 invoices. What an invoice still has to be paid is
``GrossAmount - Paid``; ``Paid`` counts from the moment a payment is made, so nothing is paid twice, and a refunded or
voided one is not paid again by itself (facts 3.6: the buyer does that), except where its script says it is replaced.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from connector.sandbox.avidxchange.chance import roll
from connector.sandbox.avidxchange.customer import Customer, PayKey, money
from connector.sandbox.avidxchange.options import Options
from connector.sandbox.avidxchange.scripts import ACH, CARD, CHECK, NEEDS_METHOD, Step, script
from connector.sandbox.avidxchange.wire import Row

Portion = tuple[Row, Decimal]
GROUP_MAX = 35


def release(customer: Customer, invoice: Row, at: datetime, options: Options) -> None:
    """Let an approved invoice be paid by the next run for its vendor and currency."""
    key = (invoice["VendorId"], invoice["Currency"])
    if invoice["GrossAmount"] != invoice["Paid"]:
        customer.payable[key][invoice["Id"]] = invoice
        plan_run(customer, key, at, options)


def plan_run(customer: Customer, key: PayKey, at: datetime, options: Options) -> None:
    """Plan a payment run for a vendor and currency unless one is planned already."""
    if key in customer.runs_planned:
        return
    customer.runs_planned.add(key)
    customer.timeline.after(at, lambda then: _run(customer, key, then, options))


def _run(customer: Customer, key: PayKey, at: datetime, options: Options) -> None:
    customer.runs_planned.discard(key)
    method = method_of(customer, key[0])
    for bundle in _bundles(list(customer.payable[key].values()), single=method == CARD):
        story = options.stories.get(next(customer.payment_places), "")
        portions = _first_half(bundle) if story == "partial" else bundle
        remittances = [_remittance(row, amount, options) for row, amount in portions]
        create(customer, method=NEEDS_METHOD.get(story, method), remittances=remittances, at=at, story=story, key=key)
        for row, amount in portions:
            row["Paid"] += amount
            if row["Paid"] == row["GrossAmount"]:
                del customer.payable[key][row["Id"]]
        if any(row["Paid"] != row["GrossAmount"] for row, _amount in portions):
            plan_run(customer, key, at, options)


def method_of(customer: Customer, vendor_id: int) -> str:
    """Return how a vendor is paid, by its hash: 45 in 100 by check, 30 by ACH, 25 by card."""
    place = roll("method", customer.company, vendor_id)
    if place < 45:
        return CHECK
    return ACH if place < 75 else CARD


def _bundles(rows: list[Row], *, single: bool) -> list[list[Portion]]:
    """Group open invoices into payments; a credit that no payment can carry yet stays open."""
    portions = [(row, row["GrossAmount"] - row["Paid"]) for row in sorted(rows, key=lambda row: int(row["Id"]))]
    positives = [portion for portion in portions if portion[1] > 0]
    size = 1 if single else GROUP_MAX
    bundles = [positives[start : start + size] for start in range(0, len(positives), size)]
    for credit in (portion for portion in portions if portion[1] < 0):
        for bundle in bundles:
            if sum((amount for _row, amount in bundle), Decimal(0)) + credit[1] > 0:
                bundle.append(credit)
                break
    return bundles


def _first_half(bundle: list[Portion]) -> list[Portion]:
    """Pay only half of the first invoice, unless a credit makes that tricky or it is a matter of cents."""
    row, amount = bundle[0]
    if amount < 2 or any(portion[1] < 0 for portion in bundle):
        return bundle
    return [(row, money(amount / 2)), *bundle[1:]]


def _remittance(row: Row, amount: Decimal, options: Options) -> Row:
    discount = Decimal(0)
    if options.discounts and amount == row["GrossAmount"]:
        discount = row.get("DiscountAmount") or Decimal(0)
    return {
        "Number": row["Number"],
        "ExternalId": row.get("ExternalId"),
        "InvoiceId": row["Id"],
        "Gross": amount,
        "Discount": discount,
        "Net": amount - discount,
    }


def create(
    customer: Customer, *, method: str, remittances: list[Row], at: datetime, key: PayKey, story: str = ""
) -> Row:
    """Make a payment over remittances and set it on its way; returns its row."""
    first, *rest = script(method, story)
    batch_id = f"PB-{at:%Y%m%d}"
    customer.payment_batches.setdefault(batch_id, {"BatchId": batch_id, "CreatedDate": at})
    account = customer.bank_accounts[0]["ClientId"] if customer.bank_accounts else None
    row: Row = {
        "PaymentId": next(customer.payment_ids),
        "ExternalPaymentIds": [],
        "BatchId": batch_id,
        "Status": "",
        "Method": method,
        "Amount": sum((item["Net"] for item in remittances), Decimal(0)),
        "BankAccountClientIds": [account] if account else [],
        "FeeAmount": Decimal(0),
        "Remittances": remittances,
        "History": [],
        "_key": key,
        "_steps": rest,
    } | dict.fromkeys(
        ("CheckNumber", "AvidPayCheckNumber", "AchTraceNumber", "VirtualCardLast4", "ClearedDate", "VoidedDate")
    )
    row |= dict.fromkeys(("VoidReason", "RefundedAmount", "RefundedDate", "ReplacesPaymentId", "ReplacedByPaymentId"))
    row |= {"Exceptions": [], "HasClearedCheckImages": False}
    customer.payments[row["PaymentId"]] = row
    _take(customer, row, first, at)
    return row


def tell(customer: Customer, payment: Row, story: str, at: datetime) -> None:
    """Make a payment go on with the end of a story from where it is now (for tests). ``ValueError`` if unknown."""
    whole = script(NEEDS_METHOD.get(story, str(payment["Method"])), story)
    names = [step.status for step in whole]
    reached = names.index(payment["Status"]) if payment["Status"] in names else len(whole) - 2
    whole = whole[reached + 1 :]
    waiting = bool(payment["_steps"])
    payment["_steps"] = whole
    if not waiting:
        customer.timeline.after(at, lambda then: _advance(customer, payment, then))


def _advance(customer: Customer, payment: Row, at: datetime) -> None:
    if payment["_steps"]:
        step, *payment["_steps"] = payment["_steps"]
        _take(customer, payment, step, at)


def _take(customer: Customer, payment: Row, step: Step, at: datetime) -> None:
    if step.method:
        payment.update(Method=step.method, VirtualCardLast4=None)
    set_status(customer, payment, step.status, at)
    if step.then:
        _replace(customer, payment, at, linked=step.then == "replace_linked")
    if payment["_steps"]:
        customer.timeline.after(at, lambda then: _advance(customer, payment, then))


def set_status(customer: Customer, payment: Row, status: str, at: datetime) -> None:
    """Give a payment a status with everything that comes with it: numbers, dates, exceptions, a line of history."""
    payment["Exceptions"] = []
    if status == "Error":
        payment["Exceptions"] = [{"ReasonCode": {"Id": 4, "Description": "Missing bank account"}}]
    elif status == "Sent to Check Printer":
        payment["AvidPayCheckNumber"] = str(next(customer.check_numbers))
    elif status == "ACH Credit Issued":
        payment["AchTraceNumber"] = f"{roll('trace', payment['PaymentId'], sides=10**15):015d}"
    elif status == "VCC Processing":
        payment["VirtualCardLast4"] = f"{roll('card', payment['PaymentId'], sides=10**4):04d}"
    elif status == "Cleared":
        payment.update(ClearedDate=at, HasClearedCheckImages=payment["Method"] == CHECK)
    elif status in ("Refunded", "Returned"):
        payment.update(RefundedAmount=payment["Amount"], RefundedDate=at)
    elif status.startswith("Void"):
        payment.update(VoidedDate=at, VoidReason="Voided on request")
    payment.update(Status=status, LastModified=at)
    payment["History"].append(
        {
            "Id": next(customer.history_ids),
            "PaymentID": payment["PaymentId"],
            "PaymentProcessName": payment["Method"],
            "Description": status,
            "Comment": "",
            "InsertDateTime": at,
        }
    )


def _replace(customer: Customer, payment: Row, at: datetime, *, linked: bool) -> None:
    """Pay the same remittances by a new payment, with or without a link between the two (contract 6.2, assumed)."""
    copies = [dict(item) for item in payment["Remittances"]]
    new = create(customer, method=payment["Method"], remittances=copies, at=at, key=payment["_key"])
    if linked:
        new["ReplacesPaymentId"] = payment["PaymentId"]
        payment["ReplacedByPaymentId"] = new["PaymentId"]
