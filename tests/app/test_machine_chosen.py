"""Which of the two machines ``statebag run`` starts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from statebag.app.inputs import read_request
from statebag.nodes import load_registry
from tests.rig import Document, chain, llm, sets

SMALL = chain(sets("a", a=1), sets("b", b=2))
LONG = chain(*(llm(f"n{at}", "Go on") for at in range(301)))


@pytest.mark.parametrize(
    ("document", "given", "distributed"),
    [
        (SMALL, None, False),
        (SMALL, {"distributed_mode": False}, False),
        (SMALL, {"distributed_mode": True}, True),
        (SMALL | {"distributed_mode": True}, None, True),
        (SMALL | {"initial_state": {"distributed_mode": True}}, None, True),
        (SMALL | {"distributed_mode": False}, None, False),
        (LONG, None, True),
    ],
)
def test_the_document_or_its_input_decides(
    tmp_path: Path, document: Document, given: dict[str, Any] | None, distributed: bool
) -> None:
    path = tmp_path / "d.json"
    path.write_text(json.dumps(document))
    text = None if given is None else json.dumps(given)
    request = read_request(str(path), text, registry=load_registry(), mock=True, owner_id="ann", execution_id=None)
    assert request.distributed is distributed
