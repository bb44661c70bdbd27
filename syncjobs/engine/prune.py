"""What is kept for ever and what is not.

Records, batches, postings, problems and the audit trail stay. Remote calls and runs in which nothing happened, or that
only waited for a system, are evidence for a while and then only weight: four of five rows of a quiet tenant are such
runs. Deleted in slices, so that no transaction grows with the table and a stop in the middle loses nothing.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from syncjobs.models import Attempt, StageRun
from syncjobs.states import RunStatus

SLICE = 5_000


def prune(*, days: int | None = None) -> dict[str, int]:
    """Delete what is older than ``days`` (the settings' by default); return how many rows of each kind were deleted."""
    before = timezone.now() - timedelta(days=settings.KEEP_HISTORY_DAYS if days is None else days)
    return {
        "calls": _delete(Attempt.objects.filter(started_at__lt=before)),
        "runs": _delete(_quiet().filter(ended_at__lt=before)),
        "sessions": _delete(Session.objects.filter(expire_date__lt=Now())),
    }


def _quiet() -> QuerySet[StageRun]:
    """Runs that ended well or waited, changed nothing, left nothing waiting and that no other run refers to; never a
    stage's newest, by which freshness is told."""
    newer = StageRun.objects.filter(
        tenant=OuterRef("tenant"), stage=OuterRef("stage"), status=RunStatus.DONE, dry_run=False, pk__gt=OuterRef("pk")
    )
    nothing = dict.fromkeys(("created", "updated", "held", "rejected", "uncertain"), 0)
    over = (RunStatus.DONE, RunStatus.WAITING)
    return StageRun.objects.filter(Exists(newer), status__in=over, replays__isnull=True, **nothing)


def _delete(rows: QuerySet[Any]) -> int:
    total = 0
    while keys := list(rows.order_by("pk").values_list("pk", flat=True)[:SLICE]):
        rows.model._default_manager.filter(pk__in=keys).delete()
        total += len(keys)
    return total
