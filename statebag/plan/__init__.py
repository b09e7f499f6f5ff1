"""From a document to the segments that run one behind another."""

from statebag.plan._limits import LoopLimits, estimate_executions, limits_of, weigh_nodes
from statebag.plan._partition import plan_document
from statebag.plan._plan import Plan
from statebag.plan._segment import RetrySpec, Segment
from statebag.plan._strategy import Strategy, choose_strategy

__all__ = [
    "LoopLimits",
    "Plan",
    "RetrySpec",
    "Segment",
    "Strategy",
    "choose_strategy",
    "estimate_executions",
    "limits_of",
    "plan_document",
    "weigh_nodes",
]
