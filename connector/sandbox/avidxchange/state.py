"""The whole AvidXchange stand-in: customers made from the seed, the gate in front of them, the switches, the clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from threading import RLock
from typing import TYPE_CHECKING, Any

from connector.sandbox.avidxchange.auth import Gate
from connector.sandbox.avidxchange.customer import Customer
from connector.sandbox.avidxchange.ledger import customer_ledger
from connector.sandbox.avidxchange.options import Options
from connector.sandbox.avidxchange.seed_captured import seed_captured
from connector.sandbox.avidxchange.seed_vendors import seed_bank_accounts, seed_vendors
from connector.sandbox.avidxchange.timeline import Timeline
from connector.sandbox.credentials import AVID_CUSTOMERS

if TYPE_CHECKING:
    from connector.sandbox.seed.rows import Seed


def utc_now() -> datetime:
    """Return the real time in UTC."""
    return datetime.now(UTC)


class AvidState:
    """What AvidXchange holds for each customer. ``lock`` guards everything; the app takes it for every request.

    ``pace`` is in seconds a step, ``clock`` returns aware datetimes. Every switch of ``Options`` may be given by name
    and changed at any time in ``options``. Raises ``ValueError`` for a switch that does not exist.
    """

    def __init__(
        self,
        seed: Seed,
        *,
        pace: float = 0.0,
        clock: Callable[[], datetime] = utc_now,
        awkward: bool = True,
        always_202: bool = False,
        capability_missing: Collection[str] = (),
        **switches: Any,
    ) -> None:
        self.clock = clock
        self.lock = RLock()
        self.salt = seed.seed
        self.calls: Counter[str] = Counter()
        self.options = Options(awkward=awkward, always_202=always_202, capability_missing=set(capability_missing))
        self.options.change(switches)
        self.customers: dict[str, Customer] = {}
        now = clock()
        for known in AVID_CUSTOMERS:
            company = seed.companies.get(known.company)
            if company is None:
                continue
            customer = Customer(known.company, known.company_id, known.accounting_system_id, Timeline(pace))
            seed_vendors(customer, company, now)
            seed_bank_accounts(customer, company)
            seed_captured(customer, company, now)
            self.customers[known.company] = customer
        self.gate = Gate(self.customers)

    def tick(self) -> datetime:
        """Let everything happen that is due, and return the time it is."""
        now = self.clock()
        for customer in self.customers.values():
            customer.timeline.run(now)
        return now

    def expire_tokens(self) -> None:
        """Make every bearer token that was issued expired."""
        with self.lock:
            self.gate.expire(self.clock())

    def settled(self) -> bool:
        """Return whether nothing more will happen by itself."""
        with self.lock:
            self.tick()
            return all(customer.timeline.empty for customer in self.customers.values())

    def ledger(self) -> dict[str, Any]:
        """Return what every customer holds, by Epicor company."""
        with self.lock:
            self.tick()
            return {company: customer_ledger(customer) for company, customer in self.customers.items()}
