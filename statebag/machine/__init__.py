"""Facts of the orchestration that both engines read: state names, routes, limits, retries, time-outs."""

from statebag.machine.policies import FUNCTIONS, GRACE_SECONDS, HITP_TIMEOUT_SECONDS, Function, Retry
from statebag.machine.routes import BRANCH_ROUTES, ROUTES, route, route_branch
from statebag.machine.states import BRANCH_STATES, STANDARD_STATES, State

__all__ = [
    "BRANCH_ROUTES",
    "BRANCH_STATES",
    "FUNCTIONS",
    "GRACE_SECONDS",
    "HITP_TIMEOUT_SECONDS",
    "ROUTES",
    "STANDARD_STATES",
    "Function",
    "Retry",
    "State",
    "route",
    "route_branch",
]
