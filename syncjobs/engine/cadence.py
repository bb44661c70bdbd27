"""A stage's cadence as people enter it: every so many minutes, or a crontab line in the company's own time zone.

Beat's tables of intervals and crontabs are an implementation detail: nobody edits them, rows are found or made here.
"""

from __future__ import annotations

from typing import Any

from celery.schedules import ParseException, crontab_parser
from django_celery_beat.models import CrontabSchedule, IntervalSchedule

from syncjobs.models import StageSchedule

LONGEST_MINUTES = 44_640  # a month
#: The fields of a crontab line: column, how many values there are, and the first of them.
FIELDS = (
    ("minute", 60, 0),
    ("hour", 24, 0),
    ("day_of_month", 31, 1),
    ("month_of_year", 12, 1),
    ("day_of_week", 7, 0),
)
_MINUTES = {IntervalSchedule.DAYS: 1440, IntervalSchedule.HOURS: 60, IntervalSchedule.MINUTES: 1}


def every(minutes: int) -> IntervalSchedule:
    """Return the interval of so many minutes."""
    # Not get_or_create: the table allows doubles, and a person may have made one.
    known = IntervalSchedule.objects.filter(every=minutes, period=IntervalSchedule.MINUTES).order_by("pk").first()
    return known or IntervalSchedule.objects.create(every=minutes, period=IntervalSchedule.MINUTES)


def at_times(line: str, zone: str) -> CrontabSchedule:
    """Return the crontab of a checked line in a time zone."""
    wanted = {**dict(zip((name for name, _, _ in FIELDS), line.split(), strict=True)), "timezone": zone}
    known = CrontabSchedule.objects.filter(**wanted).order_by("pk").first()
    return known or CrontabSchedule.objects.create(**wanted)


def line_fault(line: str) -> str:
    """Say in one sentence what is wrong with a crontab line; "" when nothing is."""
    parts = line.split()
    if len(parts) != len(FIELDS):
        return f"A crontab line has five fields, this one has {len(parts)}."
    for part, (name, values, first) in zip(parts, FIELDS, strict=True):
        try:
            crontab_parser(values, first).parse(part)
        except (ParseException, ValueError):
            return f"The {name.replace('_', ' ')} {part!r} is not one."
    return ""


def minutes_of(schedule: StageSchedule) -> int | None:
    """Return a schedule's interval in minutes; None when it goes by a crontab, or by less than minutes."""
    interval = schedule.interval
    factor = _MINUTES.get(interval.period) if interval is not None else None
    return None if interval is None or factor is None else interval.every * factor


def line_of(schedule: StageSchedule) -> str:
    """Return a schedule's crontab line, "" when it goes by an interval."""
    crontab = schedule.crontab
    return "" if crontab is None else " ".join(getattr(crontab, name) for name, _, _ in FIELDS)


def described(schedule: StageSchedule) -> dict[str, Any]:
    """Return a cadence as the audit trail tells of it."""
    return {
        "enabled": schedule.enabled,
        "interval": str(schedule.interval) if schedule.interval else "",
        "crontab": str(schedule.crontab) if schedule.crontab else "",
    }
