"""What Epicor says now of invoices named by vendor and number: a few dozen a question, in no more than one pass.

A keyed address cannot carry every invoice number (epicor.md 4.1), so they are asked for by filter, grouped by vendor
and as many at once as a query string holds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from urllib.parse import quote

from connector.epicor import odata
from connector.epicor import records as epicor
from connector.epicor.client import EpicorClient
from connector.transport.errors import Rejected

#: An invoice by VendorNum and number; case does not tell numbers apart in Epicor.
InvoiceKey = tuple[int, str]


def key(vendor_num: int, invoice_num: str) -> InvoiceKey:
    """Return the key under which ``read`` gives an invoice."""
    return vendor_num, invoice_num.strip().casefold()


def read(client: EpicorClient, wanted: Iterable[tuple[int, str]]) -> dict[InvoiceKey, epicor.Invoice]:
    """Return the invoices that Epicor has, by ``key()``. One that cannot be read is left out, like one that is not
    there: neither can be paid, and the others can."""
    found: dict[InvoiceKey, epicor.Invoice] = {}
    room = odata.MAX_QUERY - len(",".join(epicor.columns(epicor.Invoice))) - 500
    for clause in _clauses(wanted, room=max(room, 300)):
        for row in _rows(client, clause):
            if isinstance(row, epicor.Invoice):
                found[key(row.vendor_num, row.invoice_num)] = row
    return found


def _rows(client: EpicorClient, clause: str) -> list[epicor.Row]:
    try:
        return client.find(epicor.INVOICES, clause)
    except Rejected as error:
        if error.code != "unreadable_row":
            raise
        return [row for page in client.pages(epicor.INVOICES, where=clause) for row in page.rows]


def _clauses(wanted: Iterable[tuple[int, str]], *, room: int) -> Iterator[str]:
    by_vendor: dict[int, dict[str, str]] = defaultdict(dict)
    for vendor_num, invoice_num in wanted:
        by_vendor[vendor_num].setdefault(invoice_num.strip().casefold(), invoice_num.strip())
    parts: list[str] = []
    used = 0
    for vendor_num, numbers in sorted(by_vendor.items()):
        vendor = odata.eq("VendorNum", vendor_num)
        for names in odata.any_of("InvoiceNum", list(numbers.values()), room=room - len(vendor) * 2):
            clause = odata.and_(vendor, names)
            length = len(quote(clause)) + 20
            if parts and used + length > room:
                yield odata.or_(*parts)
                parts, used = [], 0
            parts.append(clause)
            used += length
    if parts:
        yield odata.or_(*parts)
