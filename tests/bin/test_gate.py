"""bin/test's decisions: every check runs, one that fails is named, and production settings are real ones."""

from __future__ import annotations

import sys

import gate
import pytest
from gate import Check, production_like

from connector.environment import read_environment


def test_every_check_of_the_gate_is_there() -> None:
    assert [check.name.split(":")[0] for check in gate.checks()] == [
        "types",
        "lint",
        "format",
        "imports",
        "migrations",
        "production settings",
    ]


def test_production_settings_are_checked_with_https_and_keys_made_up_for_the_run() -> None:
    variables = production_like("postgres://u:p@db.example.com/n")
    environment = read_environment(variables, visibility_timeout_s=1)
    assert (environment.https, environment.debug, environment.allow_private_hosts) == (True, False, False)
    assert variables["SECRET_KEY"] != production_like("postgres://h/n")["SECRET_KEY"]


@pytest.mark.parametrize(
    ("codes", "suite", "exit_code", "said"),
    [
        ((0, 0), 0, 0, ""),
        ((0, 3), 0, 1, "bin/test: failed before the suite: second"),
        ((1, 1), 0, 1, "bin/test: failed before the suite: first; second"),
        ((0, 0), 5, 5, ""),
        ((0, 1), 4, 4, "bin/test: failed before the suite: second"),
    ],
)
def test_all_checks_and_the_suite_run_and_any_failure_counts(
    codes: tuple[int, int],
    suite: int,
    exit_code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    commands = [[sys.executable, "-c", f"print('reason {code}'); raise SystemExit({code})"] for code in codes]
    monkeypatch.setattr(gate, "checks", lambda: [Check("first", commands[0]), Check("second", commands[1])])
    monkeypatch.setattr(gate, "_suite", lambda arguments, database: suite)
    monkeypatch.setattr(gate, "end_on_signals", lambda: None)
    monkeypatch.setenv("DATABASE_URL", "postgres://u:p@db.example.com/n")
    assert gate.main([]) == exit_code
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" (")[0] for line in lines if line[:6] in {"ok    ", "FAILED"}] == [
        f"{'FAILED' if code else 'ok    '} {name}" for code, name in zip(codes, ("first", "second"), strict=True)
    ]
    assert [line for line in lines if line.startswith("reason")] == [f"reason {code}" for code in codes if code]
    assert lines[-1].startswith("bin/test:") is bool(said)
    assert said in lines[-1]


def test_with_arguments_only_pytest_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr(gate, "_static_checks", lambda database: pytest.fail("not asked for"))
    monkeypatch.setattr(gate, "_suite", lambda arguments, database: asked.append(arguments) or 0)
    monkeypatch.setattr(gate, "end_on_signals", lambda: None)
    monkeypatch.setenv("DATABASE_URL", "postgres://u:p@db.example.com/n")
    assert gate.main(["tests/transport", "-k", "retry"]) == 0
    assert asked == [["tests/transport", "-k", "retry"]]
