"""Claims: one conditional UPDATE with a lease and a fencing number; exactly one row changed, or someone else has it.

No row lock is ever held across HTTP (design section 5.2).
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Collection
from datetime import timedelta
from typing import TypeVar

from django.db import models
from django.db.models import F
from django.db.models.functions import Now

from syncjobs.models import Batch, Posting
from syncjobs.states import BatchStatus, PostingState

Claimed = TypeVar("Claimed", Batch, Posting)

#: Longer than any one call may take, so that a live worker never loses its claim while waiting for an answer.
CALL_LEASE = timedelta(seconds=300)


def owner() -> str:
    """Say who we are on a claimed row: host, process and thread."""
    return f"{socket.gethostname()}:{os.getpid()}:{threading.get_ident() % 100_000}"[:120]


def claim(row: Claimed, states: Collection[str], to: models.TextChoices, **values: object) -> bool:
    """Take ``row`` for ourselves if it is in one of ``states``; on success it is re-read, with a higher fence.

    ``values`` are further columns set by the same UPDATE.
    """
    taken = (
        type(row)
        ._default_manager.filter(pk=row.pk, state__in=list(states))
        .update(
            state=to, owner=owner(), fence=F("fence") + 1, lease_until=Now() + CALL_LEASE, updated_at=Now(), **values
        )
    )
    if taken == 1:
        row.refresh_from_db()
    return taken == 1


def release(row: Claimed, to: models.TextChoices, **values: object) -> bool:
    """Give a claimed row back in state ``to``; False, with nothing changed, if the fence has moved on."""
    released = (
        type(row)
        ._default_manager.filter(pk=row.pk, fence=row.fence, owner=row.owner)
        .update(state=to, owner="", lease_until=None, updated_at=Now(), **values)
    )
    if released == 1:
        row.refresh_from_db()
    return released == 1


def reap() -> int:
    """Give back every claim whose lease has passed, as uncertain: its worker may have sent. Returns how many."""
    batches = Batch.objects.filter(state=BatchStatus.SENDING, lease_until__lt=Now()).update(
        state=BatchStatus.UNCERTAIN, owner="", lease_until=None, next_poll_at=Now(), updated_at=Now()
    )
    postings = Posting.objects.filter(state=PostingState.RUNNING, lease_until__lt=Now()).update(
        state=PostingState.UNCERTAIN, owner="", lease_until=None, next_try_at=None, updated_at=Now()
    )
    return batches + postings
