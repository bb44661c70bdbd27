"""What is wrong with one submitted item, field by field, as the ``Errors`` of its verdict.

Lengths and required fields are contract section 4 and facts 2.3. ``VALIDATION`` for a plain field fault is assumed;
the other codes are contract section 7's seed list.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from connector.sandbox.avidxchange.wire import Row

#: Part of an address: shortest, longest, required.
ADDRESS_PARTS: dict[str, tuple[int, int, bool]] = {
    "Line1": (1, 255, True),
    "Line2": (0, 255, False),
    "Line3": (0, 255, False),
    "Line4": (0, 255, False),
    "City": (2, 50, True),
    "State": (2, 50, True),
    "PostalCode": (2, 20, True),
    "CountryCode": (2, 3, False),
}
SCHEME_OWNERS = ("Buyer", "Provider", "Aggregator", "AvidXchange")


@dataclass
class ItemCheck:
    """Reads an item's fields and remembers what is wrong with them."""

    item: Row
    errors: list[Row] = field(default_factory=list)

    def fault(self, code: str, message: str, name: str) -> None:
        """Remember an error."""
        self.errors.append({"Code": code, "Message": message, "Field": name})

    def text(self, name: str, *, longest: int, required: bool = False) -> str:
        """Return a text field, "" when it is absent or null."""
        return self._text(self.item.get(name), name, (0, longest, required))

    def _text(self, value: Any, name: str, limits: tuple[int, int, bool]) -> str:
        shortest, longest, required = limits
        if value is None or value == "":
            if required:
                self.fault("VALIDATION", f"{name} is required", name)
            return ""
        if not isinstance(value, str):
            self.fault("VALIDATION", f"{name} must be text", name)
            return ""
        if not shortest <= len(value) <= longest:
            self.fault("VALIDATION", f"{name} must have {shortest} to {longest} characters", name)
        return value

    def amount(self, name: str, *, required: bool = False, places: int = 2) -> Decimal | None:
        """Return a decimal field, which must be a JSON number with at most ``places`` decimals."""
        value = self.item.get(name)
        if value is None:
            if required:
                self.fault("VALIDATION", f"{name} is required", name)
            return None
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            self.fault("VALIDATION", f"{name} must be a number", name)
            return None
        number = Decimal(value)
        if int(number.normalize().as_tuple().exponent) < -places:
            self.fault("VALIDATION", f"{name} must have at most {places} decimals", name)
        return number

    def whole(self, name: str, *, required: bool = False) -> int | None:
        """Return an integer field."""
        value = self.item.get(name)
        if value is None and not required:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            self.fault("VALIDATION", f"{name} must be a whole number", name)
            return None
        return value

    def day(self, name: str, *, required: bool = False) -> str | None:
        """Return a date field as the text ``YYYY-MM-DD``."""
        value = self.text(name, longest=10, required=required)
        if not value:
            return None
        try:
            return date.fromisoformat(value).isoformat()
        except ValueError:
            self.fault("VALIDATION", f"{name} must be a date (YYYY-MM-DD)", name)
            return None

    def choice(self, name: str, known: tuple[str, ...], default: str = "") -> str:
        """Return a field that must be one of the known words; absent = ``default``, which "" makes required."""
        value = self.item.get(name) or default
        if value not in known:
            self.fault("VALIDATION", f"{name} must be one of {', '.join(known)}", name)
            return known[0]
        return str(value)

    def flag(self, name: str) -> bool:
        """Return a required true/false field."""
        value = self.item.get(name)
        if not isinstance(value, bool):
            self.fault("VALIDATION", f"{name} must be true or false", name)
            return False
        return value

    def identifier(self, name: str, *, required: bool = False) -> str:
        """Return the value of an identifier object (contract 2.8)."""
        value = self.item.get(name)
        if value is None and not required:
            return ""
        if not isinstance(value, dict):
            self.fault("VALIDATION", f"{name} must be an identifier with Value", name)
            return ""
        if value.get("SchemeOwner") not in (None, *SCHEME_OWNERS):
            self.fault("VALIDATION", f"{name}.SchemeOwner is unknown", f"{name}.SchemeOwner")
        return self._text(value.get("Value"), f"{name}.Value", (1, 100, True))

    def address(self, name: str, *, required: bool = False) -> Row | None:
        """Return an address object with every part within its limits."""
        value = self.item.get(name)
        if value is None and not required:
            return None
        if not isinstance(value, dict):
            self.fault("VALIDATION", f"{name} is required", name)
            return None
        return {part: self._text(value.get(part), f"{name}.{part}", limits) for part, limits in ADDRESS_PARTS.items()}

    def rows(self, name: str) -> list[ItemCheck]:
        """Return the objects of a list field, each with its own check that reports into this one."""
        value = self.item.get(name)
        if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
            self.fault("VALIDATION", f"{name} must be a list of objects", name)
            return []
        return [ItemCheck(row, self.errors) for row in value]
