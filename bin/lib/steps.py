"""Progress a person can follow: what is being done, for how long already, and the reason when it fails."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from environment import ROOT
from processes import LOGS, ProcessEnded, Processes, tail

#: How often a line says that a step is still going on.
STILL_SECONDS = 5
WIDTH = 36


class Steps:
    """Announces steps and runs their commands while watching the programs that are already up."""

    def __init__(self, processes: Processes) -> None:
        self._processes = processes
        self._began = time.monotonic()
        self._said = self._began
        self._title = ""

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Print the title when the step begins and its time when it is done."""
        self._title, self._began = title, time.monotonic()
        self._said = self._began
        if sys.stdout.isatty():
            print(f"  {title} …", end="\r", flush=True)
        yield
        line = f"  {title.ljust(WIDTH)} {time.monotonic() - self._began:6.1f} s"
        print(line.ljust(100) if sys.stdout.isatty() else line, flush=True)

    def run(self, command: Sequence[str], *, environment: Mapping[str, str], accepted: tuple[int, ...] = (0,)) -> str:
        """Run a command to its end and return its output; its other words go to its log.

        Raises ``ProcessEnded`` with the end of that log if the exit code is not accepted, or if a program that should
        stay up has ended meanwhile.
        """
        name = command[2] if command[1].endswith("manage.py") else command[0].rpartition("/")[2]
        log = LOGS / f"{name}.log"
        LOGS.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile("w+") as output, log.open("w") as words:
            with subprocess.Popen(command, stdout=output, stderr=words, cwd=ROOT, env=dict(environment)) as process:
                try:
                    while process.poll() is None:
                        self._processes.check()
                        self._still(log)
                        time.sleep(0.05)
                finally:
                    process.kill()
            output.seek(0)
            said = output.read()
        # A command that broke down exits with 1 as well, but it has no answer.
        if process.returncode not in accepted or (process.returncode and not said):
            if said:
                log.write_text(log.read_text(errors="replace") + said)
            raise ProcessEnded(f"{name} failed with code {process.returncode}; its last lines:\n{tail(log)}")
        return said

    def succeeds(self, command: Sequence[str], *, environment: Mapping[str, str]) -> bool:
        """Whether a command exits 0; its words are dropped, the caller asks again."""
        return (
            subprocess.run(command, cwd=ROOT, env=dict(environment), capture_output=True, check=False).returncode == 0
        )

    def _still(self, log: Path) -> None:
        """Say now and then that the step goes on, and what the command said last.

        A terminal's line is written over, anywhere else a new line follows.
        """
        now = time.monotonic()
        if now - self._said < (1 if sys.stdout.isatty() else STILL_SECONDS):
            return
        self._said = now
        line = f"  {f'{self._title} …'.ljust(WIDTH)} {now - self._began:6.0f} s    {_last_words(log)}"
        if sys.stdout.isatty():
            print(line[:100].ljust(100), end="\r", flush=True)
        else:
            print(line.rstrip(), flush=True)


def _last_words(log: Path) -> str:
    """Return the last line that a command wrote for people; log events, which are JSON, are not."""
    lines = [line for line in log.read_text(errors="replace").splitlines() if line and not line.startswith("{")]
    return lines[-1].strip()[:60] if lines else ""
