"""Nested values as one object of joined keys, and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from statebag.errors import NodeFailed

__all__ = ["flatten", "unflatten"]

_MAX_PARTS: Final = 100


def flatten(value: Any, separator: str, max_depth: int) -> dict[str, Any]:
    """One object with a key for each leaf; list indices are parts of keys, empty lists and objects are leaves.

    What lies deeper than ``max_depth`` stays as it is. A value that is neither list nor object comes back under
    ``_value``.

    Raises:
        NodeFailed: two leaves would share a key.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping | list):
        return {"_value": value}
    _need_separator(separator)
    flat: dict[str, Any] = {}
    for key, leaf in _leaves(value, "", separator, max_depth):
        if key in flat:
            raise NodeFailed(f"two values would share the key {key!r}. Use another `separator`.")
        flat[key] = leaf
    return flat


def unflatten(flat: Mapping[str, Any], separator: str) -> dict[str, Any]:
    """The nested value; keys that count 0, 1, 2, … make a list, but not at the top.

    Raises:
        NodeFailed: a key leads through another key's value.
    """
    _need_separator(separator)
    tree = _Branch()
    for key, leaf in flat.items():
        *way, last = key.split(separator)
        if len(way) >= _MAX_PARTS:
            raise NodeFailed(f"a key has {len(way) + 1} parts; {_MAX_PARTS} are the most. Use another `separator`.")
        node = tree
        for part in way:
            child = node.setdefault(part, _Branch())
            if not isinstance(child, _Branch):
                raise NodeFailed(f"{key!r} leads through a key that has a value itself. Rename one of them.")
            node = child
        if last in node:
            raise NodeFailed(f"{key!r} has a value, and there are keys below it. Rename one of them.")
        node[last] = leaf
    return {part: _rebuild(child) for part, child in tree.items()}


class _Branch(dict[str, Any]):
    """An object that unflattening made, as opposed to a value that it found."""


def _rebuild(node: Any) -> Any:
    if not isinstance(node, _Branch):
        return node
    built = {part: _rebuild(child) for part, child in node.items()}
    indices = [str(index) for index in range(len(built))]
    return [built[index] for index in indices] if built.keys() == set(indices) else built


def _leaves(value: Any, prefix: str, separator: str, depth: int) -> Iterator[tuple[str, Any]]:
    pairs = value.items() if isinstance(value, Mapping) else enumerate(value)
    for key, item in pairs:
        joined = f"{prefix}{key}"
        if isinstance(item, Mapping | list) and item and depth > 1:
            yield from _leaves(item, f"{joined}{separator}", separator, depth - 1)
        else:
            yield joined, item


def _need_separator(separator: str) -> None:
    if not separator:
        raise NodeFailed("param `separator` is empty. Give at least one character.")
