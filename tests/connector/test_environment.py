"""The site's environment: what is missing stops it, in one sentence, and nothing secret is printed."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from connector.environment import DEVELOPMENT, REQUIRED, Environment, read_environment

KEY = base64.urlsafe_b64encode(b"k" * 32).decode()
OLD_KEY = base64.urlsafe_b64encode(b"o" * 32).decode()
PRODUCTION = {
    "SECRET_KEY": "canary-secret-key",
    "FERNET_KEYS": f"{KEY}, {OLD_KEY}",
    "DATABASE_URL": "postgres://site:canary-password@db.example.com:5433/connector",
    "BROKER_URL": "redis://broker.example.com:6379/0",
    "ALLOWED_HOSTS": "connector.example.com, www.example.com",
}


def read(**changes: str) -> Environment:
    return read_environment(PRODUCTION | changes, visibility_timeout_s=1800)


def test_production_is_read_whole() -> None:
    environment = read()
    assert environment.debug is False
    assert environment.https is True
    assert environment.allow_private_hosts is False
    assert environment.fernet_keys == [KEY, OLD_KEY]
    assert environment.allowed_hosts == ["connector.example.com", "www.example.com"]
    assert environment.broker_url == "redis://broker.example.com:6379/0"
    assert environment.database == {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "connector",
        "USER": "site",
        "PASSWORD": "canary-password",
        "HOST": "db.example.com",
        "PORT": 5433,
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"connect_timeout": 10},
    }


def test_redis_gives_a_lost_task_back_soon_but_never_a_running_one() -> None:
    assert read().broker_options == {
        "visibility_timeout": 1800,
        "unacked_restore_interval": 2,
        "unacked_restore_throttle": 1,
    }


def test_everything_missing_is_named_in_one_sentence() -> None:
    with pytest.raises(ImproperlyConfigured) as refused:
        read_environment({"SECRET_KEY": "x", "ALLOWED_HOSTS": "  "}, visibility_timeout_s=1)
    sentence = str(refused.value)
    assert "\n" not in sentence
    assert [name for name in REQUIRED if f"{name} (" in sentence] == [
        "FERNET_KEYS",
        "DATABASE_URL",
        "BROKER_URL",
        "ALLOWED_HOSTS",
    ]
    assert "base64.urlsafe_b64encode(os.urandom(32))" in sentence


def test_the_advice_makes_a_key_that_is_accepted() -> None:
    code = REQUIRED["FERNET_KEYS"].removeprefix('python3 -c "').removesuffix('"')
    made: list[str] = []
    exec(code.replace("print(", "made.append("), {"made": made})  # noqa: S102  (our own constant)
    assert read(FERNET_KEYS=made[0]).fernet_keys == made


def test_debug_needs_nothing() -> None:
    environment = read_environment({"DEBUG": "1"}, visibility_timeout_s=1)
    assert environment.debug is True
    assert environment.https is False
    assert environment.fernet_keys == [DEVELOPMENT["FERNET_KEYS"]]


@pytest.mark.parametrize("key", ["a passphrase", "c2hvcnQ=", KEY[:-4], f"{KEY},nonsense"])
def test_a_passphrase_is_not_a_key(key: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="not 32 bytes in URL-safe base64") as refused:
        read(FERNET_KEYS=key)
    assert key.rsplit(",", maxsplit=1)[-1] not in str(refused.value).split("make one with")[0]


@pytest.mark.parametrize("name", ["DEBUG", "ALLOW_PRIVATE_HOSTS", "REQUIRE_SECOND_FACTOR"])
def test_a_switch_that_is_neither_on_nor_off_is_refused(name: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"{name} must be 1 or 0, not 'maybe'"):
        read(**{name: "maybe"})


@pytest.mark.parametrize("url", ["mysql://u@h/n", "sqlite:///file.db", "nonsense"])
def test_only_postgresql_is_a_database(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="must name a PostgreSQL database"):
        read(DATABASE_URL=url)


def test_a_site_of_loopback_names_is_served_without_tls() -> None:
    assert read(ALLOWED_HOSTS="localhost,127.0.0.1,[::1]").https is False
    assert read(ALLOWED_HOSTS="localhost,connector.example.com").https is True


def test_the_second_factor_is_off_only_where_nobody_else_comes() -> None:
    assert read().require_second_factor is True
    assert read(ALLOWED_HOSTS="localhost", REQUIRE_SECOND_FACTOR="0").require_second_factor is False
    assert read(DEBUG="1", REQUIRE_SECOND_FACTOR="0").require_second_factor is False
    for hosts in ("connector.example.com", "localhost,connector.example.com", "*"):
        with pytest.raises(ImproperlyConfigured, match="REQUIRE_SECOND_FACTOR may be 0 only on a site that no other"):
            read(ALLOWED_HOSTS=hosts, REQUIRE_SECOND_FACTOR="0")


def test_the_demo_broker_is_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "a folder"
    environment = read(BROKER_URL=f"filesystem://{str(folder).replace(' ', '%20')}")
    assert environment.broker_url == "filesystem://"
    assert environment.broker_options == {
        "data_folder_in": str(folder / "messages"),
        "data_folder_out": str(folder / "messages"),
        "control_folder": str(folder / "control"),
        "polling_interval": 0.1,
    }
    assert (folder / "messages").is_dir()
    assert (folder / "control").is_dir()


def test_secrets_stay_out_of_the_repr() -> None:
    shown = repr(read())
    assert [secret for secret in ("canary-secret-key", KEY, OLD_KEY, "canary-password") if secret in shown] == []
