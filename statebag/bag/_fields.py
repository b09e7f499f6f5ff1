"""The user namespace: a persistent map from field to value or pointer.

Small maps are one object. Above :data:`PAGE_BYTES` the entries are spread over
pages by the hash of their names, level by level, so that changing one field of
ten thousand rewrites one page and the way to it. The shape depends on nothing
but the content: equal maps have equal bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from statebag.blobs import ExecutionBlobs, Pointer, escape, is_pointer, unescape
from statebag.canonical import canonical_bytes, sha256_hex

__all__ = ["PAGE_BYTES", "UserFields"]

PAGE_BYTES = 8 * 1024
"""Most bytes of entries one object holds before it is split sixteen ways."""

_NIBBLES = "0123456789abcdef"



class UserFields:
    """Immutable view of the user's variables.

    Entries are read from the store when asked for; ``change`` gives a new view.
    """

    __slots__ = ("_blobs", "_changes", "_node", "_values")

    def __init__(
        self,
        blobs: ExecutionBlobs,
        node: Mapping[str, Any] | None = None,
        changes: Mapping[str, Any] | None = None,
    ) -> None:
        self._blobs = blobs
        self._node: Mapping[str, Any] = node if node is not None else {"f": {}}
        self._changes: Mapping[str, Any] = changes or {}
        self._values: dict[str, Any] = {}

    @staticmethod
    def of(values: Mapping[str, Any], blobs: ExecutionBlobs) -> UserFields:
        """A map of plain values, nothing of it stored yet."""
        return UserFields(blobs, changes=dict(values))

    @property
    def node(self) -> Mapping[str, Any]:
        """``{"f": entries}`` or ``{"p": pages, "n": bytes}``; complete only after :meth:`settle`."""
        return self._node

    def __contains__(self, name: object) -> bool:
        if name in self._changes:
            return self._changes[str(name)] is not _REMOVED
        return isinstance(name, str) and self._entry(name) is not _REMOVED

    def __getitem__(self, name: str) -> Any:
        if name in self._changes:
            value = self._changes[name]
            if value is _REMOVED:
                raise KeyError(name)
            return value
        if name in self._values:
            return self._values[name]
        entry = self._entry(name)
        if entry is _REMOVED:
            raise KeyError(name)
        value = self._resolve(entry)
        self._values[name] = value
        return value

    def get(self, name: str, default: Any = None) -> Any:
        """The field's value, or ``default`` where there is no such field."""
        try:
            return self[name]
        except KeyError:
            return default

    def names(self) -> Iterator[str]:
        """The fields' names, sorted."""
        stored = {name for name, _ in _walk(self._node, self._blobs)} - self._changes.keys()
        yield from sorted(stored | {name for name, value in self._changes.items() if value is not _REMOVED})

    def entries(self) -> Iterator[tuple[str, Any]]:
        """Name and entry (inline value or pointer) of every stored field, sorted; after :meth:`settle`."""
        yield from sorted(_walk(self._node, self._blobs))

    def whole(self) -> dict[str, Any]:
        """All values. Fetches each of them, in parallel where the store gains by it."""
        stored = {name: entry for name, entry in _walk(self._node, self._blobs) if name not in self._changes}
        pointers = {name: Pointer.from_json(entry) for name, entry in stored.items() if is_pointer(entry)}
        fetched = dict(zip(pointers, self._blobs.get_many(list(pointers.values())), strict=True))
        values = {name: fetched[name] if name in fetched else unescape(entry) for name, entry in stored.items()}
        values |= {name: value for name, value in self._changes.items() if value is not _REMOVED}
        return dict(sorted(values.items()))

    def prefetch(self, names: Iterable[str]) -> None:
        """Fetch several fields at once, for a store where that is quicker."""
        wanted: dict[str, Pointer] = {}
        for name in names:
            if name not in self._changes and name not in self._values:
                entry = self._entry(name)
                if entry is not _REMOVED and is_pointer(entry):
                    wanted[name] = Pointer.from_json(entry)
        if len(wanted) > 1:
            self._values.update(zip(wanted, self._blobs.get_many(list(wanted.values())), strict=True))

    def change(self, values: Mapping[str, Any], unset: Iterable[str] = ()) -> UserFields:
        """A view with these fields set and those gone."""
        changes = {**self._changes, **values, **dict.fromkeys(unset, _REMOVED)}
        return UserFields(self._blobs, self._node, changes)

    def settle(self, *, field_limit: int, paged: bool) -> UserFields:
        """Store what has changed: fields above ``field_limit`` bytes as objects of their own.

        Args:
            field_limit: bytes of canonical JSON a field may have inline.
            paged: spread the entries over pages where they are many; otherwise they stay one map.
        """
        if not self._changes:
            return self
        names = sorted(self._changes)
        big: list[tuple[str, bytes]] = []
        entries: dict[str, Any] = {}
        for name in names:
            value = self._changes[name]
            if value is _REMOVED:
                entries[name] = _REMOVED
                continue
            data = canonical_bytes(value)
            if len(data) > field_limit:
                big.append((name, data))
            else:
                entries[name] = escape(value)
        pointers = self._blobs.put_many_canonical([("field", data) for _, data in big])
        entries |= {name: pointer.to_json() for (name, _), pointer in zip(big, pointers, strict=True)}
        node = _update(self._node, entries, self._blobs, depth=0, paged=paged)
        return UserFields(self._blobs, node)

    def rebase(self, entries: Mapping[str, Any]) -> UserFields:
        """A settled view whose entries were replaced by ``entries`` (values or pointers), unpaged."""
        return UserFields(self._blobs, {"f": dict(entries)})

    def _resolve(self, entry: Any) -> Any:
        return self._blobs.get(Pointer.from_json(entry)) if is_pointer(entry) else unescape(entry)

    def _entry(self, name: str) -> Any:
        node, depth = self._node, 0
        while "p" in node:
            page = node["p"].get(_digit(name, depth))
            if page is None:
                return _REMOVED
            node, depth = self._blobs.get(Pointer.from_json(page)), depth + 1
        return node["f"].get(name, _REMOVED)


class _Removed:
    def __repr__(self) -> str:
        return "<removed>"


_REMOVED: Any = _Removed()


def _digit(name: str, depth: int) -> str:
    return sha256_hex(name.encode())[depth]


def _weight(name: str, entry: Any) -> int:
    return len(canonical_bytes(name)) + len(canonical_bytes(entry)) + 2


def _walk(node: Mapping[str, Any], blobs: ExecutionBlobs) -> Iterator[tuple[str, Any]]:
    if "f" in node:
        yield from node["f"].items()
        return
    for page in blobs.get_many([Pointer.from_json(p) for p in node["p"].values()]):
        yield from _walk(page, blobs)


def _update(
    node: Mapping[str, Any], changes: Mapping[str, Any], blobs: ExecutionBlobs, *, depth: int, paged: bool
) -> Mapping[str, Any]:
    """``node`` with ``changes`` (entries or removals) applied, in its canonical shape."""
    if "f" in node:
        entries = {**node["f"], **changes}
        entries = {name: entry for name, entry in entries.items() if entry is not _REMOVED}
        return _build(entries, blobs, depth=depth, paged=paged)
    by_digit: dict[str, dict[str, Any]] = {}
    for name, entry in changes.items():
        by_digit.setdefault(_digit(name, depth), {})[name] = entry
    pages, total = dict(node["p"]), node["n"]
    for digit, part in sorted(by_digit.items()):
        old = blobs.get(Pointer.from_json(pages[digit])) if digit in pages else {"f": {}}
        new = _update(old, part, blobs, depth=depth + 1, paged=paged)
        total += _total(new) - _total(old)
        if new.get("f") == {}:
            pages.pop(digit, None)
        else:
            pages[digit] = blobs.put(new, kind="page").to_json()
    node = {"n": total, "p": pages}
    if total <= PAGE_BYTES:
        return {"f": dict(sorted(_walk(node, blobs)))}
    return node


def _build(entries: Mapping[str, Any], blobs: ExecutionBlobs, *, depth: int, paged: bool) -> Mapping[str, Any]:
    total = sum(_weight(name, entry) for name, entry in entries.items())
    if not paged or total <= PAGE_BYTES or len(entries) == 1:
        return {"f": dict(entries)}
    groups: dict[str, dict[str, Any]] = {}
    for name, entry in entries.items():
        groups.setdefault(_digit(name, depth), {})[name] = entry
    digits = [d for d in _NIBBLES if d in groups]
    nodes = [_build(groups[d], blobs, depth=depth + 1, paged=paged) for d in digits]
    pointers = blobs.put_many([("page", node) for node in nodes])
    return {"n": total, "p": {d: pointer.to_json() for d, pointer in zip(digits, pointers, strict=True)}}


def _total(node: Mapping[str, Any]) -> int:
    return node["n"] if "p" in node else sum(_weight(name, entry) for name, entry in node["f"].items())


