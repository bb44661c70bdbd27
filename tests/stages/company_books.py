"""One company's books in both stand-ins, as bytes that can be compared, kept and put back.

Both stand-ins share little between their companies: Epicor its SysRevIDs, and both the count of calls.
"""

from __future__ import annotations

import pickle
from collections import Counter
from dataclasses import dataclass
from hashlib import sha256

from connector.sandbox.avidxchange.customer import Customer
from connector.sandbox.avidxchange.timeline import Timeline
from connector.sandbox.epicor.store import Database, Table
from connector.sandbox.server import Sandbox


@dataclass(frozen=True)
class Books:
    """What either side holds of a company, the SysRevID last given, and the calls that either side has had."""

    epicor: bytes
    customer: bytes
    revision: int
    calls: tuple[Counter[str], Counter[str]]

    @property
    def digest(self) -> bytes:
        """What both sides hold, in few bytes."""
        return sha256(self.epicor).digest() + sha256(self.customer).digest()


@dataclass(frozen=True)
class Change:
    """How a company's books came from one state to another; ``epicor`` is empty where only AvidXchange was written."""

    epicor: bytes
    customer: bytes
    revisions: tuple[int, int]
    calls: tuple[Counter[str], Counter[str]]

    def fits(self, now: Books) -> bool:
        """Whether Epicor would give the same SysRevIDs if it were done now."""
        return not self.epicor or self.revisions[0] == now.revision


def read(box: Sandbox, company: str) -> Books:
    """Return a company's books as they are."""
    return Books(
        epicor=_frozen_database(box.epicor.companies[company]),
        customer=_frozen_customer(box.avidxchange.customers[company]),
        revision=box.epicor._revision,
        calls=(Counter(box.epicor.calls), Counter(box.avidxchange.calls)),
    )


def change(before: Books, after: Books) -> Change:
    """Return what leads from one state of the books to the other."""
    return Change(
        epicor=after.epicor if after.epicor != before.epicor else b"",
        customer=after.customer,
        revisions=(before.revision, after.revision),
        calls=(after.calls[0] - before.calls[0], after.calls[1] - before.calls[1]),
    )


def customers(box: Sandbox) -> dict[str, bytes]:
    """Return AvidXchange's side of every company."""
    return {company: _frozen_customer(customer) for company, customer in box.avidxchange.customers.items()}


def switches(box: Sandbox, company: str) -> bytes:
    """Return everything that is set and not written: it decides what the stand-ins do next."""
    timeline = box.avidxchange.customers[company].timeline
    return pickle.dumps((box.epicor.options, box.avidxchange.options, timeline.pace, timeline.empty))


def again(box: Sandbox, company: str, change: Change) -> None:
    """Make a change again, and count the calls that it took."""
    if change.epicor:
        _thaw_database(box.epicor.companies[company], change.epicor)
        box.epicor._revision = change.revisions[1]
    thaw_customer(box, company, change.customer)
    box.epicor.calls.update(change.calls[0])
    box.avidxchange.calls.update(change.calls[1])


def thaw_customer(box: Sandbox, company: str, frozen: bytes) -> None:
    """Put AvidXchange's side of a company back."""
    was = box.avidxchange.customers[company]
    copy = Customer(was.company, was.company_id, was.accounting_system_id, Timeline(0))
    vars(copy).update(pickle.loads(frozen), timeline=was.timeline)  # noqa: S301  (bytes of this process)
    box.avidxchange.customers[company] = copy


def _frozen_customer(customer: Customer) -> bytes:
    # What is still to happen by itself cannot be kept: functions that hold the rows.
    return pickle.dumps({name: value for name, value in vars(customer).items() if name != "timeline"})


def _frozen_database(database: Database) -> bytes:
    tables = {name: list(table.all()) for name, table in database.tables.items()}
    return pickle.dumps((tables, database.files, database.uploads, database.next_head, database.next_file))


def _thaw_database(database: Database, frozen: bytes) -> None:
    kept = pickle.loads(frozen)  # noqa: S301  (bytes of this process)
    tables, database.files, database.uploads, database.next_head, database.next_file = kept
    database.tables = {name: Table(name, rows) for name, rows in tables.items()}
    database.begin()
