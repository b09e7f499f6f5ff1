"""Facts of the orchestration that both engines read: state names, routes, limits, retries, time-outs."""

from statebag.machine.chunks import cut_branches, waves_of
from statebag.machine.legacy import (
    LARGE_WORKFLOW_SEGMENTS,
    LEGACY_DISTRIBUTED_STATES,
    LEGACY_STANDARD_STATES,
    LegacyState,
)
from statebag.machine.notices import EVENT_FIELDS, EVENT_STATUS
from statebag.machine.policies import (
    FUNCTIONS,
    GRACE_SECONDS,
    HISTORY_BYTES,
    HISTORY_EVENTS,
    HITP_TIMEOUT_SECONDS,
    IN_FLIGHT_LIMIT,
    PROVIDER_RETRIES,
    SILENCE_SECONDS,
    Function,
    Retry,
)
from statebag.machine.routes import BRANCH_ROUTES, DISTRIBUTED_ROUTES, ROUTES, route, route_branch, route_distributed
from statebag.machine.states import BRANCH_STATES, CHUNK_STATES, DISTRIBUTED_STATES, STANDARD_STATES, State

__all__ = [
    "BRANCH_ROUTES",
    "BRANCH_STATES",
    "CHUNK_STATES",
    "DISTRIBUTED_ROUTES",
    "DISTRIBUTED_STATES",
    "EVENT_FIELDS",
    "EVENT_STATUS",
    "FUNCTIONS",
    "GRACE_SECONDS",
    "HISTORY_BYTES",
    "HISTORY_EVENTS",
    "HITP_TIMEOUT_SECONDS",
    "IN_FLIGHT_LIMIT",
    "LARGE_WORKFLOW_SEGMENTS",
    "LEGACY_DISTRIBUTED_STATES",
    "LEGACY_STANDARD_STATES",
    "PROVIDER_RETRIES",
    "ROUTES",
    "SILENCE_SECONDS",
    "STANDARD_STATES",
    "Function",
    "LegacyState",
    "Retry",
    "State",
    "cut_branches",
    "route",
    "route_branch",
    "route_distributed",
    "waves_of",
]
