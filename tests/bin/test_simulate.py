"""bin/simulate: what it asks its workers for, and that it stops at the first world that breaks, with its seed."""

from __future__ import annotations

import argparse
import json
import queue
from typing import Any

import pytest
import simulate
from processes import ProcessEnded


class Worker:
    """A worker that has ended."""

    def __init__(self, code: int = 0) -> None:
        self.code = code

    def wait(self) -> int:
        return self.code


def said(*reports: dict[str, Any]) -> queue.Queue[tuple[int, str]]:
    lines: queue.Queue[tuple[int, str]] = queue.Queue()
    for report in reports:
        lines.put((0, json.dumps(report)))
    lines.put((0, ""))
    return lines


HELD = {"seed": 7, "ok": True, "cpu": 0.5, "theme": "pay"}
BROKEN = {"seed": 8, "ok": False, "cpu": 0.5, "theme": "pay", "faults": ["paid twice"], "trace": ["0. work"]}


def watched(lines: queue.Queue[tuple[int, str]], code: int = 0) -> int:
    return simulate._watch(lines, [Worker(code)], argparse.Namespace(runs=2))  # type: ignore[list-item]


def test_runs_that_hold_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    assert watched(said({"ready": 3.0}, HELD, HELD)) == 0
    assert "2 runs held" in capsys.readouterr().out


def test_the_first_failure_ends_the_search_and_says_how_to_tell_it_again(capsys: pytest.CaptureFixture[str]) -> None:
    lines = said(HELD, BROKEN, HELD)
    assert watched(lines) == 1
    assert lines.qsize() == 2
    told = capsys.readouterr().out
    assert "0. work\nFAULT paid twice\n" in told
    assert "Seed 8 failed after 2 runs. Tell it again: bin/simulate --replay 8 --shrink" in told


def test_a_worker_that_breaks_down_is_not_a_world_that_held() -> None:
    with pytest.raises(ProcessEnded):
        watched(said(HELD), code=1)


def test_a_replay_needs_one_worker_and_no_more_than_runs_are_started() -> None:
    assert simulate._asked(["--replay", "3", "--workers", "4"]).workers == 1
    assert simulate._asked(["--runs", "2", "--workers", "4"]).workers == 2
