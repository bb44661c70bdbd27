"""The sidebar: work first, then what moved, then how it runs, then settings."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from tenants import access

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
FOR_SUPERUSERS = (
    ("People", "group", "auth", "user"),
    ("Bells", "notifications", "django_celery_beat", "periodictask"),
)


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the sidebar of one person."""
    home = [{"title": "Dashboard", "icon": "dashboard", "link": reverse("admin:index")}]
    groups: list[dict[str, Any]] = [{"title": "", "items": home}]
    if access.can_anywhere(request.user):
        groups += [{"title": title, "separator": True, "items": _items(items)} for title, items in GROUPS]
        last = (*SETTINGS, *FOR_SUPERUSERS) if request.user.is_superuser else SETTINGS
        groups.append({"title": "Settings", "separator": True, "items": _items(last)})
    return groups


def _items(entries: tuple[tuple[str, str, str, str], ...]) -> list[dict[str, Any]]:
    items = []
    for words, icon, app, model in entries:
        name, question, chosen = model.partition("?")
        link = f"{reverse(f'admin:{app}_{name}_changelist')}{question}{chosen}"
        items.append({"title": words, "icon": icon, "link": link})
    return items
