"""What happens to vendors, accounts, orders and invoices in Epicor while we work."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from connector.sandbox.seed.writer import stamp
from connector.stages import Stage
from tests.simulation.places import Place, Row, during

#: The vendor whose one invoice is coded to an inactive account.
INACTIVE_ACCOUNT = 112


# --- vendors and accounts ---------------------------------------------------------------------------------------------


@during(Stage.VENDORS_OUT)
def _vendor_renamed(place: Place) -> str:
    vendor = place.pick("Vendor")
    if vendor is None:
        return ""
    place.change("Vendor", vendor, Name=place.fresh(f"{vendor['Name'][:40]} "))
    return str(vendor["VendorNum"])


@during(Stage.VENDORS_OUT)
def _vendor_id_changed(place: Place) -> str:
    vendor = place.pick("Vendor")
    if vendor is None:
        return ""
    place.change("Vendor", vendor, VendorID=place.fresh("V"))
    return str(vendor["VendorNum"])


@during(Stage.VENDORS_OUT)
def _remit_to_moved(place: Place) -> str:
    row = place.pick("VendRemitTo", lambda row: row["DefaultRemitTo"])
    if row is None:
        return ""
    place.change("VendRemitTo", row, RemitToAddress1=place.fresh("PO Box "))
    return str(row["VendorNum"])


@during(Stage.VENDORS_OUT)
def _vendor_inactivated(place: Place) -> str:
    vendor = place.pick("Vendor", lambda row: not row["Inactive"])
    if vendor is None:
        return ""
    place.change("Vendor", vendor, Inactive=True)
    place.lift(lambda: place.change("Vendor", vendor, Inactive=False))
    return str(vendor["VendorNum"])


@during(Stage.VENDORS_OUT)
def _vendor_added(place: Place) -> str:
    model = place.pick("Vendor", lambda row: row["City"] and not row["Inactive"])
    if model is None:
        return ""
    number = max(row["VendorNum"] for row in place.database["Vendor"].all()) + 1
    name = place.fresh("Newcomer Supplies ")
    tax_id = f"99-{number:07d}"
    place.insert("Vendor", {**model, "VendorNum": number, "VendorID": f"N{number}", "Name": name, "TaxPayerID": tax_id,
                            "Address1": f"{number} New Road", "EMailAddress": ""})  # fmt: skip
    return str(number)


@during(Stage.GL_CODES_OUT)
def _account_renamed(place: Place) -> str:
    row = place.pick("GLAccount")
    if row is None:
        return ""
    place.change("GLAccount", row, AccountDesc=place.fresh("Renamed "))
    return str(row["GLAccount1"])


@during(Stage.GL_CODES_OUT)
def _account_renumbered(place: Place) -> str:
    row = place.pick("GLAccount", lambda row: row["Active"])
    if row is None or Stage.INVOICES_IN in place.stages:
        return ""
    place.change("GLAccount", row, GLAcctDispGLAcctDisp=place.fresh("09-90-90"))
    return str(row["GLAccount1"])


@during(Stage.GL_CODES_OUT)
def _account_inactivated(place: Place) -> str:
    row = place.pick("GLAccount", lambda row: row["Active"])
    if row is None or Stage.INVOICES_OUT in place.stages:
        return ""
    place.change("GLAccount", row, Active=False)
    place.lift(lambda: place.change("GLAccount", row, Active=True))
    return str(row["GLAccount1"])


# --- purchase orders --------------------------------------------------------------------------------------------------


@during(Stage.PURCHASE_ORDERS_OUT)
def _order_closed(place: Place) -> str:
    row = place.pick("POHeader", lambda row: row["OpenOrder"])
    if row is None:
        return ""
    place.change("POHeader", row, OpenOrder=False, VoidOrder=place.random.random() < 0.5)
    return str(row["PONum"])


@during(Stage.PURCHASE_ORDERS_OUT)
def _order_line_changed(place: Place) -> str:
    row = place.pick("PODetail", lambda row: row["OpenLine"])
    if row is None:
        return ""
    amount = row["DocExtCost"] + Decimal("1.50")
    place.change("PODetail", row, DocExtCost=amount, ExtCost=amount)
    return f"{row['PONUM']} line {row['POLine']}"


@during(Stage.PURCHASE_ORDERS_OUT)
def _goods_received(place: Place) -> str:
    """More goods on a slip that is there already, committed with yesterday's date."""
    row = place.pick("RcvDtl", lambda row: row["Received"])
    if row is None:
        return ""
    place.change("RcvDtl", row, VendorQty=row["VendorQty"] + 1, OurQty=row["OurQty"] + 1)
    row["ChangeDate"] = stamp(place.today - timedelta(days=1))
    return f"{row['PackSlip']} line {row['PackLine']}"


# --- invoices ---------------------------------------------------------------------------------------------------------


@during(Stage.INVOICES_OUT)
def _invoice_entered(place: Place) -> str:
    """A new invoice, with a stamp that others share, or one a day late."""
    model = place.pick("APInvHed", lambda row: _clean(place, row))
    if model is None:
        return ""
    number = place.fresh("NEW-")
    key = (model["VendorNum"], model["InvoiceNum"])
    for table in ("APInvHed", "APInvDtl", "APInvExp", "APInvExpTGLC", "APIHAPInvMsc", "APIHAPInvExp"):
        for row in place.database[table].under(*key):
            place.insert(table, {**row, "InvoiceNum": number})
    header = place.database["APInvHed"].get(key[0], number)
    if header is not None and place.random.random() < 0.5:
        header["ChangeDate"] = stamp(place.today - timedelta(days=1))
    return f"{key[0]} {number}"


def _clean(place: Place, row: Row) -> bool:
    whole = row["Posted"] and row["OpenPayable"] and row["DocUnpostedBal"] == row["DocInvoiceAmt"]
    ours = not row["ExternalID"] and not row["REFPONum"] and row["VendorNum"] != INACTIVE_ACCOUNT
    return bool(whole and ours and not row["PayHold"])


@during(Stage.INVOICES_OUT)
def _invoice_put_on_hold(place: Place) -> str:
    row = place.pick("APInvHed", lambda row: _clean(place, row))
    if row is None:
        return ""
    place.change("APInvHed", row, PayHold=True)
    place.lift(lambda: place.change("APInvHed", row, PayHold=False))
    _changed(place, row)
    return f"{row['VendorNum']} {row['InvoiceNum']}"


@during(Stage.INVOICES_OUT)
def _invoice_released(place: Place) -> str:
    row = place.pick("APInvHed", lambda row: row["PayHold"] or not row["Posted"])
    if row is None or row["ExternalID"]:
        return ""
    place.change("APInvHed", row, PayHold=False, Posted=True)
    return f"{row['VendorNum']} {row['InvoiceNum']}"


@during(Stage.INVOICES_OUT)
def _invoice_described_anew(place: Place) -> str:
    row = place.pick("APInvHed", lambda row: row["Posted"] and not row["ExternalID"])
    if row is None:
        return ""
    place.change("APInvHed", row, Description=place.fresh("Described anew "))
    _changed(place, row)
    return f"{row['VendorNum']} {row['InvoiceNum']}"


def _changed(place: Place, row: Row) -> None:
    key = f"{place.company}|{row['VendorNum']}|{row['InvoiceNum']}"
    place.excuse("invoice", key, "changed_after_submission")


@during(Stage.INVOICES_OUT)
def _paid_in_epicor(place: Place) -> str:
    row = place.pick("APInvHed", lambda row: _clean(place, row) and row["DocUnpostedBal"] > 2)
    if row is None:
        return ""
    left = row["DocUnpostedBal"] - 1
    place.change("APInvHed", row, DocUnpostedBal=left, DocInvoiceBal=left)
    place.excuse("invoice", f"{place.company}|{row['VendorNum']}|{row['InvoiceNum']}", "paid_in_epicor", "partly_paid")
    return f"{row['VendorNum']} {row['InvoiceNum']}"


# --- groups and periods -----------------------------------------------------------------------------------------------


@during(Stage.INVOICES_IN)
def _group_locked(place: Place) -> str:
    row = place.pick("APInvGrp", lambda row: row["GroupID"].startswith("AVX") and not row["ActiveUserID"])
    if row is None:
        return ""
    place.change("APInvGrp", row, ActiveUserID="ap.clerk")
    place.lift(lambda: place.change("APInvGrp", row, ActiveUserID=""))
    return str(row["GroupID"])


def _period_closed(place: Place) -> str:
    options = place.run.world.sandbox.epicor.options
    before, options.closed_through = options.closed_through, place.today + timedelta(days=2)

    def reopen() -> None:
        options.closed_through = before

    place.lift(reopen)
    return f"through {options.closed_through}"


during(Stage.INVOICES_IN)(_period_closed)
during(Stage.PAYMENTS_IN)(_period_closed)
