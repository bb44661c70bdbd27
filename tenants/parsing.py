"""Turn untyped values from files and forms into typed ones, collecting every fault in plain words.

msgspec checks a value against its type; it stops at the first fault and names unknown keys one at a time. A person who
onboards a tenant wants them all at once, so each key is converted by itself.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec

_REPLACEMENTS = (
    ("`str | object`", "text or an object"),
    ("`str`", "text"),
    ("`int`", "a whole number"),
    ("`bool`", "true or false"),
    ("`float`", "a number"),
    ("`null`", "nothing"),
    ("`object`", "an object"),
    ("`array`", "a list"),
    ("RFC3339 encoded date", "date (write YYYY-MM-DD)"),
)


def convert_fields(
    kind: type[msgspec.Struct], given: Mapping[str, Any], *, prefix: str = ""
) -> tuple[dict[str, Any], list[str]]:
    """Return the converted values of the keys in ``given``, by key, and one line for each that does not fit ``kind``.

    Keys that ``kind`` does not know are faults, with the nearest known name. Values are never part of a fault: one of
    them may be a secret put under the wrong key.
    """
    types = {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
    values: dict[str, Any] = {}
    faults: list[str] = []
    for key, value in given.items():
        if key not in types:
            faults.append(f"{prefix}{key}: unknown key{_nearest(key, types)}")
            continue
        try:
            values[key] = msgspec.convert(value, type=types[key], str_keys=True)
        except msgspec.ValidationError as error:
            faults.append(f"{prefix}{key}: {_plain(str(error), types[key])}")
    return values, faults


def _nearest(key: str, known: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(key, known, n=1, cutoff=0.7)
    return f" (did you mean {close[0]}?)" if close else ""


def _plain(message: str, kind: Any) -> str:
    """Reword msgspec's message: no backquotes, no value, no pattern, first letter small."""
    allowed = choices(kind)
    if allowed:
        return f"must be one of {', '.join(allowed)}"
    message = re.sub(r"Invalid enum value .*?(?= - at|$)", "not one of the allowed names", message)
    message = re.sub(r"matching regex .*?(?= - at|$)", "of another form", message)
    for technical, plain in _REPLACEMENTS:
        message = message.replace(technical, plain)
    message = message.replace("`", "").replace(" - at key in $", " (a name in it)").replace(" - at $", " at ")
    return message[:1].lower() + message[1:]


def choices(kind: Any) -> tuple[str, ...]:
    """Return the values that a type allows if it is a closed set of texts, none otherwise."""
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    return tuple(str(value) for value in get_args(kind)) if get_origin(kind) is Literal else ()
