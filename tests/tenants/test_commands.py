"""The tenants' commands: what they print, and how they exit."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from connector.transport.checks import Check
from connector.transport.errors import System
from tenants import audit, probe
from tenants.models import AuditEvent, AuditHead, AvidXchangeConnection, EpicorConnection, SharedToken, Tenant
from tests.signing_in import KEY, authenticator

pytestmark = pytest.mark.django_db


def run(*words: str) -> tuple[int, str]:
    """Run a command and return its exit code and what it printed."""
    out = StringIO()
    try:
        call_command(*words, stdout=out)
    except SystemExit as stop:
        return int(str(stop.code)), out.getvalue()
    return 0, out.getvalue()


# --- check_connection ---------------------------------------------------------------------------------------------

GOOD = Check(system=System.EPICOR, name="login", ok=True, detail="Logged in.")
BAD = Check(system=System.AVIDXCHANGE, name="login", ok=False, detail="Refused with 401.", hint="Check the user token.")


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let the probe find these checks."""

    def give(*checks: Check) -> None:
        monkeypatch.setattr(probe, "checks", lambda tenant: list(checks))

    return give


def test_check_connection_prints_every_check_and_what_to_do(north: Tenant, answers: Callable[..., None]) -> None:
    answers(GOOD, BAD)
    assert run("check_connection", "north") == (
        1,
        """\
ok     epicor: login. Logged in.
FAILED avidxchange: login. Refused with 401.
       Check the user token.
""",
    )
    answers(GOOD)
    assert run("check_connection", "north")[0] == 0


def test_check_connection_speaks_json(north: Tenant, answers: Callable[..., None]) -> None:
    answers(GOOD, BAD)
    code, text = run("check_connection", "north", "--json")
    assert (code, json.loads(text)) == (
        1,
        {
            "tenant": "north",
            "ok": False,
            "checks": [
                {"system": "epicor", "name": "login", "ok": True, "detail": "Logged in.", "hint": ""},
                {
                    "system": "avidxchange",
                    "name": "login",
                    "ok": False,
                    "detail": "Refused with 401.",
                    "hint": "Check the user token.",
                },
            ],
        },
    )


def test_a_tenant_without_connections_has_two_failed_checks(db: None) -> None:
    Tenant.objects.create(slug="bare", name="Bare")
    code, text = run("check_connection", "bare", "--json")
    assert code == 1
    assert [(c["system"], c["name"], c["detail"]) for c in json.loads(text)["checks"]] == [
        ("epicor", "connection", "Bare has no Epicor connection."),
        ("avidxchange", "connection", "Bare has no AvidXchange connection."),
    ]


def test_an_unknown_tenant_is_an_error_that_names_the_nearest(north: Tenant) -> None:
    for command in ("check_connection", "verify_audit"):
        with pytest.raises(CommandError, match=r"There is no tenant 'norht'; did you mean 'north'\?"):
            run(command, "norht")


# --- verify_audit -------------------------------------------------------------------------------------------------


KEPT = "kept elsewhere, it also shows a database put back."


def test_verify_audit_counts_and_gives_the_head(north: Tenant) -> None:
    last = AuditEvent.objects.filter(tenant=north).first()
    assert last is not None
    code, text = run("verify_audit", "north")
    assert (code, text) == (
        0,
        f"""\
north: 7 audit events, none changed.
Head: {last.hash} (event 7). With --head FILE a signed one is written; {KEPT}
""",
    )


def test_verify_audit_says_where_and_what(north: Tenant) -> None:
    AuditHead.objects.update(sequence=9)
    assert run("verify_audit", "north") == (
        1,
        """\
north: 2 faults in 7 audit events.
  event 9: head: the end of the trail is not signed with a key of this site
  event 9: cut: rows 8 to 9 are gone from the end
""",
    )


# --- rotate_keys --------------------------------------------------------------------------------------------------


def secrets() -> list[str]:
    """Every secret in plain text."""
    found = [getattr(row, name) for row in EpicorConnection.objects.order_by("tenant") for name in row.SECRETS]
    found += [getattr(row, name) for row in AvidXchangeConnection.objects.order_by("tenant") for name in row.SECRETS]
    return [sealed.reveal() for sealed in found if sealed]


def test_rotate_keys_makes_the_old_key_needless(north: Tenant, south: Tenant, settings: Any) -> None:
    SharedToken.objects.create(tenant=north, system="epicor", key="k", token="token text")
    app = authenticator(User.objects.create_user("ann"))
    before = secrets()
    old, new = settings.FERNET_KEYS[0], Fernet.generate_key().decode()
    settings.FERNET_KEYS = [new, old]
    code, text = run("rotate_keys")
    assert (code, text.splitlines()[0]) == (
        0,
        "Secrets: 10 sealed anew, 0 already under these keys. Audit trails: 0 signed anew.",
    )
    settings.FERNET_KEYS = [new]
    assert (len(before), secrets()) == (8, before)
    assert SharedToken.objects.get().token.reveal() == "token text"
    app.refresh_from_db()
    assert app.secret() == KEY
    assert audit.verify(north).ok
    assert audit.verify(south).ok
    events = AuditEvent.objects.filter(tenant=north, action="key.rotated").values_list("subject_kind", "after")
    assert {(kind, after["count"]) for kind, after in events} == {
        ("epicor_connection", 2),
        ("avidxchange_connection", 2),
    }


def test_rotating_again_changes_nothing(north: Tenant, settings: Any) -> None:
    settings.FERNET_KEYS = [Fernet.generate_key().decode(), *settings.FERNET_KEYS]
    run("rotate_keys")
    before = EpicorConnection.objects.values().get(), AuditEvent.objects.count()
    code, text = run("rotate_keys")
    assert (code, text.splitlines()[0]) == (
        0,
        "Secrets: 0 sealed anew, 4 already under these keys. Audit trails: 0 signed anew.",
    )
    assert (EpicorConnection.objects.values().get(), AuditEvent.objects.count()) == before


def test_a_trail_without_secrets_is_signed_anew(actor: Any, settings: Any) -> None:
    tenant = Tenant.objects.create(slug="bare", name="Bare")
    audit.record(tenant, "a.b", actor=actor, subject=("x", "1"))
    settings.FERNET_KEYS = [Fernet.generate_key().decode(), *settings.FERNET_KEYS]
    assert "Audit trails: 1 signed anew." in run("rotate_keys")[1]
    settings.FERNET_KEYS = settings.FERNET_KEYS[:1]
    assert audit.verify(tenant).ok


def test_what_no_key_opens_is_told_and_left(north: Tenant, settings: Any) -> None:
    before = EpicorConnection.objects.values().get()
    settings.FERNET_KEYS = [Fernet.generate_key().decode()]
    code, text = run("rotate_keys")
    assert code == 1
    assert f"epicorconnection {before['id']}, password: opens with none of the keys" in text
    assert "audit trail of north: not signed with a key of this site" in text
    assert EpicorConnection.objects.values().get() == before
    assert canary_free(text)


def test_a_head_that_was_tampered_with_is_not_signed(north: Tenant, settings: Any) -> None:
    AuditHead.objects.update(sequence=3)
    settings.FERNET_KEYS = [Fernet.generate_key().decode(), *settings.FERNET_KEYS]
    code, text = run("rotate_keys")
    assert (code, "audit trail of north: not signed" in text) == (1, True)
    assert not audit.verify(north).ok


def canary_free(text: str) -> bool:
    return "canary" not in text
