"""The demo's own environment: what a real site is given by its operator, made up once and kept in ``.local``.

The commands that run the site are those of ``Procfile``, the same that docker-compose.yml runs.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from environment import LOCAL, ROOT, VENV

KEPT = LOCAL / "demo.json"
LOGIN = "admin"


@dataclass(frozen=True)
class Kept:
    """What stays the same from one demo to the next on this checkout."""

    secret_key: str
    fernet_key: str
    password: str


def kept() -> Kept:
    """Return the kept secrets, made up if this is the first run."""
    if not KEPT.exists():
        made = {
            "secret_key": secrets.token_urlsafe(64),
            "fernet_key": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "password": secrets.token_urlsafe(12),
        }
        KEPT.touch(mode=0o600)
        KEPT.write_text(json.dumps(made))
    return Kept(**json.loads(KEPT.read_text()))


def site_environment(*, database_url: str, port: int) -> dict[str, str]:
    """Return the environment of every program of the site: a production one that answers on this machine only."""
    keep = kept()
    return os.environ | {
        "DEBUG": "0",
        "SECRET_KEY": keep.secret_key,
        "FERNET_KEYS": keep.fernet_key,
        "DATABASE_URL": database_url,
        "BROKER_URL": os.environ.get("BROKER_URL") or _folder_broker(),
        "ALLOWED_HOSTS": "localhost,127.0.0.1,[::1]",
        "ALLOW_PRIVATE_HOSTS": "1",
        "REQUIRE_SECOND_FACTOR": "0",  # nobody needs a phone to look at a demo; every page says so
        "DJANGO_SETTINGS_MODULE": "connector.settings",
        "DJANGO_SUPERUSER_PASSWORD": keep.password,
        "GUNICORN_CMD_ARGS": f"--bind=127.0.0.1:{port}",
    }


def procfile(path: Path = ROOT / "Procfile") -> dict[str, list[str]]:
    """Return each process's name and command, the program taken from the virtual environment."""
    commands = {}
    for line in path.read_text().splitlines():
        name, _, command = line.partition(":")
        program, *arguments = shlex.split(command)
        commands[name.strip()] = [str(VENV / "bin" / program), *arguments]
    return commands


def _folder_broker() -> str:
    """Return the address of an empty one-machine broker: the rows are the queue, so old messages are not missed."""
    folder = LOCAL / "broker"
    shutil.rmtree(folder, ignore_errors=True)
    return f"filesystem://{quote(str(folder))}"
