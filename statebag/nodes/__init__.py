"""Node types: what a node of a document does when it runs."""

from statebag.nodes._base import NodeContext, NodeOutput, NodeType, Scope, Steps
from statebag.nodes._fan_out import shown_changes
from statebag.nodes._map_items import MapItem, item_names, listed_items, output_key_of, reads_of_items, run_items
from statebag.nodes._registry import NodeRegistry, builtin_registry, load_registry
from statebag.nodes._run import NodesRun, calls_outside, reads_of, run_nodes
from statebag.nodes._tokens import Tokens, add_totals

__all__ = [
    "MapItem",
    "NodeContext",
    "NodeOutput",
    "NodeRegistry",
    "NodeType",
    "NodesRun",
    "Scope",
    "Steps",
    "Tokens",
    "add_totals",
    "builtin_registry",
    "calls_outside",
    "item_names",
    "listed_items",
    "load_registry",
    "output_key_of",
    "reads_of",
    "reads_of_items",
    "run_items",
    "run_nodes",
    "shown_changes",
]
