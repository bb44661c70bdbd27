"""No address of the admin shows or changes anything of another tenant, whoever asks; a role may what its table says.

One state for the whole file: two tenants with one of everything, the other one's every text a canary.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import transaction
from django.test import Client
from django.urls import reverse

from tenants import services
from tenants.access import ALLOWS, Capability
from tenants.audit import Actor, record
from tenants.models import Role, Tenant
from tests.signing_in import signed_in

from . import crawl
from .conftest import make_tenant, run, world

TESTER = Actor.system("test")
LOGIN = reverse("admin:login")


def _person(name: str, *roles: tuple[Tenant, Role], **how: Any) -> User:
    user = User.objects.create_user(name, password="not-a-real-password", is_staff=True, **how)
    for tenant, role in roles:
        services.set_membership(tenant, user, role, actor=TESTER)
    return user


@pytest.fixture(scope="module")
def scene(django_db_setup: None, django_db_blocker: Any) -> Iterator[SimpleNamespace]:
    """Everything, made once; each test's own changes are rolled back to it."""
    with django_db_blocker.unblock(), transaction.atomic():
        crawl.number_from(crawl.OWN)
        north = make_tenant("north")
        mine = world(north)
        people = {role: _person(f"own-{role}", (north, role)) for role in Role}
        people["stranger"] = _person("stranger")
        crawl.number_from(crawl.FIRST)
        try:
            other = _other_tenant()
            found = crawl.collect(other, *_superuser())
            yield SimpleNamespace(north=north, mine=mine, other=other, people=people, found=found)
        finally:
            crawl.number_from(crawl.OWN)
            transaction.set_rollback(True)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Write no log: a refused page logs a traceback, and here thousands are refused."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def _superuser() -> tuple[Client, User]:
    root = User.objects.create_superuser("root")
    return signed_in(root), root


def _other_tenant() -> Tenant:
    other = make_tenant(f"south-{crawl.WORD}")
    everything = world(other)
    run(other, "vendors_out", status="running", ended_at=None)
    sue = _person(f"sue-{crawl.WORD}", (other, Role.ADMINISTRATOR), first_name=crawl.WORD, email=f"{crawl.WORD}@x.com")
    record(
        other, "invoices_in.posted", actor=Actor.for_user(sue), subject=("invoice", f"EPIC06|104|{crawl.WORD}"),
        before={"a": crawl.WORD}, after={"b": crawl.WORD}, run=everything.run.pk, reason=crawl.WORD,
    )  # fmt: skip
    crawl.put_canaries(other)
    return Tenant.objects.get(pk=other.pk)


def state_of(tenant: Tenant) -> dict[str, list[dict[str, Any]]]:
    """Every value of every row of a tenant."""
    return {model._meta.label: list(rows.order_by("pk").values()) for model, rows in crawl.tenant_rows(tenant)}


def asked_for(address: str) -> list[str]:
    """What an address names: an answer may repeat that."""
    parts = urlsplit(address)
    return [address, parts.query, *(value for _name, value in parse_qsl(parts.query)), *parts.path.split("/")]


@pytest.mark.django_db
def test_every_table_with_a_page_has_a_row_to_be_found(scene: SimpleNamespace) -> None:
    """A page whose table has no row here would be walked and prove nothing: give ``world`` one."""
    empty = [
        model.__name__
        for model, rows in crawl.tenant_rows(scene.other)
        if model in admin.site._registry and not rows.exists()
    ]
    assert empty == []
    assert len(scene.found.pages) > 60
    assert len(scene.found.lists) > 100
    assert len(scene.found.whole) > 40
    assert len(scene.found.posts) > 40


@pytest.mark.django_db
def test_a_superuser_would_see_the_canary_at_these_addresses(scene: SimpleNamespace) -> None:
    """Otherwise the walks below could not fail."""
    root = signed_in(User.objects.get(username="root"))
    for model in admin.site._registry:
        if any(model is known for known, _rows in crawl.tenant_rows(scene.other)):
            name = f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"
            assert crawl.seen_of(root.get(reverse(name)).content.decode()), model


@pytest.mark.django_db
@pytest.mark.parametrize("who", [*Role, "stranger"])
def test_nobody_sees_anything_of_another_tenant(who: str, scene: SimpleNamespace) -> None:
    client, found = signed_in(scene.people[who]), scene.found
    shown: list[tuple[str, str]] = []
    opened: list[str] = []

    def ask(addresses: Iterable[str]) -> None:
        for address in sorted(addresses):
            answer = client.get(address)
            text = answer.content.decode() + str(answer.headers.get("Location", ""))
            shown.extend((address, line) for line in crawl.seen_of(text, *asked_for(address)))
            if answer.status_code == 200 and address in found.pages:
                opened.append(address)

    ask(found.whole)
    with crawl.without_frame():
        ask(found.pages)
        ask(variants_for(who, sorted(found.lists)))
    assert shown == []
    assert opened == []


def variants_for(who: str, addresses: list[str]) -> list[str]:
    """Which orders, filters and searches of lists somebody tries. All roles' lists are made by the same code, so each
    role tries the tenant's filter and the word's search of every list, and of the rest a fifth; a stranger has no list.
    """
    roles: list[str] = list(Role)
    return [
        address
        for place, address in enumerate(addresses if who in roles else [])
        if "tenant=" in address or f"q={crawl.WORD}&" in address or who == roles[place % len(roles)]
    ]


@pytest.mark.django_db
@pytest.mark.parametrize("who", [*Role, "stranger"])
def test_nobody_changes_anything_of_another_tenant(who: str, scene: SimpleNamespace) -> None:
    client, before = signed_in(scene.people[who]), state_of(scene.other)
    shown: list[tuple[str, str]] = []
    told: set[str] = set()
    with crawl.without_frame():
        for post in scene.found.posts:
            answer = client.post(post.address, post.fields)
            told.update(asked_for(post.address), map(str, post.fields.values()), map(str, post.ticked))
            shown += [(post.address, line) for line in crawl.seen_of(answer.content.decode(), *told)]
        # What was said of each of them waits for the next page.
        shown += [("messages", line) for line in crawl.seen_of(client.get("/admin/account/").content.decode(), *told)]
    assert shown == []
    assert state_of(scene.other) == before


@pytest.mark.django_db
def test_visitors_are_sent_to_the_door_from_everywhere(scene: SimpleNamespace) -> None:
    gone, halfway = scene.people[Role.ADMINISTRATOR], scene.people[Role.FINANCE]
    clients = [Client(), signed_in(gone), signed_in(halfway, second_factor=False)]
    gone.is_active = False
    gone.save()
    everything = scene.found.pages | scene.found.lists | scene.found.whole
    door = (LOGIN, reverse("sign_in:password_link"), reverse("healthz"))
    closed = {one for one in everything if not one.startswith(door) and one != reverse("home")}
    assert len(closed) > len(everything) - 10
    for client, addresses in zip(
        clients, (closed, scene.found.whole & closed, scene.found.pages & closed), strict=True
    ):
        for address in addresses:
            answer = client.get(address)
            assert (answer.status_code, answer.headers["Location"].partition("?")[0]) == (302, LOGIN), address
    for post in scene.found.posts:
        assert clients[0].post(post.address, post.fields).headers["Location"].startswith(LOGIN)


# --- what a role may, with its own tenant -------------------------------------------------------------------------


def _may(client: Client, scene: SimpleNamespace) -> dict[Capability, list[bool]]:
    """Try what each capability covers; True where the answer is a page or a thing done, False where it is refused."""
    north, mine = scene.north, scene.mine
    change = reverse("admin:tenants_tenant_change", args=[north.pk])
    stages = reverse("admin:tenants_tenant_stages", args=[north.pk])
    decide = f"{reverse('admin:syncjobs_vendormapping_decide')}?decision=approve&pk={mine.vendor.pk}"
    cancel = f"{reverse('admin:syncjobs_stagerun_decide')}?decision=cancel&pk={mine.run.pk}"
    person = reverse("admin:auth_user_way_in", args=[scene.people[Role.AUDITOR].pk])
    lists = [reverse("admin:syncjobs_invoicelink_changelist"), reverse("admin:tenants_auditevent_changelist")]

    def got(address: str) -> bool:
        return client.get(address).status_code == 200

    def posted(address: str, **fields: str) -> bool:
        return client.post(address, fields).status_code in (200, 302)

    return {
        Capability.VIEW: [*map(got, lists), got(change), got(stages), got(reverse("admin:index"))],
        Capability.REVIEW: [got(decide), got(decide.replace("approve", "reject"))],
        Capability.OPERATE: [
            got(cancel), got(f"{reverse('syncjobs:replay')}?batch={mine.batch.pk}"), posted(stages, do="pause_tenant"),
        ],
        Capability.CONFIGURE: [
            got(reverse("admin:tenants_tenant_test_connections", args=[north.pk])), posted(change, name="X"),
        ],
        Capability.ADMINISTER: [
            got(reverse("admin:auth_user_changelist")), got(reverse("admin:auth_user_add")), got(person),
            got(reverse("admin:tenants_tenant_history", args=[north.pk])),
        ],
    }  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize("role", Role)
def test_a_role_may_with_its_own_tenant_what_its_table_says(role: Role, scene: SimpleNamespace) -> None:
    with crawl.without_frame():
        tried = _may(signed_in(scene.people[role]), scene)
    assert set(tried) == set(Capability)
    for capability, answers in tried.items():
        assert answers == [capability in ALLOWS[role]] * len(answers), capability
