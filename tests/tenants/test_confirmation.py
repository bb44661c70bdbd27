"""Asking again who it is: what is sent too late is not lost, nothing happens before, and secrets are not carried."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from tenants.models import AuditEvent, Authenticator, EpicorConnection, Role, Tenant
from tests.signing_in import authenticator, code, rested, signed_in, wrong_code

from .test_admin import page, posted

pytestmark = pytest.mark.django_db

PASSWORD = "not-a-real-password"


@pytest.fixture
def ian(north: Tenant, person: Callable[..., User]) -> User:
    return person("ian", (north, Role.ADMINISTRATOR))


@pytest.fixture
def late(ian: User) -> Client:
    """Somebody who has not proven it lately."""
    return signed_in(ian, confirmed=False)


def carried(answer: Any) -> dict[str, str]:
    """The hidden fields of the page that asks."""
    text = answer.content.decode()
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', text)
    return {html.unescape(name): html.unescape(value) for name, value in found if name != "csrfmiddlewaretoken"}


def answers(**more: str) -> dict[str, str]:
    return {"confirm_password": PASSWORD, "confirm_code": code(), **more}


def test_a_form_that_is_sent_too_late_waits_and_is_then_carried_out(north: Tenant, ian: User, late: Client) -> None:
    fields = posted(late, page(north)) | {"name": 'North "Iron" <Works>'}
    asked = late.post(page(north), fields)
    assert asked.status_code == 200
    assert "Confirm that it is you before you change this tenant." in asked.content.decode()
    assert "no-store" in asked.headers["Cache-Control"]
    assert Tenant.objects.get().name == "North Works"
    kept = carried(asked)
    assert kept["name"] == 'North "Iron" <Works>'
    assert set(kept) == {name for name in fields if "new_" not in name}
    done = late.post(page(north), kept | answers())
    assert done.status_code == 302
    assert Tenant.objects.get().name == 'North "Iron" <Works>'
    # For a while nobody asks again.
    assert late.post(page(north), posted(late, page(north)) | {"name": "North"}).status_code == 302
    assert Tenant.objects.get().name == "North"


def test_several_values_of_one_field_are_all_carried(ian: User, north: Tenant, late: Client) -> None:
    asked = late.post(reverse("sign_in:confirm"), {"_selected_action": ["4", "7"], "action": "approve"})
    assert re.findall(r'name="_selected_action" value="(\d)"', asked.content.decode()) == ["4", "7"]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"confirm_password": "canary-wrong"}, "This is not your password."),
        ({"confirm_code": "000000"}, "This code was not right"),
        ({"confirm_code": ""}, "This field is required."),
    ],
)
def test_with_a_wrong_answer_nothing_happens(
    north: Tenant, ian: User, late: Client, wrong: dict[str, str], words: str
) -> None:
    if wrong.get("confirm_code"):
        wrong = {"confirm_code": wrong_code()}
    again = late.post(page(north), {"name": "Other"} | answers() | wrong)
    assert words in again.content.decode()
    assert carried(again) == {"name": "Other"}
    assert "canary-wrong" not in again.content.decode()
    assert Tenant.objects.get().name == "North Works"
    assert late.post(page(north), {"name": "Other"}).status_code == 200
    counted = 0 if wrong == {"confirm_code": ""} else 1
    assert AuditEvent.objects.filter(action="sign_in.failed", after__step="confirmation").count() == counted


def test_whoever_guesses_here_is_locked_out_as_at_the_door(north: Tenant, ian: User, late: Client) -> None:
    for _try in range(5):
        answer = late.post(page(north), {"name": "canary-name"} | answers(confirm_password="wrong"))
    assert answer.status_code == 429
    rested(ian)
    assert late.post(page(north), {"name": "canary-name"} | answers()).status_code == 429
    assert Tenant.objects.get().name == "North Works"
    assert "canary" not in str(list(AccessAttempt.objects.values()))


def test_secrets_are_offered_only_to_somebody_who_has_confirmed(north: Tenant, ian: User, late: Client) -> None:
    text = late.get(page(north)).content.decode()
    way = f"{reverse('sign_in:confirm')}?next={page(north).replace('/', '%2F')}"
    assert f'href="{way}">Confirm that it is you</a> to enter it.' in text
    locked = r'name="epicor_connection-0-new_password"[^>]*\sdisabled(?=[\s>])'
    assert re.search(locked, text)
    assert late.get(way).status_code == 200
    answer = late.post(way, answers())
    assert answer.headers["Location"] == page(north)
    text = late.get(page(north)).content.decode()
    assert "Confirm that it is you" not in text
    assert not re.search(locked, text)


def test_a_secret_that_was_sent_too_late_is_neither_shown_nor_stored_nor_half_saved(
    north: Tenant, ian: User, late: Client, canary: str
) -> None:
    fields = posted(late, page(north)) | {"name": "Other", "epicor_connection-0-new_password": f"{canary}-late"}
    asked = late.post(page(north), fields)
    text = asked.content.decode()
    assert "Secrets that you entered are not kept." in text
    assert f"{canary}-late" not in text
    wrong = late.post(page(north), carried(asked) | answers(confirm_password="wrong"))
    assert "Secrets that you entered are not kept." in wrong.content.decode()
    done = late.post(page(north), carried(wrong) | answers())
    assert done.headers["Location"] == page(north)
    assert "Nothing was saved. Enter the secrets again, then save." in late.get(page(north)).content.decode()
    assert Tenant.objects.get().name == "North Works"
    assert EpicorConnection.objects.get().password.holds(f"{canary}-password-north")
    assert f"{canary}-late" not in str(late.session.items())


def test_without_a_second_factor_a_demo_asks_for_the_password_alone(ian: User, north: Tenant, settings: Any) -> None:
    settings.REQUIRE_SECOND_FACTOR = False
    client = signed_in(ian, second_factor=False, confirmed=False)
    asked = client.post(page(north), {"name": "Other"})
    assert "confirm_password" in asked.content.decode()
    assert "confirm_code" not in asked.content.decode()
    assert client.post(reverse("sign_in:confirm"), {"confirm_password": PASSWORD}).headers["Location"] == "/admin/"


# --- a person's own page ------------------------------------------------------------------------------------------


def test_new_recovery_codes_take_the_place_of_the_old_ones(ian: User, late: Client) -> None:
    assert late.get(reverse("sign_in:codes")).status_code == 405
    asked = late.post(reverse("sign_in:codes"))
    assert "Confirm that it is you before you get new recovery codes." in asked.content.decode()
    shown = late.post(reverse("sign_in:codes"), answers()).content.decode()
    assert len(re.findall(r"([a-z2-7]{4}-){3}[a-z2-7]{4}", shown)) == 10
    assert "You have 10 left." in late.get(reverse("sign_in:account")).content.decode()
    assert AuditEvent.objects.filter(action="recovery_codes.renewed", actor_name="ian").count() == 1


def test_another_app_takes_over_once_it_is_proven_and_other_sessions_end(ian: User, late: Client) -> None:
    other = signed_in(ian)
    address = reverse("sign_in:replace")
    assert "Confirm that it is you" in late.get(address).content.decode()
    page = late.post(address, answers())
    assert "<svg" in page.content.decode()
    new = Authenticator.objects.get(confirmed=False).secret()
    late.post(address, {"code": wrong_code(new)})
    assert Authenticator.objects.get(confirmed=False).secret() == new
    assert other.get("/admin/account/").status_code == 200
    rested(ian)
    shown = late.post(address, {"code": code(new)}).content.decode()
    assert "Your recovery codes" in shown
    assert Authenticator.objects.get().secret() == new
    assert late.get("/admin/account/").status_code == 200
    assert other.get("/admin/account/").status_code == 302
    assert AuditEvent.objects.filter(action="second_factor.replaced", subject_key="ian").count() == 1


def test_changing_the_password_is_told(ian: User) -> None:
    client = signed_in(ian)
    new = {"old_password": PASSWORD, "new_password1": "a long canary phrase", "new_password2": "a long canary phrase"}
    assert client.post(reverse("admin:password_change"), new | {"old_password": "x"}).status_code == 200
    assert client.post(reverse("admin:password_change"), new).status_code == 302
    assert client.get("/admin/account/").status_code == 200
    assert AuditEvent.objects.filter(action="password.changed").count() == 1
    assert "canary" not in str(list(AuditEvent.objects.filter(subject_kind="user").values()))


def test_no_page_of_another_site_gets_a_form_carried_out(ian: User, north: Tenant) -> None:
    """The page that asks stands before the view, but not before the check against forged requests."""
    client = signed_in(ian, confirmed=False, enforce_csrf_checks=True)
    assert client.post(page(north), {"name": "Other"} | answers()).status_code == 403
    authenticator(ian)
    assert Tenant.objects.get().name == "North Works"
