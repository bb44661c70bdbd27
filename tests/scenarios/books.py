"""Both systems' books with everything left out that may differ between two runs of one story: ids, stamps, order.

Two stories end alike exactly when their ``books`` are equal. Nothing is summed or counted away: a vendor, invoice,
image, line, payment or allocation that is there twice is there twice here too.
"""

from __future__ import annotations

from collections import Counter
from typing import Any


def books(ledger: dict[str, Any]) -> dict[str, Any]:
    """Return one company's comparable books from its part of the ledger dump."""
    epicor, avid = ledger["epicor"], ledger["avidxchange"]
    return {
        "epicor_invoices": sorted(_epicor_invoice(row) for row in epicor["invoices"]),
        "vendors": sorted((v["VendorExternalSystemID"] or "", v["VendorName"], v["IsActive"]) for v in avid["vendors"]),
        "gl_accounts": sorted((a["AccountNumber"], a["IsActive"]) for a in avid["gl_accounts"]),
        "purchase_orders": sorted((p["PONumber"], p["Status"], p["TotalAmount"]) for p in avid["purchase_orders"]),
        "receipts": sorted((r["PONumber"], len(r["Lines"])) for r in avid["receipts"]),
        "invoices": sorted(_avid_invoice(row) for row in avid["invoices"]),
        "captured": sorted((b["BatchName"], b["acknowledged"]) for b in avid["captured_batches"]),
    }


def payment_faults(ledger: dict[str, Any]) -> list[str]:
    """Return a line for every payment of AvidXchange that Epicor has not exactly once, or has though it was undone.

    Which invoices AvidXchange pays together depends on when it saw them, so payments of two stories are not compared
    with each other but each with Epicor's books.
    """
    booked = Counter(
        (row["Description"], str(row["DocCheckAmt"])) for row in ledger["epicor"]["payments"] if not row["Voided"]
    )
    faults = []
    for row in ledger["avidxchange"]["payments"]:
        mark = (f"AvidXchange payment {row['PaymentId']}", str(row["Amount"]))
        expected = 1 if row["Status"] == "Cleared" else 0
        if booked.pop(mark, 0) != expected:
            faults.append(f"{mark[0]} over {mark[1]} ({row['Status']}) is not in Epicor {expected} times")
    return faults + [
        f"Epicor has {mark[0]} over {mark[1]}, AvidXchange has not" for mark in booked if "Avid" in mark[0]
    ]


def _epicor_invoice(row: dict[str, Any]) -> tuple[Any, ...]:
    lines = sorted((str(line["DocExtCost"]), str(line["GLAccount"])) for line in row["lines"])
    amount = str(row["DocInvoiceAmt"])
    return (row["VendorNum"], row["InvoiceNum"], row["Posted"], amount, str(lines), row["attachments"])


def _avid_invoice(row: dict[str, Any]) -> tuple[Any, ...]:
    return (row["ExternalId"] or "", row["Number"], str(row["GrossAmount"]), row["ApprovalStatus"], row["image_count"])
