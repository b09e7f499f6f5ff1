"""From a document to the segments that run one behind another."""

from statebag.plan._limits import LoopLimits, estimate_executions, limits_of, weigh_nodes
from statebag.plan._needs import BranchNeeds, ListNeed, needs_of
from statebag.plan._partition import plan_document
from statebag.plan._plan import Plan
from statebag.plan._schedule import Schedule, schedule_branches
from statebag.plan._segment import BranchPlan, RetrySpec, Segment
from statebag.plan._strategy import Strategy, choose_strategy

__all__ = [
    "BranchNeeds",
    "BranchPlan",
    "ListNeed",
    "LoopLimits",
    "Plan",
    "RetrySpec",
    "Schedule",
    "Segment",
    "Strategy",
    "choose_strategy",
    "estimate_executions",
    "limits_of",
    "needs_of",
    "plan_document",
    "schedule_branches",
    "weigh_nodes",
]
