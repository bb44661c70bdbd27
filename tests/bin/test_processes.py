"""Programs started together end together, whatever happens; one that ends by itself is reported with its last words."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import processes
import pytest
from environment import MissingPiece
from processes import ProcessEnded, Processes, alone

#: Starts a child of its own, tells both ids, and would stay for ever.
PARENT = (
    "import os, subprocess, sys, time;"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
    "print(os.getpid(), child.pid, flush=True); time.sleep(60)"
)
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"


@pytest.fixture(autouse=True)
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "LOGS", tmp_path / "logs")
    monkeypatch.setattr(processes, "LOCAL", tmp_path)


def gone(pid: int) -> bool:
    """Whether a process has ended; a dead child of init that nobody has reaped yet has ended too."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z"


def start_parent(group: Processes) -> list[int]:
    log = group.start("parent", [sys.executable, "-c", PARENT])
    group.wait_until(lambda: log.read_text().endswith("\n"), what="the parent", seconds=20)
    return [int(word) for word in log.read_text().split()]


def test_children_of_children_end_too_also_after_a_failure() -> None:
    pids: list[int] = []

    def fail_in_between() -> None:
        with Processes() as group:
            pids.extend(start_parent(group))
            assert [gone(pid) for pid in pids] == [False, False]
            raise RuntimeError("in between")

    with pytest.raises(RuntimeError, match="in between"):
        fail_in_between()
    deadline = time.monotonic() + 5
    while not all(gone(pid) for pid in pids) and time.monotonic() < deadline:
        pass
    assert [gone(pid) for pid in pids] == [True, True]


def test_one_that_ignores_the_polite_signal_is_ended_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "STOP_SECONDS", 0.2)
    with Processes() as group:
        log = group.start("stubborn", [sys.executable, "-c", STUBBORN])
        group.wait_until(lambda: "up" in log.read_text(), what="it", seconds=20)
        process = group._running[0].process
    assert process.returncode == -signal.SIGKILL


def test_one_that_ends_by_itself_is_reported_with_its_last_words() -> None:
    with Processes() as group:
        code = "print('\\n'.join(f'line {n}' for n in range(40))); raise SystemExit(3)"
        group.start("web", [sys.executable, "-c", code])
        with pytest.raises(ProcessEnded) as ended:
            group.wait_until(lambda: False, what="the site", seconds=20)
    text = str(ended.value)
    assert text.startswith("web ended with code 3; its last lines:\n    line 25\n")
    assert text.endswith("    line 39")


def test_waiting_has_an_end() -> None:
    with Processes() as group:
        start_parent(group)
        with pytest.raises(ProcessEnded, match="the site did not answer within 0 s"):
            group.wait_until(lambda: False, what="the site", seconds=0)


def test_the_last_started_is_stopped_first_and_files_go_last(tmp_path: Path) -> None:
    order = tmp_path / "order"
    code = (
        "import signal, sys, time;"
        "signal.signal(signal.SIGTERM, lambda *_: (open(sys.argv[1], 'a').write(sys.argv[2]), sys.exit()));"
        "print('up', flush=True); time.sleep(60)"
    )
    with Processes() as group:
        group.when_stopped(lambda: order.write_text(order.read_text() + " then files"))
        for name in ("database", "site"):
            log = group.start(name, [sys.executable, "-c", code, str(order), f"{name} "])
            group.wait_until(lambda log=log: "up" in log.read_text(), what=name, seconds=20)  # type: ignore[misc]
    assert order.read_text() == "site database  then files"


def test_two_of_a_kind_do_not_run_in_one_checkout() -> None:
    with (
        alone("demo"),
        pytest.raises(MissingPiece, match="it already runs in this checkout; stop that one first"),
        alone("demo"),
    ):
        pass
    with alone("demo"):
        pass
