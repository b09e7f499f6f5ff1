"""The state bag: its namespaces, the pipe that changes it, and the two ways in."""

from statebag.bag._aggregate import FAILED_SAMPLE, SUMMARY_SAMPLE
from statebag.bag._bag import Bag
from statebag.bag._commit import Attempt, commit, digest_of, find_commit, list_commits
from statebag.bag._control import SCHEMA_VERSION, Control
from statebag.bag._door import StateDataManager
from statebag.bag._engine import BagEngine
from statebag.bag._fields import UserFields
from statebag.bag._history import History, append_logs, log_id_of, read_all
from statebag.bag._init import upload_state
from statebag.bag._kernel import Frame, Kernel
from statebag.bag._legacy import decompress
from statebag.bag._merge_states import BranchChange, MergedStates, merge_states
from statebag.bag._next_action import TERMINAL_FAILURES, NextAction, decide
from statebag.bag._normalise import STORED_PARTS
from statebag.bag._offload import STEP_FUNCTIONS, TEMPORAL, OffloadPolicy, offload
from statebag.bag._pipe import ACTIONS, Outcome, Surroundings, apply
from statebag.bag._result import Delta, Status, check_execution_result, parse_status
from statebag.bag._run_engine import RunEngine
from statebag.bag._step import Place, Step

__all__ = [
    "ACTIONS",
    "FAILED_SAMPLE",
    "SCHEMA_VERSION",
    "STEP_FUNCTIONS",
    "STORED_PARTS",
    "SUMMARY_SAMPLE",
    "TEMPORAL",
    "TERMINAL_FAILURES",
    "Attempt",
    "Bag",
    "BagEngine",
    "BranchChange",
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
    "RunEngine",
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
    "list_commits",
    "log_id_of",
    "merge_states",
    "offload",
    "parse_status",
    "read_all",
    "upload_state",
]
