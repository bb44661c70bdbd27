"""``python -m connector.sandbox``: both stand-ins until SIGTERM or SIGINT; one line of JSON says where they listen."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from connector.sandbox.server import Sandbox
from connector.sandbox.tenant import tenant_document


def _arguments(given: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m connector.sandbox", description=__doc__)
    parser.add_argument("--epicor-port", type=int, default=0, help="port of the Epicor stand-in; 0 = any free one")
    parser.add_argument("--avidxchange-port", type=int, default=0, help="port of the AvidXchange stand-in")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--vendors", type=int, default=300)
    parser.add_argument("--invoices", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", type=Path, help="JSON file with a list of fault rules")
    parser.add_argument("--pace", type=float, default=0.5, help="seconds between AvidXchange's own steps")
    parser.add_argument("--tenant-file", type=Path, help="write a document for manage.py load_tenant here")
    return parser.parse_args(given)


def main(given: list[str]) -> int:
    """Run both servers until told to stop. Returns 0, or 2 with one sentence if they cannot start."""
    chosen = _arguments(given)
    try:
        rules: list[dict[str, Any]] = json.loads(chosen.faults.read_text()) if chosen.faults else []
        sandbox = Sandbox(vendors=chosen.vendors, invoices=chosen.invoices, seed=chosen.seed, faults=rules,
                          pace=chosen.pace, host=chosen.host, epicor_port=chosen.epicor_port,
                          avidxchange_port=chosen.avidxchange_port).start()  # fmt: skip
    except (OSError, ValueError) as problem:
        print(f"The sandbox cannot start: {problem}", file=sys.stderr)
        return 2
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    if chosen.tenant_file:
        document = tenant_document(epicor_url=sandbox.epicor_url, avidxchange_url=sandbox.avidxchange_url)
        _write_private(chosen.tenant_file, json.dumps(document, indent=2) + "\n")
    print(json.dumps({"epicor": sandbox.epicor_url, "avidxchange": sandbox.avidxchange_url}), flush=True)
    stopped.wait()
    sandbox.stop()
    return 0


def _write_private(path: Path, text: str) -> None:
    """Write a file only its owner may read: it is shaped like one that holds real secrets."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
