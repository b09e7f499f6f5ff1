"""Ten thousand items: to the item exact."""

from __future__ import annotations

from typing import Any

import pytest

from statebag.errors import NodeFailed
from tests.mapping import document_of, kernel_of, parts_of
from tests.rig import Rig, probe, run_ids

COUNT = 10_000


@pytest.mark.parametrize(("bad", "succeeds"), [(300, True), (1000, True), (1001, False)])
async def test_ten_thousand_items_fail_by_exceeding_ten_percent(rig: Rig, bad: int, *, succeeds: bool) -> None:
    name = f"bad-{bad}"
    # Spread over the list, so that no chunk is like another.
    failing = {(number * 9973) % COUNT for number in range(bad)}
    assert len(failing) == bad

    def call(node: Any, scope: Any, context: Any) -> dict[str, Any]:
        if scope["item"] in failing:
            raise NodeFailed("it is bad")
        return {"number": scope["item"]}

    rig.behaviours[name] = call
    document = document_of(probe("p", name, local=True), chunk_size=100, fail_fast=False)
    handle = await rig.start(document, initial_state={"xs": list(range(COUNT))})
    if succeeds:
        output = await handle.result()
        assert (output["status"], output["failed_items"]) == ("SUCCEEDED", bad)
        out = rig.user_state(output)["out"]
        assert {index for index, result in enumerate(out) if "error" in result} == failing
        assert [result["number"] for result in out if "number" in result] == [
            number for number in range(COUNT) if number not in failing
        ]
        kernel = kernel_of(rig, output)
    else:
        error = await rig.failure(handle)
        assert "1001 of 10000 items failed (10.01 %), and 10 % are tolerated" in error.message
        assert error.details[0]["code"] == "TOLERANCE_EXCEEDED"
        kernel = kernel_of(rig, error.details[0], handle.id)
    summary = kernel.distributed_chunk_summary
    assert summary is not None
    assert (summary["total"], summary["succeeded"], summary["failed"], summary["pending"]) == (
        COUNT,
        COUNT - bad,
        bad,
        0,
    )
    parts = parts_of(rig, kernel, handle.id)
    assert [entry["item_index"] for entry in parts["FAILED"]] == sorted(failing)
    assert {entry["error"]["code"] for entry in parts["FAILED"]} == {"NODE_FAILED"}
    assert sum(entry["count"] - len(entry["failed_at"]) for entry in parts["SUCCEEDED"]) == COUNT - bad
    assert parts["PENDING"] == []
    assert len(await run_ids(rig, handle)) == 1
    assert len((await handle.fetch_history()).events) < 900
