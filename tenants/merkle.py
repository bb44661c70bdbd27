"""A hash tree over a long list, made in one pass with flat memory, by which single rows are proven to be in the list.

The tree is that of RFC 6962: leaves and nodes are hashed with different first bytes, so that one is never taken for the
other, and a list that is no power of two long has its full subtrees from the left. The root and the way from a leaf to
it are all that a verifier needs, and the way is as long as the list's length has binary digits.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

_LEAF, _NODE = b"\x00", b"\x01"

#: The hashes beside the way from a leaf to the root, from below: each with the side on which it stands, "L" or "R".
Path = list[tuple[str, bytes]]


def leaf_hash(value: bytes) -> bytes:
    """Return the hash of a leaf."""
    return hashlib.sha256(_LEAF + value).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node."""
    return hashlib.sha256(_NODE + left + right).digest()


@dataclass(slots=True)
class _Subtree:
    size: int
    hash: bytes
    #: The ways of the leaves below it that are to be proven; None, not an empty list, in nearly all subtrees.
    paths: list[Path] | None = None


@dataclass(slots=True)
class Tree:
    """Takes leaves in order. Holds one full subtree for each binary digit of their number, and the paths asked for."""

    _full: list[_Subtree] = field(default_factory=list)

    def add(self, value: bytes) -> None:
        """Append a leaf."""
        self._append(_Subtree(1, leaf_hash(value)))

    def add_proven(self, value: bytes) -> Path:
        """Append a leaf, and return the path that will be complete once ``root`` has been called."""
        path: Path = []
        self._append(_Subtree(1, leaf_hash(value), [path]))
        return path

    def _append(self, new: _Subtree) -> None:
        while self._full and self._full[-1].size == new.size:
            new = _joined(self._full.pop(), new)
        self._full.append(new)

    def root(self) -> bytes:
        """Close the tree and return its root; that of no leaves is the hash of nothing."""
        if not self._full:
            return hashlib.sha256(b"").digest()
        right = self._full.pop()
        while self._full:
            right = _joined(self._full.pop(), right)
        self._full.append(right)
        return right.hash


def _joined(left: _Subtree, right: _Subtree) -> _Subtree:
    paths = None
    if left.paths is not None or right.paths is not None:
        paths = [*(left.paths or ()), *(right.paths or ())]
        for path in left.paths or ():
            path.append(("R", right.hash))
        for path in right.paths or ():
            path.append(("L", left.hash))
    return _Subtree(left.size + right.size, node_hash(left.hash, right.hash), paths)
