"""The demo's environment: made up once, kept, and enough for production settings."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import site_environment
from site_environment import kept, procfile

from connector.environment import read_environment


@pytest.fixture(autouse=True)
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(site_environment, "LOCAL", tmp_path)
    monkeypatch.setattr(site_environment, "KEPT", tmp_path / "demo.json")
    monkeypatch.delenv("BROKER_URL", raising=False)
    return tmp_path


def test_secrets_are_made_up_once_and_readable_by_their_owner_only(local: Path) -> None:
    first = kept()
    assert kept() == first
    assert stat.S_IMODE((local / "demo.json").stat().st_mode) == 0o600
    (local / "demo.json").unlink()
    assert kept().password != first.password


def test_the_site_starts_with_production_settings_on_this_machine_only(local: Path) -> None:
    variables = site_environment.site_environment(database_url="postgres://u:p@127.0.0.1:5/n", port=8123)
    read = read_environment(variables, visibility_timeout_s=1)
    assert (read.debug, read.https, read.allow_private_hosts) == (False, False, True)
    assert read.allowed_hosts == ["localhost", "127.0.0.1", "[::1]"]
    assert read.require_second_factor is False
    assert read.broker_options["data_folder_in"] == str(local / "broker" / "messages")
    assert variables["GUNICORN_CMD_ARGS"] == "--bind=127.0.0.1:8123"


def test_a_given_broker_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROKER_URL", "redis://127.0.0.1:6379/5")
    variables = site_environment.site_environment(database_url="postgres://h/n", port=1)
    assert variables["BROKER_URL"] == "redis://127.0.0.1:6379/5"


def test_old_messages_are_not_carried_over(local: Path) -> None:
    (local / "broker" / "messages").mkdir(parents=True)
    (local / "broker" / "messages" / "old.msg").write_text("{}")
    site_environment.site_environment(database_url="postgres://h/n", port=1)
    assert not (local / "broker" / "messages" / "old.msg").exists()


def test_a_procfile_names_programs_of_the_virtual_environment(tmp_path: Path) -> None:
    file = tmp_path / "Procfile"
    file.write_text("web: gunicorn site --bind 'a b'\nbeat: celery --app x beat\n")
    assert procfile(file) == {
        "web": [str(site_environment.VENV / "bin" / "gunicorn"), "site", "--bind", "a b"],
        "beat": [str(site_environment.VENV / "bin" / "celery"), "--app", "x", "beat"],
    }
