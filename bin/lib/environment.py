"""Makes the checkout's own virtual environment from the hash-locked requirements, then hands over to it.

Runs on a bare machine's Python, so it uses the standard library and nothing else. Everything it makes is inside the
checkout (``.venv``, ``.local``). It installs again only when a lock file, the Python or the checkout's place changed.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
LOCAL = ROOT / ".local"
RUNS = ["requirements-build.txt", "requirements.txt"]
TESTS = [*RUNS, "requirements-dev.txt"]
LOCKS = {"demo": RUNS, "gate": TESTS, "simulate": TESTS}
NAMES = {"demo": "bin/demo", "gate": "bin/test", "simulate": "bin/simulate"}

#: What a first installation takes on disk, wheels being unpacked included.
NEEDED_BYTES = 1_500_000_000

#: What pip says when something outside of us is missing, and what the person can do about it.
REASONS = {
    "No space left on device": "the disk is full; free some space and run it again",
    "THESE PACKAGES DO NOT MATCH THE HASHES": "a downloaded package is not the one that was locked; do not use it, "
    "check the package index or proxy that this machine is set to",
    "Permission denied": "this account may not write inside the checkout; run it as the checkout's owner",
    "from versions: none": "a package could not be found; check the network, or PIP_INDEX_URL if a mirror is used",
    "No matching distribution": "no ready-made package exists for this Python or machine; use Python 3.11 to 3.13 on "
    "Linux (x86-64, arm64) or macOS (set PYTHON to choose one)",
}
UNREACHABLE = ("NewConnectionError", "name resolution", "ConnectTimeout", "ProxyError", "Connection refused")
NETWORK = "packages could not be downloaded; check the network, or the proxy settings (https_proxy, PIP_INDEX_URL)"


class MissingPiece(Exception):
    """Something the machine lacks; the text is one sentence that includes the fix."""


def main(argv: list[str]) -> None:
    """Set up for ``argv[0]`` (``demo``, ``gate`` or ``simulate``) and become it."""
    command, arguments = argv[0], argv[1:]
    try:
        prepare(command)
    except MissingPiece as missing:
        sys.stderr.write(f"{NAMES[command]}: {missing}\n")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    python = str(VENV / "bin" / "python")
    sys.stdout.flush()
    # Our own interpreter and our own script, no shell in between (S606): from here on the environment's Python runs.
    os.execve(python, [python, str(ROOT / "bin" / "lib" / f"{command}.py"), *arguments], _child_environment())  # noqa: S606


def prepare(command: str) -> None:
    """Make ``.venv`` fit the lock files that ``command`` needs. Raises ``MissingPiece``."""
    try:
        LOCAL.mkdir(exist_ok=True)
        with _alone():
            for lock in LOCKS[command]:
                if _stamp(lock).exists() and _stamp(lock).read_text() == _fingerprint(lock):
                    continue
                _make_venv()
                _install(lock)
                _stamp(lock).write_text(_fingerprint(lock))
    except PermissionError as fault:
        raise MissingPiece(f"cannot write {fault.filename}; run it as the owner of the checkout") from fault


@contextmanager
def _alone() -> Iterator[None]:
    """Let two commands started at once set up one after the other."""
    with (LOCAL / "setup.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _stamp(lock: str) -> Path:
    return VENV / f"{lock}.installed"


def _fingerprint(lock: str) -> str:
    """What an installation depends on: the lock, the Python, and the place (scripts in a venv hold its path)."""
    digest = hashlib.sha256((ROOT / lock).read_bytes()).hexdigest()
    return f"{digest} {_python_place()}\n"


def _python_place() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor} {VENV}"


def _make_venv() -> None:
    """Make ``.venv``, or keep the one that is there if it was made here by the same Python."""
    place = VENV / "place"
    if place.exists() and place.read_text() == _python_place() and (VENV / "bin" / "python").exists():
        return
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        raise MissingPiece(
            "this Python cannot make virtual environments; install that part (Debian: apt-get install python3-venv)"
        )
    free = shutil.disk_usage(ROOT).free
    if free < NEEDED_BYTES:
        raise MissingPiece(f"{NEEDED_BYTES // 10**6} MB of free disk are needed for the packages, {free // 10**6} MB "
                           "are there; free some space and run it again")  # fmt: skip
    print(f"Making a virtual environment with Python {sys.version.split()[0]} in .venv", flush=True)
    shutil.rmtree(VENV, ignore_errors=True)
    made = subprocess.run([sys.executable, "-m", "venv", str(VENV)], capture_output=True, text=True, check=False)
    if made.returncode:
        lines = (made.stdout + made.stderr).strip().splitlines() or ["no reason given"]
        raise MissingPiece(
            f"the virtual environment could not be made ({lines[-1]}); on Debian: apt-get install python3-venv"
        )
    place.write_text(_python_place())


def _install(lock: str) -> None:
    """Install a lock file, with a line of progress now and then; every package must have its locked hash."""
    total = sum(
        1 for line in (ROOT / lock).read_text().splitlines() if "==" in line and not line.startswith((" ", "#"))
    )
    print(f"Installing {lock}: {total} packages, hashes checked", flush=True)
    began = shown = time.monotonic()
    command = [
        *(str(VENV / "bin" / "python"), "-m", "pip", "install", "--require-hashes"),
        # Ready-made packages only, but for the one that has none; it is built by the setuptools that is locked.
        *("--only-binary", ":all:", "--no-binary", "sly", "--no-build-isolation", "--use-pep517"),
        *("--no-cache-dir", "--disable-pip-version-check", "--no-input", "--progress-bar", "off"),
        *("--requirement", str(ROOT / lock)),
    ]
    tail: list[str] = []
    seen = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT) as pip:
        assert pip.stdout is not None  # noqa: S101  (asked for one line above)
        for line in pip.stdout:
            tail = [*tail[-60:], line.rstrip()]
            seen += line.startswith(("Collecting ", "Requirement already"))
            if time.monotonic() - shown > 3:
                shown = time.monotonic()
                print(f"  {seen} of {total} after {shown - began:.0f} s: {line.strip()[:70]}", flush=True)
            elif line.startswith("Installing collected"):
                print("  unpacking", flush=True)
    if pip.returncode:
        raise MissingPiece(_explain(tail))
    print(f"  done in {time.monotonic() - began:.0f} s", flush=True)


def _explain(tail: list[str]) -> str:
    """Return one sentence for a failed installation; pip's own last words go to a log inside the checkout."""
    log = LOCAL / "logs" / "pip.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    text = "\n".join(tail)
    log.write_text(text + "\n")
    unreachable = any(sign in text for sign in UNREACHABLE)
    reason = NETWORK if unreachable else next((fix for sign, fix in REASONS.items() if sign in text), "")
    return f"{reason or 'the packages could not be installed'} (pip's own words: {log.relative_to(ROOT)})"


def _child_environment() -> dict[str, str]:
    """The environment of everything that runs after set-up: the venv first, and no folder outside the checkout.

    Tools that keep things under the home directory (caches, browser profiles) get one inside the checkout.
    """
    home = LOCAL / "home"
    home.mkdir(parents=True, exist_ok=True)
    child = {name: value for name, value in os.environ.items() if name not in {"PYTHONHOME", "PYTHONPATH"}}
    child |= {
        "HOME": str(home),
        "XDG_CACHE_HOME": str(LOCAL / "cache"),
        "XDG_CONFIG_HOME": str(home),
        "VIRTUAL_ENV": str(VENV),
        "PATH": f"{VENV / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "PYTHONUNBUFFERED": "1",
        "PYTHONUTF8": "1",
    }
    return child


if __name__ == "__main__":
    main(sys.argv[1:])
