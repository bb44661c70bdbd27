"""The sidebar: work first, then what moved, then how it runs, then settings."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from tenants.access import Capability
from tenants.admin.scoped import may_anywhere

#: Groups of (words, icon, app, model); what stands after a question mark is chosen first.
GROUPS = (
    (
        "Work",
        (
            ("Vendor mappings", "handshake", "syncjobs", "vendormapping?queue=vendors"),
            ("GL account mappings", "account_tree", "syncjobs", "glaccountmapping?queue=gl_accounts"),
            ("Problems", "report", "syncjobs", "problem?state__exact=open"),
        ),
    ),
    (
        "What moved",
        (
            ("Invoices", "receipt_long", "syncjobs", "invoicelink"),
            ("Payments", "payments", "syncjobs", "payment"),
            ("Purchase orders", "shopping_cart", "syncjobs", "purchaseorderlink"),
            ("Batches", "inventory_2", "syncjobs", "batch"),
            ("Documents in Epicor", "post_add", "syncjobs", "posting"),
        ),
    ),
    (
        "How it runs",
        (
            ("Runs", "sync_alt", "syncjobs", "stagerun"),
            ("Remote calls", "cloud_sync", "syncjobs", "attempt"),
            ("Audit trail", "history_edu", "tenants", "auditevent"),
        ),
    ),
)
SETTINGS = (("Tenants", "domain", "tenants", "tenant"),)
FOR_ADMINISTRATORS = (("People", "group", "auth", "user"),)
FOR_SUPERUSERS = (("Bells", "notifications", "django_celery_beat", "periodictask"),)


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the sidebar of one person."""
    home = [{"title": "Dashboard", "icon": "dashboard", "link": reverse("admin:index")}]
    groups: list[dict[str, Any]] = [{"title": "", "items": home}]
    if may_anywhere(request, Capability.VIEW):
        groups += [{"title": title, "separator": True, "items": _items(items)} for title, items in GROUPS]
        administers = may_anywhere(request, Capability.ADMINISTER)
        last = (
            *SETTINGS,
            *(FOR_ADMINISTRATORS if administers else ()),
            *(FOR_SUPERUSERS if request.user.is_superuser else ()),
        )
        groups.append({"title": "Settings", "separator": True, "items": _items(last)})
    return groups


def _items(entries: tuple[tuple[str, str, str, str], ...]) -> list[dict[str, Any]]:
    items = []
    for words, icon, app, model in entries:
        name, question, chosen = model.partition("?")
        link = f"{reverse(f'admin:{app}_{name}_changelist')}{question}{chosen}"
        items.append({"title": words, "icon": icon, "link": link})
    return items
