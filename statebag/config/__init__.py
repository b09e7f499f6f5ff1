"""What comes in: the workflow document and the execution input, checked as a whole before anything runs."""

from statebag.config._answer import DECISIONS, check_answer
from statebag.config._execution_input import ExecutionInput, MergedState, merge_initial_state, parse_execution_input
from statebag.config._graph import check_shape, start_of
from statebag.config._load import LoadedDocument, load_document
from statebag.config._model import Document, Edge, Node, PauseSpec
from statebag.config._node_types import NODE_TYPE_ALIASES, NodeChecker, NodeTypes, normalise_type
from statebag.config._reading import WARNING_CODES
from statebag.config.reserved import RESERVED_KEYS, drop_reserved
from statebag.config.schemas import check_schema

__all__ = [
    "DECISIONS",
    "NODE_TYPE_ALIASES",
    "RESERVED_KEYS",
    "WARNING_CODES",
    "Document",
    "Edge",
    "ExecutionInput",
    "LoadedDocument",
    "MergedState",
    "Node",
    "NodeChecker",
    "NodeTypes",
    "PauseSpec",
    "check_answer",
    "check_schema",
    "check_shape",
    "drop_reserved",
    "load_document",
    "merge_initial_state",
    "normalise_type",
    "parse_execution_input",
    "start_of",
]
