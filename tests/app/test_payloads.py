"""How payloads are kept: readable while small, compressed above 4 KiB, in the store above 64 KiB."""

from __future__ import annotations

import base64
import json
import random
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard
from google.protobuf.json_format import MessageToDict
from temporalio.api.common.v1 import Payload
from temporalio.client import WorkflowHandle
from temporalio.converter import DataConverter, DefaultPayloadConverter

from statebag.app.temporal import ZstdCodec, make_converter
from statebag.errors import PointerCorrupt
from tests.rig import Rig, asks, chain, events_of, llm, local_store, sets, start_rig

PLAIN, COMPRESSED = "json/plain", "binary/zstd"


def encodings(message: Any) -> list[str]:
    """The encodings of all payloads anywhere in a message of history."""
    found: list[str] = []

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            if isinstance(value.get("metadata"), dict) and "encoding" in value["metadata"]:
                found.append(base64.b64decode(value["metadata"]["encoding"]).decode())
            for member in value.values():
                walk(member)
        elif isinstance(value, list):
            for member in value:
                walk(member)

    walk(MessageToDict(message))
    return found


async def input_of(handle: WorkflowHandle[Any, Any]) -> tuple[str, Payload]:
    (started,) = await events_of(handle, "WORKFLOW_EXECUTION_STARTED")
    (payload,) = started.workflow_execution_started_event_attributes.input.payloads
    return payload.metadata["encoding"].decode(), payload


def noise(size: int) -> str:
    """Text that hardly gets smaller by compression."""
    return secrets.token_urlsafe(size)[:size]


async def test_a_usual_run_can_be_read_in_history(dev_server: str, tmp_path: Path) -> None:
    async with start_rig(dev_server, tmp_path) as rig:
        document = chain(sets("a", x=1), llm("b", "hi"), sets("c", y=1), edges=[asks("b", "c", prompt="Go on?")])
        handle = await rig.start(document)
        await rig.pause(handle)
        await rig.respond(handle, {"response": "yes"})
        await handle.result()
        found = [encoding for event in await events_of(handle) for encoding in encodings(event)]
        assert len(found) > 10
        assert set(found) <= {PLAIN, "json/protobuf", "binary/null"}
        assert (await input_of(handle))[0] == PLAIN


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: {"text": "x" * 3_000}, PLAIN),
        (lambda: {"text": "x" * 5_000}, COMPRESSED),
        (lambda: {"text": noise(40_000)}, COMPRESSED),
        (lambda: {"text": "x" * 2_000_000}, COMPRESSED),
        (lambda: {"text": noise(200_000)}, "json/external-storage-reference"),
    ],
    ids=["small", "above 4 KiB", "noise below 64 KiB", "large, and small when compressed", "noise above 64 KiB"],
)
async def test_a_run_gets_its_input_whole_whatever_its_size(
    dev_server: str, tmp_path: Path, make: Callable[[], dict[str, Any]], expected: str
) -> None:
    state = make()
    async with start_rig(dev_server, tmp_path) as rig:
        handle = await rig.start(chain(sets("a", x=1)), initial_state=state)
        assert rig.user_state(await handle.result()) == {**state, "x": 1}
        encoding, payload = await input_of(handle)
        assert payload.ByteSize() < 64 * 1024
        stored = list(rig.plugin.store.backend.list("temporal/default/"))
        if expected in (PLAIN, COMPRESSED):
            assert encoding == expected
            assert stored == []
        else:
            assert encoding not in (PLAIN, COMPRESSED)
            assert payload.ByteSize() < 2_000
            assert any(listed.key.startswith(f"temporal/default/{handle.id}/") for listed in stored)


async def test_any_value_comes_back_as_it_went(tmp_path: Path) -> None:
    converter = make_converter(local_store(tmp_path))
    draw = random.Random(7)
    for size in (0, 1, 4_000, 4_096, 5_000, 60_000, 70_000, 300_000):
        for text in ("ü" * (size // 2), noise(size)):
            value = {"text": text, "n": [None, True, draw.random()]}
            assert await converter.decode(await converter.encode([value])) == [value]


async def test_what_compression_makes_no_smaller_is_left_alone() -> None:
    payload = Payload(metadata={"encoding": b"binary/plain"}, data=secrets.token_bytes(20_000))
    assert await ZstdCodec().encode([payload]) == [payload]


async def packed(text: str) -> Payload:
    payload = Payload(metadata={"encoding": b"json/plain"}, data=json.dumps(text).encode())
    (encoded,) = await ZstdCodec().encode([payload])
    assert encoded.metadata["encoding"] == COMPRESSED.encode()
    return encoded


def _claim(size: int) -> bytes:
    """A frame whose header claims that size, and which holds a few bytes."""
    header = b"\x28\xb5\x2f\xfd" + bytes([0b1110_0000]) + size.to_bytes(8, "little")
    return header + (1 | (4 << 3)).to_bytes(3, "little") + b"text"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no zstd at all",
        zstandard.ZstdCompressor(write_content_size=False).compress(b"x" * 10_000),
        zstandard.ZstdCompressor().compress(b"\xff\xff\xff\xff no payload"),
        _claim(10**15),
        _claim(300 * 1024 * 1024),
        _claim(2**64 - 3),
        _claim(5),
        _claim(3),
    ],
    ids=[
        "nothing",
        "other bytes",
        "no size",
        "no payload",
        "petabyte",
        "300 MiB",
        "all bits",
        "too much",
        "too little",
    ],
)
async def test_a_payload_that_is_damaged_or_lies_is_refused(data: bytes) -> None:
    with pytest.raises(PointerCorrupt) as refused:
        await ZstdCodec().decode([Payload(metadata={"encoding": COMPRESSED.encode()}, data=data)])
    assert refused.value.code == "POINTER_CORRUPT"


async def test_a_payload_cut_anywhere_is_refused() -> None:
    whole = await packed("".join(map(str, range(3_000))))
    for cut in (1, 5, 20, len(whole.data) // 2, len(whole.data) - 1):
        with pytest.raises(PointerCorrupt):
            await ZstdCodec().decode([Payload(metadata=whole.metadata, data=whole.data[:cut])])


async def test_a_stored_payload_that_was_changed_is_refused(tmp_path: Path) -> None:
    converter = make_converter(local_store(tmp_path))
    (encoded,) = await converter.encode([noise(200_000)])
    backend = local_store(tmp_path).backend
    (listed,) = backend.list("temporal/")
    data = backend.read(listed.key)
    backend.delete(listed.key)
    backend.write_if_absent(listed.key, data[:-9] + bytes(9))
    with pytest.raises(PointerCorrupt):
        await make_converter(local_store(tmp_path)).decode([encoded])


async def test_the_converter_of_a_client_keeps_its_other_parts(tmp_path: Path) -> None:
    class Own(DefaultPayloadConverter):
        pass

    made = make_converter(local_store(tmp_path), DataConverter(payload_converter_class=Own))
    assert made.payload_converter_class is Own
    assert isinstance(made.payload_codec, ZstdCodec)


async def test_a_reader_with_another_store_says_what_is_missing(rig_input: tuple[Rig, Path]) -> None:
    rig, elsewhere = rig_input
    (encoded,) = await make_converter(rig.plugin.store).encode([noise(200_000)])
    with pytest.raises(Exception, match="temporal/"):
        await make_converter(local_store(elsewhere)).decode([encoded])


@pytest.fixture
async def rig_input(dev_server: str, tmp_path: Path) -> Any:
    async with start_rig(dev_server, tmp_path / "store") as rig:
        yield rig, tmp_path / "elsewhere"
