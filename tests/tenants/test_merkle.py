"""The hash tree: the same root as by the definition, a way to it from every leaf, and memory that does not grow."""

from __future__ import annotations

import hashlib

import pytest

from tenants.merkle import Tree, leaf_hash, node_hash


def defined_root(leaves: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\x01" + defined_root(leaves[:split]) + defined_root(leaves[split:])).digest()


@pytest.mark.parametrize("length", [*range(18), 31, 32, 33, 100])
def test_root_and_ways_are_those_of_the_definition(length: int) -> None:
    leaves = [f"leaf {number}".encode() for number in range(length)]
    tree = Tree()
    paths = [tree.add_proven(leaf) for leaf in leaves]
    root = tree.root()
    assert root == defined_root(leaves)
    for leaf, path in zip(leaves, paths, strict=True):
        digest = leaf_hash(leaf)
        for side, other in path:
            digest = node_hash(other, digest) if side == "L" else node_hash(digest, other)
        assert digest == root


def test_single_leaves_are_proven_among_many_that_are_not() -> None:
    leaves = [str(number).encode() for number in range(1000)]
    tree = Tree()
    proven = {}
    for number, leaf in enumerate(leaves):
        if number in (0, 511, 512, 999):
            proven[number] = tree.add_proven(leaf)
        else:
            tree.add(leaf)
    assert tree.root() == defined_root(leaves)
    assert {number: len(path) for number, path in proven.items()} == {0: 10, 511: 10, 512: 10, 999: 8}


def test_the_tree_holds_one_subtree_a_binary_digit() -> None:
    tree = Tree()
    for number in range(5000):
        tree.add(b"%d" % number)
    assert len(tree._full) == (5000).bit_count()


def test_a_node_is_never_taken_for_a_leaf() -> None:
    """Without the first byte the root of two leaves would also be the hash of a leaf made of their hashes."""
    left, right = leaf_hash(b"a"), leaf_hash(b"b")
    assert node_hash(left, right) != leaf_hash(left + right)
