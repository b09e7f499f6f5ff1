"""Executions see their own objects and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from statebag.blobs import BlobStore, ExecutionBlobs, LocalBackend, Pointer
from statebag.errors import PointerNotFound, PointerRefused


def test_five_executions_of_one_workflow_stay_apart(store: BlobStore) -> None:
    executions = [store.execution("tenant", "workflow", f"run-{index}") for index in range(5)]
    value = {"same": ["text"] * 100}
    with ThreadPoolExecutor(5) as pool:
        pointers = list(pool.map(lambda blobs: blobs.put(value, kind="field"), executions))
    assert len({pointer.key for pointer in pointers}) == 5
    assert len({pointer.sha256 for pointer in pointers}) == 1
    for reader, blobs in enumerate(executions):
        for owner, pointer in enumerate(pointers):
            if reader == owner:
                assert blobs.get(pointer) == value
            else:
                with pytest.raises(PointerRefused) as caught:
                    blobs.get(pointer)
                assert caught.value.code == "POINTER_FORBIDDEN"
                with pytest.raises(PointerRefused):
                    blobs.get_many([pointers[reader], pointer])


def test_a_hash_alone_opens_nothing(store: BlobStore) -> None:
    secret = store.execution("one", "w", "e").put({"secret": "x" * 100}, kind="field")
    thief = store.execution("two", "w", "e")
    forged = replace(secret, key=secret.key.replace("one/", "two/", 1))
    with pytest.raises(PointerNotFound):
        thief.get(forged)


@pytest.mark.parametrize(
    "names",
    [("a", "b/c", "d"), ("a/b", "c", "d"), ("a", "b", "c/d"), ("", "", ""), ("..", "..", ".."), (".", "%2F", "_")],
)
def test_hostile_names_stay_in_their_place(tmp_path: Path, names: tuple[str, str, str]) -> None:
    root = tmp_path / "deep" / "store"
    blobs = BlobStore(LocalBackend(root)).execution(*names)
    pointer = blobs.put({"value": names}, kind="../../field/..")
    assert Pointer.from_json(pointer.to_json()) == pointer
    assert blobs.get(pointer) == {"value": list(names)}
    assert blobs.prefix.count("/") == 3
    assert [path for path in tmp_path.rglob("*") if path.is_file() and not path.is_relative_to(root)] == []
    assert BlobStore(LocalBackend(root), cache_bytes=0).execution(*names).get(pointer) == {"value": list(names)}


def test_prefixes_of_different_names_are_disjoint(store: BlobStore) -> None:
    names = [("a", "b", "c"), ("a/b", "c", ""), ("a", "b/c", ""), ("a", "b", "c/"), ("a", "", "b"), ("a", "_", "b")]
    prefixes = {store.execution(*one).prefix for one in names}
    assert len(prefixes) == len(names)
    assert not any(one != two and one.startswith(two) for one in prefixes for two in prefixes)


@pytest.mark.parametrize(
    "key",
    [
        "owner/workflow/execution2/field/a.json",
        "owner/workflow/execution",
        "owner/workflow/other/../execution/a.json",
        "owner/workflow/execution/../other/a.json",
        "owner/workflow/execution/%2e%2e/other/a.json",
        "owner/workflow/execution//a.json",
        "/etc/passwd",
        "",
    ],
)
def test_pointer_out_of_the_prefix_is_refused_unread(store: BlobStore, blobs: ExecutionBlobs, key: str) -> None:
    with pytest.raises(PointerRefused) as caught:
        blobs.get(Pointer(kind="field", key=key, size_bytes=1, sha256="0" * 64, codec="json"))
    assert caught.value.code == "POINTER_FORBIDDEN"
    assert blobs.prefix in caught.value.message
    assert store.stats().reads == 0


def test_uploads_can_be_allowed(store: BlobStore, cold: Callable[..., ExecutionBlobs]) -> None:
    upload = store.execution("owner", "inputs", "upload-1").put([1, 2], kind="input")
    other = store.execution("owner", "inputs-of-others", "x").put([3], kind="input")
    for allowed in ("owner/inputs/", "owner/inputs"):
        blobs = store.execution("owner", "workflow", "execution", allow=[allowed])
        assert blobs.get(upload) == [1, 2]
        with pytest.raises(PointerRefused):
            blobs.get(other)
    for nonsense in ("", "/", "owner/../x", "a b"):
        with pytest.raises(PointerRefused):
            store.execution("owner", "workflow", "execution", allow=[nonsense])
    with pytest.raises(PointerRefused):
        cold().get(upload)
