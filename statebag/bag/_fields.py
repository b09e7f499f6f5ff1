"""The user namespace: the workflow's variables, each inline or behind a pointer of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from statebag.bag._pages import EMPTY, REMOVED, Node, differences, look_up, update, walk
from statebag.blobs import ExecutionBlobs, Pointer, escape, is_pointer, unescape
from statebag.canonical import canonical_bytes
from statebag.errors import InputRefused, Problem

__all__ = ["FIELDS_KIND", "Listed", "UserFields", "read_state"]

FIELDS_KIND = "fields"
"""Kind of a stored user map, node and all; any other kind of stored state is the plain object."""


LIST_KIND = "list"
"""Kind of a stored list that is in pages: ``{"count", "pages": [pointer to a list, …]}``."""


class Listed:
    """A list that is in the store already, in pages: a value for :meth:`UserFields.change` that nobody has to load."""

    __slots__ = ("pointer",)

    def __init__(self, pointer: Pointer) -> None:
        self.pointer = pointer

    @staticmethod
    def of(pages: Sequence[Pointer], count: int, blobs: ExecutionBlobs) -> Listed:
        """The list whose elements are those of ``pages``, one behind another."""
        body = {"count": count, "pages": [page.to_json() for page in pages]}
        return Listed(blobs.put(body, kind=LIST_KIND))


class UserFields:
    """Immutable view of the user's variables.

    Entries are read from the store when asked for, and kept as long as the view is; ``change`` gives a new view.
    """

    __slots__ = ("_blobs", "_changes", "_entries", "_node", "_values")

    def __init__(self, blobs: ExecutionBlobs, node: Node = EMPTY, changes: Mapping[str, Any] | None = None) -> None:
        self._blobs = blobs
        self._node = node
        self._changes: Mapping[str, Any] = changes or {}
        self._values: dict[str, Any] = {}
        self._entries: dict[str, Any] = {}

    @staticmethod
    def of(values: Mapping[str, Any], blobs: ExecutionBlobs) -> UserFields:
        """A map of plain values, nothing of it stored yet."""
        return UserFields(blobs, changes=dict(values))

    @property
    def node(self) -> Node:
        """``{"f": entries}`` or ``{"n": bytes, "p": pages}``; complete only after :meth:`settle`."""
        return self._node

    def __contains__(self, name: object) -> bool:
        if name in self._changes:
            return self._changes[str(name)] is not REMOVED
        return isinstance(name, str) and self._entry(name) is not REMOVED

    def __getitem__(self, name: str) -> Any:
        if name in self._changes:
            value = self._changes[name]
            value = _load(value.pointer, self._blobs) if isinstance(value, Listed) else value
        elif name in self._values:
            return self._values[name]
        else:
            entry = self._entry(name)
            value = entry if entry is REMOVED else self._resolve(entry)
        if value is REMOVED:
            raise KeyError(name)
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
        stored = {name for name, _ in walk(self._node, self._blobs)} - self._changes.keys()
        yield from sorted(stored | {name for name, value in self._changes.items() if value is not REMOVED})

    def entries(self) -> dict[str, Any]:
        """Name to entry (inline value, escaped, or pointer) of every stored field; complete after :meth:`settle`."""
        return dict(walk(self._node, self._blobs))

    def whole(self) -> dict[str, Any]:
        """All values by sorted name. Fetches each of them, in parallel where the store gains by it."""
        stored = {name: entry for name, entry in walk(self._node, self._blobs) if name not in self._changes}
        pointers = {name: Pointer.from_json(entry) for name, entry in stored.items() if is_pointer(entry)}
        fetched = _load_many(pointers, self._blobs)
        values = {name: fetched[name] if name in fetched else unescape(entry) for name, entry in stored.items()}
        values |= {name: self[name] for name, value in self._changes.items() if value is not REMOVED}
        return dict(sorted(values.items()))

    def differences(self, base: UserFields) -> tuple[dict[str, Any], tuple[str, ...]]:
        """What was made of ``base``: fields with another value than there, and names that are gone.

        Both must be settled. Reads only what differs.
        """
        changed: list[str] = []
        gone: list[str] = []
        for name, entry, _ in differences(self._node, base.node, self._blobs):
            (gone if entry is REMOVED else changed).append(name)
        fresh = self.forget()
        fresh.prefetch(changed)
        return {name: fresh[name] for name in changed}, tuple(gone)

    def prefetch(self, names: Iterable[str]) -> None:
        """Fetch several fields at once, for a store where that is quicker."""
        wanted: dict[str, Pointer] = {}
        for name in names:
            if name not in self._changes and name not in self._values:
                entry = self._entry(name)
                if is_pointer(entry):
                    wanted[name] = Pointer.from_json(entry)
        if len(wanted) > 1:
            self._values.update(_load_many(wanted, self._blobs))

    def change(self, values: Mapping[str, Any], unset: Iterable[str] = ()) -> UserFields:
        """A view with these fields set and those gone."""
        changes = {**self._changes, **values, **dict.fromkeys(unset, REMOVED)}
        return UserFields(self._blobs, self._node, changes)

    def forget(self) -> UserFields:
        """The same map without the values fetched so far, for a reader that must not make this view grow."""
        return UserFields(self._blobs, self._node, self._changes)

    def settle(self, *, field_limit: int, paged: bool) -> UserFields:
        """Store what has changed: fields above ``field_limit`` bytes as objects of their own.

        Args:
            field_limit: bytes of canonical JSON a field may have inline.
            paged: spread the entries over pages where they are many; otherwise they become one map.
        """
        if not paged and "p" in self._node:
            flat = UserFields(self._blobs, {"f": self.entries()}, self._changes)
            return flat.settle(field_limit=field_limit, paged=False)
        if not self._changes:
            return self
        big: dict[str, bytes] = {}
        entries: dict[str, Any] = {}
        for name, value in self._changes.items():
            if isinstance(value, Listed):
                entries[name] = value.pointer.to_json()
                continue
            data = b"" if value is REMOVED else canonical_bytes(value)
            if len(data) > field_limit:
                big[name] = data
            else:
                entries[name] = escape(value)
        pointers = self._blobs.put_many_canonical([("field", data) for data in big.values()])
        entries |= {name: pointer.to_json() for name, pointer in zip(big, pointers, strict=True)}
        return UserFields(self._blobs, update(self._node, entries, self._blobs, paged=paged))

    def rebase(self, entries: Mapping[str, Any]) -> UserFields:
        """A settled view of these entries (escaped values or pointers), in one piece."""
        return UserFields(self._blobs, {"f": entries})

    def _entry(self, name: str) -> Any:
        if name not in self._entries:
            self._entries[name] = look_up(self._node, name, self._blobs)
        return self._entries[name]

    def _resolve(self, entry: Any) -> Any:
        return _load(Pointer.from_json(entry), self._blobs) if is_pointer(entry) else unescape(entry)


def _load(pointer: Pointer, blobs: ExecutionBlobs) -> Any:
    """The value of a stored field."""
    value = blobs.get(pointer)
    if pointer.kind != LIST_KIND:
        return value
    pages = blobs.get_many([Pointer.from_json(page) for page in value["pages"]])
    return [element for page in pages for element in page]


def _load_many(pointers: Mapping[str, Pointer], blobs: ExecutionBlobs) -> dict[str, Any]:
    whole = {name: pointer for name, pointer in pointers.items() if pointer.kind != LIST_KIND}
    values = dict(zip(whole, blobs.get_many(list(whole.values())), strict=True))
    return values | {name: _load(pointer, blobs) for name, pointer in pointers.items() if name not in whole}


def read_state(pointer: Any, blobs: ExecutionBlobs, *, path: str, what: str) -> UserFields:
    """The stored user state that ``pointer`` (its JSON form) leads to.

    Raises:
        InputRefused: what is there is no object.
        PointerRefused, PointerNotFound, PointerCorrupt, StoreUnavailable: it can't be read.
    """
    at = Pointer.from_json(pointer)
    stored = blobs.get(at)
    if not isinstance(stored, dict):
        message = f"leads to a {type(stored).__name__}, not to an object of variables"
        raise InputRefused([Problem(path=path, code="RESULT_INVALID", message=message)], what=what)
    return UserFields(blobs, stored) if at.kind == FIELDS_KIND else UserFields.of(stored, blobs)
