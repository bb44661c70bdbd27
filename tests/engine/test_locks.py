"""Claims: taken by one, with a fence that rises; given back only by who has them; never lost for ever."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from syncjobs.engine import locks
from syncjobs.models import Batch, Posting
from syncjobs.states import BatchStatus, PostingState
from tenants.models import Tenant


def batch(tenant: Tenant, state: str = "ready", **values: Any) -> Batch:
    facts = {"stage": "vendors_out", "kind": "vendors", "external_id": "b", **values}
    return Batch.objects.create(tenant=tenant, state=state, **facts)


@pytest.mark.django_db
def test_a_claim_sets_owner_lease_fence_and_whatever_belongs_to_it(tenant: Tenant) -> None:
    row = batch(tenant)
    moment = timezone.now()
    assert locks.claim(row, {BatchStatus.READY}, BatchStatus.SENDING, sends=3)
    assert (row.state, row.fence, row.owner, row.sends) == ("sending", 1, locks.owner(), 3)
    assert row.lease_until is not None
    assert timedelta(0) <= row.lease_until - moment - locks.CALL_LEASE < timedelta(seconds=10)
    assert not locks.claim(Batch.objects.get(), {BatchStatus.READY}, BatchStatus.SENDING)


@pytest.mark.django_db
def test_only_the_last_fence_gives_a_claim_back(tenant: Tenant) -> None:
    row = batch(tenant)
    locks.claim(row, {BatchStatus.READY}, BatchStatus.SENDING)
    stale = Batch.objects.get()
    Batch.objects.update(state=BatchStatus.READY)
    locks.claim(row, {BatchStatus.READY}, BatchStatus.SENDING)
    assert row.fence == 2
    assert not locks.release(stale, BatchStatus.READY, message="mine")
    assert (Batch.objects.get().state, Batch.objects.get().message) == ("sending", "")
    assert locks.release(row, BatchStatus.READY)
    assert (row.owner, row.lease_until) == ("", None)


@pytest.mark.django_db
def test_the_reaper_makes_dead_claims_uncertain_and_leaves_live_ones(tenant: Tenant, other: Tenant) -> None:
    past, future = timezone.now() - timedelta(seconds=1), timezone.now() + timedelta(seconds=60)
    dead = batch(tenant, "sending", lease_until=past, owner="gone")
    alive = batch(other, "sending", lease_until=future, owner="here")
    draft = {"stage": "invoices_in", "kind": "ap_invoice", "draft": "{}", "draft_hash": "h"}
    posting = Posting.objects.create(tenant=tenant, natural_key="k", state="running", lease_until=past, **draft)
    assert locks.reap() == 2
    for row in (dead, alive, posting):
        row.refresh_from_db()
    assert (dead.state, dead.owner, dead.next_poll_at is not None) == ("uncertain", "", True)
    assert (alive.state, alive.owner) == ("sending", "here")
    assert (posting.state, posting.lease_until) == (PostingState.UNCERTAIN, None)
    assert locks.reap() == 0


@pytest.mark.django_db(transaction=True)
def test_of_eight_workers_at_once_one_has_the_claim(tenant: Tenant) -> None:
    """Field lessons 15 and 16."""
    row = batch(tenant)
    barrier, won = threading.Barrier(8), []

    def worker() -> None:
        mine = Batch.objects.get(pk=row.pk)
        barrier.wait()
        if locks.claim(mine, {BatchStatus.READY}, BatchStatus.SENDING):
            won.append(mine.fence)
        connection.close()

    threads = [threading.Thread(target=worker) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert won == [1]
