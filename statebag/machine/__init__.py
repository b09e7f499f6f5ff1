"""Facts of the orchestration that both engines read: state names, routes, limits, retries, time-outs."""

from statebag.machine.policies import (
    FUNCTIONS,
    GRACE_SECONDS,
    HISTORY_BYTES,
    HISTORY_EVENTS,
    HITP_TIMEOUT_SECONDS,
    IN_FLIGHT_LIMIT,
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
    "FUNCTIONS",
    "GRACE_SECONDS",
    "HISTORY_BYTES",
    "HISTORY_EVENTS",
    "HITP_TIMEOUT_SECONDS",
    "IN_FLIGHT_LIMIT",
    "ROUTES",
    "SILENCE_SECONDS",
    "STANDARD_STATES",
    "Function",
    "Retry",
    "State",
    "route",
    "route_branch",
    "route_distributed",
]
