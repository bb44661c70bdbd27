"""The tenant's page with its stages: cadence with the next five times, run now, rehearse, pause and resume.

Extends the page of ``tenants``. A run is asked for by ringing a worker; the page says so and shows what runs.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.forms import BaseInlineFormSet, ModelForm
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString, mark_safe
from unfold.admin import TabularInline
from unfold.decorators import action, display

from connector.stages import LABELS, Stage, in_order
from connector.transport.checks import Check
from connector.transport.errors import System
from syncjobs import selectors, tasks
from syncjobs.engine import outages, schedule
from syncjobs.forms import ReasonForm, RunForm, ScheduleForm
from syncjobs.models import StageSchedule
from syncjobs.templatetags.shown import NOTHING, when
from tenants import access, audit, services
from tenants.access import Capability
from tenants.admin import ScopedInline, TenantAdmin
from tenants.audit import Actor
from tenants.models import Tenant, TenantStatus


class ScheduleInline(ScopedInline, TabularInline):
    """When each stage runs; what is in it changes by ``CONFIGURE``. Every tenant has every stage, so none is added."""

    model = StageSchedule
    form = ScheduleForm
    change_capability = Capability.CONFIGURE
    extra = 0
    max_num = 0
    tab = True
    can_delete = False
    verbose_name_plural = "Schedule"
    fields = ("shown_stage", "enabled", "every_minutes", "times", "paused", "next_five")
    readonly_fields = ("shown_stage", "paused", "next_five")
    hide_title = True

    def get_queryset(self, request: HttpRequest) -> Any:
        """Fetch each cadence with its row."""
        return super().get_queryset(request).select_related("tenant", "interval", "crontab")

    @display(description="stage")
    def shown_stage(self, row: StageSchedule) -> str:
        """The stage's name."""
        return str(row.get_stage_display())

    @display(description="paused")
    def paused(self, row: StageSchedule) -> str:
        """Why it is paused."""
        return row.paused_reason or NOTHING

    @display(description="next five times")
    def next_five(self, row: StageSchedule) -> SafeString | str:
        """What the cadence comes to, in the company's zone."""
        return next_five(row)


def next_five(row: StageSchedule) -> SafeString | str:
    """Show the next five times of a schedule that runs."""
    if not row.enabled or row.paused_reason:
        return "None: it is paused." if row.enabled else "None: it is switched off."
    times = schedule.next_times(row, 5)
    return format_html_join(mark_safe("<br>"), "{}", ((when(one, row.tenant),) for one in times))


admin.site.unregister(Tenant)


@admin.register(Tenant)
class SyncTenantAdmin(TenantAdmin):
    """A tenant with its stages."""

    inlines = [*TenantAdmin.inlines[:2], ScheduleInline, *TenantAdmin.inlines[2:]]
    actions_detail = ["stages", *TenantAdmin.actions_detail]

    def save_formset(
        self, request: HttpRequest, form: ModelForm[Tenant], formset: BaseInlineFormSet[Any, Any, Any], change: bool
    ) -> None:
        """Save cadences through the engine, so that they are audited; give a new tenant its stages."""
        if formset.model is not StageSchedule:
            super().save_formset(request, form, formset, change)
            return
        actor = Actor.for_user(request.user)
        formset.save(commit=False)
        for entered in formset.forms:
            if entered.has_changed() and entered.instance.pk:
                values = entered.cleaned_data
                schedule.change(entered.instance, minutes=values["every_minutes"], times=values["times"], actor=actor)
        formset.save_m2m()
        if not change:
            schedule.apply(form.instance, {}, actor=actor)

    def connection_checks(self, tenant: Tenant) -> list[Check]:
        """Tell beside the test which systems the stages leave alone at the moment."""
        return [*super().connection_checks(tenant), *outages.checks(tenant)]

    # --- the stages' own page ---

    def has_stages_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        """Whoever sees the tenant sees its stages."""
        return object_id is None or access.tenants_for(request.user).filter(pk=object_id).exists()

    @action(description="Stages: run, pause, resume", url_path="stages", icon="play_circle", permissions=["stages"])
    def stages(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show each stage's state; run, pause and resume by POST."""
        tenant = access.tenants_for(request.user).filter(pk=object_id).first()
        if tenant is None:
            raise Http404
        may = access.can(request.user, tenant, Capability.OPERATE)
        if request.method == "POST":
            if not may:
                raise PermissionDenied
            answer = self._do(request, tenant)
            if answer:
                return answer
        run_form = RunForm(request.POST if request.POST.get("do") == "run" else None)
        reason_form = ReasonForm(request.POST if request.POST.get("do") in ("pause", "pause_tenant") else None)
        rows = selectors.freshness([tenant])
        context = {
            **self.admin_site.each_context(request),
            "title": f"Stages of {tenant}",
            "opts": self.opts,
            "tenant": tenant,
            "may": may,
            "rows": [(row, next_five(row.schedule)) for row in rows],
            "running": list(selectors.running([tenant])),
            "outages": selectors.outages([tenant]),
            "run_form": run_form,
            "reason_form": reason_form,
            "asked_stage": request.POST.get("stage", ""),
            "paused": tenant.status == TenantStatus.PAUSED,
            "live": tenant.status == TenantStatus.LIVE,
        }
        return TemplateResponse(request, "admin/syncjobs/stages.html", context)

    def _do(self, request: HttpRequest, tenant: Tenant) -> HttpResponse | None:
        """Carry out what was posted; None when the form is not complete."""
        actor, what = Actor.for_user(request.user), request.POST.get("do", "")
        done = {
            "run": _run, "try_again": _try_again, "pause": _pause, "resume": _resume, "pause_tenant": _pause_tenant,
            "resume_tenant": _resume_tenant,
            "add_stages": _add_stages,
        }.get(what)  # fmt: skip
        said = done(request, tenant, actor) if done else ""
        if not said:
            return None
        messages.success(request, said)
        return HttpResponseRedirect(reverse("admin:tenants_tenant_stages", args=[tenant.pk]))


def _run(request: HttpRequest, tenant: Tenant, actor: Actor) -> str:
    form = RunForm(request.POST)
    if not form.is_valid() or tenant.status == TenantStatus.PAUSED:
        return ""
    chosen = form.cleaned_data["stage"]
    wanted = [Stage(chosen)] if chosen else schedule.switched_on(tenant)
    how = {name: form.cleaned_data[name] for name in ("dry_run", "full_read")}
    with transaction.atomic():
        for stage in wanted:
            audit.record(tenant, "run.asked", actor=actor, subject=("stage", str(stage)), after=how)
            tasks.ring(tenant.pk, stage, trigger="person", actor=actor, **how)
    names = LABELS[wanted[0]] if len(wanted) == 1 else f"{len(wanted)} stages"
    verb = "Rehearsing" if how["dry_run"] else "Running"
    return f"{verb} {names}: a worker takes it up now. This page shows what runs."


def _try_again(request: HttpRequest, tenant: Tenant, actor: Actor) -> str:
    try:
        system = System(request.POST.get("system", ""))
    except ValueError:
        raise Http404 from None
    if outages.try_again(tenant, system, actor=actor):
        return f"{system.label} is tried again within a minute, and what waits for it goes on if it is back."
    return f"{system.label} is not left alone; nothing waits for it."


def _stage(request: HttpRequest) -> Stage:
    try:
        return in_order([request.POST.get("stage", "")])[0]
    except ValueError:
        raise Http404 from None


def _pause(request: HttpRequest, tenant: Tenant, actor: Actor) -> str:
    form, stage = ReasonForm(request.POST), _stage(request)
    if not form.is_valid():
        return ""
    schedule.pause(tenant, stage, actor=actor, reason=form.cleaned_data["reason"])
    return f"{LABELS[stage]} is paused."


def _resume(request: HttpRequest, tenant: Tenant, actor: Actor) -> str:
    stage = _stage(request)
    schedule.resume(tenant, stage, actor=actor)
    return f"{LABELS[stage]} goes on."


def _add_stages(request: HttpRequest, tenant: Tenant, actor: Actor) -> str:
    schedule.apply(tenant, {}, actor=actor)
    return f"{tenant} has all {len(Stage)} stages."


def _pause_tenant(request: HttpRequest, tenant: Tenant, actor: Actor) -> str:
    form = ReasonForm(request.POST)
    if not form.is_valid() or tenant.status != TenantStatus.LIVE:
        return ""
    tenant.status = TenantStatus.PAUSED
    services.save_tenant(tenant, actor=actor, reason=form.cleaned_data["reason"])
    return f"{tenant} is paused: no stage runs until it is resumed."


def _resume_tenant(request: HttpRequest, tenant: Tenant, actor: Actor) -> str:
    if tenant.status != TenantStatus.PAUSED:
        return ""
    tenant.status = TenantStatus.LIVE
    services.save_tenant(tenant, actor=actor)
    return f"{tenant} is live again."
