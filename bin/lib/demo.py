"""bin/demo: the whole product on one machine, from an empty database to two ledgers that agree.

Every run begins with an empty database, because the stand-ins for the two systems keep their data in memory and begin
empty too. What moves is done by ``manage.py``, as an operator would; the site's processes are those of ``Procfile``.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import report
from databases import create_database, empty_database, free_port, is_free
from environment import LOCAL, ROOT, VENV, MissingPiece
from postgres import Postgres
from processes import LOGS, ProcessEnded, Processes, alone, answers, end_on_signals
from site_environment import LOGIN, kept, procfile, site_environment
from steps import Steps

TENANT = "demo"
DEFAULT_PORT = 8000
#: How long one cycle may wait for what happens over there: approvals, and payments moving to settled.
WAIT_SECONDS = 60


def main(arguments: Sequence[str]) -> int:
    """Run the demo; 0 all agrees, 1 something does not or failed, 2 a piece of the machine is missing."""
    options = _options(arguments)
    end_on_signals()
    try:
        with alone("demo"), Processes() as processes:
            if options.json:
                writable(options.json)
            demo = Demo(processes, port=_port(options.port, once=options.once))
            demo.start()
            wrong = demo.cycle(options.json)
            if options.once:
                demo.start_background()
                return 1 if wrong else 0
            demo.start_background()
            demo.stay_up()
    except MissingPiece as missing:
        sys.stderr.write(f"\nbin/demo: {missing}\n")
        return 2
    except ProcessEnded as ended:
        sys.stderr.write(f"\nbin/demo: {ended}\n")
        return 1
    except KeyboardInterrupt:
        print("\nStopped.")
        return 0 if not options.once else 130
    return 0


class Demo:
    """One run of the demo; its steps in the order in which ``main`` calls them."""

    def __init__(self, processes: Processes, *, port: int) -> None:
        self._processes = processes
        self._port = port
        self._steps = Steps(processes)
        self._commands = procfile()

    def start(self) -> None:
        """Bring up the database, the two stand-ins and the site, and onboard the demo's tenant."""
        print("ml-connector: the demo of a whole cycle between Epicor and AvidXchange\n", flush=True)
        with self._steps.step("database, empty"):
            database = self._database()
        self._environment = site_environment(database_url=database, port=self._port)
        with self._steps.step("tables"):
            self._manage("migrate", "--no-input", "--verbosity", "1")
        with self._steps.step("static files"):
            self._manage("collectstatic", "--no-input", "--verbosity", "0")
        with self._steps.step("sandboxes: Epicor and AvidXchange"):
            tenant_file = self._sandboxes()
        with self._steps.step("site"):
            self._process("web")
            self._processes.wait_until(
                lambda: answers(f"http://127.0.0.1:{self._port}/healthz"), what="the site", seconds=60
            )
        with self._steps.step("tenant and login"):
            self._manage("load_tenant", str(tenant_file))
            self._manage("createsuperuser", "--no-input", "--username", LOGIN, "--email", "admin@example.com")

    def cycle(self, json_file: Path | None) -> list[str]:
        """Run the stages twice and compare the ledgers; print and write the report; return what is wrong.

        Vendors come first by themselves: until somebody has approved their matches, nothing that names them may move.
        """
        with self._steps.step("matching vendors"):
            self._asked("sync_now", TENANT, "vendors_out", "--json", may_fail=True)
        with self._steps.step("approving every match"):
            approved = self._asked("review", TENANT, "--approve-all", "--json")["approved"]
        print(f"    {approved} proposed matches approved, as a person would after a look at each", flush=True)
        sync = self._sync("first cycle")
        print(f"\n{report.table(sync)}\n", flush=True)
        print("\n".join(report.waiting(self._asked("review", TENANT, "--json"))), end="\n\n", flush=True)
        again = self._sync("second cycle")
        with self._steps.step("comparing the ledgers"):
            reconcile = self._asked("reconcile", TENANT, "--json", may_fail=True)
        whole = {"sync": sync, "again": again, "reconcile": reconcile}
        if json_file:
            json_file.write_text(json.dumps(whole, indent=2) + "\n")
        wrong = report.faults(whole, stages=report.STAGES)
        print()
        print("\n".join(report.verdict(whole, wrong)), flush=True)
        return wrong

    def start_background(self) -> None:
        """Start the worker and the scheduler, which from now on run the stages as the tenant's schedule says."""
        print()
        with self._steps.step("worker and scheduler"):
            self._process("worker")
            log = self._process("beat")
            self._processes.wait_until(self._worker_answers, what="the worker", seconds=60)
            self._processes.wait_until(lambda: "beat: Starting" in log.read_text(), what="the scheduler", seconds=60)

    def stay_up(self) -> None:
        """Say where everything is, and wait; raises ``ProcessEnded`` when a process ends by itself."""
        print(f"\nAdmin     http://127.0.0.1:{self._port}/admin/")
        print(f"Login     {LOGIN}   Password  {kept().password}")
        print("          No second factor is asked for, because only this machine reaches the demo; a real site asks.")
        print(f"Logs      {LOGS.relative_to(ROOT)}/")
        print("Ctrl-C stops everything.", flush=True)
        while True:
            self._processes.check()
            time.sleep(0.5)

    def _database(self) -> str:
        given = os.environ.get("DATABASE_URL", "")
        url = given or create_database(Postgres(self._processes, name="pg", durable=True).start(), "ml_connector")
        empty_database(url)
        return url

    def _sandboxes(self) -> Path:
        """Start both stand-ins on free ports, and return the tenant file that they write for themselves."""
        tenant_file = LOCAL / "demo-tenant.json"
        tenant_file.unlink(missing_ok=True)
        command = [
            str(VENV / "bin" / "python"), "-m", "connector.sandbox", "--epicor-port", "0", "--avidxchange-port", "0",
            "--tenant-file", str(tenant_file),
        ]  # fmt: skip
        log = self._processes.start("sandbox", command, environment=self._environment)
        self._processes.wait_until(lambda: '"avidxchange"' in log.read_text(), what="the sandbox", seconds=30)
        return tenant_file

    def _process(self, name: str) -> Path:
        return self._processes.start(name, self._commands[name], environment=self._environment)

    def _manage(self, *arguments: str) -> None:
        self._steps.run([str(VENV / "bin" / "python"), "manage.py", *arguments], environment=self._environment)

    def _asked(self, *arguments: str, may_fail: bool = False) -> dict[str, Any]:
        """Run a command that answers in JSON; with ``may_fail`` exit code 1 is an answer too."""
        command = [str(VENV / "bin" / "python"), "manage.py", *arguments]
        answer: dict[str, Any] = json.loads(
            self._steps.run(command, environment=self._environment, accepted=(0, 1) if may_fail else (0,))
        )
        return answer

    def _sync(self, title: str) -> dict[str, Any]:
        with self._steps.step(title):
            return self._asked("sync_now", TENANT, "--wait", str(WAIT_SECONDS), "--json", may_fail=True)

    def _worker_answers(self) -> bool:
        command = [str(VENV / "bin" / "python"), "-m", "connector.health", "worker"]
        return self._steps.succeeds(command, environment=self._environment)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bin/demo",
        description="Sets everything up, runs every stage between two stand-ins, and stays up until Ctrl-C.",
    )
    parser.add_argument("--once", action="store_true", help="stop after the cycle; exit 0 only if everything agrees")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the report to this file")
    parser.add_argument("--port", type=int, help=f"where the admin site listens (default {DEFAULT_PORT})")
    return parser.parse_args(arguments)


def _port(wanted: int | None, *, once: bool) -> int:
    """Return the site's port: the one asked for, or the usual one if it is free; with --once nobody visits it."""
    if wanted is None:
        return free_port() if once or not is_free(DEFAULT_PORT) else DEFAULT_PORT
    if not is_free(wanted):
        raise MissingPiece(f"port {wanted} is taken; choose another one with --port")
    return wanted


def writable(file: Path) -> None:
    """Raise ``MissingPiece`` if a report cannot be written there: known now rather than after minutes of work."""
    was_there = file.exists()
    try:
        file.open("a").close()
    except OSError as fault:
        raise MissingPiece(f"cannot write {file} ({fault.strerror}); name another file with --json") from fault
    if not was_there:
        file.unlink()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
