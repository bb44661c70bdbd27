"""Walking the whole admin: every address of the URL resolver, every parameter of every list, every link and form.

Nothing here names a page, so one that is added tomorrow is walked tomorrow. Addresses come from three places: the
resolver, its arguments filled with the numbers and names of one tenant's rows; the lists, with each of their filters,
orders, searches and actions; and what links and forms on a superuser's pages about that tenant lead to.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus, unquote_plus, urlencode

from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db import connection, models
from django.test import Client, RequestFactory, override_settings
from django.urls import NoReverseMatch, get_resolver, reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from connector.stages import Stage
from tenants.models import Tenant

WORD = "canary"
#: Rows of the other tenant are numbered from here, so that a number alone tells whose it is.
FIRST = 7_000_000
#: And those of the own tenant from here, wherever an earlier run has left the counting.
OWN = 100_000
#: So many rows of a table are asked for by their numbers: those of one table are guarded by the same code.
MOST = 2
#: Columns whose texts choose what is shown or done.
_KEYS = frozenset({"subject_kind", "code", "currency", "time_zone", "operation", "action", "password", "coa_code"})
#: Text columns that hold a record as JSON, or nothing.
_RECORDS = frozenset({"desired", "receipts_desired", "captured", "detail", "draft", "payload"})
_LINK = re.compile(r'(?:href|action|hx-get)="(/[^"#]*)')
_FORM = re.compile(r'<form\b([^>]*method="post"[^>]*)>(.*?)</form>', re.DOTALL | re.IGNORECASE)
_FOREIGN = re.compile(rf"{WORD}|\b{FIRST // 1000}\d{{3}}\b", re.IGNORECASE)
#: What the admin says on the next page of a number that is none, or not the person's.
_NOT_THERE = re.compile(r"with ID “[^”]*” doesn’t exist")
_FIELD = re.compile(r'<(?:input|button|select|textarea)\b[^>]*?name="([^"]+)"(?:[^>]*?value="([^"]*)")?')


@dataclass(frozen=True)
class Post:
    """One form as it would be sent."""

    address: str
    fields: dict[str, Any]

    @property
    def ticked(self) -> list[int]:
        """The rows that an action is about."""
        return list(self.fields.get("_selected_action", []))


@dataclass
class Addresses:
    """What there is to ask for: pages about one tenant's rows; whole pages and variants of lists that must leave them
    out; forms and actions with those rows."""

    pages: set[str] = field(default_factory=set)
    whole: set[str] = field(default_factory=set)
    lists: set[str] = field(default_factory=set)
    posts: list[Post] = field(default_factory=list)


@contextmanager
def without_frame() -> Iterator[None]:
    """Render pages without sidebar and header, which cost more than all the rest and are the same on each."""
    engine = {**settings.TEMPLATES[0], "DIRS": [Path(__file__).parent / "bare", *settings.TEMPLATES[0]["DIRS"]]}
    with override_settings(TEMPLATES=[engine]):
        yield


def number_from(first: int) -> None:
    """Let the numbers of every table go on after ``first``."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT setval(format('%%I.%%I', schemaname, sequencename)::regclass, %s) FROM pg_sequences"
            " WHERE sequencename NOT LIKE 'django_%%'",
            [first],
        )


def tenant_rows(tenant: Tenant) -> Iterator[tuple[type[models.Model], models.QuerySet[Any]]]:
    """Yield every table that has a tenant, with this tenant's rows."""
    for model in apps.get_models():
        if model is Tenant:
            yield model, Tenant.objects.filter(pk=tenant.pk)
        elif any(one.name == "tenant" for one in model._meta.concrete_fields):
            yield model, model._default_manager.filter(tenant=tenant)


def put_canaries(tenant: Tenant) -> None:
    """Write the canary's word into every text column of the tenant's rows that is no key of our own."""
    for model, rows in tenant_rows(tenant):
        if model._meta.model_name in ("auditevent", "audithead"):
            continue  # append-only: its rows tell of canaries from the beginning
        for row in rows:
            values = {one.attname: _with_canary(one, getattr(row, one.attname), row.pk) for one in _texts(model)}
            model._default_manager.filter(pk=row.pk).update(**values)


def _texts(model: type[models.Model]) -> list[models.Field[Any, Any]]:
    kinds = (models.CharField, models.TextField, models.JSONField)
    return [
        one for one in model._meta.concrete_fields
        if isinstance(one, kinds) and type(one).__module__.startswith("django.") and not one.choices
        and one.name not in _KEYS and not one.name.endswith("hash")
    ]  # fmt: skip


def _with_canary(column: models.Field[Any, Any], value: Any, pk: int) -> Any:
    if isinstance(column, models.JSONField):
        return _json_with_canary(value)
    if column.name in _RECORDS:
        return f'{{"{WORD}":"{WORD}"}}'
    return f"{WORD}-{pk % FIRST}-{column.name}"[: column.max_length]


def _json_with_canary(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: item if key in ("step", "state", "at") else _json_with_canary(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_json_with_canary(item) for item in value]
    return f"{WORD}-{value}" if isinstance(value, str) else value


def collect(tenant: Tenant, boss: Client, user: User) -> Addresses:
    """Return everything that can be asked for about one tenant; ``boss`` is the browser of the superuser ``user``."""
    found = Addresses()
    rows = {
        model: list(some.order_by("-pk").values_list("pk", flat=True)[:MOST]) for model, some in tenant_rows(tenant)
    }
    rows[User] = list(User.objects.filter(memberships__tenant=tenant).values_list("pk", flat=True))
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"
        found.whole.add(reverse(name))
        found.lists |= set(_variants(model, reverse(name), user, tenant, rows))
        found.posts += _actions(model, reverse(name), rows)
    found.lists |= set(_autocompletes())
    for address in _resolved(rows, tenant):
        (found.pages if _is_about(address, tenant) else found.whole).add(address)
    with without_frame():
        _follow(found, tenant, boss)
    return found


def _resolved(rows: dict[type[models.Model], list[int]], tenant: Tenant) -> Iterator[str]:
    """Every pattern of the resolver with arguments of this tenant."""
    for names, pattern in _patterns(get_resolver().url_patterns):
        arguments = list(pattern.pattern.converters) or list(pattern.pattern.regex.groupindex)
        for values in _fillings(pattern.name or "", arguments, rows, tenant):
            try:
                yield reverse(":".join([*names, pattern.name]), kwargs=values)
            except NoReverseMatch:
                continue


def _patterns(patterns: Iterable[Any], names: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for one in patterns:
        if hasattr(one, "url_patterns"):
            yield from _patterns(one.url_patterns, (*names, one.namespace) if one.namespace else names)
        elif one.name:
            yield names, one


def _fillings(
    name: str, arguments: list[str], rows: dict[type[models.Model], list[int]], tenant: Tenant
) -> Iterator[dict[str, Any]]:
    if not arguments:
        yield {}
    elif "content_type_id" in arguments:
        for model, pks in rows.items():
            content = ContentType.objects.get_for_model(model).pk
            yield from ({"content_type_id": content, "object_id": pk} for pk in pks[:1])
    elif "app_label" in arguments:
        yield from ({"app_label": label} for label in {model._meta.app_label for model in rows})
    elif "uidb64" in arguments:
        yield from ({"uidb64": urlsafe_base64_encode(force_bytes(pk))} for pk in rows[User])
    else:
        own = [
            pks for model, pks in rows.items() if name.startswith(f"{model._meta.app_label}_{model._meta.model_name}_")
        ]
        numbers = [pk for pks in own or rows.values() for pk in pks[: MOST if own else 1]]
        words = [] if own else [tenant.slug, *Stage]
        yield from (dict.fromkeys(arguments, value) for value in (*numbers, *words))


def _variants(
    model: Any, address: str, user: User, tenant: Tenant, rows: dict[type[models.Model], list[int]]
) -> Iterator[str]:
    """A list in every order, with each filter's choices that name the tenant or else its first, as a popup with facets,
    and with searches for what the tenant's rows hold."""
    page, request = admin.site._registry[model], RequestFactory().get(address)
    request.user = user
    shown = page.get_changelist_instance(request)
    ordered = {"o": ".".join(str(place) for place in range(1, len(shown.list_display) + 1))}
    for spec in shown.filter_specs:
        choices = [one["query_string"] for one in spec.choices(shown) if one.get("query_string", "?").strip("?")]
        about = [one for one in choices if _is_about(one, tenant)] or choices[1:2]
        days = dict(zip(spec.expected_parameters(), ("2000-01-01", "2099-12-31"), strict=False))
        yield from (f"{address}{one}&{urlencode(ordered)}" for one in about or [f"?{urlencode(days)}"])
    if page.get_search_fields(request):
        some = model._default_manager.filter(pk__in=rows.get(model, [])).first()
        known = {str(getattr(some, name, "")) for name in page.get_search_fields(request)}
        for term in (WORD, *(term for term in known if _FOREIGN.search(term))):
            yield f"{address}?{urlencode({'q': term, '_facets': 'True', '_popup': '1', '_to_field': 'id', 'all': ''})}"


def _autocompletes() -> Iterator[str]:
    for model in apps.get_models():
        for column in model._meta.concrete_fields:
            if column.remote_field is not None:
                asked = {"app_label": model._meta.app_label, "model_name": model._meta.model_name}
                yield f"{reverse('admin:autocomplete')}?{urlencode({**asked, 'field_name': column.name, 'term': WORD})}"


def _actions(model: Any, address: str, rows: dict[type[models.Model], list[int]]) -> Iterator[Post]:
    for name in [*_action_names(model), "delete_selected"]:
        ticked = {"_selected_action": rows.get(model, []), "index": "0", "select_across": "0", "post": "yes"}
        if ticked["_selected_action"]:
            yield Post(address, {"action": name, **ticked})


def _action_names(model: Any) -> list[str]:
    page, request = admin.site._registry[model], RequestFactory().get("/")
    request.user = User(is_superuser=True, is_active=True, is_staff=True, pk=0)
    return list(page.get_actions(request))


def _follow(found: Addresses, tenant: Tenant, boss: Client) -> None:
    """Add what a superuser's pages about the tenant lead to, and their forms, until nothing new comes."""
    waiting = [*sorted(found.pages), reverse("admin:index")]
    seen = set(waiting)
    while waiting:
        address = waiting.pop()
        answer = boss.get(address)
        if answer.status_code != 200 or "html" not in answer.headers["Content-Type"]:
            continue
        text = answer.content.decode()
        found.posts += _forms(text, address, tenant)
        for link in map(html.unescape, _LINK.findall(text)):
            if link not in seen and _is_about(link, tenant) and not link.startswith("/static/"):
                seen.add(link)
                (found.lists if _is_list(link) else found.pages).add(link)
                if not _is_list(link):
                    waiting.append(link)


def _forms(text: str, address: str, tenant: Tenant) -> Iterator[Post]:
    for head, body in _FORM.findall(text):
        named = re.search(r'\baction="([^"]*)"', head)
        to = html.unescape(named[1]) if named and named[1] else address
        if _is_about(to, tenant):
            fields = {name: html.unescape(value) for name, value in _FIELD.findall(body)}
            yield Post(to, {"reason": "because", **fields, "name": "changed", "state": "approved", "post": "yes"})


def _is_list(address: str) -> bool:
    lists = {reverse(f"admin:{one._meta.app_label}_{one._meta.model_name}_changelist") for one in admin.site._registry}
    return address.partition("?")[0] in lists


def _is_about(address: str, tenant: Tenant) -> bool:
    plain = unquote_plus(address)
    return tenant.slug in plain or _FOREIGN.search(plain) is not None


def seen_of(text: str, *asked: str) -> list[str]:
    """Return what an answer shows of the other tenant, without the echo of what was ``asked`` for."""
    if not _FOREIGN.search(text):
        return []
    text = _NOT_THERE.sub("", text)
    for echo in sorted((one for one in asked if one), key=len, reverse=True):
        for form in {echo, html.escape(echo), quote(echo), quote_plus(echo), quote(echo, safe="")}:
            text = text.replace(form, "")
    return [text[max(found.start() - 60, 0) : found.end() + 40] for found in _FOREIGN.finditer(text)]
