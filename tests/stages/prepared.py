"""Worlds that many tests begin with: made once a process, and given to every other test as a copy.

A step (a new tenant, its master data, a first run of a stage) is kept under the state in which it began: the tenant's
rows, the company's books in both stand-ins, and their switches. Where a test's state differs by anything, a cent or a
switch, nothing kept fits and the step is done for real. What a step did is done again: rows under the same keys
(``tenant_rows``), the company's books on either side and the counted calls (``company_books``). A step with faults in
force, or after which something is still to happen by itself, is not kept.

What is prepared is what a test takes for given. Code that a test has patched, or a clock that it has set, is no part
of the state: there a stage is run, not prepared.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from connector.sandbox.server import Sandbox
from tenants.models import Tenant
from tests.stages import company_books, tenant_rows

#: Seconds. Older worlds are made anew, so that nothing has become due in them that would not be in a new one.
MAX_AGE = 600


@dataclass(frozen=True)
class _Kept:
    """What one step did to a tenant's rows and to the company's books (None: nothing)."""

    tenant_id: int
    rows: tenant_rows.Change
    books: company_books.Change | None
    made_at: float


_kept: dict[tuple[object, ...], _Kept] = {}
_customers: dict[tuple[object, ...], tuple[float, dict[str, bytes]]] = {}
#: Where worlds may be prepared, by Epicor's address.
_running: dict[str, Sandbox] = {}


def new_sandbox(options: Mapping[str, Any]) -> Sandbox:
    """Return a new sandbox whose AvidXchange has the stamps of the first one that was made with these options."""
    box = Sandbox(**options)
    key = (repr(sorted(options.items())), box.epicor.today)
    made_at, customers = _customers.get(key, (0.0, {}))
    if not _fresh(made_at):
        customers = company_books.customers(box) if box.avidxchange.settled() else {}
        _customers[key] = time.monotonic(), customers
    for company, frozen in customers.items():
        company_books.thaw_customer(box, company, frozen)
    return box


@contextmanager
def preparing(box: Sandbox) -> Iterator[None]:
    """Let worlds be prepared in this sandbox, which has to listen already."""
    _running[box.epicor_url] = box
    yield
    del _running[box.epicor_url]


def new_tenant(document: Mapping[str, Any], make: Callable[[], Tenant]) -> Tenant:
    """Return the tenant that ``make`` makes from ``document``, from a copy if it has been made before."""
    box = _running.get(document["epicor"]["base_url"])
    if box is None or Tenant.objects.filter(slug=document["slug"]).exists():
        return make()
    before = tenant_rows.read(None)
    begun = ("tenant", json.dumps(document, sort_keys=True), tuple(settings.FERNET_KEYS), frozenset(before.items()))
    kept = _kept.get(begun)
    if kept is not None and _fresh(kept.made_at):
        tenant_rows.again(kept.rows)
        return Tenant.objects.get(pk=kept.tenant_id)
    tenant = make()
    _kept[begun] = _Kept(tenant.pk, tenant_rows.change(tenant.pk, before), None, time.monotonic())
    return tenant


def step(name: str, tenant: Tenant, work: Callable[[], object]) -> None:
    """Do ``work``, which brings this tenant's world forward, or what it did when it began in the same state before."""
    box = _running.get(tenant.epicor_connection.base_url)
    if box is None or box.faults.report():
        work()
        return
    company = tenant.epicor_connection.company
    before, books = tenant_rows.read(tenant.pk), company_books.read(box, company)
    begun = (name, frozenset(before.items()), books.digest, company_books.switches(box, company))
    kept = _kept.get(begun)
    if kept is not None and kept.books is not None and _fresh(kept.made_at) and kept.books.fits(books):
        tenant_rows.again(kept.rows)
        company_books.again(box, company, kept.books)
        return
    work()
    if box.avidxchange.settled() and not box.faults.report():
        changed = company_books.change(books, company_books.read(box, company))
        _kept[begun] = _Kept(tenant.pk, tenant_rows.change(tenant.pk, before), changed, time.monotonic())


def _fresh(made_at: float) -> bool:
    return made_at > 0 and time.monotonic() - made_at < MAX_AGE
