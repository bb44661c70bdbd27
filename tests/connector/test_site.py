"""The site's own addresses, its headers, and the health checks of its three processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psycopg.conninfo
import pytest
from django.db import connection
from django.test import Client

from connector import health

UNSET = {"SECRET_KEY": "", "FERNET_KEYS": "", "DATABASE_URL": "", "BROKER_URL": "", "ALLOWED_HOSTS": "", "DEBUG": ""}


@pytest.mark.django_db
def test_health_asks_the_database(client: Client) -> None:
    reply = client.get("/healthz")
    assert (reply.status_code, reply.content) == (200, b"ok")


@pytest.mark.django_db
def test_the_front_door_leads_to_the_admin(client: Client) -> None:
    assert client.get("/").headers["Location"] == "/admin/"


@pytest.mark.django_db
def test_pages_allow_no_other_origin_and_no_frame(client: Client) -> None:
    headers = client.get("/admin/login/").headers
    policy = dict(part.strip().partition(" ")[::2] for part in headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert policy["object-src"] == "'none'"
    assert not any("http" in sources for sources in policy.values())
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"


def test_a_site_without_its_environment_says_so_in_one_sentence(checkout: Path) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "migrate"],
        cwd=checkout,
        env=os.environ | UNSET | {"DJANGO_SETTINGS_MODULE": "connector.settings"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("manage.py: Set these environment variables before starting with DEBUG off: SECRET_")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("arguments", [[], ["database"], ["web", "worker"]])
def test_health_of_something_else_is_a_usage_fault(arguments: list[str]) -> None:
    assert health.main(arguments) == 2


@pytest.mark.parametrize("process", ["web", "worker", "beat"])
def test_a_process_that_does_not_answer_is_not_well(process: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> bool:
        raise ConnectionRefusedError("nobody there")

    monkeypatch.setattr(health, process, refused)
    assert health.main([process]) == 1
    monkeypatch.setattr(health, process, lambda: False)
    assert health.main([process]) == 1
    monkeypatch.setattr(health, process, lambda: True)
    assert health.main([process]) == 0


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("minutes", "well"), [(1, True), (9, True), (11, False)])
def test_beat_is_judged_by_when_it_last_rang(minutes: int, well: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = ("host", "port", "user", "password", "dbname")
    values = {name: value for name, value in connection.get_connection_params().items() if name in wanted and value}
    monkeypatch.setenv("DATABASE_URL", psycopg.conninfo.make_conninfo(**values))
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO django_celery_beat_intervalschedule (every, period) VALUES (1, 'minutes') RETURNING id"
        )
        (interval,) = cursor.fetchone()
        cursor.execute(
            "INSERT INTO django_celery_beat_periodictask (name, task, args, kwargs, headers, enabled, one_off,"
            " total_run_count, date_changed, description, interval_id, last_run_at)"
            " VALUES ('tick', 'x', '[]', '{}', '{}', true, false, 0, now(), '', %s, now() - make_interval(mins => %s))",
            [interval, minutes],
        )
    assert health.beat() is well
