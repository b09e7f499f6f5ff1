"""Facts of the orchestration that both engines read: state names, routes, limits, retries, time-outs."""

from statebag.machine.policies import FUNCTIONS, Function, Retry
from statebag.machine.routes import ROUTES, route
from statebag.machine.states import BRANCH_STATES, STANDARD_STATES, State

__all__ = ["BRANCH_STATES", "FUNCTIONS", "ROUTES", "STANDARD_STATES", "Function", "Retry", "State", "route"]
