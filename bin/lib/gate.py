"""bin/test: everything that must hold before a change is accepted, on a PostgreSQL of its own.

Static checks run two at a time and all of them run, so that one run shows everything that is wrong; then the suite, in
parallel and in random order. With arguments only pytest runs, with those arguments: ``bin/test tests/transport -k x``.
"""

from __future__ import annotations

import base64
import os
import secrets
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from databases import create_database
from environment import LOCAL, ROOT, VENV, MissingPiece
from postgres import Postgres
from processes import ProcessEnded, Processes, end_on_signals

WORKERS = 2
SOURCES = ["manage.py", "connector", "tenants", "syncjobs", "tests", "benchmarks", "bin"]


@dataclass(frozen=True)
class Check:
    """One static check: what is printed for it, and the command that must exit 0."""

    name: str
    command: list[str]


def checks() -> list[Check]:
    """Return the static checks, the slowest first."""
    tools, manage = VENV / "bin", [str(VENV / "bin" / "python"), "manage.py"]
    sources = [source for source in SOURCES if (ROOT / source).exists()]
    return [
        Check("types: mypy, strict", [str(tools / "mypy")]),
        Check("lint: ruff check", [str(tools / "ruff"), "check", *sources]),
        Check("format: ruff format", [str(tools / "ruff"), "format", "--check", *sources]),
        Check("imports: lint-imports", [str(tools / "lint-imports")]),
        Check("migrations: nothing missing", [*manage, "makemigrations", "--check", "--dry-run"]),
        Check("production settings: check --deploy", [*manage, "check", "--deploy", "--fail-level", "WARNING"]),
    ]


def main(arguments: list[str]) -> int:
    """Run the gate and return its exit code: 0 all well, 1 something failed, 2 a piece of the machine is missing."""
    end_on_signals()
    try:
        with Processes() as processes:
            database = _database(processes)
            failed = [] if arguments else _static_checks(database)
            code = _suite(arguments, database)
    except (MissingPiece, ProcessEnded) as missing:
        sys.stderr.write(f"bin/test: {missing}\n")
        return 2
    except KeyboardInterrupt:
        return 130
    if failed:
        print(f"bin/test: failed before the suite: {'; '.join(failed)}")
    return code or (1 if failed else 0)


def _database(processes: Processes) -> str:
    """Return the DATABASE_URL to test on: the one given, or a new cluster that is deleted afterwards."""
    given = os.environ.get("DATABASE_URL", "")
    if given:
        return given
    began = time.monotonic()
    cluster = Postgres(processes, name=f"test-{os.getpid()}", durable=False)
    processes.when_stopped(cluster.remove)
    url = create_database(cluster.start(), "ml_connector")
    print(f"PostgreSQL of its own: {time.monotonic() - began:.1f} s", flush=True)
    return url


def _static_checks(database: str) -> list[str]:
    """Run the static checks, print each with its time and, if it failed, its output; return the names that failed."""
    environment = os.environ | production_like(database)
    failed = []

    def run(check: Check) -> tuple[Check, subprocess.CompletedProcess[str], float]:
        began = time.monotonic()
        done = subprocess.run(
            check.command, cwd=ROOT, env=environment, text=True, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        return check, done, time.monotonic() - began

    with ThreadPoolExecutor(WORKERS) as pool:
        for check, done, seconds in pool.map(run, checks()):
            print(f"{'ok    ' if done.returncode == 0 else 'FAILED'} {check.name} ({seconds:.1f} s)", flush=True)
            if done.returncode:
                failed.append(check.name)
                print(done.stdout, flush=True)
    return failed


def production_like(database: str) -> dict[str, str]:
    """Return an environment as a real site has it, with keys made up for this run; no broker is contacted."""
    return {
        "DEBUG": "0",
        "SECRET_KEY": secrets.token_urlsafe(64),
        "FERNET_KEYS": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "DATABASE_URL": database,
        "BROKER_URL": "redis://127.0.0.1:6379/0",
        "ALLOWED_HOSTS": "connector.example.com",
        "ALLOW_PRIVATE_HOSTS": "0",
        "DJANGO_SETTINGS_MODULE": "connector.settings",
    }


def _suite(arguments: list[str], database: str) -> int:
    """Run pytest; the whole suite in parallel, or what the arguments ask for."""
    wanted = arguments or ["-n", str(WORKERS), "--dist", "worksteal"]
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    print(f"suite: pytest {' '.join(wanted)}", flush=True)
    command = [str(VENV / "bin" / "python"), "-m", "pytest", *wanted]
    temporary = LOCAL / "tmp"  # pytest keeps the folders of failed tests: inside the checkout, too
    temporary.mkdir(exist_ok=True)
    environment |= {"DATABASE_URL": database, "PYTEST_DEBUG_TEMPROOT": str(temporary)}
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
