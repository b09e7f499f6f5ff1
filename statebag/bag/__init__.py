"""The state bag: its namespaces, the pipe that changes it, and the two ways in."""

from statebag.bag._aggregate import FAILED_SAMPLE, SUMMARY_SAMPLE
from statebag.bag._bag import Bag, Frame, Kernel
from statebag.bag._commit import commit, digest_of, find_commit
from statebag.bag._control import SCHEMA_VERSION, Control
from statebag.bag._door import StateDataManager
from statebag.bag._engine import BagEngine, Place, Step
from statebag.bag._fields import UserFields
from statebag.bag._history import History, append_logs, log_id_of, read_all
from statebag.bag._init import upload_state
from statebag.bag._legacy import decompress
from statebag.bag._merge_states import MergedStates, merge_states
from statebag.bag._next_action import NextAction, decide
from statebag.bag._offload import STEP_FUNCTIONS, TEMPORAL, OffloadPolicy, offload
from statebag.bag._pipe import ACTIONS, Outcome, Surroundings, apply
from statebag.bag._result import Delta, Status, check_execution_result, parse_status

__all__ = [
    "ACTIONS",
    "FAILED_SAMPLE",
    "SCHEMA_VERSION",
    "STEP_FUNCTIONS",
    "SUMMARY_SAMPLE",
    "TEMPORAL",
    "Bag",
    "BagEngine",
    "Control",
    "Delta",
    "Frame",
    "History",
    "Kernel",
    "MergedStates",
    "NextAction",
    "OffloadPolicy",
    "Outcome",
    "Place",
    "StateDataManager",
    "Status",
    "Step",
    "Surroundings",
    "UserFields",
    "append_logs",
    "apply",
    "check_execution_result",
    "commit",
    "decide",
    "decompress",
    "digest_of",
    "find_commit",
    "log_id_of",
    "merge_states",
    "offload",
    "parse_status",
    "read_all",
    "upload_state",
]
