"""How values look to a person, in one place for lists and pages: money, moments, days, states and technical detail.

Money keeps its currency and its digits; a moment is shown in the company's own zone with UTC on hover; a state is a
word in a colour, never a colour alone; whatever came over the wire is masked again before anybody sees it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec
from django import template
from django.db.models import Choices
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from connector.translate.money import decimals
from connector.transport.redact import redact, redact_text
from syncjobs.models.problems import TURNS
from tenants.models import Tenant

register = template.Library()

NOTHING = "–"

#: The theme's colours of states. Values of different state sets share a colour where they share a name.
TONES: dict[str, str] = {
    **dict.fromkeys(("done", "approved", "accepted", "settled", "written", "paid", "recorded", "sent"), "success"),
    **dict.fromkeys(("resolved", "acknowledged", "reversed", "cleared", "live"), "success"),
    **dict.fromkeys(("done_with_problems", "held", "uncertain", "review", "reopened", "reversing"), "warning"),
    **dict.fromkeys(("proposed", "open", "lost", "paused", "refunded"), "warning"),
    **dict.fromkeys(("failed", "errored", "refused", "rejected", "error", "void"), "danger"),
    **dict.fromkeys(("running", "ready", "sending", "submitted", "reading", "writing", "in_batch", "pending"), "info"),
    **dict.fromkeys(("captured", "stored", "seen", "issued", "in_flight", "setting_up"), "info"),
}


def tone(value: object) -> str:
    """Return the theme's colour for a state's value, "" for one that is neither good nor bad."""
    return TONES.get(str(value), "")


@register.filter
def money(amount: Decimal | None, currency: str = "") -> SafeString | str:
    """Show an amount with separators, its currency's decimals and its currency; more digits where it has more."""
    if amount is None:
        return NOTHING
    places = max(decimals(currency), _used_decimals(amount))
    digits = f"{amount:,.{places}f}".replace("-", "\N{MINUS SIGN}")
    return format_html('<span class="mc-money">{}\N{NO-BREAK SPACE}{}</span>', digits, currency or "")


def _used_decimals(amount: Decimal) -> int:
    exponent = amount.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


@register.filter
def sums(amounts: Mapping[str, Decimal]) -> SafeString | str:
    """Show amounts of several currencies, one below the other."""
    rows = [(money(amount, currency),) for currency, amount in sorted(amounts.items())]
    return format_html_join(mark_safe("<br>"), "{}", rows) if rows else ""


@register.filter
def when(moment: datetime | None, tenant: Tenant | None = None) -> SafeString | str:
    """Show a moment in the company's zone, with UTC on hover."""
    if moment is None:
        return NOTHING
    local = moment.astimezone(tenant.zone if tenant else UTC)
    utc = moment.astimezone(UTC)
    return format_html(
        '<time class="mc-when" datetime="{}" title="{}">{} {}</time>',
        utc.isoformat(timespec="seconds"),
        f"{utc:%Y-%m-%d %H:%M:%S} UTC",
        day(local.date()),
        f"{local:%H:%M} {local.tzname()}",
    )


@register.filter
def day(value: date | None) -> str:
    """Show a date without a time: Epicor's dates are dates and know no zone."""
    return f"{value.day} {value:%b %Y}" if value else NOTHING


@register.filter
def duration(seconds: float | None) -> str:
    """Show how long something took."""
    if seconds is None:
        return NOTHING
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


_LABEL = (
    '<span class="inline-block font-semibold h-6 leading-6 px-2 rounded-default text-[11px] uppercase whitespace-nowrap'
    ' {}">{}</span>'
)
_COLOURS = {
    "info": "bg-blue-100 text-blue-700 dark:bg-blue-500/20 dark:text-blue-400",
    "danger": "bg-red-100 text-red-700 dark:bg-red-500/20 dark:text-red-400",
    "warning": "bg-orange-100 text-orange-700 dark:bg-orange-500/20 dark:text-orange-400",
    "success": "bg-green-100 text-green-700 dark:bg-green-500/20 dark:text-green-400",
    "": "bg-base-500/8 text-base-700 dark:bg-base-500/20 dark:text-base-200",
}


def badge(value: object, words: str) -> SafeString:
    """Show a state's words in its colour."""
    return format_html(_LABEL, _COLOURS[tone(value)], words)


@register.filter
def tag(value: str, words: str) -> SafeString:
    """Show words in the colour of a state's value."""
    return badge(value, words)


@register.filter
def state(value: str, states: type[Choices]) -> SafeString | str:
    """Show a state of one of ``syncjobs.states``' sets."""
    return badge(value, str(states(value).label)) if value else NOTHING


@register.filter
def turn(value: str) -> str:
    """Show whose turn a problem is."""
    return str(dict(TURNS).get(value, value))


def link(address: str, words: object) -> SafeString:
    """Return a link that looks like one in either theme."""
    return format_html('<a class="mc-link" href="{}">{}</a>', address, words)


@register.filter
def said(text: str) -> str:
    """Return what a far system or a stage said of a record, without secrets that it may have repeated."""
    return redact_text(text) if text else NOTHING


@register.filter
def technical(value: object) -> str:
    """Return what came over the wire as indented text, masked."""
    shown = redact(plain(value))
    return shown if isinstance(shown, str) else json.dumps(shown, indent=2, ensure_ascii=False)


def plain(value: object) -> object:
    """Return a value as JSON can hold it; money and dates become text."""
    return msgspec.to_builtins(value, enc_hook=str)


def decoded(text: str) -> dict[str, Any]:
    """Return a stored record, money with every digit; empty where nothing is stored."""
    values: dict[str, Any] = json.loads(text, parse_float=Decimal) if text else {}
    return values
