"""A connection is complete or refused; addresses and headers are made of it and show no secret."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connector.epicor.client import EpicorClient, EpicorConfig
from connector.transport.auth import BasicAuth, BearerTokenAuth
from connector.transport.errors import Misconfigured
from tests.transport.far_side import NOW

GOOD: dict[str, Any] = {
    "base_url": "https://erp.example.com", "instance": "KineticLive", "company": "EPIC06", "username": "u",
    "password": "pw-canary", "api_key": "key-canary",
}  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"base_url": " "}, "base_url_missing"),
        ({"instance": ""}, "instance_missing"),
        ({"company": ""}, "company_missing"),
        ({"company": "EPIC06/../X"}, "company_invalid"),
        ({"instance": "a b"}, "instance_invalid"),
        ({"api_key": ""}, "api_key_missing"),
        ({"username": ""}, "username_missing"),
        ({"password": ""}, "password_missing"),
        ({"auth_mode": "oauth2", "client_id": "x"}, "client_secret_missing"),
        ({"auth_mode": "ntlm"}, "auth_mode_unknown"),
        ({"paging": "guess"}, "paging_unknown"),
        ({"page_size": 0}, "page_size_invalid"),
        ({"page_size": -5}, "page_size_invalid"),
        ({"max_concurrency": 0}, "max_concurrency_invalid"),
        ({"base_url": "http://erp.example.com"}, "address_refused"),
        ({"base_url": "https://10.0.0.5"}, "address_refused"),
    ],
)
def test_an_incomplete_connection_makes_no_client(changed: dict[str, Any], code: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        EpicorClient(EpicorConfig(**{**GOOD, **changed}))
    assert caught.value.code == code
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("base", "root"),
    [
        ("https://erp.example.com", "https://erp.example.com/KineticLive"),
        ("https://erp.example.com/", "https://erp.example.com/KineticLive"),
        ("https://erp.example.com/KineticLive", "https://erp.example.com/KineticLive"),
        ("https://erp.example.com/kineticlive/", "https://erp.example.com/kineticlive"),
        ("https://erp.example.com/proxy", "https://erp.example.com/proxy/KineticLive"),
        ("https://KineticLive", "https://KineticLive/KineticLive"),
    ],
)
def test_the_instance_is_part_of_the_address_once(base: str, root: str) -> None:
    assert EpicorConfig(**{**GOOD, "base_url": base}).root == root


def test_the_api_key_goes_with_every_call_and_the_rest_where_it_is_set() -> None:
    assert EpicorConfig(**GOOD).headers() == {"x-api-key": "key-canary"}
    headers = EpicorConfig(**GOOD, license_guid="00000003-9439", plant="MfgSys").headers()
    assert json.loads(headers["License"]) == {"ClaimedLicense": "00000003-9439"}
    assert json.loads(headers["CallSettings"]) == {"Company": "EPIC06", "Plant": "MfgSys"}


def test_every_way_of_logging_in() -> None:
    assert isinstance(EpicorConfig(**GOOD).auth(None, lambda: NOW), BasicAuth)
    for mode in ("epicor_token", "oauth2"):
        config = EpicorConfig(**GOOD, auth_mode=mode, client_id="c", client_secret="cs-canary")
        assert isinstance(config.auth(None, lambda: NOW), BearerTokenAuth)


def test_epicors_own_token_address_is_the_default() -> None:
    config = EpicorConfig(**GOOD, auth_mode="oauth2", client_id="c", client_secret="cs-canary")
    auth = config.auth(None, lambda: NOW)
    assert isinstance(auth, BearerTokenAuth)
    assert repr(auth._source) == "ClientCredentials(https://login.epicor.com/connect/token)"


def test_nothing_shows_a_secret() -> None:
    config = EpicorConfig(**GOOD, client_secret="cs-canary")
    assert "canary" not in repr(config)
    client = EpicorClient(config)
    assert repr(client) == "EpicorClient(https://erp.example.com/KineticLive, EPIC06)"
    client.close()
