"""What comes in: the workflow document and the execution input, checked as a whole before anything runs."""

from statebag.config._answer import DECISIONS, check_answer
from statebag.config._appending import is_appended, join_added
from statebag.config._execution_input import ExecutionInput, MergedState, merge_initial_state, parse_execution_input
from statebag.config._flow import Flow, Fork, Gate, Item
from statebag.config._flow_checks import check_flow, flow_of
from statebag.config._item_reader import ItemReader, check_item_reader
from statebag.config._load import LoadedDocument, load_document
from statebag.config._map_spec import (
    DEFAULT_PERCENTAGE,
    MapSpec,
    asks_for_distribution,
    check_map_options,
    is_distributed,
)
from statebag.config._model import Body, Document, Edge, Node, PauseSpec
from statebag.config._node_types import (
    NODE_TYPE_ALIASES,
    BodySource,
    Container,
    NodeChecker,
    NodeSource,
    NodeTypes,
    Router,
    normalise_type,
)
from statebag.config._reading import WARNING_CODES
from statebag.config._resource_policy import ResourcePolicy, check_resource_policy
from statebag.config.reserved import RESERVED_KEYS, drop_reserved
from statebag.config.schemas import check_schema

__all__ = [
    "DECISIONS",
    "DEFAULT_PERCENTAGE",
    "NODE_TYPE_ALIASES",
    "RESERVED_KEYS",
    "WARNING_CODES",
    "Body",
    "BodySource",
    "Container",
    "Document",
    "Edge",
    "ExecutionInput",
    "Flow",
    "Fork",
    "Gate",
    "Item",
    "ItemReader",
    "LoadedDocument",
    "MapSpec",
    "MergedState",
    "Node",
    "NodeChecker",
    "NodeSource",
    "NodeTypes",
    "PauseSpec",
    "ResourcePolicy",
    "Router",
    "asks_for_distribution",
    "check_answer",
    "check_flow",
    "check_item_reader",
    "check_map_options",
    "check_resource_policy",
    "check_schema",
    "drop_reserved",
    "flow_of",
    "is_appended",
    "is_distributed",
    "join_added",
    "load_document",
    "merge_initial_state",
    "normalise_type",
    "parse_execution_input",
]
