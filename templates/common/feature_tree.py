"""Trees of features as they are written down: the node, the JSON file, and what is refused. Protected."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from reprlib import repr as shortened
from typing import Any

MAX_DEPTH = 64


class TreeError(ValueError):
    """A tree cannot be what it says; the message is one line that names the node by its path from the root."""


@dataclass(frozen=True, eq=False)
class HierarchyNode:
    """A node of a tree; it can be active only where its parent is."""

    feature_index: int | None = None
    """Column of the activations; None for an organisational node, which is not read out."""
    children: Sequence["HierarchyNode"] = ()
    mutually_exclusive_children: bool = False
    active_prob: float = 1.0
    """P(active | parent active); for one of mutually exclusive siblings see the two laws in hierarchy.py."""
    is_binary: bool = True
    """Whether its activation is 1 where it is active; U(0, 1) otherwise."""
    id: str | None = None
    """Name to show."""


KEYS: dict[str, tuple[type, str]] = {
    "active_prob": (Real, "a number"),
    "is_read_out": (bool, "true or false"),
    "mutually_exclusive_children": (bool, "true or false"),
    "is_binary": (bool, "true or false"),
    "id": (str, "a text"),
    "children": (list, "a list"),
}
"""What a node of a tree file may hold, and as what; `active_prob` must be there."""


def read_tree(config: Mapping[str, Any] | str | Path) -> HierarchyNode:
    """The tree in a JSON file, or in what such a file holds. Features are numbered depth first, parents first.

    A node is {"active_prob": P(active | parent active), "is_read_out": true, "mutually_exclusive_children": false,
    "is_binary": true, "id": name, "children": []}; all but `active_prob` may be left out.

    Raises:
        TreeError: the file cannot be read, or a node has a key or a value that it must not have.
    """
    if isinstance(config, Mapping):
        return _Reader().node(config, _label(config, "root"), 0)
    path = Path(config)
    try:
        read = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise TreeError(f"{path}: cannot be read as JSON: {error}") from error
    try:
        return _Reader().node(read, _label(read, "root"), 0)
    except TreeError as error:
        raise TreeError(f"{path}: {error}") from None


class _Reader:
    """Reads one tree and numbers its features on the way."""

    def __init__(self) -> None:
        self.n_features = 0

    def node(self, node: Any, path: str, depth: int) -> HierarchyNode:
        _refuse_depth(path, depth)
        _check_keys(node, path)
        feature = None
        if node.get("is_read_out", True):
            feature = self.n_features
            self.n_features += 1
        return HierarchyNode(
            feature_index=feature,
            children=tuple(
                self.node(child, f"{path}/{_label(child, f'child {i}')}", depth + 1)
                for i, child in enumerate(node.get("children", []))
            ),
            mutually_exclusive_children=node.get("mutually_exclusive_children", False),
            active_prob=node["active_prob"],
            is_binary=node.get("is_binary", True),
            id=node.get("id"),
        )


def _label(node: Any, otherwise: str) -> str:
    """The node's own name if it has one."""
    name = node.get("id") if isinstance(node, Mapping) else None
    return name if isinstance(name, str) and name else otherwise


def _refuse_depth(path: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        start = "/".join(path.split("/")[:4])
        raise TreeError(f"{start}/…: the tree is deeper than {MAX_DEPTH} levels; has it a loop?")


def _check_keys(node: Any, path: str) -> None:
    if not isinstance(node, Mapping):
        raise TreeError(f"{path}: a node must be an object, found {shortened(node)}")
    if unknown := [key for key in node if key not in KEYS]:
        raise TreeError(f"{path}: unknown key {shortened(unknown[0])}; a node may have {', '.join(KEYS)}")
    if "active_prob" not in node:
        raise TreeError(f"{path}: active_prob is missing")
    for key, value in node.items():
        kind, description = KEYS[key]
        if not isinstance(value, kind) or (kind is Real and isinstance(value, bool)):
            raise TreeError(f"{path}: {key} must be {description}, found {shortened(value)}")


@dataclass(frozen=True)
class Place:
    """Where a node stands among all nodes of a forest, depth first."""

    node: HierarchyNode
    path: str
    parent: int | None
    """Number of its parent."""
    depth: int
    has_rivals: bool
    """Whether it and its siblings exclude each other."""


def places_of(roots: Sequence[HierarchyNode]) -> list[Place]:
    """All nodes, every parent before its children.

    Raises:
        TreeError: the nodes are no forest, two have the same feature, or a probability is none.
    """
    places: list[Place] = []
    path_of: dict[int, str] = {}
    owner_of: dict[int, str] = {}

    def visit(node: HierarchyNode, path: str, lineage: tuple[int, ...], parent: int | None, has_rivals: bool) -> None:
        _refuse_depth(path, len(lineage))
        if id(node) in lineage:
            raise TreeError(f"{path}: a loop; the node is its own ancestor {path_of[id(node)]}")
        if id(node) in path_of:
            raise TreeError(f"{path}: the node has two parents; it is also {path_of[id(node)]}")
        path_of[id(node)] = path
        if not 0 <= node.active_prob <= 1:  # nor if it is NaN
            raise TreeError(f"{path}: active_prob must lie between 0 and 1, found {shortened(node.active_prob)}")
        if node.feature_index is not None:
            if owner := owner_of.get(node.feature_index):
                raise TreeError(f"{path}: feature {node.feature_index} is used twice; it is also that of {owner}")
            owner_of[node.feature_index] = path
        here = len(places)
        places.append(Place(node, path, parent, len(lineage), has_rivals))
        for i, child in enumerate(node.children):
            path_of_child = f"{path}/{child.id or f'child {i}'}"
            visit(child, path_of_child, (*lineage, id(node)), here, node.mutually_exclusive_children)

    for i, root in enumerate(roots):
        visit(root, root.id or (f"root {i}" if len(roots) > 1 else "root"), (), None, False)
    return places
