"""Choices that look random and are the same on every run: a hash of what is chosen for, never a random stream.

A stream would make the shape of one reply depend on how many replies went before it, so that a failing test could not
be replayed by itself.
"""

from __future__ import annotations

import hashlib


def roll(*parts: object, sides: int = 100) -> int:
    """Return a number in ``range(sides)`` that depends on ``parts`` alone."""
    digest = hashlib.sha256("\x1f".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8]) % sides


def happens(percent: int, *parts: object) -> bool:
    """Return whether something of that likelihood happens for ``parts``."""
    return roll(*parts) < percent


def order(count: int, *parts: object) -> list[int]:
    """Return the indexes below ``count`` in an order that depends on ``parts`` alone."""
    return sorted(range(count), key=lambda index: roll("order", *parts, index, sides=1 << 32))
