"""Items that depend on each other never run at the same time, those that do not run together; results as in one line."""

from __future__ import annotations

import random
import threading
import time
from typing import Any

import pytest

from statebag.errors import NodeFailed
from tests.mapping import document_of
from tests.rig import Rig, probe, sets


def graph(count: int, seed: int, *, most: int = 3) -> list[dict[str, Any]]:
    """Items of which each depends on some that are drawn; their order in the list is drawn, too."""
    draw = random.Random(seed)
    items = [
        {
            "id": f"i{number}",
            "value": number,
            "after": [f"i{one}" for one in draw.sample(range(number), min(number, draw.randint(0, most)))],
        }
        for number in range(count)
    ]
    draw.shuffle(items)
    return items


def in_one_line(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The results when one item runs after another, each after those that it depends on."""
    by_id = {item["id"]: item for item in items}
    sums: dict[str, int] = {}
    for item in sorted(items, key=lambda item: item["value"]):
        sums[item["id"]] = item["value"] + sum(sums[one] for one in item["after"])
    return [{"sum": sums[item["id"]]} for item in items if item["id"] in by_id]


def add(node: Any, scope: Any, context: Any) -> dict[str, Any]:
    return {"sum": scope["item"]["value"] + sum(one["sum"] for one in scope["dependencies"].values())}


@pytest.mark.parametrize("seed", range(5))
async def test_a_graph_gives_what_it_gives_in_one_line(rig: Rig, seed: int) -> None:
    rig.behaviours["add"] = add
    items = graph(120, seed)
    document = document_of(probe("p", "add", local=True), depends_on="after", chunk_size=7)
    output = await (await rig.start(document, initial_state={"xs": items})).result()
    assert rig.user_state(output)["out"] == in_one_line(items)


async def test_nothing_runs_beside_what_it_depends_on(rig: Rig) -> None:
    lock = threading.Lock()
    going: set[str] = set()
    done: set[str] = set()
    early: list[str] = []
    together: list[int] = []

    def watch(node: Any, scope: Any, context: Any) -> dict[str, Any]:
        item = scope["item"]
        with lock:
            early.extend(one for one in item["after"] if one not in done)
            going.add(item["id"])
            together.append(len(going))
        time.sleep(0.002)
        with lock:
            going.discard(item["id"])
            done.add(item["id"])
        return {}

    rig.behaviours["watch"] = watch
    document = document_of(probe("p", "watch"), depends_on="after", chunk_size=10)
    await (await rig.start(document, initial_state={"xs": graph(200, 1)})).result()
    assert not early
    assert len(done) == 200
    assert max(together) > 1


async def test_what_depends_on_a_failed_item_is_not_run_and_says_so(rig: Rig) -> None:
    ran: list[str] = []

    def call(node: Any, scope: Any, context: Any) -> dict[str, Any]:
        ran.append(scope["item"]["id"])
        if scope["item"]["id"] == "b":
            raise NodeFailed("b is bad")
        return {"ok": True}

    rig.behaviours["bad-b"] = call
    items = [
        {"id": "d", "after": ["c"]},
        {"id": "c", "after": ["b"]},
        {"id": "b", "after": ["a"]},
        {"id": "a"},
        {"id": "e"},
    ]
    document = document_of(probe("p", "bad-b"), depends_on="after", on_error="continue")
    out = rig.user_state(await (await rig.start(document, initial_state={"xs": items})).result())["out"]
    assert [result.get("error", {}).get("code") for result in out] == [
        "DEPENDENCY_FAILED",
        "DEPENDENCY_FAILED",
        "NODE_FAILED",
        None,
        None,
    ]
    assert sorted(ran) == ["a", "b", "e"]
    assert "'b', which it depends on" in out[1]["error"]["message"]


@pytest.mark.parametrize(
    ("items", "text"),
    [
        ([{"id": "a", "after": ["b"]}, {"id": "b", "after": ["a"]}], "2 items depend on each other"),
        ([{"id": "a", "after": ["x"]}], "item 0 depends on 'x', and no item has that `id`"),
        ([{"id": "a"}, {"id": "a"}], "several items have the `id` 'a'"),
        ([{"name": "a"}], "item 0 has no `id`"),
        ([{"id": "a", "after": {"b": 1}}], "`after` must be a list of ids"),
    ],
)
async def test_dependencies_that_can_not_be_met_fail_before_anything_runs(
    rig: Rig, items: list[Any], text: str
) -> None:
    handle = await rig.start(document_of(sets("s", a=1), depends_on="after"), initial_state={"xs": items})
    error = await rig.failure(handle)
    assert error.details[0]["code"] == "ITEMS_DEPENDENCY"
    assert text in error.message
    assert "map `m`" in error.message


async def test_a_chain_of_items_runs_one_after_another(rig: Rig) -> None:
    rig.behaviours["add"] = add
    items = [{"id": f"i{n}", "value": 1, "after": [f"i{n - 1}"] if n else []} for n in range(40)]
    document = document_of(probe("p", "add", local=True), depends_on="after")
    out = rig.user_state(await (await rig.start(document, initial_state={"xs": items})).result())["out"]
    assert [result["sum"] for result in out] == list(range(1, 41))
