"""Loading a tenant: everything or nothing, one line a fault, never a secret in sight."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from tenants import audit, services
from tenants.audit import Actor
from tenants.models import (
    AuditEvent,
    AvidXchangeConnection,
    EpicorConnection,
    Membership,
    Role,
    SharedToken,
    Tenant,
    TenantStatus,
)
from tenants.services import Invalid

pytestmark = pytest.mark.django_db


def tell(tenant: Tenant) -> list[tuple[str, str, str]]:
    events = AuditEvent.objects.filter(tenant=tenant).order_by("sequence")
    return list(events.values_list("action", "subject_kind", "subject_key"))


def changed(document: dict[str, Any], *path: str, to: Any) -> dict[str, Any]:
    """Return the document with one key set, or taken away with ``...``."""
    document = copy.deepcopy(document)
    place = document
    for name in path[:-1]:
        place = place.setdefault(name, {})
    if to is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = to
    return document


# --- applying -----------------------------------------------------------------------------------------------------


def test_a_document_creates_a_live_tenant_with_both_connections(load: dict[str, Any], actor: Actor) -> None:
    tenant = services.apply(load, actor=actor)
    assert (tenant.slug, tenant.name, tenant.time_zone, tenant.currency, tenant.status) == (
        "north",
        "North Works",
        "America/Chicago",
        "USD",
        TenantStatus.LIVE,
    )
    epicor, avid = EpicorConnection.objects.get(), AvidXchangeConnection.objects.get()
    assert (epicor.tenant, epicor.company, epicor.paging, epicor.page_size) == (tenant, "EPIC06", "keyset", 100)
    assert (epicor.password.reveal(), epicor.password_set_by) == ("canary-7f3a-password-north", "tests")
    assert epicor.password_set_at is not None
    assert (epicor.client_secret, epicor.client_secret_set_at) == (None, None)
    assert (avid.tenant, avid.company_id, avid.user_token.reveal()) == (tenant, "AVID-A", "canary-7f3a-user-north")
    assert tell(tenant) == [
        ("tenant.created", "tenant", "north"),
        ("epicor_connection.created", "epicor_connection", "north"),
        ("credential.set", "epicor_connection", "api_key"),
        ("credential.set", "epicor_connection", "password"),
        ("avidxchange_connection.created", "avidxchange_connection", "north"),
        ("credential.set", "avidxchange_connection", "company_token"),
        ("credential.set", "avidxchange_connection", "user_token"),
    ]


def test_the_same_document_again_changes_nothing(north: Tenant, load: dict[str, Any], actor: Actor) -> None:
    before = tell(north), EpicorConnection.objects.values().get()
    services.apply(load, actor=Actor.system("somebody else"))
    assert (tell(north), EpicorConnection.objects.values().get()) == before


def test_what_is_left_out_stays(north: Tenant, actor: Actor) -> None:
    services.apply({"slug": "north", "name": "New name"}, actor=actor)
    services.apply({"slug": "north", "epicor": {"plant": "MfgSys"}}, actor=actor)
    tenant = Tenant.objects.get()
    assert (tenant.name, tenant.time_zone, tenant.status) == ("New name", "America/Chicago", "live")
    epicor = EpicorConnection.objects.get()
    assert (epicor.plant, epicor.username, epicor.password.reveal()) == (
        "MfgSys",
        "integration",
        "canary-7f3a-password-north",
    )
    event = AuditEvent.objects.get(action="epicor_connection.changed")
    assert (event.before, event.after) == ({"plant": ""}, {"plant": "MfgSys"})


def test_a_changed_secret_is_told_without_its_value_and_forgets_tokens(
    north: Tenant, load: dict[str, Any], actor: Actor, canary: str
) -> None:
    SharedToken.objects.create(tenant=north, system="epicor", key="k", token="t")
    SharedToken.objects.create(tenant=north, system="avidxchange", key="k", token="t")
    services.apply(changed(load, "epicor", "password", to=f"{canary}-2"), actor=actor)
    assert EpicorConnection.objects.get().password.reveal() == f"{canary}-2"
    assert tell(north)[-1] == ("credential.changed", "epicor_connection", "password")
    assert list(SharedToken.objects.values_list("system", flat=True)) == ["avidxchange"]
    assert canary not in str(list(AuditEvent.objects.values()))


def test_a_secret_written_meanwhile_is_not_put_back_by_a_form_that_was_open(north: Tenant, actor: Actor) -> None:
    """Saving a page size must not save the password as it was when the page was opened."""
    opened = EpicorConnection.objects.get(tenant=north)
    other = EpicorConnection.objects.get(tenant=north)
    services.save_connection(other, secrets={"password": "entered by somebody else"}, actor=Actor.system("other"))
    opened.page_size = 77
    services.save_connection(opened, secrets={}, actor=actor)
    stored = EpicorConnection.objects.get(tenant=north)
    assert stored.password is not None
    assert (stored.page_size, stored.password.reveal(), stored.password_set_by) == (
        77,
        "entered by somebody else",
        "other",
    )


def test_where_tokens_are_fetched_is_seen_in_the_trail(north: Tenant, load: dict[str, Any], actor: Actor) -> None:
    services.apply(changed(load, "epicor", "token_url", to="https://login.example.com/token"), actor=actor)
    event = AuditEvent.objects.get(action="epicor_connection.changed")
    assert event.after == {"oauth_address": "https://login.example.com/token"}


def test_a_secret_may_come_from_the_environment(
    load: dict[str, Any], actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NORTH_PASSWORD", "from outside")
    services.apply(changed(load, "epicor", "password", to={"env": "NORTH_PASSWORD"}), actor=actor)
    assert EpicorConnection.objects.get().password.reveal() == "from outside"


def test_an_empty_secret_keeps_the_one_that_is_set(north: Tenant, load: dict[str, Any], actor: Actor) -> None:
    services.apply(changed(load, "epicor", "password", to=""), actor=actor)
    assert EpicorConnection.objects.get().password.reveal() == "canary-7f3a-password-north"


def test_a_tenant_without_connections_is_being_set_up(actor: Actor) -> None:
    tenant = services.apply({"slug": "new", "name": "New"}, actor=actor)
    assert tenant.status == TenantStatus.SETTING_UP


def test_a_paused_tenant_is_not_made_live_by_loading_it(north: Tenant, load: dict[str, Any], actor: Actor) -> None:
    services.apply({"slug": "north", "status": "paused"}, actor=actor)
    services.apply(load, actor=actor)
    assert Tenant.objects.get().status == TenantStatus.PAUSED


def test_two_tenants_with_the_same_company_do_not_touch_each_other(
    north: Tenant, south: Tenant, load: dict[str, Any], actor: Actor
) -> None:
    south_before = EpicorConnection.objects.filter(tenant=south).values().get(), tell(south)
    services.apply(changed(load, "epicor", "username", to="other"), actor=actor)
    assert (EpicorConnection.objects.filter(tenant=south).values().get(), tell(south)) == south_before
    assert audit.verify(north).ok
    assert audit.verify(south).ok


# --- faults -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "value", "line"),
    [
        (("slug",), "North Works", "slug: Use lower-case letters, digits and hyphens."),
        (("slug",), ..., "slug: This field cannot be blank."),
        (("slug",), 7, "slug: expected text, got a whole number"),
        (("name",), "", "name: This field cannot be blank."),
        (("time_zone",), "Mars/Olympus", "time_zone: is no time zone; write an IANA name, such as America/Chicago"),
        (("currency",), "usd", "currency: Use a three-letter ISO code, such as USD."),
        (("status",), "asleep", "status: must be one of setting_up, live, paused"),
        (("stages",), {}, "stages: unknown key"),
        (("nmae",), "x", "nmae: unknown key (did you mean name?)"),
        (("options",), {"record_on": "SENT"}, "options.record_on: must be one of ISSUED, CLEARED"),
        (("options",), {"recrod_on": "CLEARED"}, "options.recrod_on: unknown key (did you mean record_on?)"),
        (("options",), [], "options: expected an object, got a list"),
        (("epicor",), "x", "epicor: expected an object, got text"),
        (("epicor", "base_url"), ..., "epicor.base_url: This field cannot be blank."),
        (("epicor", "base_url"), "http://a.example.com", "epicor.base_url: an address begins with https://"),
        (("epicor", "base_url"), "ftp://a.example.com", "epicor.base_url: an address begins with https://"),
        (("epicor", "base_url"), "https://127.0.0.1", "epicor.base_url: 127.0.0.1 is a private address"),
        (("epicor", "base_url"), "https://[::1]:8443", "epicor.base_url: ::1 is a private address"),
        (("epicor", "base_url"), "https://169.254.169.254/", "epicor.base_url: 169.254.169.254 is a private address"),
        (("epicor", "base_url"), "https://localhost", "epicor.base_url: localhost is a private host name"),
        (("epicor", "base_url"), "https://erp.internal", "epicor.base_url: erp.internal is a private host name"),
        (("epicor", "base_url"), "https://a.example.com:99999", "epicor.base_url: Port out of range 0-65535"),
        (
            ("epicor", "base_url"),
            "https://canary-7f3a:pw@a.example.com",
            "epicor.base_url: an address must not carry a user name or password",
        ),
        (
            ("epicor", "base_url"),
            "https://a.example.com/?api-key=canary-7f3a",
            "epicor.base_url: an address has neither a question mark nor a hash",
        ),
        (("epicor", "base_url"), "https://a.example.com/../b", "epicor.base_url: an address does not go up (..)"),
        (
            ("epicor", "base_url"),
            "https://a.example.com/ b",
            "epicor.base_url: an address contains neither blanks nor backslashes",
        ),
        (("epicor", "instance"), ..., "epicor.instance: This field cannot be blank."),
        (
            ("epicor", "instance"),
            "a/../b",
            "epicor.instance: is one part of an address: letters, digits, dots, hyphens and underscores",
        ),
        (("epicor", "company"), ..., "epicor.company: This field cannot be blank."),
        (("epicor", "company"), "", "epicor.company: This field cannot be blank."),
        (
            ("epicor", "company"),
            "A/B",
            "epicor.company: is an Epicor company ID: up to 8 letters, digits, hyphens and underscores",
        ),
        (
            ("epicor", "company"),
            "{company}",
            "epicor.company: Ensure this value has at most 8 characters (it has 9).",
        ),
        (("epicor", "auth_mode"), "canary-7f3a", "epicor.auth_mode: must be one of basic, oauth2, epicor_token"),
        (("epicor", "username"), ..., "epicor.username: is needed to sign in with basic"),
        (("epicor", "password"), ..., "epicor.password: is needed to sign in with basic"),
        (("epicor", "password"), "", "epicor.password: is needed to sign in with basic"),
        (("epicor", "password"), 12345, "epicor.password: expected text or an object, got a whole number"),
        (
            ("epicor", "password"),
            {"env": "NOT_SET_ANYWHERE"},
            "epicor.password: environment variable NOT_SET_ANYWHERE is not set",
        ),
        (("epicor", "api_key"), ..., "epicor.api_key: is needed to sign in with basic"),
        (("epicor", "page_size"), 0, "epicor.page_size: Ensure this value is greater than or equal to 1."),
        (("epicor", "page_size"), "100", "epicor.page_size: expected a whole number, got text"),
        (("epicor", "license_guid"), "x", "epicor.license_guid: is a GUID: 32 hexadecimal digits in five groups"),
        (("epicor", "paging"), "pages", "epicor.paging: must be one of keyset, skip"),
        (("epicor", "void_mode"), "yes", "epicor.void_mode: must be one of notify_only, api"),
        (("epicor", "post_payments"), "yes", "epicor.post_payments: expected true or false, got text"),
        (("avidxchange", "base_url"), "", "avidxchange.base_url: This field cannot be blank."),
        (("avidxchange", "user_token"), ..., "avidxchange.user_token: is needed to sign in with tokens"),
        (
            ("avidxchange", "profile"),
            {"page_size": 0},
            "avidxchange.profile.page_size: Expected int >= 1",
        ),
        (
            ("avidxchange", "profile"),
            {"vendor_id_separator": "x"},
            "avidxchange.profile.vendor_id_separator: must be neither letters nor digits nor blanks",
        ),
    ],
)
def test_each_fault_is_one_line_and_nothing_is_stored(
    load: dict[str, Any], actor: Actor, path: tuple[str, ...], value: Any, line: str
) -> None:
    document = changed(load, *path, to=value)
    assert services.faults(document) == [line]
    with pytest.raises(Invalid) as caught:
        services.apply(document, actor=actor)
    assert caught.value.faults == [line]
    assert "canary-7f3a" not in str(caught.value)
    assert (Tenant.objects.count(), EpicorConnection.objects.count(), AuditEvent.objects.count()) == (0, 0, 0)


def test_every_fault_is_told_at_once(load: dict[str, Any]) -> None:
    document = changed(load, "epicor", "company", to="")
    document = changed(document, "avidxchange", "base_url", to="http://x.example.com")
    document = changed(document, "currency", to="usd")
    document = changed(document, "options", to={"a": 1, "b": 2})
    assert services.faults(document) == [
        "epicor.company: This field cannot be blank.",
        "avidxchange.base_url: an address begins with https://",
        "currency: Use a three-letter ISO code, such as USD.",
        "options.a: unknown key",
        "options.b: unknown key",
    ]


@pytest.mark.parametrize(
    ("mode", "needed"),
    [
        ("oauth2", ["client_id", "client_secret"]),
        ("epicor_token", ["password"]),
    ],
)
def test_each_way_of_signing_in_needs_its_own(load: dict[str, Any], mode: str, needed: list[str]) -> None:
    document = changed(load, "epicor", "auth_mode", to=mode)
    document = changed(document, "epicor", "token_url", to="https://login.example.com/connect/token")
    del document["epicor"]["password"]
    assert services.faults(document) == [f"epicor.{name}: is needed to sign in with {mode}" for name in needed]


def test_a_live_tenant_needs_both_connections(load: dict[str, Any]) -> None:
    del load["avidxchange"]
    assert services.faults({**load, "status": "live"}) == [
        "status: a live tenant needs both connections, epicor and avidxchange"
    ]
    assert services.faults(load) == []


def test_private_addresses_and_http_are_fine_where_the_site_allows_them(load: dict[str, Any], settings: Any) -> None:
    settings.ALLOW_PRIVATE_HOSTS = True
    document = changed(load, "epicor", "base_url", to="http://127.0.0.1:8000/KineticLive")
    assert services.faults(document) == []


@pytest.mark.parametrize("key", ["base_url", "token_url"])
def test_secrets_do_not_move_to_another_host_unless_they_are_known(
    north: Tenant, load: dict[str, Any], actor: Actor, key: str
) -> None:
    """Whoever may edit a connection, but not see its secrets, must not get them sent to a host of his own."""
    moved = {"slug": "north", "epicor": {key: "https://collector.example.net/x"}}
    assert services.faults(moved) == [
        f"epicor.api_key: enter it again, because {key} leads to another host now",
        f"epicor.password: enter it again, because {key} leads to another host now",
    ]
    moved["epicor"] |= {name: load["epicor"][name] for name in ("password", "api_key")}  # type: ignore[operator]
    assert services.faults(moved) == []


def test_another_path_on_the_same_host_needs_no_secret(north: Tenant) -> None:
    moved = {"slug": "north", "epicor": {"base_url": "https://north.erp.example.com/other"}}
    assert services.faults(moved) == []


def test_a_failure_while_saving_leaves_nothing(
    load: dict[str, Any], actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: Any, **kwargs: Any) -> None:
        raise ImproperlyConfigured("no key")

    monkeypatch.setattr(AvidXchangeConnection, "set_secret", broken)
    with pytest.raises(ImproperlyConfigured):
        services.apply(load, actor=actor)
    assert (Tenant.objects.count(), EpicorConnection.objects.count(), AuditEvent.objects.count()) == (0, 0, 0)


# --- people -------------------------------------------------------------------------------------------------------


def test_roles_are_granted_changed_and_revoked_in_the_trail(north: Tenant, person: Any, actor: Actor) -> None:
    ann = person("ann", (north, Role.FINANCE))
    services.set_membership(north, ann, Role.FINANCE, actor=actor)
    services.set_membership(north, ann, Role.AUDITOR, actor=actor)
    services.remove_membership(Membership.objects.get(), actor=actor)
    events = AuditEvent.objects.filter(subject_kind="user").order_by("sequence")
    assert list(events.values_list("action", "subject_key", "before", "after")) == [
        ("membership.granted", "ann", None, {"role": "finance"}),
        ("membership.changed", "ann", {"role": "finance"}, {"role": "auditor"}),
        ("membership.revoked", "ann", {"role": "auditor"}, None),
    ]
    assert not Membership.objects.exists()
