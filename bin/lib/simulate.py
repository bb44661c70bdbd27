"""bin/simulate: whole worlds run from seeds, on all cores, until one breaks an invariant (``tests/simulation``).

    bin/simulate --runs 20000              progress and runs a second; stops at the first failure, with its seed
    bin/simulate --replay 1234             tells one seed again, with its trace; --shrink leaves out what it can

On a PostgreSQL of its own, or on the server of ``DATABASE_URL``, where each worker makes a database and drops it again.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import psycopg
import psycopg.sql
from databases import create_database
from environment import ROOT, VENV, MissingPiece
from postgres import Postgres
from processes import ProcessEnded, Processes, end_on_signals

#: How often a line tells how far it is, in seconds.
TELL_SECONDS = 10


def main(arguments: list[str]) -> int:
    """Run what was asked for; 0 if every invariant held, 1 at the first that did not, 2 without a database."""
    asked = _asked(arguments)
    end_on_signals()
    try:
        with Processes() as processes, _databases(processes, asked.workers) as urls:
            if asked.replay is not None:
                return _replay(urls[0], asked)
            return _search(urls, asked)
    except (MissingPiece, ProcessEnded) as missing:
        sys.stderr.write(f"bin/simulate: {missing}\n")
        return 2
    except KeyboardInterrupt:
        return 130


def _asked(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bin/simulate", description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--runs", type=int, default=1000, help="how many seeds (1000)")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**9), help="the first seed (a random one)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes (one a core)")
    parser.add_argument("--replay", type=int, metavar="SEED", help="tell one seed again")
    parser.add_argument("--without", default="", metavar="N,N", help="leave out these steps of it")
    parser.add_argument("--shrink", action="store_true", help="look for the fewest steps that still fail")
    asked = parser.parse_args(arguments)
    asked.workers = 1 if asked.replay is not None else max(1, min(asked.workers, asked.runs))
    return asked


@contextmanager
def _databases(processes: Processes, count: int) -> Iterator[list[str]]:
    """Yield the URLs of so many empty databases."""
    names = [f"simulate_{os.getpid()}_{number}" for number in range(count)]
    given = os.environ.get("DATABASE_URL", "")
    if not given:
        cluster = Postgres(processes, name=f"simulate-{os.getpid()}", durable=False)
        processes.when_stopped(cluster.remove)
        server = cluster.start()
        yield [create_database(server, name) for name in names]
        return
    with psycopg.connect(given, autocommit=True) as connection:
        for name in names:
            connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(name)))
        try:
            yield [urlsplit(given)._replace(path=f"/{name}").geturl() for name in names]
        finally:
            for name in names:
                drop = psycopg.sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
                connection.execute(drop.format(psycopg.sql.Identifier(name)))


def _environment(url: str) -> dict[str, str]:
    # The same hashes in every process: a replay walks sets in the order of the run that it tells again.
    return os.environ | {"DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "tests.settings", "PYTHONHASHSEED": "0"}


def _command(*arguments: str) -> list[str]:
    return [str(VENV / "bin" / "python"), "-m", "tests.simulation", *arguments]


def _replay(url: str, asked: argparse.Namespace) -> int:
    more = ["--shrink"] if asked.shrink else []
    command = _command("--replay", str(asked.replay), "--without", asked.without, *more)
    return subprocess.run(command, cwd=ROOT, env=_environment(url), check=False).returncode


def _search(urls: list[str], asked: argparse.Namespace) -> int:
    print(f"{asked.runs} runs from seed {asked.seed} on {len(urls)} workers", flush=True)
    lines: queue.Queue[tuple[int, str]] = queue.Queue()
    workers = []
    for number, url in enumerate(urls):
        runs = len(range(number, asked.runs, len(urls)))
        arguments = ("--first", str(asked.seed + number), "--step", str(len(urls)), "--runs", str(runs))
        worker = subprocess.Popen(
            _command(*arguments), cwd=ROOT, env=_environment(url), stdout=subprocess.PIPE, text=True
        )
        workers.append(worker)
        threading.Thread(target=_listen, args=(number, worker, lines), daemon=True).start()
    try:
        return _watch(lines, workers, asked)
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()


def _listen(number: int, worker: subprocess.Popen[str], lines: queue.Queue[tuple[int, str]]) -> None:
    for line in worker.stdout or ():
        lines.put((number, line))
    lines.put((number, ""))


def _watch(lines: queue.Queue[tuple[int, str]], workers: list[subprocess.Popen[str]], asked: argparse.Namespace) -> int:
    """Follow the workers; return 1 at the first run that failed."""
    began = told = time.monotonic()
    done, cpu, left = 0, 0.0, len(workers)
    while left:
        number, line = lines.get()
        if not line:
            left -= 1
            if workers[number].wait():
                raise ProcessEnded(f"worker {number} broke down; its words are above")
            continue
        said: dict[str, Any] = json.loads(line)
        if "seed" not in said:
            continue
        done, cpu = done + 1, cpu + said["cpu"]
        if not said["ok"]:
            _tell_failure(said, done)
            return 1
        if time.monotonic() - told > TELL_SECONDS:
            told = time.monotonic()
            print(f"  {done} of {asked.runs}, {done / (told - began):.1f} runs a second", flush=True)
    seconds = time.monotonic() - began
    print(f"{done} runs held: {done / seconds:.2f} a second, {cpu / max(done, 1):.2f} s of CPU each in our process")
    return 0


def _tell_failure(said: dict[str, Any], done: int) -> None:
    print("\n".join(said["trace"]))
    for line in said["faults"]:
        print(f"FAULT {line}")
    again = f"bin/simulate --replay {said['seed']} --shrink"
    print(f"\nSeed {said['seed']} failed after {done} runs. Tell it again: {again}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
