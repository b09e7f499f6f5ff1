"""The machines as definitions of Step Functions, built from the facts that the workflows run by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from asl_compat.machines._distributed import distributed_machine
from asl_compat.machines._head import DOCUMENT
from asl_compat.machines._legacy import FLAT_BAG, OUTCOME
from asl_compat.machines._legacy_distributed import legacy_distributed_machine
from asl_compat.machines._legacy_standard import legacy_standard_machine
from asl_compat.machines._standard import standard_machine
from statebag.machine import DISTRIBUTED_STATES, LEGACY_DISTRIBUTED_STATES, LEGACY_STANDARD_STATES, STANDARD_STATES

__all__ = [
    "CATALOGUES",
    "DISTRIBUTED",
    "DOCUMENT",
    "FLAT_BAG",
    "LEGACY_DISTRIBUTED",
    "LEGACY_STANDARD",
    "OUTCOME",
    "STANDARD",
    "definitions",
]

STANDARD = "aws_step_functions_v3.json"
DISTRIBUTED = "aws_step_functions_distributed_v3.json"
LEGACY_STANDARD = "aws_step_functions.json"
LEGACY_DISTRIBUTED = "aws_step_functions_distributed.json"

CATALOGUES: Mapping[str, tuple[str, ...]] = {
    STANDARD: STANDARD_STATES,
    DISTRIBUTED: DISTRIBUTED_STATES,
    LEGACY_STANDARD: LEGACY_STANDARD_STATES,
    LEGACY_DISTRIBUTED: LEGACY_DISTRIBUTED_STATES,
}
"""Names of the states of each, nested ones included."""


def definitions() -> Mapping[str, dict[str, Any]]:
    """All definitions by the name of their file, with ``${…}`` placeholders for what they call."""
    return {
        STANDARD: standard_machine(),
        DISTRIBUTED: distributed_machine(),
        LEGACY_STANDARD: legacy_standard_machine(),
        LEGACY_DISTRIBUTED: legacy_distributed_machine(),
    }
