"""Maps over files: on disk and in S3, good ones and bad ones."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from statebag.blobs import open_store
from tests.mapping import document_of
from tests.rig import Rig, sets, start_rig
from tests.seaweed import S3Server

ROWS = [{"id": number, "name": f"row {number}"} for number in range(57)]
WRITTEN = {
    "JSON": json.dumps({"orders": ROWS}),
    "JSONL": "\n".join(map(json.dumps, ROWS)),
    "CSV": "id,name\n" + "\n".join(f"{row['id']},{row['name']}" for row in ROWS),
}


def reading(file: str, kind: str, **more: Any) -> Any:
    pointer = {"items_pointer": "/orders"} if kind == "JSON" else {}
    reader = {"format": kind, "file": file, **pointer, **more}
    return document_of(sets("s", seen="{{item.id}}"), item_reader=reader, chunk_size=10)


@pytest.mark.parametrize("kind", ["JSON", "JSONL", "CSV"])
@pytest.mark.parametrize("place", ["disk", "s3"])
async def test_a_file_is_mapped_row_by_row(
    dev_server: str, tmp_path: Path, s3_environment: S3Server, place: str, kind: str
) -> None:
    folder = f"s3://{s3_environment.bucket}/{tmp_path.name}"
    store = open_store(tmp_path.as_uri() if place == "disk" else folder)
    async with start_rig(dev_server, tmp_path, store=store) as rig:
        store.files("acme").put("2026/orders", io.BytesIO(WRITTEN[kind].encode()))
        # The name of the file may come from the state.
        handle = await rig.start(reading("{{year}}/orders", kind), initial_state={"year": 2026})
        out = rig.user_state(await handle.result())["out"]
    ids = [str(row["id"]) for row in ROWS] if kind == "CSV" else [row["id"] for row in ROWS]
    assert [result["seen"] for result in out] == ids


@pytest.mark.parametrize(
    ("file", "text", "kind", "code", "said"),
    [
        ("none", None, "JSONL", "ITEMS_UNREADABLE", "none"),
        ("bad.jsonl", '{"id": 1}\n{"id": 2\n{"id": 3}\n', "JSONL", "ITEMS_MALFORMED", "line 2"),
        ("bad.csv", "id,name\n1,a\n2\n3,c\n", "CSV", "ITEMS_MALFORMED", "line 3"),
        ("bad.json", '{"orders": [{"id": 1}, {"id": }]}', "JSON", "ITEMS_MALFORMED", "item 2"),
        ("object.json", '{"others": []}', "JSON", "ITEMS_UNREADABLE", "/orders"),
    ],
)
async def test_a_file_that_can_not_be_read_fails_the_map_before_anything_runs(
    rig: Rig, file: str, text: str | None, kind: str, code: str, said: str
) -> None:
    if text is not None:
        rig.plugin.store.files("acme").put(file, io.BytesIO(text.encode()))
    handle = await rig.start(reading(file, kind))
    error = await rig.failure(handle)
    assert error.details[0]["code"] == code
    assert said in error.message
    assert file in error.message
    assert "ExecuteMapReduceMode" in await rig.trace(handle)
    assert "SyncStateAfterDistributed" not in await rig.trace(handle)


async def test_more_rows_than_allowed_fail_the_map_and_nothing_is_cut_off(rig: Rig) -> None:
    rig.plugin.store.files("acme").put("many.jsonl", io.BytesIO(WRITTEN["JSONL"].encode()))
    handle = await rig.start(reading("many.jsonl", "JSONL", max_items=56))
    assert (await rig.failure(handle)).details[0]["code"] == "ITEMS_LIMIT"
    handle = await rig.start(reading("many.jsonl", "JSONL", max_items=57))
    assert len(rig.user_state(await handle.result())["out"]) == 57


async def test_an_empty_file_is_no_items(rig: Rig) -> None:
    rig.plugin.store.files("acme").put("empty.jsonl", io.BytesIO(b""))
    handle = await rig.start(reading("empty.jsonl", "JSONL"))
    assert rig.user_state(await handle.result())["out"] == []


async def test_files_of_others_are_out_of_reach(rig: Rig) -> None:
    rig.plugin.store.files("other").put("secret.jsonl", io.BytesIO(b'{"id": 1}\n'))
    for name in ("secret.jsonl", "../../other/_files/secret.jsonl", "/other/_files/secret.jsonl"):
        error = await rig.failure(await rig.start(reading("{{name}}", "JSONL"), initial_state={"name": name}))
        assert error.details[0]["code"] in ("ITEMS_UNREADABLE", "FIELD_VALUE")
