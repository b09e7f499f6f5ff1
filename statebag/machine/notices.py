"""What the lifecycle events of a run say beside the fields that all of them have."""

from __future__ import annotations

from collections.abc import Mapping

from statebag.events import EventType

__all__ = ["EVENT_FIELDS", "EVENT_STATUS"]

EVENT_FIELDS: Mapping[EventType, tuple[str, ...]] = {
    EventType.INIT_FAILED: ("error_type", "error_message"),
    EventType.STARTED: ("total_segments", "distributed_strategy"),
    EventType.LARGE_WORKFLOW_WARNING: ("total_segments",),
    EventType.DISTRIBUTED_STARTED: (
        "total_segments",
        "distributed_strategy",
        "max_concurrency",
        "loop_counter",
        "total_items",
    ),
    EventType.ASYNC_LLM_PROCESSING: ("segment_to_run",),
    EventType.COMPLETED: ("final_state_s3_path", "total_segments", "loop_counter", "start_time"),
    EventType.FAILED: ("error_type", "error_message", "state_s3_path", "execution_name"),
}
"""Names of an event's own fields, of those that machines publish themselves; counts are those of the bag."""

EVENT_STATUS: Mapping[EventType, str] = {
    EventType.INIT_FAILED: "FAILED",
    EventType.STARTED: "RUNNING",
    EventType.LARGE_WORKFLOW_WARNING: "RUNNING",
    EventType.DISTRIBUTED_STARTED: "RUNNING",
    EventType.ASYNC_LLM_PROCESSING: "PAUSED_FOR_ASYNC_LLM",
    EventType.COMPLETED: "SUCCEEDED",
    EventType.FAILED: "FAILED",
}
"""The run's status after each of them."""
