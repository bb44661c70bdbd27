"""Progress and failures of a step's commands, as a person sees them."""

from __future__ import annotations

import sys
from pathlib import Path

import processes
import pytest
import steps
from processes import ProcessEnded, Processes
from steps import Steps


@pytest.fixture(autouse=True)
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(processes, "LOGS", tmp_path)
    monkeypatch.setattr(steps, "LOGS", tmp_path)
    return tmp_path


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_an_answer_is_kept_apart_from_progress(logs: Path) -> None:
    code = "import sys; print('{\"ok\": 1}'); print('vendors_out', file=sys.stderr)"
    with Processes() as group:
        assert Steps(group).run(python(code), environment={}) == '{"ok": 1}\n'
    assert (logs / f"{Path(sys.executable).name}.log").read_text() == "vendors_out\n"


@pytest.mark.parametrize(("code", "fails"), [(0, False), (1, False), (2, True)])
def test_an_exit_code_that_is_an_answer_is_accepted(code: int, fails: bool) -> None:
    command = python(f"print('an answer'); raise SystemExit({code})")
    with Processes() as group:
        if fails:
            with pytest.raises(ProcessEnded, match=f"failed with code {code}; its last lines:\n    an answer"):
                Steps(group).run(command, environment={}, accepted=(0, 1))
        else:
            assert Steps(group).run(command, environment={}, accepted=(0, 1)) == "an answer\n"


def test_a_command_that_broke_down_has_no_answer() -> None:
    with Processes() as group, pytest.raises(ProcessEnded, match=r"failed with code 1[\s\S]*ValueError: broken"):
        Steps(group).run(python("raise ValueError('broken')"), environment={}, accepted=(0, 1))


def test_a_program_that_ends_meanwhile_ends_the_step() -> None:
    with Processes() as group:
        group.start("web", python("raise SystemExit(7)"))
        with pytest.raises(ProcessEnded, match="web ended with code 7"):
            Steps(group).run(python("import time; time.sleep(600)"), environment={})


def test_progress_shows_time_and_the_last_words_for_people(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(steps, "STILL_SECONDS", 0)
    code = (
        "import sys, time; print('invoices_out: 120 read', file=sys.stderr);"
        'print(\'{"event": "x"}\', file=sys.stderr, flush=True); time.sleep(0.3)'
    )
    with Processes() as group:
        told = Steps(group)
        with told.step("first cycle"):
            told.run(python(code), environment={})
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("  first cycle …") and line.endswith("invoices_out: 120 read") for line in lines)
    assert lines[-1].startswith("  first cycle   ")
    assert lines[-1].endswith(" s")
