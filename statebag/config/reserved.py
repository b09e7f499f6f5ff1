"""User fields that belong to the engine.

Whatever a node, a person or an input writes under one of these names is
dropped with a warning; the value that was there before stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["RESERVED_KEYS", "drop_reserved"]

_IDENTITY = frozenset(
    {"workflowId", "workflow_id", "ownerId", "owner_id", "execution_id", "user_id", "idempotency_key"},
)
_FLOW = frozenset(
    {"loop_counter", "max_loop_iterations", "segment_id", "segment_to_run", "total_segments", "segment_type"},
)
_STATE = frozenset(
    {
        "current_state",
        "final_state",
        "state_s3_path",
        "final_state_s3_path",
        "partition_map",
        "partition_map_s3_path",
        "__s3_offloaded",
        "__s3_path",
    },
)
_LOGS = frozenset(
    {"step_history", "execution_logs", "__new_history_logs", "skill_execution_log", "__kernel_actions"},
)
_SCHEDULING = frozenset(
    {
        "scheduling_metadata",
        "__scheduling_metadata",
        "guardrail_verified",
        "__guardrail_verified",
        "batch_count_actual",
        "state_size_threshold",
    },
)
_SECRETS = frozenset({"user_api_keys", "aws_credentials"})
_ENVELOPE = frozenset({"status", "error_info", "state_data", "next_action", "bag"})

RESERVED_KEYS: frozenset[str] = _IDENTITY | _FLOW | _STATE | _LOGS | _SCHEDULING | _SECRETS | _ENVELOPE
"""Top-level user fields nobody but the engine may write."""


def drop_reserved(changes: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Split ``changes`` into what may be written and the names that were dropped, both in the order given."""
    kept = {name: value for name, value in changes.items() if name not in RESERVED_KEYS}
    return kept, tuple(name for name in changes if name in RESERVED_KEYS)
