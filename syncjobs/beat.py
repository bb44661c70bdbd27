"""What beat rings: one entry a stage, and reap, poll, sweep and prune. A tenant's own cadence is ``StageSchedule``.

The rows are made after each migrate rather than by a data migration, so that they also come back after a flush and a
renamed task is mended by the next release. What a person changed of an entry (its times, on or off) is left alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from django.apps import apps as registry
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

from connector.stages import LABELS, Stage


@dataclass(frozen=True, slots=True)
class Entry:
    """One periodic task. Without ``minutes`` it rings once a day, at 03:17 UTC. A bell that nobody has heard before
    the next one rings is dropped: a worker that was away needs one, not a heap."""

    name: str
    task: str
    words: str
    minutes: int | None = 1
    arguments: tuple[str, ...] = ()


ENTRIES = (
    *(
        Entry(str(stage), "syncjobs.tasks.tick", f"{LABELS[stage]}: run what is due.", 1, (str(stage),))
        for stage in Stage
    ),
    Entry("reap", "syncjobs.tasks.reap", "Give back what dead workers held."),
    Entry("poll", "syncjobs.tasks.poll", "Ask about submitted batches."),
    Entry("sweep", "syncjobs.tasks.sweep", "Read everything again where that is due.", 60),
    Entry("prune", "syncjobs.tasks.prune", "Delete history that has served its time.", None),
)


def ensure_beat() -> None:
    """Make the entries that are missing, and mend the task and arguments of the others."""
    for entry in ENTRIES:
        target = {
            "task": entry.task,
            "args": msgspec.json.encode(entry.arguments).decode(),
            "description": entry.words,
        }
        known = PeriodicTask.objects.filter(name=entry.name).first()
        if known is None:
            PeriodicTask.objects.create(name=entry.name, **target, **_cadence(entry))
        elif any(getattr(known, name) != value for name, value in target.items()):
            for name, value in target.items():
                setattr(known, name, value)
            known.save()


def after_migrate(apps: Any = registry, **_signal: Any) -> None:
    """Receive ``post_migrate``, which a flush sends without ``apps``; does nothing where beat's tables are gone."""
    try:
        apps.get_model("django_celery_beat", "PeriodicTask")
    except LookupError:
        return
    ensure_beat()


def _cadence(entry: Entry) -> dict[str, Any]:
    if entry.minutes is None:
        when = {"minute": "17", "hour": "3", "timezone": "UTC"}
        daily = CrontabSchedule.objects.filter(**when, day_of_week="*", day_of_month="*", month_of_year="*").first()
        return {"crontab": daily or CrontabSchedule.objects.create(**when), "expire_seconds": 3600}
    every = {"every": entry.minutes, "period": IntervalSchedule.MINUTES}
    interval = IntervalSchedule.objects.filter(**every).order_by("pk").first()
    return {
        "interval": interval or IntervalSchedule.objects.create(**every),
        "expire_seconds": entry.minutes * 60 - 5,
    }
