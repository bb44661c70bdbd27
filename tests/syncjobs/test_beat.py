"""Beat's entries: one a stage and four more, made once, and a person's changes to them kept."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from django_celery_beat.models import PeriodicTask

from connector import celery
from connector.stages import Stage
from syncjobs.beat import after_migrate, ensure_beat

pytestmark = pytest.mark.django_db


def test_there_is_one_entry_a_stage_and_reap_poll_sweep_prune() -> None:
    entries = {
        row.name: (row.task, json.loads(row.args), " ".join(str(row.schedule).split()))
        for row in PeriodicTask.objects.all()
    }
    tick = {str(stage): ("syncjobs.tasks.tick", [str(stage)], "<freq: 1.00 minute>") for stage in Stage}
    assert entries == {
        **tick,
        "reap": ("syncjobs.tasks.reap", [], "<freq: 1.00 minute>"),
        "poll": ("syncjobs.tasks.poll", [], "<freq: 1.00 minute>"),
        "sweep": ("syncjobs.tasks.sweep", [], "<freq: 1.00 hour>"),
        "prune": ("syncjobs.tasks.prune", [], "<crontab: 17 3 * * * (m/h/d/dM/MY), UTC>"),
    }


def test_every_entry_names_a_task_that_exists() -> None:
    celery.app.loader.import_default_modules()
    assert {row.task for row in PeriodicTask.objects.all()} - set(celery.app.tasks) == set()


def test_a_bell_that_nobody_heard_is_dropped_before_the_next_one_rings() -> None:
    assert [row.name for row in PeriodicTask.objects.filter(expire_seconds=None)] == []


def test_a_persons_changes_stay_and_a_renamed_task_is_mended() -> None:
    PeriodicTask.objects.filter(name="sweep").update(enabled=False, expire_seconds=9)
    PeriodicTask.objects.filter(name="reap").update(task="syncjobs.old.reaper")
    PeriodicTask.objects.filter(name="poll").delete()
    ensure_beat()
    ensure_beat()
    assert PeriodicTask.objects.count() == len(Stage) + 4
    sweep = PeriodicTask.objects.get(name="sweep")
    assert (sweep.enabled, sweep.expire_seconds) == (False, 9)
    assert PeriodicTask.objects.get(name="reap").task == "syncjobs.tasks.reap"


def test_migrating_beats_tables_away_makes_nothing() -> None:
    def gone(*_name: str) -> None:
        raise LookupError

    PeriodicTask.objects.all().delete()
    after_migrate(SimpleNamespace(get_model=gone))
    assert PeriodicTask.objects.count() == 0
