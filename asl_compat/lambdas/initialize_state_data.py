"""InitializeStateData: from an execution input to the first bag."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from asl_compat.lambdas._answer import answer, require
from asl_compat.lambdas._claims import claim
from asl_compat.lambdas._document import document
from asl_compat.lambdas._legacy import flatten, fold
from asl_compat.lambdas._surroundings import Surroundings, surroundings
from statebag.canonical import canonical_bytes, sha256_hex

__all__ = ["handle", "handler"]

_OF_CALLER = frozenset({"execution_arn", "bag_format"})
"""Members of an event that are for this function, and no part of an input."""


def handler(event: Any, context: Any) -> Any:  # noqa: ARG001 - the signature that Lambda calls
    """``{"input", "execution_id", "execution_arn"?}``, or an input with ``execution_id`` in it, to the document.

    With ``bag_format`` ``flat``, to a flat bag and its ``execution_result``, as legacy machines have them.
    """
    return answer(lambda: handle(event, surroundings()))


def handle(event: Any, around: Surroundings) -> dict[str, Any]:
    """As :func:`handler`.

    Raises:
        InputRefused: with every problem of the input.
        RunConflict: another run has the idempotency key.
        StateBagError: as ``init`` says.
    """
    given = require(event)
    raw: Any = given.get("input", given)
    key = raw.get("idempotency_key") if isinstance(raw, Mapping) else None
    arn = given.get("execution_arn")
    if isinstance(key, str) and isinstance(arn, str):
        claim(around, key=key, execution_arn=arn, input_hash=sha256_hex(canonical_bytes(raw)))
    ours = {name: given[name] for name in given if name not in _OF_CALLER}
    made = around.door.handle({**ours, "action": "init"})
    found = document(around, made["state_data"], made["next_action"])
    if given.get("bag_format") == "flat":
        return {**flatten(found), "execution_result": fold(found)}
    return found
