"""Whether a running web, worker or beat process does its work: ``python -m connector.health web|worker|beat``.

Asked by docker-compose from inside the container; exit code 0 is yes. Beat has no port to ask, so its proof is the
schedule table, where it notes what it rang.
"""

from __future__ import annotations

import os
import socket
import sys
import urllib.request

import psycopg
from kombu.exceptions import KombuError

from connector.celery import app

#: Beat writes its table every three minutes (celery's ``sync_every``); three of those missing is dead.
BEAT_SILENCE_MINUTES = 10


def web() -> bool:
    """Ask the site itself, under a host name that it answers to."""
    host = os.environ["ALLOWED_HOSTS"].split(",")[0].strip().lstrip(".")
    name = "localhost" if host == "*" else host
    request = urllib.request.Request("http://127.0.0.1:8000/healthz", headers={"Host": name})
    with urllib.request.urlopen(request, timeout=5) as reply:  # noqa: S310  (our own port, over plain HTTP)
        return bool(reply.read() == b"ok")


def worker() -> bool:
    """Ask this machine's worker over the broker."""
    name = f"celery@{socket.gethostname()}"
    return bool(app.control.inspect(destination=[name], timeout=5).ping())


def beat() -> bool:
    """Look whether the schedule has been rung lately."""
    with psycopg.connect(os.environ["DATABASE_URL"], connect_timeout=5) as connection:
        row = connection.execute(
            "SELECT max(last_run_at) > now() - make_interval(mins => %s) FROM django_celery_beat_periodictask",
            [BEAT_SILENCE_MINUTES],
        ).fetchone()
    return bool(row and row[0])


def main(arguments: list[str]) -> int:
    """Return 0 if the named process works, 1 with a word about why otherwise."""
    asked = {"web": web, "worker": worker, "beat": beat}
    if len(arguments) != 1 or arguments[0] not in asked:
        sys.stderr.write("usage: python -m connector.health web|worker|beat\n")
        return 2
    try:
        well = asked[arguments[0]]()
    except (OSError, psycopg.Error, KombuError) as fault:
        sys.stderr.write(f"{arguments[0]}: {fault}\n")
        return 1
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
