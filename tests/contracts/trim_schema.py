"""Makes ``epicor-schema.json`` beside it: the part of a tenant's schema that the sandbox, and so the clients, use.

``PYTHONPATH=. python tests/contracts/trim_schema.py FULL.json`` reads the full schema (services with entity sets,
methods and row types, as generated from a tenant's Swagger) and writes the trimmed copy: entity sets and methods that
the sandbox serves, and the types they need. Row types keep every column but reporting-currency copies (``Rpt1`` to
``Rpt3``) and ``Dev`` columns, so that a column used later can be checked without the full file.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from connector.sandbox.epicor import BUSINESS_OBJECTS
from connector.sandbox.epicor.calls import METHODS
from connector.sandbox.epicor.catalog import METHOD_SERVICES, SERVICES

HERE = Path(__file__).resolve().parent
SCHEMA = HERE / "epicor-schema.json"
_DROPPED = re.compile(r"^(Rpt[123]|Dev(Char|Date|Dec|Int|Log)\d)")


def trimmed(full: dict[str, Any]) -> dict[str, Any]:
    """Return the trimmed schema, in the full one's shape."""
    if not BUSINESS_OBJECTS:
        raise RuntimeError("no business object is registered")
    return {name: _service(name, full[name]) for name in (*SERVICES, *METHOD_SERVICES)}


def _service(name: str, full: dict[str, Any]) -> dict[str, Any]:
    served = SERVICES[name].sets if name in SERVICES else {}
    methods = {known: full["methods"][known] for service, known in METHODS if service == name}
    wanted = {full["entity_sets"][known]["row"] for known in served}
    for signature in methods.values():
        for part in (*(signature.get("input") or {}).values(), *(signature.get("output") or {}).values()):
            wanted |= set(part) if isinstance(part, list) else set()
    if name in SERVICES:
        wanted |= {f"{SERVICES[name].shown(table)}Row" for table in SERVICES[name].tables}
    for dataset in [kind for kind in wanted if kind.endswith(("ListTableset", "BillingTableset", "PostTableset"))]:
        wanted |= {part[0] for part in full["types"][dataset].values() if part[0] in full["types"]}
    return {
        "entity_sets": {known: full["entity_sets"][known] for known in served},
        "methods": methods,
        "types": {kind: _columns(kind, full["types"][kind]) for kind in wanted if kind in full["types"]},
    }


def _columns(kind: str, columns: dict[str, Any]) -> dict[str, Any]:
    if kind.endswith("Tableset"):
        return columns
    return {name: value for name, value in columns.items() if not _DROPPED.match(name)}


def main(path: str) -> None:
    """Write the trimmed copy of the schema at ``path``."""
    text = json.dumps(trimmed(json.loads(Path(path).read_text())), sort_keys=True, separators=(",", ":"))
    SCHEMA.write_text(text.replace('},"', '},\n"') + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
