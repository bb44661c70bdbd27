"""When a stage is due next: by interval, by crontab in its own time zone, over both changes of the clock."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule, IntervalSchedule
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.stages import Stage
from syncjobs.engine import schedule, under_way
from syncjobs.models import Batch, StageSchedule
from tenants.audit import Actor
from tenants.models import Tenant

CHICAGO = ZoneInfo("America/Chicago")
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
#: Seconds from then to the hours before each change of the clock in Chicago and Berlin.
CLOCK_CHANGES = [
    int((datetime(*day, hour, tzinfo=UTC) - NEW_YEAR).total_seconds())
    for day in ((2026, 3, 8), (2026, 3, 29), (2026, 10, 25), (2026, 11, 1), (2027, 3, 14), (2027, 3, 28))
    for hour in range(9)
]


def by_crontab(zone: str = "America/Chicago", **fields: str) -> StageSchedule:
    return StageSchedule(crontab=CrontabSchedule(**{"minute": "0", "hour": "*", **fields}, timezone=zone))


def local_times(row: StageSchedule, after: datetime, count: int) -> list[str]:
    return [
        time.astimezone(CHICAGO).strftime("%m-%d %H:%M %Z") for time in schedule.next_times(row, count, after=after)
    ]


def test_an_interval_counts_from_now_whatever_the_clock_does() -> None:
    row = StageSchedule(interval=IntervalSchedule(every=90, period=IntervalSchedule.MINUTES))
    before = datetime(2026, 11, 1, 5, 30, tzinfo=UTC)  # half past midnight in Chicago; at two the clock goes back
    assert schedule.next_times(row, 3, after=before) == [before + timedelta(minutes=90 * n) for n in (1, 2, 3)]


def test_a_schedule_without_a_cadence_has_the_default_one() -> None:
    before = datetime(2026, 11, 1, tzinfo=UTC)
    assert schedule.next_time(StageSchedule(), before) == before + timedelta(minutes=schedule.DEFAULT_MINUTES)


@pytest.mark.django_db
@pytest.mark.parametrize("hours", [48, -48])
def test_a_wrong_clock_of_ours_neither_puts_a_stage_off_nor_hurries_it(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    """Lesson 9; found by the simulator. Counted by our own clock, a stage taken while that was two days ahead was not
    due again for two days, and due at every tick while it was behind."""
    schedule.apply(tenant, {}, actor=Actor.system("test"))
    right = timezone.now
    monkeypatch.setattr(timezone, "now", lambda: right() + timedelta(hours=hours))
    assert schedule.take(tenant, Stage.VENDORS_OUT)
    taken = StageSchedule.objects.get(tenant=tenant, stage=Stage.VENDORS_OUT)
    assert taken.next_due is not None
    assert abs(taken.next_due - right() - timedelta(minutes=schedule.DEFAULT_MINUTES)) < timedelta(minutes=1)
    StageSchedule.objects.update(next_sweep=None)
    assert len(list(schedule.take_sweeps())) == len(Stage)
    taken.refresh_from_db()
    assert taken.next_sweep is not None
    assert abs(taken.next_sweep - right() - schedule.SWEEP_AGAIN) < timedelta(minutes=1)


@pytest.mark.django_db
@pytest.mark.parametrize("hours", [48, -48])
def test_a_wrong_clock_of_ours_does_not_change_when_a_batch_is_asked_about(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    """Lesson 9; found by the simulator: who is due was decided by our clock, when it is due by the database's."""
    right = timezone.now
    facts = {"kind": "vendors", "stage": "vendors_out", "state": "submitted"}
    Batch.objects.create(tenant=tenant, external_id="1", next_poll_at=right() + timedelta(minutes=5), **facts)
    monkeypatch.setattr(timezone, "now", lambda: right() + timedelta(hours=hours))
    assert under_way.due_polls(tenant.pk) == []
    rest = under_way.next_poll_in(tenant.pk)
    assert rest is not None
    assert timedelta(minutes=4) < rest <= timedelta(minutes=5)
    Batch.objects.update(next_poll_at=right() - timedelta(minutes=5))
    assert under_way.due_polls(tenant.pk) == [(tenant.pk, Stage.VENDORS_OUT)]


def test_a_time_of_day_stays_that_time_of_day_when_the_clock_changes() -> None:
    row = by_crontab(minute="30", hour="6")
    assert local_times(row, datetime(2026, 10, 31, 12, 0, tzinfo=UTC), 3) == [
        "11-01 06:30 CST",
        "11-02 06:30 CST",
        "11-03 06:30 CST",
    ]
    assert local_times(row, datetime(2027, 3, 13, 13, 0, tzinfo=UTC), 2) == ["03-14 06:30 CDT", "03-15 06:30 CDT"]


def test_in_the_hour_that_comes_twice_the_next_time_is_never_over() -> None:
    """Else the stage would be due at every tick until that hour has passed."""
    row = by_crontab(minute="*/15")
    second = datetime(2026, 11, 1, 7, 5, tzinfo=UTC)  # five past one, for the second time
    assert schedule.next_times(row, 4, after=second) == [
        datetime(2026, 11, 1, 7, minute, tzinfo=UTC) for minute in (15, 30, 45)
    ] + [datetime(2026, 11, 1, 8, 0, tzinfo=UTC)]


def test_working_hours_are_the_tenants_own() -> None:
    row = by_crontab(hour="8-9", day_of_week="1-5")
    assert local_times(row, datetime(2026, 11, 20, 13, 30, tzinfo=UTC), 4) == [
        "11-20 08:00 CST",
        "11-20 09:00 CST",
        "11-23 08:00 CST",
        "11-23 09:00 CST",
    ]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    zone=st.sampled_from(["America/Chicago", "Europe/Berlin", "Asia/Kathmandu", "Pacific/Kiritimati", "UTC"]),
    hour=st.integers(0, 23),
    minute=st.integers(0, 59),
    seconds=st.one_of(st.integers(0, 730 * 86_400), st.sampled_from(CLOCK_CHANGES)),
)
def test_a_daily_time_comes_once_a_day_and_never_now_or_before(zone: str, hour: int, minute: int, seconds: int) -> None:
    after = NEW_YEAR + timedelta(seconds=seconds)
    times = schedule.next_times(by_crontab(zone, hour=str(hour), minute=str(minute)), 4, after=after)
    assert times[0] > after
    # A time of day that the change of the clock leaves out or doubles may come up to an hour off.
    gaps = [later - earlier for earlier, later in zip([after, *times], times, strict=False)]
    assert all(timedelta(0) < gap <= timedelta(hours=25) for gap in gaps), times
    assert all(gap >= timedelta(hours=22, minutes=59) for gap in gaps[1:]), times


@pytest.mark.django_db(transaction=True)
def test_of_two_ticks_at_once_each_due_stage_goes_to_one(tenant: Tenant, other: Tenant) -> None:
    StageSchedule.objects.update(next_due=timezone.now() - timedelta(minutes=1))
    barrier, taken = threading.Barrier(4), []

    def tick() -> None:
        barrier.wait()
        taken.extend(one.slug for one in schedule.take_due(Stage.VENDORS_OUT))
        connection.close()

    Tenant.objects.update(status="live")
    threads = [threading.Thread(target=tick) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == ["north", "south"]
    assert not StageSchedule.objects.filter(stage="vendors_out", next_due__lte=timezone.now()).exists()
