"""Whatever finishes first, a map's results and bag are the same bytes."""

from __future__ import annotations

import random
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from statebag.bag import Place
from statebag.canonical import canonical_bytes
from statebag.errors import NodeFailed
from tests.mapping import mapping
from tests.rig import Rig, chain, probe, sets, start_rig

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SEEDS = 200
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


async def result_of(rig: Rig, document: dict[str, Any], execution_id: str) -> bytes:
    handle = await rig.start(document, id=execution_id, initial_state={"xs": list(range(40))})
    output = await handle.result()
    place = Place(
        owner_id="acme", workflow_id="review", execution_id=execution_id, version=0, root=output["final_state_s3_path"]
    )
    bag = rig.plugin.engine.read_bag(place)
    return canonical_bytes([bag.to_json(), bag.user.whole()])


@pytest.mark.parametrize(
    ("failing", "local"), [(frozenset[int](), False), (frozenset({4, 21, 39}), True)], ids=["calls", "some-fail"]
)
async def test_no_order_of_completion_changes_the_bytes(
    responsive_server: str, tmp_path: Path, failing: frozenset[int], *, local: bool
) -> None:
    document = chain(
        mapping(
            probe("p", "delayed"), sets("s", twice="{{seen}}"), chunk_size=5, max_concurrency=7, item_concurrency=3
        ),
        sets("after", done=True),
    )
    draws = random.Random(0)

    def delayed(node: Any, scope: Any, context: Any) -> dict[str, Any]:
        time.sleep(draws.choice((0.0, 0.0, 0.001, 0.004)))
        if scope["item"] in failing:
            raise NodeFailed("it is bad")
        return {"seen": scope["item"]}

    found: set[bytes] = set()
    store = tmp_path / "store"
    async with start_rig(responsive_server, store, now=lambda: NOON) as rig:
        rig.behaviours["delayed"] = delayed
        for seed in range(SEEDS // 2):
            draws.seed(seed)
            # One id for all, since it is in the bag; each with a store of its own.
            found.add(await result_of(rig, document, f"order-{len(failing)}"))
            for child in (store / "acme").iterdir():
                shutil.rmtree(child)
            rig.plugin.engine._kept._values.clear()
    assert len(found) == 1
