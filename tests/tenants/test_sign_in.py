"""Coming in: password, second factor, recovery codes, the lock after wrong tries, and how long a session lasts."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.core.checks import run_checks
from django.db import connection
from django.test import Client
from django.urls import reverse

from tenants.models import AuditEvent, Authenticator, RecoveryCodes, Role, Tenant
from tenants.sign_in import factors
from tests.signing_in import KEY, authenticator, code, rested, signed_in, wrong_code

pytestmark = pytest.mark.django_db

PASSWORD = "not-a-real-password"
LOGIN, CODE, ENROL, INDEX = "/admin/login/", "/admin/login/code/", "/admin/login/second-factor/", "/admin/"
RECOVERY = re.compile(r">((?:[a-z2-7]{4}-){3}[a-z2-7]{4})<")


@pytest.fixture
def ann(north: Tenant, person: Callable[..., User]) -> User:
    return person("ann", (north, Role.FINANCE))


def password(client: Client, text: str = PASSWORD, name: str = "ann", **query: str) -> Any:
    return client.post(LOGIN, {"username": name, "password": text}, query_params=query)


def trail(*actions: str) -> list[tuple[str, Any]]:
    rows = AuditEvent.objects.filter(subject_kind="user").exclude(action__startswith="membership.").order_by("sequence")
    return [(row.action, row.after) for row in rows if not actions or row.action in actions]


def is_in(client: Client) -> bool:
    answer = client.get(INDEX)
    assert answer.status_code == 200 or answer.headers["Location"].startswith(LOGIN)
    return answer.status_code == 200


# --- the two pages ------------------------------------------------------------------------------------------------


def test_the_first_sign_in_sets_up_an_app_and_shows_recovery_codes_once(ann: User) -> None:
    client = Client()
    answer = password(client, next="/admin/account/")
    assert answer.headers["Location"] == f"{ENROL}?next=/admin/account/"
    assert not is_in(client)
    page = client.get(answer.headers["Location"]).content.decode()
    assert "<svg" in page
    key = factors.begun(ann).secret()
    assert " ".join(key[place : place + 4] for place in range(0, len(key), 4)) in page
    again = client.post(answer.headers["Location"], {"code": wrong_code(key)}).content.decode()
    assert "This is not the code that the app shows for this picture." in again
    assert not is_in(client)
    Authenticator.objects.update(throttling_failure_count=0)
    shown = client.post(answer.headers["Location"], {"code": code(key)})
    codes = RECOVERY.findall(shown.content.decode())
    assert len(set(codes)) == 10
    assert 'href="/admin/account/"' in shown.content.decode()
    assert "no-store" in shown.headers["Cache-Control"]
    assert is_in(client)
    assert trail() == [
        ("second_factor.enrolled", None),
        ("sign_in.succeeded", {"second_factor": "authenticator", "address": "127.0.0.1"}),
    ]
    # Neither the key nor a code is readable in the database.
    with connection.cursor() as cursor:
        cursor.execute("SELECT key FROM tenants_authenticator")
        assert key.encode() not in bytes(cursor.fetchone()[0])
    assert not set(codes) & set(RecoveryCodes.objects.get().digests)
    assert codes[0] not in client.get("/admin/account/").content.decode()


def test_afterwards_a_code_is_asked_for_and_works_once(ann: User) -> None:
    authenticator(ann)
    client = Client()
    assert password(client).headers["Location"] == CODE
    assert not is_in(client)
    assert client.get(ENROL).headers["Location"] == CODE
    assert client.post(ENROL, {"code": code()}).headers["Location"] == CODE
    taken = code()
    assert client.post(CODE, {"code": f" {taken[:3]} {taken[3:]} "}).headers["Location"] == INDEX
    assert is_in(client)
    other = Client()
    password(other)
    assert "has been used already" in other.post(CODE, {"code": taken}).content.decode()
    assert not is_in(other)


def test_a_recovery_code_opens_once(ann: User) -> None:
    authenticator(ann)
    kept = factors.renew_codes(ann)
    client = Client()
    password(client)
    assert client.post(CODE, {"code": kept[3].upper().replace("-", " ")}).headers["Location"] == INDEX
    assert "you have 9 left" in client.get(INDEX).content.decode()
    assert trail("sign_in.succeeded")[-1][1]["second_factor"] == "recovery code"
    other = Client()
    password(other)
    assert other.post(CODE, {"code": kept[3]}).status_code == 200
    assert not is_in(other)
    # The slip with a recovery code does not hold up the app.
    assert other.post(CODE, {"code": code()}).headers["Location"] == INDEX


def test_a_key_that_was_shown_before_is_not_gone_on_with(ann: User) -> None:
    """Whoever knew the password may have seen it, and would have the second factor too."""
    password(Client())
    seen = factors.begun(ann).secret()
    password(Client())
    assert factors.begun(ann).secret() != seen


def test_of_two_who_set_up_an_app_at_the_same_time_the_first_counts(ann: User) -> None:
    """Otherwise whoever knows the password could take the place of the app that its owner has just set up."""
    key = factors.begun(ann).secret()
    assert factors.enrol(ann, code(key))
    other = factors.begun(ann).secret()
    assert factors.enrol(ann, code(other)) is None
    assert Authenticator.objects.get(confirmed=True).secret() == key
    assert factors.enrol(ann, code(other), replace=True)


def test_the_second_page_is_for_those_who_have_just_shown_a_password(ann: User, monkeypatch: Any) -> None:
    authenticator(ann)
    for address in (CODE, ENROL):
        assert Client().get(address).headers["Location"] == LOGIN
        assert Client().post(address, {"code": code()}).headers["Location"] == LOGIN
    late, changed, gone = Client(), Client(), Client()
    for client in (late, changed, gone):
        password(client)
    session = late.session
    session["sign_in_waits"] |= {"at": int(time.time()) - 601}
    session.save()
    assert late.post(CODE, {"code": code()}).headers["Location"] == LOGIN
    ann.set_password("another-password")
    ann.save()
    assert changed.post(CODE, {"code": code()}).headers["Location"] == LOGIN
    ann.set_password(PASSWORD)
    ann.is_active = False
    ann.save()
    assert gone.post(CODE, {"code": code()}).headers["Location"] == LOGIN
    assert [is_in(client) for client in (late, changed, gone)] == [False, False, False]


def test_the_session_key_changes_with_each_step(ann: User) -> None:
    authenticator(ann)
    client = Client()
    client.session.save()
    keys = [client.session.session_key]
    password(client)
    keys.append(client.session.session_key)
    client.post(CODE, {"code": code()})
    keys.append(client.session.session_key)
    assert len(set(keys)) == 3


def test_the_way_back_leads_to_no_other_host(ann: User) -> None:
    authenticator(ann)
    client = Client()
    assert password(client, next="https://elsewhere.example.com/").headers["Location"] == CODE
    answer = client.post(CODE, {"code": code()}, query_params={"next": "//elsewhere.example.com/"})
    assert answer.headers["Location"] == INDEX


def test_who_is_in_already_is_not_asked_again(ann: User) -> None:
    assert signed_in(ann).get(LOGIN).headers["Location"] == INDEX


def test_somebody_who_is_no_staff_does_not_come_in(ann: User) -> None:
    User.objects.update(is_staff=False)
    assert password(Client()).status_code == 200


# --- wrong tries --------------------------------------------------------------------------------------------------


def test_five_wrong_passwords_or_codes_lock_name_and_address(ann: User) -> None:
    authenticator(ann)
    client = Client()
    for _try in range(3):
        assert password(client, "canary-wrong-password").status_code == 200
    password(client)
    assert client.post(CODE, {"code": wrong_code()}).status_code == 200
    locked = client.post(CODE, {"code": wrong_code()})
    assert locked.status_code == 429
    assert "An administrator can unlock it at once." in locked.content.decode()
    rested(ann)
    assert client.post(CODE, {"code": code()}).status_code == 429
    assert password(client).status_code == 429
    assert not is_in(client)
    failed = [after["step"] for _action, after in trail("sign_in.failed")]
    assert failed == ["password", "password", "password", "code", "code"]
    assert trail("sign_in.locked") == [("sign_in.locked", {"failures": 5, "address": "127.0.0.1"})]
    assert {row.actor_name for row in AuditEvent.objects.filter(action__startswith="sign_in.")} == {"sign-in"}
    # From elsewhere the same name is not locked, and here another name is not.
    elsewhere = Client(REMOTE_ADDR="203.0.113.9")
    assert password(elsewhere).headers["Location"] == CODE
    assert password(client, name="nobody").status_code == 200
    kept = str(list(AccessAttempt.objects.values())) + str(list(AuditEvent.objects.values()))
    assert [word for word in ("canary", PASSWORD, wrong_code(), KEY) if word in kept] == []


def test_the_lock_ends_by_itself_and_trying_meanwhile_does_not_prolong_it(ann: User) -> None:
    client = Client()
    for _try in range(5):
        answer = password(client, "wrong")
    assert answer.status_code == 429
    until = AccessAttempt.objects.get().attempt_time
    assert password(client).status_code == 429
    assert AccessAttempt.objects.get().attempt_time == until
    AccessAttempt.objects.update(attempt_time=until.replace(year=until.year - 1))
    assert password(client).headers["Location"] == ENROL


def test_after_a_wrong_code_the_next_one_waits_longer_each_time(ann: User) -> None:
    device = authenticator(ann)
    for _try in range(3):
        Authenticator.objects.update(throttling_failure_timestamp=None)
        assert factors.take(ann, wrong_code()) is None
    device.refresh_from_db()
    assert device.throttling_failure_count == 3
    assert 2 < factors.seconds_to_wait(ann, code()) <= 4
    assert factors.take(ann, code()) is None
    Authenticator.objects.update(throttling_failure_count=40, throttling_failure_timestamp=None)
    factors.take(ann, wrong_code())
    assert 1000 < factors.seconds_to_wait(ann, code()) <= 1024
    rested(ann)
    assert factors.take(ann, code()) == device


@pytest.mark.parametrize("text", ["", "12345", "1234567", "١٢٣٤٥٦", "abcdef", "-00001", "\x00"])
def test_what_is_no_code_is_no_code(ann: User, text: str) -> None:
    authenticator(ann)
    assert factors.take(ann, text) is None


def test_codes_of_a_phone_whose_clock_is_a_little_wrong_are_taken_older_ones_not(ann: User) -> None:
    for steps, good in ((-2, False), (-1, True), (1, True), (2, False)):
        authenticator(ann)
        rested(ann)
        assert bool(factors.take(ann, code(steps=steps))) is good, steps
    # Never one from before the last that was taken.
    rested(ann)
    assert factors.take(ann, code(steps=1))
    assert factors.take(ann, code()) is None


def test_a_name_that_nobody_has_is_not_kept(ann: User) -> None:
    password(Client(), "wrong", name="typed-secret-by-mistake")
    assert trail() == []


def test_a_failure_is_told_to_the_persons_tenants_only_and_a_superusers_coming_in_to_all(
    ann: User, south: Tenant, person: Callable[..., User]
) -> None:
    person("root", superuser=True)
    client = Client()
    password(client, "wrong", name="root")
    password(client, "wrong")
    assert list(AuditEvent.objects.filter(action="sign_in.failed").values_list("tenant__slug", "subject_key")) == [
        ("north", "ann")
    ]
    password(client, name="root")
    client.post(ENROL, {"code": code(factors.begun(User.objects.get(username="root")).secret())})
    told = AuditEvent.objects.filter(action="sign_in.succeeded").values_list("tenant__slug", "actor_name")
    assert sorted(told) == [("north", "root"), ("south", "root")]


# --- how long it lasts --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("began", "seen", "words"),
    [
        (0, 1790, ""),
        (43_190, 0, ""),
        (0, 1800, "signed out because nothing happened for 30 minutes"),
        (43_200, 0, "signed in for 12 hours"),
    ],
)
def test_a_session_ends_when_idle_and_after_a_day_of_work(ann: User, began: int, seen: int, words: str) -> None:
    client = signed_in(ann)
    session = client.session
    session.update({"sign_in_began": int(time.time()) - began, "sign_in_seen": int(time.time()) - seen})
    session.save()
    assert is_in(client) is (words == "")
    assert words in client.get(LOGIN, follow=True).content.decode()
    assert is_in(client) is (words == "")


def test_using_it_keeps_a_session_awake_but_writes_at_most_once_a_minute(ann: User) -> None:
    client = signed_in(ann)
    client.get(INDEX)
    seen = client.session["sign_in_seen"]
    session = client.session
    session["sign_in_seen"] = seen - 59
    session.save()
    client.get(INDEX)
    assert client.session["sign_in_seen"] == seen - 59
    session["sign_in_seen"] = seen - 61
    session.save()
    client.get(INDEX)
    assert client.session["sign_in_seen"] >= seen


def test_a_session_without_a_second_factor_opens_nothing(ann: User) -> None:
    client = signed_in(ann, second_factor=False)
    assert not is_in(client)
    assert "_auth_user_id" not in client.session
    # Nor does one whose device is another person's, or was taken away.
    client = signed_in(ann)
    Authenticator.objects.update(user=User.objects.create_user("bob"))
    assert not is_in(client)


# --- a demo -------------------------------------------------------------------------------------------------------


def test_a_demo_asks_for_the_password_alone_and_says_so(ann: User, settings: Any) -> None:
    settings.REQUIRE_SECOND_FACTOR = False
    client = Client()
    assert "This site asks for no second factor" in client.get(LOGIN).content.decode()
    assert password(client).headers["Location"] == INDEX
    assert "No second factor" in client.get(INDEX).content.decode()
    assert trail() == [("sign_in.succeeded", {"second_factor": "none", "address": "127.0.0.1"})]
    # Whoever has set an app up is asked for it all the same.
    authenticator(ann)
    assert password(Client()).headers["Location"] == CODE


def test_a_site_that_asks_does_not_speak_of_a_demo(ann: User) -> None:
    assert "no second factor" not in Client().get(LOGIN).content.decode()
    assert "No second factor" not in signed_in(ann).get(INDEX).content.decode()


@pytest.mark.parametrize(("required", "said"), [(True, []), (False, ["tenants.W001"])])
def test_the_deployment_check_tells_of_a_missing_second_factor(required: bool, said: list[str], settings: Any) -> None:
    settings.REQUIRE_SECOND_FACTOR = required
    found = run_checks(tags=["security"], include_deployment_checks=True)
    assert [one.id for one in found if one.id.startswith("tenants.")] == said


def test_only_these_addresses_are_for_visitors() -> None:
    """A view that is added tomorrow is closed unless it says otherwise; this list is what says otherwise today."""
    from django.urls import get_resolver

    def views(patterns: Any, before: str = "") -> Any:
        for one in patterns:
            route = f"{before}{one.pattern}"
            if hasattr(one, "url_patterns"):
                yield from views(one.url_patterns, route)
            elif not getattr(one.callback, "login_required", True):
                yield route

    assert sorted(set(views(get_resolver().url_patterns))) == [
        "", "admin/login/", "admin/login/code/", "admin/login/second-factor/", "admin/set-password/",
        "admin/set-password/<uidb64>/", "healthz",
    ]  # fmt: skip
    assert Client().get(reverse("sign_in:confirm")).headers["Location"].startswith(LOGIN)
