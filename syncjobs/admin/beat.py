"""What beat rings, in the theme's clothes, for superusers: on or off and how often, nothing else.

Tenants' own cadences are on their pages. Beat's other tables (clocked, solar, intervals, crontabs) are an
implementation detail and have no page.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)
from unfold.admin import ModelAdmin
from unfold.decorators import display

from syncjobs.templatetags.shown import when

for _model in (ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule):
    admin.site.unregister(_model)


@admin.register(PeriodicTask)
class BellAdmin(ModelAdmin):
    """One entry a stage, and reap, poll, sweep and prune; ``syncjobs.beat`` makes and mends them."""

    list_display = ("name", "description", "enabled", "scheduler", "last_rung", "total_run_count")
    list_select_related = ("interval", "crontab")
    list_filter = ("enabled",)
    search_fields = ("name",)
    fields = ("name", "description", "task", "enabled", "scheduler", "last_rung", "total_run_count", "expire_seconds")
    readonly_fields = ("name", "description", "task", "scheduler", "last_rung", "total_run_count", "expire_seconds")
    actions = None
    empty_words = "No entries. They are made by the migrate command."

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Entries are made by the code."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """One that is deleted would come back."""
        return False

    @display(description="last rung", ordering="last_run_at")
    def last_rung(self, task: PeriodicTask) -> str:
        """When it was rung last."""
        return when(task.last_run_at)
