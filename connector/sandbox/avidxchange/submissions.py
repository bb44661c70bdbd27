"""A submitted batch, of whatever kind: what is refused as a whole, when it is worked on, and its verdicts.

The request is ``{"BatchId", "Items"}`` for all six kinds (contract 4 and 5.1). A batch id is taken for good, also
when every item failed; sending it again is a 409 (assumed). At most 50 items (assumed), else 413.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from connector.sandbox.avidxchange.chance import happens
from connector.sandbox.avidxchange.checks import ItemCheck
from connector.sandbox.avidxchange.customer import Customer
from connector.sandbox.avidxchange.options import Options
from connector.sandbox.avidxchange.wire import Row, gateway


@dataclass
class Verdict:
    """What became of one item: ``item`` is what the reply says of it, ``errors`` is empty when it was taken."""

    item: Row
    errors: list[Row] = field(default_factory=list)

    @property
    def successful(self) -> bool:
        """Whether the item was taken."""
        return not self.errors


@dataclass
class Submission:
    """A batch that was taken in; ``verdicts`` is None until it has been worked on."""

    kind: str
    client_id: str
    avid_id: str
    items: list[Row]
    received: datetime
    verdicts: list[Verdict] | None = None


Handler = Callable[[Customer, ItemCheck, datetime, Options], Verdict]


def submit(customer: Customer, kind: str, body: Row, handler: Handler, now: datetime, options: Options) -> Submission:
    """Take a batch in; work on it now, or a pace later if this one is answered 202.

    Raises ``RefusalError``: 400 malformed, 409 batch id used before, 413 too many items.
    """
    client_id, items = _envelope(customer, body, options)
    avid_id = str(uuid5(NAMESPACE_URL, f"{customer.company_id}/{kind}/{client_id}"))
    batch = Submission(kind, client_id, avid_id, items, now)
    customer.submissions[avid_id] = batch
    customer.submission_by_client_id[client_id] = batch

    def work(at: datetime) -> None:
        batch.verdicts = [handler(customer, ItemCheck(item), at, options) for item in items]

    if options.always_202 or (options.awkward and happens(options.percent_202, "202", kind, client_id)):
        customer.timeline.after(now, work)
    else:
        work(now)
    return batch


def _envelope(customer: Customer, body: Row, options: Options) -> tuple[str, list[Row]]:
    head = ItemCheck(body)
    client_id = head.identifier("BatchId", required=True)
    if head.errors:
        raise gateway(400, head.errors[0]["Message"])
    items: Any = body.get("Items")
    if not isinstance(items, list) or not items or not all(isinstance(item, dict) for item in items):
        raise gateway(400, "Items must be a list of at least one object")
    if len(items) > options.batch_max_items:
        raise gateway(413, f"At most {options.batch_max_items} items a batch")
    system = body.get("AccountingSystemID")
    if system is not None and str(system) != str(customer.accounting_system_id):
        raise gateway(400, "AccountingSystemID is not one of this customer's")
    if client_id in customer.submission_by_client_id:
        raise gateway(409, "BatchId was used before")
    return client_id, items


def find(customer: Customer, batch_id: str) -> Submission | None:
    """Return a submitted batch by AvidXchange's id or by the sender's own (the latter is assumed, for lost replies)."""
    return customer.submissions.get(batch_id) or customer.submission_by_client_id.get(batch_id)
