"""One process of ``bin/simulate``: runs seeds on a database of its own and says how each went, a line of JSON each.

``python -m tests.simulation --first 1 --step 2 --runs 100`` runs seeds 1, 3, 5, … on the empty database of
``DATABASE_URL``; ``--replay SEED`` tells one run with its whole trace, ``--without`` some of its steps, and
``--shrink`` looks for the fewest steps that still fail.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import time

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")


def main() -> int:
    """Run what the arguments ask for; 0 if every run held."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--step", type=int, default=1)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--replay", type=int)
    parser.add_argument("--without", default="")
    parser.add_argument("--shrink", action="store_true")
    asked = parser.parse_args()

    import django

    django.setup()
    logging.disable(logging.CRITICAL)  # the product logs every fault it meets, and here it meets nothing else
    from django.core.management import call_command

    from tests.simulation.session import simulator

    call_command("migrate", verbosity=0)
    without = frozenset(int(number) for number in asked.without.split(",") if number)
    with simulator() as here:
        if asked.replay is not None:
            if asked.shrink:
                without = here.shrink(asked.replay, without)
            outcome = here.run(asked.replay, without=without)
            print("\n".join([*outcome.trace, *(f"FAULT {line}" for line in outcome.faults)]))
            if asked.shrink:
                print(f"--without {','.join(str(number) for number in sorted(without))}")
            return 0 if outcome.ok else 1
        print(json.dumps({"ready": round(time.process_time(), 1)}), flush=True)
        for number in range(asked.runs):
            seed, began = asked.first + number * asked.step, time.process_time()
            outcome = here.run(seed)
            seconds = round(time.process_time() - began, 2)
            told = {"seed": seed, "ok": outcome.ok, "cpu": seconds, "theme": outcome.plan.theme.name}
            if not outcome.ok:
                told |= {"faults": outcome.faults, "trace": outcome.trace}
            print(json.dumps(told), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
