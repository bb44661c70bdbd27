"""bin/demo's decisions: which port, what counts as wrong, and one sentence for what is missing."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import demo
import processes
import pytest
import site_environment
import steps
from environment import MissingPiece
from processes import Processes

COUNTS = {"read": 5, "created": 5, "updated": 0, "unchanged": 0, "held": 0, "rejected": 0, "uncertain": 0}


@pytest.fixture(autouse=True)
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "LOCAL", tmp_path)
    monkeypatch.setattr(processes, "LOGS", tmp_path / "logs")
    monkeypatch.setattr(steps, "LOGS", tmp_path / "logs")
    monkeypatch.setattr(site_environment, "LOCAL", tmp_path)
    monkeypatch.setattr(demo, "end_on_signals", lambda: None)  # the test run keeps its own handlers


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def cycle(created: int) -> dict[str, Any]:
    counts = COUNTS | {"created": created, "unchanged": 5 - created}
    run = {"status": "done", "counts": counts, "requests": 3, "seconds": 0.5, "error": ""}
    return {"tenant": "demo", "runs": [run | {"stage": stage} for stage in demo.report.STAGES]}


class Rehearsed(demo.Demo):
    """A demo whose commands answer what a test prepared, in order, and remember what was asked."""

    def __init__(self, group: Processes, answers: list[dict[str, Any]]) -> None:
        super().__init__(group, port=1)
        self.answers = answers
        self.questions: list[str] = []

    def _asked(self, *arguments: str, may_fail: bool = False) -> dict[str, Any]:
        self.questions.append(" ".join(arguments))
        return self.answers.pop(0)


def test_a_port_that_was_asked_for_and_is_taken_is_one_sentence(taken: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert demo.main(["--once", "--port", str(taken)]) == 2
    said = capsys.readouterr().err.strip()
    assert said == f"bin/demo: port {taken} is taken; choose another one with --port"


def test_the_usual_port_gives_way_when_it_is_taken(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "DEFAULT_PORT", taken)
    assert demo._port(None, once=False) != taken
    monkeypatch.setattr(demo, "DEFAULT_PORT", demo.free_port())
    assert demo._port(None, once=False) == demo.DEFAULT_PORT


def test_a_second_demo_in_one_checkout_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with processes.alone("demo"):
        assert demo.main(["--once"]) == 2
    assert capsys.readouterr().err.strip() == "bin/demo: it already runs in this checkout; stop that one first"


@pytest.mark.parametrize(("again", "wrong"), [(0, []), (2, ["wrote 2 records, nothing was to be done"])])
def test_a_cycle_is_matched_approved_run_twice_compared_and_written(
    again: int, wrong: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    group = {"code": "on_hold", "turn": "finance", "count": 1, "amounts": {}, "example": "A-1 is on hold.", "hint": ""}
    agreed = {"tenant": "demo", "balanced": True, "differences": [], "checked": {"vendors": 5}}
    second = cycle(0)
    second["runs"][0]["counts"] = COUNTS | {"created": again}
    file = tmp_path / "report.json"
    with Processes() as processes_:
        rehearsed = Rehearsed(
            processes_,
            [cycle(0), {"approved": 41}, cycle(5), {"mappings": [], "problems": [group]}, second, agreed],
        )
        found = rehearsed.cycle(file)
    assert rehearsed.questions == [
        "sync_now demo vendors_out --json",
        "review demo --approve-all --json",
        "sync_now demo --wait 60 --json",
        "review demo --json",
        "sync_now demo --wait 60 --json",
        "reconcile demo --json",
    ]
    assert json.loads(file.read_text()) == {"sync": cycle(5), "again": second, "reconcile": agreed}
    assert found == [f"second cycle: vendors_out {fault}" for fault in wrong]
    said = capsys.readouterr().out
    assert "41 proposed matches approved" in said
    assert "A-1 is on hold." in said
    assert ("Both ledgers agree" in said) is not bool(wrong)


def test_an_answer_that_cannot_be_written_is_known_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(MissingPiece, match=r"cannot write .*nowhere/out.json"):
        demo.writable(tmp_path / "nowhere" / "out.json")
    demo.writable(tmp_path / "out.json")
    assert not (tmp_path / "out.json").exists()
