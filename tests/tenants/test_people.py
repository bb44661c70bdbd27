"""Looking after people: who sees whom, accounts, password links, resets, and what no administrator can do."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from tenants import access
from tenants.models import AuditEvent, Authenticator, Membership, RecoveryCodes, Role, Tenant
from tenants.sign_in import factors
from tests.signing_in import authenticator, signed_in

pytestmark = pytest.mark.django_db

PEOPLE, ADD = "admin:auth_user_changelist", "admin:auth_user_add"


@pytest.fixture
def cast(north: Tenant, south: Tenant, person: Callable[..., User]) -> SimpleNamespace:
    """An administrator of one tenant, and everybody whom that concerns or does not."""
    return SimpleNamespace(
        boss=person("boss", (north, Role.ADMINISTRATOR)),
        ann=person("ann", (north, Role.FINANCE)),
        both=person("both", (north, Role.OPERATOR), (south, Role.AUDITOR)),
        sue=person("sue-canary", (south, Role.ADMINISTRATOR)),
        lone=person("lone-canary"),
        root=person("root-canary", superuser=True),
        north=north,
        south=south,
    )


def way_in(person: User) -> str:
    return reverse("admin:auth_user_way_in", args=[person.pk])


def do(client: Client, person: User, what: str, reason: str = "She asked on the phone.") -> Any:
    return client.post(way_in(person), {"do": what, "reason": reason})


# --- who sees whom ------------------------------------------------------------------------------------------------


def test_an_administrator_sees_the_tenants_own_people_and_nobody_else(cast: SimpleNamespace) -> None:
    client = signed_in(cast.boss)
    assert set(access.people_for(cast.boss)) == {cast.boss, cast.ann, cast.both}
    listed = client.get(reverse(PEOPLE)).content.decode()
    offered = client.get(reverse("admin:tenants_tenant_change", args=[cast.north.pk])).content.decode()
    for text in (listed, offered):
        assert "both" in text
        assert "canary" not in text
    assert client.get(reverse(PEOPLE), {"q": "canary"}).context_data["cl"].result_count == 0
    for stranger in (cast.sue, cast.lone, cast.root):
        assert client.get(reverse("admin:auth_user_change", args=[stranger.pk])).status_code == 302
        assert client.get(way_in(stranger)).status_code in (403, 404)
        assert do(client, stranger, "reset").status_code in (403, 404)
    shown = client.get(way_in(cast.both)).content.decode()
    assert "Operator of North Works" in shown
    assert "South" not in shown


@pytest.mark.parametrize("role", [role for role in Role if role != Role.ADMINISTRATOR])
def test_other_roles_see_nobody(role: Role, cast: SimpleNamespace, person: Callable[..., User]) -> None:
    client = signed_in(person("pat", (cast.north, role)))
    assert not access.people_for(User.objects.get(username="pat")).exists()
    for address in (reverse(PEOPLE), reverse(ADD)):
        assert client.get(address).status_code == 403
    assert client.get(way_in(cast.ann)).status_code == 403


def test_people_are_not_found_by_what_their_password_hash_looks_like(cast: SimpleNamespace) -> None:
    answer = signed_in(cast.boss).get(reverse(PEOPLE), {"password__startswith": "md5"})
    assert answer.status_code == 400


def test_an_administrator_changes_no_account(cast: SimpleNamespace) -> None:
    client = signed_in(cast.boss)
    address = reverse("admin:auth_user_change", args=[cast.ann.pk])
    shown = client.get(address).content.decode()
    assert "ann" in shown
    assert "Superuser" not in shown
    assert client.post(address, {"username": "ann", "is_superuser": "on"}).status_code == 403
    assert client.get(reverse("admin:auth_user_history", args=[cast.ann.pk])).status_code == 403
    assert client.post(reverse("admin:auth_user_delete", args=[cast.ann.pk]), {"post": "yes"}).status_code == 403
    assert not User.objects.get(pk=cast.ann.pk).is_superuser


def test_a_role_is_given_only_to_people_whom_one_looks_after(cast: SimpleNamespace) -> None:
    """Offered or not: the number of somebody else, sent by hand, is refused without saying who that is."""
    from .test_admin import page, posted

    client = signed_in(cast.boss)
    count = Membership.objects.count()
    fields = posted(client, page(cast.north)) | {
        "memberships-TOTAL_FORMS": "4",
        "memberships-3-user": str(cast.sue.pk),
        "memberships-3-role": "finance",
        "memberships-3-tenant": str(cast.north.pk),
    }
    answer = client.post(page(cast.north), fields)
    assert "Select a valid choice." in answer.content.decode()
    assert "canary" not in answer.content.decode()
    assert Membership.objects.count() == count


# --- who may let whom in ------------------------------------------------------------------------------------------


def test_nobody_lets_himself_into_a_tenant_or_account_that_is_not_his(cast: SimpleNamespace) -> None:
    """Resetting how somebody signs in is as good as being that person for a while."""
    assert access.may_let_in(cast.boss, cast.ann)
    assert not access.may_let_in(cast.boss, cast.boss)
    assert not access.may_let_in(cast.boss, cast.both)
    assert not access.may_let_in(cast.boss, cast.sue)
    assert not access.may_let_in(cast.ann, cast.both)
    Membership.objects.create(tenant=cast.north, user=cast.root, role=Role.AUDITOR)
    assert not access.may_let_in(cast.boss, cast.root)
    assert access.may_let_in(cast.root, cast.sue)
    assert access.may_let_in(cast.root, cast.both)
    Membership.objects.create(tenant=cast.south, user=cast.boss, role=Role.ADMINISTRATOR)
    assert access.may_let_in(cast.boss, cast.both)
    cast.boss.is_active = False
    assert not access.may_let_in(cast.boss, cast.ann)


@pytest.mark.parametrize("what", ["reset", "link", "unlock"])
def test_somebody_who_works_for_another_tenant_too_is_left_to_a_superuser(what: str, cast: SimpleNamespace) -> None:
    client = signed_in(cast.boss)
    assert "Only a superuser of this site can change how this person signs in" in (
        client.get(way_in(cast.both)).content.decode()
    )
    authenticator(cast.both)
    assert do(client, cast.both, what).status_code == 403
    assert factors.authenticator(cast.both)
    assert do(client, cast.boss, what).status_code == 403
    assert do(signed_in(cast.root), cast.both, what).status_code in (200, 302)


# --- resets -------------------------------------------------------------------------------------------------------


def test_a_reset_ends_every_session_and_needs_a_reason(cast: SimpleNamespace) -> None:
    hers, client = signed_in(cast.ann), signed_in(cast.boss)
    factors.renew_codes(cast.ann)
    assert "This field is required." in do(client, cast.ann, "reset", "").content.decode()
    assert hers.get("/admin/account/").status_code == 200
    assert do(client, cast.ann, "reset").status_code == 302
    assert hers.get("/admin/account/").status_code == 302
    assert not Authenticator.objects.filter(user=cast.ann).exists()
    assert not RecoveryCodes.objects.filter(user=cast.ann).exists()
    event = AuditEvent.objects.get(action="second_factor.reset")
    assert (event.tenant, event.actor_name, event.subject_key, event.reason) == (
        cast.north, "boss", "ann", "She asked on the phone.",
    )  # fmt: skip


def test_a_reset_is_asked_about_again_when_the_administrator_has_not_confirmed(cast: SimpleNamespace) -> None:
    authenticator(cast.ann)
    asked = do(signed_in(cast.boss, confirmed=False), cast.ann, "reset")
    assert "Confirm that it is you before you change how somebody signs in." in asked.content.decode()
    assert factors.authenticator(cast.ann)


def test_unlocking_lets_somebody_try_again(cast: SimpleNamespace) -> None:
    locked = Client()
    for _try in range(5):
        locked.post("/admin/login/", {"username": "ann", "password": "wrong"})
    authenticator(cast.ann)
    Authenticator.objects.update(throttling_failure_count=9, throttling_failure_timestamp=timezone.now())
    client = signed_in(cast.boss)
    assert "locked for now after too many wrong tries" in client.get(way_in(cast.ann)).content.decode()
    do(client, cast.ann, "unlock")
    assert not AccessAttempt.objects.exists()
    answer = locked.post("/admin/login/", {"username": "ann", "password": "not-a-real-password"})
    assert answer.status_code == 302
    assert factors.seconds_to_wait(cast.ann, "123456") == 0
    assert AuditEvent.objects.get(action="sign_in.unlocked").reason == "She asked on the phone."


# --- password links -----------------------------------------------------------------------------------------------


def link_for(client: Client, person: User) -> tuple[str, str]:
    """The path of a new link, and what stands behind its "#"."""
    shown = do(client, person, "link")
    assert "no-store" in shown.headers["Cache-Control"]
    found = re.search(r"http://testserver(/admin/set-password/)#([\w.-]+)", shown.content.decode())
    assert found
    return found[1], found[2]


def choose(visitor: Client, path: str, secret: str, text: str) -> Any:
    went = visitor.post(path, {"code": secret})
    shown = visitor.get(went.headers["Location"])
    return shown, visitor.post(went.headers["Location"], {"new_password1": text, "new_password2": text})


def test_a_link_sets_the_password_once(cast: SimpleNamespace, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    hers = signed_in(cast.ann)
    path, secret = link_for(signed_in(cast.boss), cast.ann)
    visitor = Client()
    assert visitor.get(path).status_code == 200
    shown, done = choose(visitor, path, secret, "a long new phrase")
    assert "Choose a password" in shown.content.decode()
    assert done.headers["Location"] == "/admin/login/"
    assert User.objects.get(pk=cast.ann.pk).check_password("a long new phrase")
    assert hers.get("/admin/account/").status_code == 302
    shown, _done = choose(Client(), path, secret, "another phrase")
    assert "This link has been used" in shown.content.decode()
    assert User.objects.get(pk=cast.ann.pk).check_password("a long new phrase")
    told = AuditEvent.objects.filter(action__startswith="password.").order_by("sequence")
    assert [(one.action, one.actor_name) for one in told] == [
        ("password.link_made", "boss"), ("password.set_by_link", "ann"),
    ]  # fmt: skip
    for kept in (caplog.text, str(list(AuditEvent.objects.values()))):
        assert secret.partition(".")[2] not in kept
        assert "a long new phrase" not in kept


@pytest.mark.parametrize("secret", ["", "nonsense", "NDI.", "../x.y", "a/b.c", "%00.x", "\x00.x", "NDI.nonsense"])
def test_a_link_that_is_none_opens_nothing(secret: str, cast: SimpleNamespace) -> None:
    visitor = Client()
    went = visitor.post("/admin/set-password/", {"code": secret})
    assert (went.status_code == 302) is (secret == "NDI.nonsense")
    if went.status_code == 302:
        assert "This link has been used" in visitor.get(went.headers["Location"]).content.decode()
    key = link_for(signed_in(cast.boss), cast.ann)[1].partition(".")[0]
    assert "This link has been used" in Client().get(f"/admin/set-password/{key}/").content.decode()


def test_a_link_is_over_after_a_day_and_after_the_next_sign_in(cast: SimpleNamespace, settings: Any) -> None:
    path, secret = link_for(signed_in(cast.boss), cast.ann)
    settings.PASSWORD_RESET_TIMEOUT = -1
    assert "This link has been used" in choose(Client(), path, secret, "x")[0].content.decode()
    settings.PASSWORD_RESET_TIMEOUT = 24 * 60 * 60
    signed_in(cast.ann)
    assert "This link has been used" in choose(Client(), path, secret, "x")[0].content.decode()


# --- accounts -----------------------------------------------------------------------------------------------------


def test_an_administrator_makes_an_account_with_its_first_role(cast: SimpleNamespace) -> None:
    client = signed_in(cast.boss)
    assert "South" not in client.get(reverse(ADD)).content.decode()
    fields = {"username": "new", "first_name": "Nora", "email": "nora@example.com", "role": "auditor"}
    for tenant in ("", str(cast.south.pk)):
        assert client.post(reverse(ADD), fields | {"tenant": tenant}).status_code == 200
    assert not User.objects.filter(username="new").exists()
    answer = client.post(reverse(ADD), fields | {"tenant": str(cast.north.pk), "is_superuser": "on"})
    made = User.objects.get(username="new")
    assert answer.headers["Location"] == way_in(made)
    assert (made.is_staff, made.is_superuser, made.has_usable_password()) == (True, False, False)
    assert list(made.memberships.values_list("tenant", "role")) == [(cast.north.pk, "auditor")]
    told = AuditEvent.objects.filter(subject_key="new").order_by("sequence").values_list("action", "tenant__slug")
    assert list(told) == [("membership.granted", "north"), ("person.added", "north")]


def test_what_an_account_may_do_is_told_when_it_changes(cast: SimpleNamespace) -> None:
    client = signed_in(cast.root)
    address = reverse("admin:auth_user_change", args=[cast.ann.pk])
    fields = {"username": "ann", "is_active": "on", "is_staff": "on"}
    assert client.post(address, fields | {"is_superuser": "on"}).status_code == 302
    assert client.post(address, fields).status_code == 302
    assert client.post(address, fields | {"first_name": "Ann"}).status_code == 302
    told = AuditEvent.objects.filter(action="person.changed").order_by("tenant__slug", "sequence")
    assert [(one.tenant.slug, one.before["is_superuser"], one.after["is_superuser"]) for one in told] == [
        ("north", False, True), ("north", True, False), ("south", False, True), ("south", True, False),
    ]  # fmt: skip


def test_a_superuser_makes_an_account_without_a_role(cast: SimpleNamespace) -> None:
    client = signed_in(cast.root)
    assert client.post(reverse(ADD), {"username": "ops", "role": "auditor"}).status_code == 200
    assert client.post(reverse(ADD), {"username": "ops"}).status_code == 302
    assert not User.objects.get(username="ops").memberships.exists()


# --- the last way -------------------------------------------------------------------------------------------------


def test_reset_second_factor_from_the_shell(cast: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    authenticator(cast.root)
    call_command("reset_second_factor", "root-canary", reason="The only superuser's phone is lost.")
    assert "root-canary sets up a new app at the next sign-in." in capsys.readouterr().out
    assert not Authenticator.objects.exists()
    told = AuditEvent.objects.filter(action="second_factor.reset").values_list("tenant__slug", "actor_name", "reason")
    assert sorted(told) == [
        (slug, "reset_second_factor", "The only superuser's phone is lost.") for slug in ("north", "south")
    ]
    with pytest.raises(CommandError, match="There is no account 'nobody'"):
        call_command("reset_second_factor", "nobody", reason="x")
