"""Set-up on a bare machine: every missing piece is one sentence with the fix, and nothing is done twice."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import environment
import pytest
from environment import MissingPiece


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout without a virtual environment, with two small lock files."""
    for name in ("requirements-build.txt", "requirements.txt", "requirements-dev.txt"):
        (tmp_path / name).write_text("somepackage==1.0 \\\n    --hash=sha256:00\n")
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    monkeypatch.setattr(environment, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(environment, "LOCAL", tmp_path / ".local")
    return tmp_path


@pytest.mark.parametrize("command", ["demo", "test"])
def test_an_old_python_is_said_in_one_sentence(command: str, checkout: Path, tmp_path: Path) -> None:
    for name in ("python3", "python3.11", "python3.12", "python3.13", "python3.14"):
        (tmp_path / name).write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    done = subprocess.run(
        [str(checkout / "bin" / command)],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"bin/{command}: Python 3.11 or newer is needed; install it (Debian")
    assert len(done.stderr.splitlines()) == 1


def test_a_missing_venv_module_names_the_package(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingPiece, match="apt-get install python3-venv"):
        environment.prepare("demo")
    assert not (bare / ".venv").exists()


def test_a_full_disk_is_said_before_anything_is_downloaded(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment.shutil, "disk_usage", lambda path: SimpleNamespace(free=20_000_000))
    with pytest.raises(MissingPiece, match="1500 MB of free disk are needed for the packages, 20 MB are there"):
        environment.prepare("gate")
    assert not (bare / ".venv").exists()


@pytest.mark.parametrize(
    ("said", "fix"),
    [
        ("ERROR: Could not install: [Errno 28] No space left on device", "the disk is full"),
        ("NewConnectionError('Temporary failure in name resolution')\nfrom versions: none", "could not be downloaded"),
        ("ERROR: No matching distribution found for x==1", "Python 3.11 to 3.13"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE", "do not use it"),
        ("something new", "the packages could not be installed"),
    ],
)
def test_a_failed_installation_is_one_sentence_with_pips_words_kept(said: str, fix: str, bare: Path) -> None:
    sentence = environment._explain(said.splitlines())
    assert fix in sentence
    assert sentence.endswith("(pip's own words: .local/logs/pip.log)")
    assert "\n" not in sentence
    assert (bare / ".local" / "logs" / "pip.log").read_text() == said + "\n"


def test_a_second_run_installs_nothing_until_a_lock_changes(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed: list[str] = []
    monkeypatch.setattr(environment, "_make_venv", lambda: (bare / ".venv").mkdir(exist_ok=True))
    monkeypatch.setattr(environment, "_install", installed.append)
    environment.prepare("gate")
    environment.prepare("gate")
    environment.prepare("demo")
    assert installed == ["requirements-build.txt", "requirements.txt", "requirements-dev.txt"]
    (bare / "requirements-dev.txt").write_text("somepackage==2.0 \\\n    --hash=sha256:11\n")
    environment.prepare("demo")
    assert len(installed) == 3
    environment.prepare("gate")
    assert installed[3:] == ["requirements-dev.txt"]


def test_a_checkout_that_was_moved_is_set_up_anew(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = environment._fingerprint("requirements.txt")
    monkeypatch.setattr(environment, "VENV", bare / "elsewhere" / ".venv")
    assert environment._fingerprint("requirements.txt") != before


def test_what_runs_afterwards_keeps_its_files_in_the_checkout(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    child = environment._child_environment()
    assert child["HOME"] == str(bare / ".local" / "home")
    assert child["XDG_CACHE_HOME"] == str(bare / ".local" / "cache")
    assert child["PATH"].split(os.pathsep)[0] == str(bare / ".venv" / "bin")
    assert "PYTHONPATH" not in child


def test_set_up_uses_the_standard_library_only(checkout: Path) -> None:
    """It runs before anything is installed: isolated mode, no site-packages."""
    code = f"import sys; sys.path.insert(0, {str(checkout / 'bin' / 'lib')!r}); import environment"
    assert subprocess.run([sys.executable, "-I", "-S", "-c", code], check=False).returncode == 0
