"""``POST /__sandbox__/edit``: what a person or a bank would do over there, done by a test.

Every edit is ``{"company": "EPIC06", "table": …, "key": {column: value, …}, …}`` with one or more of

* ``set``: columns to change; the row's time of change moves on, unless ``set`` names it itself (a late modification).
  A payment's ``Status`` brings what comes with that status, and any word is allowed. An invoice's ``State`` Approved
  or Rejected decides it. ``BatchTotal`` and ``InvoiceCount`` of a captured batch become wrong on purpose.
* ``delete``: true. ``insert``: a new row (``vendors``, ``captured_invoices`` with ``BatchGUID``, ``bank_accounts``).
* ``merge_into`` (vendors): the id of the vendor this one is merged into; it keeps its id, inactive, with
  ``MergedIntoId``, and gives its external id up if the other has none (assumed).
* ``reclose`` (captured_batches): {"add": [values], "change": [{"Id", "set"}], "remove": [ids]}.
* ``story`` (payments): let one of ``scripts.py``'s stories happen to it from where it is.

``{"table": "options", "set": {…}}`` changes switches, ``{"table": "tokens", "set": {}}`` expires the bearer tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, MutableMapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from connector.sandbox.avidxchange import captured, invoices, payments
from connector.sandbox.avidxchange.customer import Customer
from connector.sandbox.avidxchange.state import AvidState
from connector.sandbox.avidxchange.wire import Row

STAMPS = {
    "vendors": "LastModified",
    "gl_accounts": "LastModified",
    "purchase_orders": "LastModified",
    "receipts": "LastModified",
    "invoices": "LastChangedDate",
    "captured_invoices": "LastChangedDate",
    "payments": "LastModified",
}
TABLES = (*STAMPS, "dimensions", "captured_batches", "bank_accounts")


class EditError(ValueError):
    """An edit that names no table, no row or no change that there is."""


def edit(state: AvidState, body: Row, now: datetime) -> Row:
    """Carry out one edit and say how many rows it touched. Raises ``EditError``."""
    table, values = body.get("table"), body.get("set", {})
    if table == "options":
        try:
            state.options.change(values)
        except ValueError as error:
            raise EditError(str(error)) from None
        return {"rows": 0}
    if table == "tokens":
        state.expire_tokens()
        return {"rows": 0}
    customer = state.customers.get(str(body.get("company")))
    if customer is None or table not in TABLES:
        raise EditError("company or table is unknown")
    if "insert" in body:
        _insert(customer, table, _typed(body["insert"]), now)
        return {"rows": 1}
    rows = [row for row in _rows(customer, table) if _matches(row, body.get("key", {}))]
    if not rows:
        raise EditError(f"no row of {table} has that key")
    for row in rows:
        _change(state, customer, table, row, body, now)
    return {"rows": len(rows)}


def _rows(customer: Customer, table: str) -> list[Row]:
    held: Any = getattr(customer, table)
    rows: Iterable[Row] = held.values() if isinstance(held, dict) else held
    return list(rows)


def _matches(row: Row, key: Row) -> bool:
    return all(str(row.get(name)) == str(value) for name, value in key.items())


def _change(state: AvidState, customer: Customer, table: str, row: Row, body: Row, now: datetime) -> None:
    if body.get("delete"):
        _delete(customer, table, row)
    elif "merge_into" in body:
        _merge(customer, row, int(body["merge_into"]), now)
    elif "reclose" in body:
        captured.close_again(customer, row, _typed(body["reclose"]), now)
    elif "story" in body:
        payments.tell(customer, row, str(body["story"]), now)
    if "set" in body and not body.get("delete"):
        setter = _SETTERS.get(table, _set_plain)
        values = _typed(body["set"])
        setter(state, customer, row, values, now)
        if table in STAMPS:
            row[STAMPS[table]] = values.get(STAMPS[table], now)


def _set_plain(_state: AvidState, _customer: Customer, row: Row, values: Row, _now: datetime) -> None:
    row.update(values)


def _set_vendor(_state: AvidState, customer: Customer, row: Row, values: Row, _now: datetime) -> None:
    customer.vendor_by_external.pop(row["VendorExternalSystemID"] or "", None)
    row.update(values)
    if row["VendorExternalSystemID"]:
        customer.vendor_by_external[row["VendorExternalSystemID"]] = row["Id"]


def _set_invoice(state: AvidState, customer: Customer, row: Row, values: Row, now: datetime) -> None:
    decided = values.pop("State", None)
    row.update(values)
    if decided in ("Approved", "Rejected") and row["State"] in ("Received", "Pending"):
        invoices.decide(customer, row, now, state.options, approve=decided == "Approved")
    elif decided is not None:
        row["State"] = decided


def _set_payment(_state: AvidState, customer: Customer, row: Row, values: Row, now: datetime) -> None:
    status = values.pop("Status", None)
    if status is not None:
        row["_steps"] = []
        payments.set_status(customer, row, str(status), now)
    row.update(values)


def _set_batch(_state: AvidState, _customer: Customer, row: Row, values: Row, _now: datetime) -> None:
    for name, kept in (("BatchTotal", "_total"), ("InvoiceCount", "_count")):
        if name in values:
            row[kept] = values.pop(name)
    row.update(values)


_SETTERS: dict[str, Callable[[AvidState, Customer, Row, Row, datetime], None]] = {
    "vendors": _set_vendor,
    "invoices": _set_invoice,
    "payments": _set_payment,
    "captured_batches": _set_batch,
}


def _insert(customer: Customer, table: str, values: Row, now: datetime) -> None:
    if table == "vendors":
        customer.add_vendor({"VendorExternalSystemID": None, "TaxId": "", "IsActive": True, **values}, now)
    elif table == "captured_invoices" and values.get("BatchGUID") in customer.captured_batches:
        captured.add_invoice(customer, customer.captured_batches[values["BatchGUID"]], values, now)
    elif table == "bank_accounts":
        customer.bank_accounts.append(values)
    else:
        raise EditError(f"cannot insert into {table}")


def _delete(customer: Customer, table: str, row: Row) -> None:
    held: MutableMapping[Any, Row] | list[Row] = getattr(customer, table)
    if isinstance(held, list):
        held.remove(row)
        return
    for key in [key for key, kept in held.items() if kept is row]:
        del held[key]
    if table == "vendors":
        customer.vendor_by_external.pop(row["VendorExternalSystemID"] or "", None)
    elif table == "invoices":
        customer.invoice_by_external.pop(row["ExternalId"], None)
    elif table == "captured_invoices":
        customer.captured_batches[row["BatchGUID"]]["InvoiceIds"].remove(row["Id"])


def _merge(customer: Customer, row: Row, target_id: int, now: datetime) -> None:
    target = customer.vendors.get(target_id)
    if target is None or target is row:
        raise EditError(f"no other vendor {target_id}")
    external, row["VendorExternalSystemID"] = row["VendorExternalSystemID"], None
    customer.vendor_by_external.pop(external or "", None)
    if external and not target["VendorExternalSystemID"]:
        target["VendorExternalSystemID"] = external
        customer.vendor_by_external[external] = target["Id"]
    row.update(IsActive=False, MergedIntoId=target["Id"], LastModified=now)
    target["LastModified"] = now


def _typed(value: Any, name: str = "") -> Any:
    """Return JSON values with amounts as Decimal and times as UTC datetimes, by the names of their columns."""
    if isinstance(value, dict):
        return {key: _typed(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [_typed(inner, name) for inner in value]
    try:
        if name.endswith(("Amount", "Total")) or name in ("Gross", "Discount", "Net", "UnitPrice", "Quantity"):
            return None if value is None else Decimal(str(value))
        if name in ("LastModified", "LastChangedDate", "DateClosed", "ClearedDate", "VoidedDate", "RefundedDate"):
            return None if value is None else _moment(str(value))
    except (InvalidOperation, ValueError):
        raise EditError(f"{name} does not take {value!r}") from None
    return value


def _moment(text: str) -> datetime:
    when = datetime.fromisoformat(text)
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when
