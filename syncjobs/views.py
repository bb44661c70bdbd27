"""The dashboard, a replay's preview with the button that carries it out, and an invoice's story as a file."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.views.decorators import staff_member_required
from django.db import transaction
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse

from connector.stages import LABELS, Stage
from syncjobs import selectors, story_file, tasks
from syncjobs.engine import replay as replaying
from syncjobs.engine.replay_targets import KINDS, NoSuchTarget, Target
from syncjobs.forms import DaysForm, ReasonForm
from syncjobs.models import Batch, InvoiceLink, Posting, StageRun
from syncjobs.pages import Table
from syncjobs.templatetags.shown import badge
from tenants import access
from tenants import story as stories
from tenants.access import Capability
from tenants.audit import Actor
from tenants.models import AuditHead, Tenant, TenantStatus
from tenants.sign_in.confirmation import confirm_first

#: The dashboard's queues: title, what an empty one says, and the list that holds exactly its rows.
QUEUES = {
    "needs_mapping": (
        "Needs mapping",
        "Every vendor and account is decided.",
        [("Vendors", "vendormapping", "vendors"), ("GL accounts", "glaccountmapping", "gl_accounts")],
    ),
    "held": ("Held", "Nothing is held.", [("Problems", "problem", "held")]),
    "rejected": ("Rejected", "AvidXchange has refused nothing.", [("Invoices", "invoicelink", "rejected")]),
    "differences": ("Differences", "Both systems agree.", [("Problems", "problem", "differences")]),
}
ACTION_WORDS = {"create": "Create", "update": "Update", "none": "Leave alone", "refuse": "Cannot"}
ACTION_TONES = {"create": "done", "update": "ready", "none": "", "refuse": "refused"}
#: The longest trail that is read while somebody waits for a page; it takes about ten seconds.
MOST_EVENTS = 1_000_000
#: Rows of a preview that are shown.
SHOWN = 200
_MODELS: dict[str, type[Model]] = {"batch": Batch, "posting": Posting, "stagerun": StageRun}
_RECORDS: dict[str, str] = {
    kind.model._meta.model_name: name for name, kind in reversed(KINDS.items()) if name != "receipts"
}


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add work queues, what runs, freshness, outages and failures of the person's tenants to the first page."""
    tenants = list(access.tenants_for(request.user))
    fresh = selectors.freshness(tenants)
    by_tenant: dict[Tenant, list[selectors.Freshness]] = defaultdict(list)
    for one in fresh:
        by_tenant[one.schedule.tenant].append(one)
    waiting: dict[Tenant, list[selectors.Outage]] = defaultdict(list)
    for outage in selectors.outages(tenants):
        waiting[outage.row.tenant].append(outage)
    context |= {
        "tenants": tenants,
        "queues": [
            (queue, QUEUES[queue.name][0], QUEUES[queue.name][1], _ways(QUEUES[queue.name][2]))
            for queue in selectors.queues(tenants)
        ],
        "running": list(selectors.running(tenants)),
        "freshness": [(tenant, by_tenant.get(tenant, []), waiting.get(tenant, [])) for tenant in tenants],
        "failures": selectors.last_failures(tenants),
        "flight": selectors.money_in_flight(tenants),
        "may_add": request.user.is_superuser,
    }
    return context


def _ways(lists: list[tuple[str, str, str]]) -> list[tuple[str, str]]:
    return [(words, f"{reverse(f'admin:syncjobs_{model}_changelist')}?queue={queue}") for words, model, queue in lists]


@staff_member_required(login_url="admin:login")  # type: ignore[untyped-decorator]  # Django has no types for it
def replay(request: HttpRequest) -> HttpResponse:
    """Preview a replay of what the address names; carry it out by POST with a reason, from whoever has confirmed."""
    tenant, target = _asked_for(request)
    if request.method == "POST" and (page := confirm_first(request, before="you replay this")):
        return page
    form = ReasonForm(request.POST or None)
    fresh = request.POST.get("how") == "fresh"
    try:
        preview = replaying.plan(tenant, target, fresh=fresh)
    except NoSuchTarget as nothing:
        messages.error(request, str(nothing))
        return HttpResponseRedirect(reverse("admin:index"))
    if request.method == "POST" and form.is_valid() and tenant.status != TenantStatus.PAUSED:
        return _carry_out(request, preview, reason=form.cleaned_data["reason"])
    kind, key = target.subject
    headers = ("What", "Record", "Why")
    rows = [
        (badge(ACTION_TONES[one.action], ACTION_WORDS[one.action]), f"{one.kind.replace('_', ' ')} {one.key}", one.why)
        for one in preview.effects[:SHOWN]
    ]
    more = f"{len(preview.effects) - SHOWN:,} more are not shown." if len(preview.effects) > SHOWN else ""
    context = {
        **admin.site.each_context(request),
        "title": f"Replay {kind.replace('_', ' ')} {key}",
        "tenant": tenant,
        "counts": [(ACTION_WORDS[action], number) for action, number in preview.counts.items()],
        "table": Table("What it would do", headers, rows, "Nothing belongs to it.", more=more),
        "stages": [LABELS[Stage(stage)] for stage in preview.stages],
        "form": form,
        "paused": tenant.status == TenantStatus.PAUSED,
    }
    return TemplateResponse(request, "admin/syncjobs/replay.html", context)


def _asked_for(request: HttpRequest) -> tuple[Tenant, Target]:
    """Return the tenant and target that the address names, among what the person may replay; 404 for all else."""
    asked = request.GET
    mine = access.tenants_for(request.user, Capability.OPERATE)
    for name, model in {**_MODELS, **{model: KINDS[kind].model for model, kind in _RECORDS.items()}}.items():
        if name in asked:
            if not asked[name].isascii() or not asked[name].isdigit() or len(asked[name]) > 18:
                raise Http404
            row: Any = get_object_or_404(model._default_manager.filter(tenant__in=mine), pk=int(asked[name]))
            if name in _MODELS:
                return row.tenant, Target(**{{"stagerun": "run"}.get(name, name): row.pk})
            return row.tenant, Target(record=(_RECORDS[name], KINDS[_RECORDS[name]].key(row)))
    tenant = get_object_or_404(mine, slug=asked.get("tenant", ""))
    if "kind" in asked and "key" in asked:
        return tenant, Target(record=(asked["kind"], asked["key"]))
    days = DaysForm(asked)
    if not days.is_valid():
        raise Http404
    return tenant, Target(**days.cleaned_data)


def _carry_out(request: HttpRequest, preview: replaying.Preview, *, reason: str) -> HttpResponse:
    """Carry a preview out and ring for the stages that do the work, once all of it is committed."""
    actor = Actor.for_user(request.user)
    with transaction.atomic():
        done = replaying.execute(preview, actor=actor, reason=reason)
        for stage in done.stages:
            tasks.ring(
                done.tenant.pk, stage, trigger="replay", actor=actor, reason=reason, replay_of=done.run,
                full_read=done.fresh,
            )  # fmt: skip
    if done.stages:
        names = ", ".join(LABELS[stage] for stage in done.stages)
        messages.success(request, f"Replay begun. A worker runs now: {names}.")
    else:
        messages.info(request, "There was nothing to do; the audit trail says that it was asked for.")
    listing = reverse("admin:syncjobs_stagerun_changelist")
    return HttpResponseRedirect(f"{listing}?tenant={done.tenant.slug}")


@staff_member_required(login_url="admin:login")  # type: ignore[untyped-decorator]  # Django has no types for it
def story(request: HttpRequest, pk: int) -> HttpResponse:
    """Hand out an invoice's story as a file that proves itself, to whoever may see the invoice."""
    mine = InvoiceLink.objects.filter(tenant__in=access.tenants_for(request.user)).select_related("tenant")
    invoice = get_object_or_404(mine, pk=pk)
    back = HttpResponseRedirect(reverse("admin:syncjobs_invoicelink_change", args=[pk]))
    if AuditHead.objects.filter(tenant=invoice.tenant, sequence__gt=MOST_EVENTS).exists():
        command = f"manage.py export_story {invoice.tenant.slug} {invoice.vendor_num} {invoice.invoice_num} FILE"
        messages.error(request, f"The audit trail is too long to be read while you wait. Ask IT to run: {command}")
        return back
    try:
        text = stories.to_text(story_file.document(invoice))
    except stories.NotProvable as fault:
        messages.error(request, f"The story was not exported, because it cannot be proven. {fault}")
        return back
    name = story_file.file_name(invoice)
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(text, content_type="application/json", headers=headers)
