"""The programs a command starts: each in its own group, its output in ``.local/logs``, all stopped at the end.

A group of its own means that Ctrl-C reaches only us, and we stop the others in the right order; and that a worker's
children go with the worker.
"""

from __future__ import annotations

import ctypes
import fcntl
import http.client
import os
import pwd
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from environment import LOCAL, ROOT, MissingPiece

LOGS = LOCAL / "logs"
STOP_SECONDS = 15


class ProcessEnded(Exception):
    """A program that should be running is not; the text has its name and the end of its log."""


@dataclass
class _Running:
    name: str
    process: subprocess.Popen[bytes]
    log: Path
    stop_signal: signal.Signals


class Processes:
    """Programs started together; as a context manager it stops them all, whatever happened."""

    def __init__(self) -> None:
        self._running: list[_Running] = []
        self._afterwards: list[Callable[[], None]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(
        self,
        name: str,
        command: list[str],
        *,
        environment: Mapping[str, str] | None = None,
        account: str | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        cwd: Path = ROOT,
    ) -> Path:
        """Start a program and return the path of its log."""
        LOGS.mkdir(parents=True, exist_ok=True)
        log = LOGS / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(  # it outlives this function, stop() ends it
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, cwd=cwd,
                env=None if environment is None else dict(environment), start_new_session=True,
                preexec_fn=_die_with_us(),  # noqa: PLW1509  (no thread runs here)
                user=account, extra_groups=None if account is None else [],
                group=group_of(account),
            )  # fmt: skip
        self._running.append(_Running(name, process, log, stop_signal))
        return log

    def when_stopped(self, act: Callable[[], None]) -> None:
        """Have something done after all programs have ended, such as deleting their files."""
        self._afterwards.append(act)

    def check(self) -> None:
        """Raise ``ProcessEnded`` if one of them has ended."""
        for one in self._running:
            code = one.process.poll()
            if code is not None:
                raise ProcessEnded(f"{one.name} ended with code {code}; its last lines:\n{tail(one.log)}")

    def wait_until(self, ready: Callable[[], bool], *, what: str, seconds: float) -> None:
        """Wait until ``ready()``; raise ``ProcessEnded`` if one of the programs ends or the time is up."""
        deadline = time.monotonic() + seconds
        while not ready():
            self.check()
            if time.monotonic() > deadline:
                last = self._running[-1]
                raise ProcessEnded(f"{what} did not answer within {seconds:.0f} s; last lines:\n{tail(last.log)}")
            time.sleep(0.1)

    def stop(self) -> None:
        """Stop everything, the last started first: politely, then for good; a second Ctrl-C does not interrupt it."""
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            # Users of the database end before the database does.
            for one in reversed(self._running):
                _end(one)
            self._running.clear()
            for act in self._afterwards:
                act()
            self._afterwards.clear()
        finally:
            signal.signal(signal.SIGINT, before)


def _end(one: _Running) -> None:
    if one.process.poll() is None:
        _signal_group(one.process.pid, one.stop_signal)
        with suppress(subprocess.TimeoutExpired):
            one.process.wait(STOP_SECONDS)
    _signal_group(one.process.pid, signal.SIGKILL)
    one.process.wait()


def _signal_group(pid: int, number: signal.Signals) -> None:
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):  # gone; macOS answers "permission" for a group of the dead
        return


def _die_with_us() -> Callable[[], None] | None:
    """Return what makes a child end when this process is killed outright; only Linux has it."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    return lambda: libc.prctl(1, signal.SIGTERM)  # 1 is PR_SET_PDEATHSIG


def tail(log: Path, lines: int = 15) -> str:
    """Return the last lines of a log, indented."""
    text = log.read_text(errors="replace").splitlines() if log.exists() else []
    return "\n".join(f"    {line}" for line in text[-lines:]) or "    (it wrote nothing)"


@contextmanager
def alone(name: str) -> Iterator[None]:
    """Hold this checkout for one command of a kind; raises ``MissingPiece`` if another one runs."""
    with (LOCAL / f"{name}.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise MissingPiece("it already runs in this checkout; stop that one first") from None
        yield


def end_on_signals() -> None:
    """Turn SIGINT and SIGTERM into exceptions, so that everything started is stopped.

    A shell script's background command starts with SIGINT ignored; it should end on it all the same.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def answers(url: str) -> bool:
    """Whether an address answers with 200."""
    try:
        with urllib.request.urlopen(url, timeout=5) as reply:  # noqa: S310  (our own address on this machine)
            return bool(reply.status == http.HTTPStatus.OK)
    except (urllib.error.URLError, http.client.HTTPException, OSError):
        return False


def group_of(account: str | None) -> int | None:
    """Return the group id that a program started as another account gets; None for our own."""
    return None if account is None else pwd.getpwnam(account).pw_gid
