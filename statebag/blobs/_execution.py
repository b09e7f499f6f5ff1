"""The part of a store that one execution sees."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from statebag.blobs._codec import corrupt
from statebag.blobs._names import PART_LIMIT, decode_part, encode_part, is_safe_key
from statebag.blobs._objects import BlobStats, Objects, parse_object
from statebag.blobs._pointer import JSON, Pointer
from statebag.canonical import canonical_bytes
from statebag.errors import InputRefused, PointerNotFound, PointerRefused, Problem

__all__ = ["ExecutionBlobs"]

T = TypeVar("T")
R = TypeVar("R")
_THREADS = 16


class ExecutionBlobs:
    """Values and records of one execution. Made by :meth:`BlobStore.execution`; safe to share between threads.

    Values are content-addressed: the same value has the same key and is stored once.
    Records have a name, and the first writer of a name wins. Both live in one tree, so
    use names for records that are no kinds of values.

    Args:
        objects: The store's inner layer.
        prefix: Where everything of this execution is; ends in ``/``.
        allow: Further prefixes it may read from.
    """

    def __init__(self, objects: Objects, *, prefix: str, allow: Sequence[str] = ()) -> None:
        self._objects = objects
        self._prefix = prefix
        self._readable = (prefix, *(f"{extra.rstrip('/')}/" for extra in allow))
        refused = [extra for extra in self._readable[1:] if not is_safe_key(extra[:-1])]
        if refused:
            raise PointerRefused(f"No pointer may lead below {refused[0]!r}: it is no prefix that the store can write.")

    @property
    def prefix(self) -> str:
        """``{owner}/{workflow}/{execution}/`` with each part escaped."""
        return self._prefix

    def put(self, value: JSON, *, kind: str) -> Pointer:
        """Store ``value``, and say where it is.

        Raises:
            Unserialisable: it is not JSON.
            BagTooLarge: it is larger than an object may be.
            OffloadFailed: the store did not answer; nothing was changed, and the call may be repeated.
            StateBagError: with code ``STORE_DENIED``.
        """
        return self.put_bytes_canonical(canonical_bytes(value), kind=kind)

    def put_bytes_canonical(self, data: bytes, *, kind: str) -> Pointer:
        """As :meth:`put`, for what :func:`statebag.canonical.canonical_bytes` has encoded already."""
        return self._objects.write(data, directory=f"{self._prefix}{encode_part(kind)}/", kind=kind)

    def put_many(self, items: Sequence[tuple[str, JSON]]) -> list[Pointer]:
        """Store ``(kind, value)`` pairs, several at a time where that is faster; pointers in the same order.

        All are encoded before the first is written, so that a value that is not JSON leaves nothing behind.
        """
        return self.put_many_canonical([(kind, canonical_bytes(value)) for kind, value in items])

    def put_many_canonical(self, encoded: Sequence[tuple[str, bytes]]) -> list[Pointer]:
        """As :meth:`put_many`, for what is encoded already."""
        pointers = self._each(lambda item: self.put_bytes_canonical(item[1], kind=item[0]), dict.fromkeys(encoded))
        return [pointers[item] for item in encoded]

    def get(self, pointer: Pointer) -> JSON:
        """The value behind ``pointer``, a new one each time.

        Raises:
            PointerRefused: it leads outside of this execution.
            PointerNotFound: there is no such object.
            PointerCorrupt: the object is not what was written.
            StoreUnavailable: the store did not answer.
        """
        return parse_object(self.get_bytes(pointer), pointer.key)

    def get_bytes(self, pointer: Pointer) -> bytes:
        """The canonical JSON behind ``pointer``. Raises as :meth:`get`."""
        self._admit(pointer)
        return self._objects.read(pointer)

    def get_many(self, pointers: Sequence[Pointer]) -> list[JSON]:
        """The values behind ``pointers``, in order, several at a time where that is faster."""
        for pointer in pointers:
            self._admit(pointer)
        distinct = {_identity(pointer): pointer for pointer in pointers}
        data = self._each(lambda identity: self._objects.read(distinct[identity]), distinct)
        return [parse_object(data[_identity(pointer)], pointer.key) for pointer in pointers]

    def record_once(self, name: str, value: JSON) -> tuple[bool, JSON]:
        """Claim ``name`` for ``value``: ``(True, value)``, or ``(False, what was there first)``.

        Of all callers of one name at most one gets True. A caller whose own write arrived
        while its answer was lost gets False with its own value: put something into the
        value that tells callers apart where that matters.

        Args:
            name: Parts separated by ``/``.
            value: Small: it is stored uncompressed and never cached.
        """
        key = self._record_key(name)
        if self._objects.write_raw(key, canonical_bytes(value)):
            return True, value
        return False, self._read_record(key)

    def read_record(self, name: str) -> JSON | None:
        """What was recorded under ``name``; None where nothing was."""
        try:
            return self._read_record(self._record_key(name))
        except PointerNotFound:
            return None

    def list_records(self, prefix: str = "") -> list[str]:
        """Sorted names of the records whose name starts with ``prefix``, which should name a whole part."""
        directory = prefix.rpartition("/")[0]
        start = self._prefix + (f"{self._encode_name(directory)}/" if directory else "")
        names: list[str] = []
        for listed in self._objects.list(start):
            stem = listed.key.removeprefix(self._prefix)
            if stem.endswith(".json"):
                names.append("/".join(map(decode_part, stem.removesuffix(".json").split("/"))))
        return sorted(name for name in names if name.startswith(prefix))

    def stats(self) -> BlobStats:
        """Counters of the whole store this execution belongs to."""
        return self._objects.stats()

    def _admit(self, pointer: Pointer) -> None:
        if not is_safe_key(pointer.key) or not pointer.key.startswith(self._readable):
            raise PointerRefused(
                f"The pointer to {pointer.key!r} leads outside of {self._prefix}. "
                "Pointers can't be passed from one execution to another; pass the value.",
                details={"key": pointer.key, "prefix": self._prefix},
            )

    def _read_record(self, key: str) -> JSON:
        data = self._objects.read_raw(key, max_bytes=self._objects.codec.max_bytes)
        value = parse_object(data, key)
        if canonical_bytes(value) != data:
            raise corrupt(key, "it is not in canonical form")
        return value

    def _record_key(self, name: str) -> str:
        return f"{self._prefix}{self._encode_name(name)}.json"

    def _encode_name(self, name: str) -> str:
        parts = [encode_part(part) for part in name.split("/")]
        if not name or any(part == "_" or len(part) > PART_LIMIT for part in parts):
            message = f"{name!r} is no name for a record: each part between slashes has 1 to {PART_LIMIT} characters."
            raise InputRefused([Problem(path="$.name", code="FIELD_VALUE", message=message)], what="record")
        return "/".join(parts)

    def _each(self, work: Callable[[T], R], items: Iterable[T]) -> dict[T, R]:
        todo = list(items)
        if len(todo) < 2 or not self._objects.backend.parallel:
            return {item: work(item) for item in todo}
        with ThreadPoolExecutor(min(_THREADS, len(todo)), thread_name_prefix="statebag-blobs") as pool:
            return dict(zip(todo, pool.map(work, todo), strict=True))


def _identity(pointer: Pointer) -> tuple[str, str, int, str]:
    return pointer.key, pointer.sha256, pointer.size_bytes, pointer.codec
