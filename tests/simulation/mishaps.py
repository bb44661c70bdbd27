"""What people and machines do to the data over there while we work: the data faults of the field lessons.

A mishap that leaves something for a person says so: it names the problems that it explains. What a person over there
can put right again is put right when healing begins (``Run.lift``), and must then come right here by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Any

from connector.sandbox.avidxchange.customer import Customer
from connector.sandbox.avidxchange.edits import edit
from connector.sandbox.epicor.store import Database
from connector.sandbox.seed.writer import stamp
from connector.stages import Stage

if TYPE_CHECKING:
    from tests.simulation.run import Run

Row = dict[str, Any]
WHO = "someone.else"


@dataclass
class Place:
    """One company's both sides, and hands to change them with. ``edits`` count up, to name things by."""

    run: Run
    company: str
    random: Random

    @property
    def database(self) -> Database:
        return self.run.world.sandbox.epicor.companies[self.company]

    @property
    def customer(self) -> Customer:
        return self.run.world.sandbox.avidxchange.customers[self.company]

    @property
    def stages(self) -> frozenset[Stage]:
        return self.run.plan.theme.stages

    def pick(self, table: str, where: Callable[[Row], Any] = lambda row: True) -> Row | None:
        """Return any row of an Epicor table that fits."""
        rows = [row for row in self.database[table].all() if where(row)]
        return self.random.choice(rows) if rows else None

    def change(self, table: str, row: Row, **values: Any) -> None:
        """Change a row as a person in Epicor does."""
        self.database.change(table, row, values, today=self.run.world.sandbox.epicor.stamp, user=WHO)

    def insert(self, table: str, row: Row) -> Row:
        return self.database.insert(table, dict(row), today=self.run.world.sandbox.epicor.stamp, user=WHO)

    def over_there(self, table: str, key: Row, **change: Any) -> None:
        """Change a record at AvidXchange as a person there does."""
        state = self.run.world.sandbox.avidxchange
        edit(state, {"company": self.company, "table": table, "key": key, **change}, state.tick())

    def excuse(self, kind: str, key: str, *codes: str) -> None:
        self.run.excuses[self.company] |= {(kind, key, code) for code in codes}

    def fresh(self, prefix: str) -> str:
        """Return a name that nothing has yet."""
        self.run.made += 1
        return f"{prefix}{self.run.made}"

    def lift(self, back: Callable[[], None]) -> None:
        self.run.lift.append(back)


Mishap = Callable[[Place], str]
MISHAPS: list[tuple[frozenset[Stage], Mishap]] = []


def during(*stages: Stage) -> Callable[[Mishap], Mishap]:
    """Register a mishap that needs these stages to take part."""

    def register(mishap: Mishap) -> Mishap:
        MISHAPS.append((frozenset(stages), mishap))
        return mishap

    return register


def happen(run: Run, random: Random) -> None:
    """Let one thing happen somewhere; nothing does where it has nothing to happen to."""
    possible = [mishap for needs, mishap in MISHAPS if needs <= run.plan.theme.stages]
    mishap = random.choice(possible)
    place = Place(run, random.choice(run.plan.companies), random)
    what = mishap(place)
    if what:
        run.tell(f"  {place.company} {mishap.__name__.strip('_').replace('_', ' ')}: {what}")


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
    row["ChangeDate"] = stamp(_today(place) - timedelta(days=1))
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
        header["ChangeDate"] = stamp(_today(place) - timedelta(days=1))
    return f"{key[0]} {number}"


def _clean(place: Place, row: Row) -> bool:
    whole = row["Posted"] and row["OpenPayable"] and row["DocUnpostedBal"] == row["DocInvoiceAmt"]
    return bool(whole and not row["ExternalID"] and not row["REFPONum"] and not row["PayHold"] and row["VendorNum"] != 112)


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


@during(Stage.APPROVALS_IN)
def _decided(place: Place) -> str:
    rows = list(place.customer.invoices.values())
    if not rows:
        return ""
    row = place.random.choice(rows)
    state = place.random.choice(["Approved", "Rejected", "Pending"])
    if row["Paid"] and state == "Rejected":
        return ""
    place.over_there("invoices", {"Id": row["Id"]}, set={"State": state})
    return f"{row['ExternalId']} {state}"


# --- captured invoices ------------------------------------------------------------------------------------------------


@during(Stage.INVOICES_IN)
def _batch_closed(place: Place) -> str:
    """A new batch of one or two invoices, or one more invoice in a batch that is closed again."""
    model = _captured(place, lambda row: not row["OnHold"] and not row["PONumber"] and row["GrossAmount"] > 0)
    if model is None:
        return ""
    added = {name: model[name] for name in ("VendorId", "GrossAmount", "Lines", "Currency")}
    added |= {"Number": place.fresh("C-3"), "InvoiceDate": model["InvoiceDate"]}
    place.over_there("captured_batches", {"BatchGUID": model["BatchGUID"]}, reclose={"add": [added]})
    return str(added["Number"])


@during(Stage.INVOICES_IN)
def _captured_changed(place: Place) -> str:
    row = _captured(place, lambda row: not row["OnHold"] and not row["PONumber"])
    if row is None:
        return ""
    more = Decimal("1.10") if row["GrossAmount"] > 0 else Decimal("-1.10")
    first, *rest = row["Lines"]
    lines = [{**first, "Amount": first["Amount"] + more, "UnitPrice": abs(first["Amount"] + more)}, *rest]
    change = {"Id": row["Id"], "set": {"GrossAmount": row["GrossAmount"] + more, "Lines": lines}}
    place.over_there("captured_batches", {"BatchGUID": row["BatchGUID"]}, reclose={"change": [change]})
    _for_a_person(place, row, "changed_after_posting")
    return str(row["Number"])


@during(Stage.INVOICES_IN)
def _captured_removed(place: Place) -> str:
    row = _captured(place, lambda row: not row["OnHold"] and not row["Paid"])
    if row is None:
        return ""
    place.over_there("captured_batches", {"BatchGUID": row["BatchGUID"]}, reclose={"remove": [row["Id"]]})
    _for_a_person(place, row, "removed_after_posting")
    return str(row["Number"])


@during(Stage.INVOICES_IN)
def _closed_again(place: Place) -> str:
    """Closed again with nothing changed."""
    row = _captured(place, lambda row: True)
    if row is None:
        return ""
    place.over_there("captured_batches", {"BatchGUID": row["BatchGUID"]}, reclose={})
    return str(row["BatchGUID"])[:8]


def _captured(place: Place, where: Callable[[Row], Any]) -> Row | None:
    kept = {number for batch in place.customer.captured_batches.values() for number in batch["InvoiceIds"]}
    rows = [row for number, row in place.customer.captured_invoices.items() if number in kept and where(row)]
    return place.random.choice(rows) if rows else None


def _for_a_person(place: Place, row: Row, code: str) -> None:
    for header in place.database["APInvHed"].all():
        if header["InvoiceNum"] == row["Number"]:
            place.excuse("invoice", f"{place.company}|{header['VendorNum']}|{header['InvoiceNum']}", code)
    place.excuse("invoice", "*", code)


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
    before, options.closed_through = options.closed_through, _today(place) + timedelta(days=2)

    def reopen() -> None:
        options.closed_through = before

    place.lift(reopen)
    return f"through {options.closed_through}"


during(Stage.INVOICES_IN)(_period_closed)
during(Stage.PAYMENTS_IN)(_period_closed)


# --- payments ---------------------------------------------------------------------------------------------------------


@during(Stage.PAYMENTS_IN)
def _payment_story(place: Place) -> str:
    row = _payment(place, lambda row: row["Status"] == "Cleared")
    if row is None:
        return ""
    story = place.random.choice(["refunded", "reissued", "reissued_unlinked"])
    if story != "refunded" and row["Method"] != "AvidPay Check":
        story = "refunded"
    place.over_there("payments", {"PaymentId": row["PaymentId"]}, story=story)
    _review(place, row)
    return f"{row['PaymentId']} {story}"


@during(Stage.PAYMENTS_IN)
def _payment_status(place: Place) -> str:
    """A status that takes back, that nobody knows, or an error; the last two pass."""
    row = _payment(place, lambda row: row["Status"] == "Cleared")
    if row is None:
        return ""
    status = place.random.choice(["Void", "Returned", "Frobnicated", "Error", "Issued to Supplier"])
    place.over_there("payments", {"PaymentId": row["PaymentId"]}, set={"Status": status})
    if status in ("Frobnicated", "Error", "Issued to Supplier"):
        key = {"PaymentId": row["PaymentId"]}
        place.lift(lambda: place.over_there("payments", key, set={"Status": "Cleared"}))
    _review(place, row)
    return f"{row['PaymentId']} {status}"


@during(Stage.PAYMENTS_IN)
def _number_changed(place: Place) -> str:
    row = _payment(place, lambda row: row["Method"] == "AvidPay Check")
    if row is None:
        return ""
    number = str(int(row["AvidPayCheckNumber"] or 1) + 500_000)
    place.over_there("payments", {"PaymentId": row["PaymentId"]}, set={"AvidPayCheckNumber": number})
    place.excuse("payment", str(row["PaymentId"]), "reference_changed")
    return f"{row['PaymentId']} check {number}"


def _payment(place: Place, where: Callable[[Row], Any]) -> Row | None:
    """Return a payment that nothing has happened to: one that is refunded and cleared again makes no sense."""
    seen = place.run.payments_met[place.company]
    rows = [row for number, row in place.customer.payments.items() if number not in seen and where(row)]
    if not rows:
        return None
    row = place.random.choice(rows)
    seen.add(row["PaymentId"])
    return row


def _review(place: Place, row: Row) -> None:
    """Money that came back is looked into by a person, and so is an invoice that is open again."""
    codes = ("undone_after_clearing", "reissued_without_link", "reference_changed", "went_back")
    place.excuse("payment", str(row["PaymentId"]), *codes)
    place.excuse("invoice", "*", "reopened_by_void")


def _today(place: Place) -> date:
    return place.run.world.sandbox.epicor.today


