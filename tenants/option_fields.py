"""A form field for each of ``TenantOptions``, made from its type, so that a new option needs no form code.

What a field holds is turned back into the option's JSON value here; whether it fits is decided by ``options`` alone.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import Annotated, Any, get_args, get_origin

import msgspec
from django import forms
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminSingleDateWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from tenants.options import TenantOptions
from tenants.parsing import choices

PREFIX = "option_"
#: References to the rows of contracts that a person at a form does not have.
_REFERENCE = re.compile(r" \((?:[A-F]\d+|avidxchange\.md [\d.]+)\)")
_WORDS = {"gl": "GL", "po": "PO", "mb": "MB", "num": "number", "ref": "reference", "id": "ID", "doc": "document"}


class ListField(forms.CharField):
    """Texts separated by commas; empty ones do not count."""

    def to_python(self, value: Any) -> list[str]:  # type: ignore[override]  # a list is what it gives
        """Return the texts."""
        return [part.strip() for part in str(value or "").split(",") if part.strip()]

    def prepare_value(self, value: Any) -> Any:
        """Write a list as one line."""
        return ", ".join(value) if isinstance(value, list | tuple) else value

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compare lists, not how they are written."""
        return list(initial or []) != self.to_python(data)


class PairsField(forms.CharField):
    """Names and values, one ``name = value`` a line."""

    def to_python(self, value: Any) -> dict[str, Any]:  # type: ignore[override]  # a dict is what it gives
        """Return names and values; a value of digits only is a number. Raises ``ValidationError`` for other lines."""
        pairs: dict[str, Any] = {}
        for line in filter(None, (line.strip() for line in str(value or "").splitlines())):
            name, sign, text = (part.strip() for part in line.partition("="))
            if not (sign and name and text):
                raise forms.ValidationError("Write one name = value a line.")
            pairs[name] = text
        return pairs

    def prepare_value(self, value: Any) -> Any:
        """Write a dict as lines."""
        return "\n".join(f"{name} = {item}" for name, item in value.items()) if isinstance(value, Mapping) else value

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compare pairs, not how they are written."""
        try:
            return {str(name): str(item) for name, item in (initial or {}).items()} != self.to_python(data)
        except forms.ValidationError:
            return True


def label(name: str) -> str:
    """Return an option's name as a person reads it: ``po_match_mode`` is "PO match mode"."""
    words = " ".join(_WORDS.get(word, word) for word in name.split("_"))
    return words[:1].upper() + words[1:]


def option_fields() -> dict[str, forms.Field]:
    """Return a form field for each option, by ``option_<name>``."""
    return {f"{PREFIX}{field.name}": _field(field) for field in msgspec.structs.fields(TenantOptions)}


def option_initials(chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the fields show for stored options: those, or the defaults. Unusable ones are shown as stored."""
    defaults = msgspec.json.decode(msgspec.json.encode(TenantOptions()))
    return {f"{PREFIX}{name}": chosen.get(name, value) for name, value in defaults.items()}


def chosen_options(cleaned: Mapping[str, Any], stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that a form chose, as JSON values: what differs from the default or was chosen before.

    Fields that did not clean are left out; the form shows its own fault for those.
    """
    options = {}
    for field in msgspec.structs.fields(TenantOptions):
        key = f"{PREFIX}{field.name}"
        if key not in cleaned:
            continue
        value = _json(cleaned[key], field.type)
        if field.name in stored or value != _default(field):
            options[field.name] = value
    return options


def _json(value: Any, kind: Any) -> Any:
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, dict) and get_args(_bare(kind))[1:] and _bare(get_args(_bare(kind))[1]) is int:
        return {name: int(text) if text.isdecimal() else text for name, text in value.items()}
    return value


def _default(field: msgspec.structs.FieldInfo) -> Any:
    return msgspec.json.decode(msgspec.json.encode(TenantOptions()))[field.name]


def _bare(kind: Any) -> Any:
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def _help(kind: Any) -> str:
    notes = [note.description for note in getattr(kind, "__metadata__", ()) if getattr(note, "description", None)]
    return _REFERENCE.sub("", notes[-1]) if notes else ""


def _field(field: msgspec.structs.FieldInfo) -> forms.Field:
    common: dict[str, Any] = {"required": False, "label": label(field.name), "help_text": _help(field.type)}
    kind = _bare(field.type)
    allowed = choices(field.type)
    if allowed:
        pairs = [(value, value.replace("_", " ").capitalize()) for value in allowed]
        return forms.ChoiceField(choices=pairs, widget=UnfoldAdminSelectWidget, **{**common, "required": True})
    if kind is bool:
        return forms.BooleanField(widget=UnfoldBooleanSwitchWidget, **common)
    if kind is int:
        return forms.IntegerField(widget=UnfoldAdminIntegerFieldWidget, **{**common, "required": True})
    if kind is str:
        return forms.CharField(widget=UnfoldAdminTextInputWidget, **common)
    if get_origin(kind) is tuple:
        common["help_text"] += " Separate several with commas."
        return ListField(widget=UnfoldAdminTextInputWidget, **common)
    if get_origin(kind) is dict:
        common["help_text"] += " One name = value a line."
        return PairsField(widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}), **common)
    if dt.date in get_args(kind):
        return forms.DateField(widget=UnfoldAdminSingleDateWidget, **common)
    raise TypeError(f"no form field for option {field.name}")
