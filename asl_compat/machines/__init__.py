"""The machines as definitions of Step Functions, built from the facts that the workflows run by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from asl_compat.machines._distributed import distributed_machine
from asl_compat.machines._head import DOCUMENT
from asl_compat.machines._standard import standard_machine

__all__ = ["DISTRIBUTED", "DOCUMENT", "STANDARD", "definitions"]

STANDARD = "aws_step_functions_v3.json"
DISTRIBUTED = "aws_step_functions_distributed_v3.json"


def definitions() -> Mapping[str, dict[str, Any]]:
    """All definitions by the name of their file, with ``${…}`` placeholders for what they call."""
    return {STANDARD: standard_machine(), DISTRIBUTED: distributed_machine()}
