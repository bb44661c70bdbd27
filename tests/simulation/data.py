"""Two small companies with everything a sync meets, and the far systems' whole state put away and taken out again.

The rows are the sandbox's own, thinned out: a run must be cheap, and eight invoices show what eight hundred show. Both
companies have the same keys and other content.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from connector.sandbox.avidxchange.customer import Customer
from connector.sandbox.epicor.store import Table
from connector.sandbox.seed import Company, Seed, build
from connector.sandbox.server import Sandbox
from tests.simulation.clock import NOON

COMPANIES = ("EPIC06", "EPIC07")
#: By their places in the sandbox's list of invoices: open, two accounts on a line, debit memo, unposted, partly paid,
#: against a PO, on payment hold, inactive account.
INVOICES = {"EPIC06": (0, 3, 5, 6, 8, 11, 16, 22), "EPIC07": (0, 3, 5)}
ORDERS = 4
#: Vendors beyond those that documents name; two of twelve are inactive or without a city.
MORE_VENDORS = 2
#: Accounts beyond those that documents name.
MORE_ACCOUNTS = 4
#: Captured invoices kept of each batch.
CAPTURED = {"EPIC06": ((0, 1), (0, 2, 3), (0, 3)), "EPIC07": ((0,), (1,), ())}

_OF_INVOICES = ("APInvHed", "APInvDtl", "APInvExp", "APInvExpTGLC", "APIHAPInvMsc", "APIHAPInvExp", "APInvHedAttch")
_OF_ORDERS = {"POHeader": "PONum", "PODetail": "PONUM", "PORel": "PONum", "RcvHead": "PONum", "RcvDtl": "PONum"}


def small_seed() -> Seed:
    """Return the rows that every simulated world begins with."""
    seed = build(vendors=30, invoices=24, seed=7, today=NOON.date())
    seed.companies["EPIC07"] = build(vendors=30, invoices=240, seed=8, today=NOON.date()).companies["EPIC07"]
    for company in seed.companies.values():
        tables = company.tables
        _thin_invoices(tables, INVOICES[company.code])
        _thin_orders(tables)
        _thin_accounts(tables)
        _thin_vendors(tables)
    return seed


def _thin_invoices(tables: dict[str, list[Any]], places: tuple[int, ...]) -> None:
    kept = {(row["VendorNum"], row["InvoiceNum"]) for row in (tables["APInvHed"][place] for place in places)}
    for name in _OF_INVOICES:
        tables[name] = [row for row in tables[name] if (row["VendorNum"], row["InvoiceNum"]) in kept]
    tables["APTran"] = [row for row in tables["APTran"] if (row["VendorNum"], row["InvoiceNum"]) in kept]
    heads = {row["HeadNum"] for row in tables["APTran"]}
    tables["CheckHed"] = [row for row in tables["CheckHed"] if row["HeadNum"] in heads]


def _thin_orders(tables: dict[str, list[Any]]) -> None:
    named = {row["REFPONum"] for row in tables["APInvHed"]} - {0}
    kept = {*named, *[row["PONum"] for row in tables["POHeader"]][:ORDERS]}
    for name, column in _OF_ORDERS.items():
        tables[name] = [row for row in tables[name] if row[column] in kept]


def _thin_accounts(tables: dict[str, list[Any]]) -> None:
    named = {row["GLAccount"] for row in tables["APInvExpTGLC"]} | {row["GLAccount"] for row in tables["APIHAPInvExp"]}
    expense = [row for row in tables["GLAccount"] if row["GLAccount"] >= "5"]
    kept = named | {row["GLAccount"] for row in expense[: MORE_ACCOUNTS * 2]} | {"5999|00|01"}
    tables["GLAccount"] = [row for row in tables["GLAccount"] if row["GLAccount"] in kept]


def _thin_vendors(tables: dict[str, list[Any]]) -> None:
    named = {row["VendorNum"] for name in ("APInvHed", "POHeader") for row in tables[name]}
    others = [row["VendorNum"] for row in tables["Vendor"] if row["VendorNum"] not in named]
    odd = [row["VendorNum"] for row in tables["Vendor"] if row["Inactive"] or not row["City"]]
    kept = {*named, *others[:MORE_VENDORS], *odd[:2]}
    for name in ("Vendor", "VendRemitTo"):
        tables[name] = [row for row in tables[name] if row["VendorNum"] in kept]


def thin_captured(sandbox: Sandbox) -> None:
    """Keep a few captured invoices of each kind."""
    for company, customer in sandbox.avidxchange.customers.items():
        for batch, places in zip(customer.captured_batches.values(), CAPTURED[company], strict=True):
            batch["InvoiceIds"] = [batch["InvoiceIds"][place] for place in places]
        kept = {number for batch in customer.captured_batches.values() for number in batch["InvoiceIds"]}
        customer.captured_invoices = {key: row for key, row in customer.captured_invoices.items() if key in kept}
        for guid in [guid for guid, batch in customer.captured_batches.items() if not batch["InvoiceIds"]]:
            del customer.captured_batches[guid]


def counters(customer: Customer) -> dict[str, int]:
    """Return the next number of each of a customer's counters, which stay where they are."""
    found = {}
    for name, value in vars(customer).items():
        if isinstance(value, Iterator):
            found[name] = next(value)
            setattr(customer, name, count(found[name]))
    return found


def put_away(sandbox: Sandbox) -> bytes:
    """Return both far systems' whole state; nothing may be left to happen by itself."""
    if not sandbox.avidxchange.settled():
        raise ValueError("something is still to happen at AvidXchange, and actions cannot be put away")
    epicor = sandbox.epicor
    companies = {
        code: (
            {name: list(table.all()) for name, table in database.tables.items()},
            database.files,
            database.next_head,
            database.next_file,
        )
        for code, database in epicor.companies.items()
    }
    customers = {}
    for code, customer in sandbox.avidxchange.customers.items():
        numbers = counters(customer)
        left_out = {"timeline", *numbers}
        plain = {name: value for name, value in vars(customer).items() if name not in left_out}
        plain["payable"] = {key: dict(rows) for key, rows in customer.payable.items()}
        customers[code] = (plain, numbers)
    return pickle.dumps((companies, epicor._revision, customers), protocol=pickle.HIGHEST_PROTOCOL)


def take_out(state: bytes, *, clock: Callable[[], datetime], pace: float, **switches: Any) -> Sandbox:
    """Return far systems in a state that was put away, from now on by another clock and with other switches."""
    companies, revision, customers = pickle.loads(state)  # noqa: S301  (our own bytes, made in this process)
    empty = {code: Company(code=code, name=f"Company {code}") for code in COMPANIES}
    sandbox = Sandbox(data=Seed(companies=empty, today=NOON.date(), seed=7), clock=clock)
    sandbox.epicor._revision = revision
    for code, (tables, files, next_head, next_file) in companies.items():
        database = sandbox.epicor.companies[code]
        database.tables = {name: Table(name, rows) for name, rows in tables.items()}
        database.files, database.next_head, database.next_file = files, next_head, next_file
    sandbox.avidxchange.options.change(switches)
    for code, (plain, numbers) in customers.items():
        customer = sandbox.avidxchange.customers[code]
        payable = plain.pop("payable")
        for name, value in plain.items():
            setattr(customer, name, value)
        customer.payable.clear()
        customer.payable.update(payable)
        for name, number in numbers.items():
            setattr(customer, name, count(number))
        customer.timeline.pace = timedelta(seconds=pace)
    return sandbox
