"""A persistent map from name to entry: changing one of ten thousand rewrites one page and the way to it.

A node is ``{"f": entries}``, or, above :data:`PAGE_BYTES`, ``{"n": bytes, "p": {digit: pointer to a node}}``: the
entries are spread by the digits of their names' hashes, level by level. The shape depends on nothing but the
content: equal maps have equal bytes, whatever the steps that led there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from statebag.blobs import ExecutionBlobs, Pointer
from statebag.canonical import canonical_bytes, sha256_hex

__all__ = ["EMPTY", "PAGE_BYTES", "REMOVED", "Node", "differences", "look_up", "update", "walk"]

PAGE_BYTES = 8 * 1024
"""Most bytes of entries one object holds before it is split sixteen ways."""

Node = Mapping[str, Any]

EMPTY: Node = {"f": {}}


class _Removed:
    def __repr__(self) -> str:
        return "<removed>"


REMOVED: Any = _Removed()
"""In place of an entry: there is none, or there shall be none."""

_WRAPPING = len('{"f":{}}') - 1
"""Bytes of a page beyond its entries, each counted with the comma or bracket behind it."""


def look_up(node: Node, name: str, blobs: ExecutionBlobs) -> Any:
    """The entry of ``name``, or :data:`REMOVED`."""
    if "p" in node:
        digits = sha256_hex(name.encode())
        depth = 0
        while "p" in node:
            page = node["p"].get(digits[depth])
            if page is None:
                return REMOVED
            node, depth = blobs.get(Pointer.from_json(page)), depth + 1
    return node["f"].get(name, REMOVED)


def walk(node: Node, blobs: ExecutionBlobs) -> Iterator[tuple[str, Any]]:
    """Every name with its entry, in no particular order."""
    if "f" in node:
        yield from node["f"].items()
        return
    for page in blobs.get_many([Pointer.from_json(p) for p in node["p"].values()]):
        yield from walk(page, blobs)


def update(node: Node, changes: Mapping[str, Any], blobs: ExecutionBlobs, *, paged: bool) -> Node:
    """``node`` with ``changes`` (entries, or :data:`REMOVED`) applied; new pages are stored.

    Args:
        node: stays as it is.
        changes: entries as they are kept, so values that look like pointers are escaped already.
        blobs: takes the pages.
        paged: split what is large; otherwise a map in one piece stays in one piece.
    """
    return _update(node, changes, blobs, 0, paged)[0]


def differences(one: Node, other: Node, blobs: ExecutionBlobs) -> Iterator[tuple[str, Any, Any]]:
    """Names whose entries differ, with both entries; reads no page that the two maps share.

    Yields:
        Name, the entry in ``one``, the entry in ``other``; :data:`REMOVED` where a map has none.
    """
    if "p" in one and "p" in other:
        for digit in sorted(one["p"].keys() | other["p"].keys()):
            mine, theirs = one["p"].get(digit), other["p"].get(digit)
            if mine != theirs:
                yield from differences(_page(mine, blobs), _page(theirs, blobs), blobs)
        return
    mine, theirs = dict(walk(one, blobs)), dict(walk(other, blobs))
    for name in sorted(mine.keys() | theirs.keys()):
        entry, before = mine.get(name, REMOVED), theirs.get(name, REMOVED)
        if entry is not before and (
            entry is REMOVED or before is REMOVED or canonical_bytes(entry) != canonical_bytes(before)
        ):
            yield name, entry, before


def _page(pointer: Any, blobs: ExecutionBlobs) -> Node:
    return EMPTY if pointer is None else blobs.get(Pointer.from_json(pointer))


def _update(
    node: Node, changes: Mapping[str, Any], blobs: ExecutionBlobs, depth: int, paged: bool
) -> tuple[Node, bytes]:
    if "f" in node:
        entries = {name: entry for name, entry in {**node["f"], **changes}.items() if entry is not REMOVED}
        return _shape(entries, blobs, depth, paged)
    by_digit: dict[str, dict[str, Any]] = {}
    for name, entry in changes.items():
        by_digit.setdefault(_digit(name, depth), {})[name] = entry
    pages, total = dict(node["p"]), node["n"]
    for digit, part in by_digit.items():
        old = EMPTY
        if digit in pages:
            pointer = Pointer.from_json(pages[digit])
            old = blobs.get(pointer)
            total -= _total(old, pointer)
        new, data = _update(old, part, blobs, depth + 1, paged)
        if new == EMPTY:
            pages.pop(digit, None)
        else:
            pointer = blobs.put_bytes_canonical(data, kind="page")
            pages[digit] = pointer.to_json()
            total += _total(new, pointer)
    changed: Node = {"n": total, "p": pages}
    if total <= PAGE_BYTES:
        changed = {"f": dict(walk(changed, blobs))}
    elif len(pages) == 1:
        # One entry is never split, however large: what is left must look as if it had always been alone.
        only = blobs.get(Pointer.from_json(next(iter(pages.values()))))
        changed = only if "f" in only and len(only["f"]) == 1 else changed
    return changed, canonical_bytes(changed)


def _shape(entries: Mapping[str, Any], blobs: ExecutionBlobs, depth: int, paged: bool) -> tuple[Node, bytes]:
    """The node of ``entries`` and its canonical bytes."""
    node: Node = {"f": entries}
    data = canonical_bytes(node)
    total = len(data) - _WRAPPING
    if not paged or total <= PAGE_BYTES or len(entries) == 1:
        return node, data
    groups: dict[str, dict[str, Any]] = {}
    for name, entry in entries.items():
        groups.setdefault(_digit(name, depth), {})[name] = entry
    pages = [("page", _shape(part, blobs, depth + 1, paged)[1]) for part in groups.values()]
    pointers = blobs.put_many_canonical(pages)
    node = {"n": total, "p": {digit: pointer.to_json() for digit, pointer in zip(groups, pointers, strict=True)}}
    return node, canonical_bytes(node)


def _total(node: Node, pointer: Pointer) -> int:
    return node["n"] if "p" in node else pointer.size_bytes - _WRAPPING


def _digit(name: str, depth: int) -> str:
    return sha256_hex(name.encode())[depth]
