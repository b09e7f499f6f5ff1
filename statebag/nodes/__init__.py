"""Node types: what a node of a document does when it runs."""

from statebag.nodes._base import NodeContext, NodeOutput, NodeType, Scope, Steps
from statebag.nodes._registry import NodeRegistry, builtin_registry, load_registry
from statebag.nodes._run import NodesRun, calls_outside, reads_of, run_nodes

__all__ = [
    "NodeContext",
    "NodeOutput",
    "NodeRegistry",
    "NodeType",
    "NodesRun",
    "Scope",
    "Steps",
    "builtin_registry",
    "calls_outside",
    "load_registry",
    "reads_of",
    "run_nodes",
]
