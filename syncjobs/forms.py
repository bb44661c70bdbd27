"""What people enter on our own pages: a reason for a decision, which stages to run, a stage's cadence, a replay."""

from __future__ import annotations

from typing import Any

from django import forms
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminSingleDateWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from connector.stages import LABELS, Stage
from syncjobs.engine import cadence
from syncjobs.models import StageSchedule

LONGEST_REASON = 500


class ReasonForm(forms.Form):
    """A reason; ``required`` where the decision is worth nothing without one."""

    reason = forms.CharField(
        max_length=LONGEST_REASON,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text="It is kept in the audit trail.",
    )

    def __init__(self, *args: Any, required: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].required = required
        if not required:
            self.fields["reason"].label = "Reason (may stay empty)"


class RunForm(forms.Form):
    """Which stage to run now, and how; no stage means all that are switched on, in order."""

    stage = forms.ChoiceField(
        required=False,
        choices=[("", "All stages, in order"), *((str(stage), LABELS[stage]) for stage in Stage)],
        widget=UnfoldAdminSelectWidget,
    )
    dry_run = forms.BooleanField(
        required=False,
        label="Rehearse",
        help_text="Read and translate, and write to neither system.",
        widget=UnfoldBooleanSwitchWidget,
    )
    full_read = forms.BooleanField(
        required=False,
        label="Read everything",
        help_text="Not only what changed; takes longer and finds what polls have missed.",
        widget=UnfoldBooleanSwitchWidget,
    )


class DaysForm(forms.Form):
    """A first and a last day."""

    since = forms.DateField(label="First day", widget=UnfoldAdminSingleDateWidget)
    until = forms.DateField(label="Last day", widget=UnfoldAdminSingleDateWidget)


class ScheduleForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in the stubs only
    """A stage's cadence: every so many minutes, or times of day as a crontab line in the company's own zone."""

    every_minutes = forms.IntegerField(
        min_value=1, max_value=cadence.LONGEST_MINUTES, required=False, widget=UnfoldAdminTextInputWidget
    )
    times = forms.CharField(
        required=False,
        max_length=100,
        label="Or at times (crontab)",
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "0 6,18 * * 1-5"}),
        help_text="Minute, hour, day of month, month, day of week, in the company's time zone.",
    )

    class Meta:
        model = StageSchedule
        fields = ("enabled",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        schedule: StageSchedule | None = kwargs.get("instance")
        if schedule is not None and schedule.pk:
            initial = {"every_minutes": cadence.minutes_of(schedule), "times": cadence.line_of(schedule)}
            kwargs["initial"] = {**initial, **(kwargs.get("initial") or {})}
        super().__init__(*args, **kwargs)

    def clean_times(self) -> str:
        """Refuse a line that is no crontab, saying what is wrong with it."""
        line: str = self.cleaned_data["times"].strip()
        fault = cadence.line_fault(line) if line else ""
        if fault:
            raise forms.ValidationError(fault)
        return line

    def clean(self) -> dict[str, Any]:
        """Ask for one cadence, and only one."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        given = [bool(cleaned.get(name)) for name in ("every_minutes", "times")]
        if "every_minutes" not in self.errors and "times" not in self.errors and sum(given) != 1:
            self.add_error("every_minutes", "Enter either minutes or times, one of the two.")
        return cleaned
