"""Names of the states of the two machines. A run's trace is made of them."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["BRANCH_STATES", "CHUNK_STATES", "DISTRIBUTED_STATES", "STANDARD_STATES", "State"]


class State(StrEnum):
    """The states of the standard machine, and those that only the distributed one has."""

    CHECK_IDEMPOTENCY = "CheckIdempotency"
    VERIFY_IDEMPOTENCY_KEY = "VerifyIdempotencyKey"
    HANDLE_IDEMPOTENCY_ERROR = "HandleIdempotencyError"
    FAIL_IDEMPOTENCY_UNAVAILABLE = "FailIdempotencyUnavailable"
    EVALUATE_IDEMPOTENCY = "EvaluateIdempotency"
    FAIL_DUPLICATE_EXECUTION = "FailDuplicateExecution"
    SUCCEED_DUPLICATE_EXECUTION = "SucceedDuplicateExecution"

    INITIALIZE_STATE_BAG = "InitializeStateBag"
    NOTIFY_AND_FAIL_INIT = "NotifyAndFailInit"
    FAIL_INITIALIZATION = "FailInitialization"
    NOTIFY_WORKFLOW_STARTED = "NotifyWorkflowStarted"
    SELECT_EXECUTION_STRATEGY = "SelectExecutionStrategy"

    EXECUTE_MAP_REDUCE_MODE = "ExecuteMapReduceMode"
    MAP_REDUCE_RUNNER = "MapReduceRunner"
    EXECUTE_BATCHED_MODE = "ExecuteBatchedMode"
    BATCHED_RUNNER = "BatchedRunner"
    SYNC_STATE_AFTER_DISTRIBUTED = "SyncStateAfterDistributed"

    EXECUTE_SEGMENT = "ExecuteSegment"
    SYNC_STATE_DATA = "SyncStateData"
    EVALUATE_NEXT_ACTION = "EvaluateNextAction"
    CHECK_LOOP_LIMIT = "CheckLoopLimit"
    FAIL_LOOP_LIMIT_EXCEEDED = "FailLoopLimitExceeded"

    PROCESS_PARALLEL_BRANCHES = "ProcessParallelBranches"
    INIT_BRANCH_STATE = "InitBranchState"
    EXECUTE_BRANCH_SEGMENT = "ExecuteBranchSegment"
    SYNC_BRANCH_STATE = "SyncBranchState"
    EVALUATE_BRANCH_NEXT = "EvaluateBranchNext"
    CHECK_BRANCH_LOOP_LIMIT = "CheckBranchLoopLimit"
    FAIL_BRANCH_LOOP_LIMIT = "FailBranchLoopLimit"
    HANDLE_BRANCH_ERROR = "HandleBranchError"
    BRANCH_COMPLETE = "BranchComplete"
    HANDLE_MAP_ERROR = "HandleMapError"
    AGGREGATE_PARALLEL_RESULTS = "AggregateParallelResults"

    WAIT_FOR_HITP_CALLBACK = "WaitForHITPCallback"
    MERGE_CALLBACK_RESULT = "MergeCallbackResult"
    HANDLE_ASYNC_LLM = "HandleAsyncLLM"
    WAIT_FOR_ASYNC_LLM_CALLBACK = "WaitForAsyncLLMCallback"
    MERGE_ASYNC_RESULT = "MergeAsyncResult"

    NOTIFY_WORKFLOW_COMPLETED = "NotifyWorkflowCompleted"
    PREPARE_SUCCESS_OUTPUT = "PrepareSuccessOutput"
    WORKFLOW_SUCCEEDED = "WorkflowSucceeded"
    NOTIFY_AND_FAIL = "NotifyAndFail"
    WORKFLOW_FAILED = "WorkflowFailed"

    SELECT_EXECUTION_MODE = "SelectExecutionMode"
    PREPARE_DISTRIBUTED_EXECUTION = "PrepareDistributedExecution"
    NOTIFY_DISTRIBUTED_STARTED = "NotifyDistributedStarted"
    CREATE_PRE_SNAPSHOT = "CreatePreSnapshot"
    EXECUTE_DISTRIBUTED_CHUNKS = "ExecuteDistributedChunks"
    PROCESS_CHUNK_WITH_HYDRATION = "ProcessChunkWithHydration"
    EVALUATE_CHUNK_RESULT = "EvaluateChunkResult"
    WAIT_FOR_CHUNK_CALLBACK = "WaitForChunkCallback"
    RESUME_CHUNK_AFTER_CALLBACK = "ResumeChunkAfterCallback"
    HANDLE_CHUNK_TIMEOUT = "HandleChunkTimeout"
    HANDLE_CHUNK_ERROR = "HandleChunkError"
    CHUNK_COMPLETE = "ChunkComplete"
    HANDLE_DISTRIBUTED_MAP_ERROR = "HandleDistributedMapError"
    AGGREGATE_DISTRIBUTED_RESULTS = "AggregateDistributedResults"
    EXECUTE_BRANCH_WITH_HYDRATION = "ExecuteBranchWithHydration"
    EVALUATE_BRANCH_RESULT = "EvaluateBranchResult"
    WAIT_FOR_BRANCH_CALLBACK = "WaitForBranchCallback"
    RESUME_BRANCH_AFTER_CALLBACK = "ResumeBranchAfterCallback"
    HANDLE_PARALLEL_MAP_ERROR = "HandleParallelMapError"
    WAIT_FOR_CALLBACK = "WaitForCallback"


_DISTRIBUTED_ONLY = tuple(State)[tuple(State).index(State.SELECT_EXECUTION_MODE) :]

STANDARD_STATES: tuple[State, ...] = tuple(state for state in State if state not in _DISTRIBUTED_ONLY)
"""The 43 states of the standard machine, nested ones included."""

_STANDARD_ONLY = frozenset(
    {
        State.SELECT_EXECUTION_STRATEGY,
        State.EXECUTE_MAP_REDUCE_MODE,
        State.MAP_REDUCE_RUNNER,
        State.EXECUTE_BATCHED_MODE,
        State.BATCHED_RUNNER,
        State.SYNC_STATE_AFTER_DISTRIBUTED,
        State.INIT_BRANCH_STATE,
        State.EXECUTE_BRANCH_SEGMENT,
        State.SYNC_BRANCH_STATE,
        State.EVALUATE_BRANCH_NEXT,
        State.CHECK_BRANCH_LOOP_LIMIT,
        State.FAIL_BRANCH_LOOP_LIMIT,
        State.HANDLE_MAP_ERROR,
        State.WAIT_FOR_HITP_CALLBACK,
        State.HANDLE_ASYNC_LLM,
        State.WAIT_FOR_ASYNC_LLM_CALLBACK,
        State.MERGE_ASYNC_RESULT,
    }
)

DISTRIBUTED_STATES: tuple[State, ...] = tuple(state for state in State if state not in _STANDARD_ONLY)
"""The 46 states of the distributed machine, nested ones included."""

BRANCH_STATES: frozenset[State] = frozenset(
    {
        State.INIT_BRANCH_STATE,
        State.EXECUTE_BRANCH_SEGMENT,
        State.SYNC_BRANCH_STATE,
        State.EVALUATE_BRANCH_NEXT,
        State.CHECK_BRANCH_LOOP_LIMIT,
        State.FAIL_BRANCH_LOOP_LIMIT,
        State.HANDLE_BRANCH_ERROR,
        State.BRANCH_COMPLETE,
    }
)
"""Those nested in the map over parallel branches."""

CHUNK_STATES: frozenset[State] = frozenset(
    {
        State.PROCESS_CHUNK_WITH_HYDRATION,
        State.EVALUATE_CHUNK_RESULT,
        State.WAIT_FOR_CHUNK_CALLBACK,
        State.RESUME_CHUNK_AFTER_CALLBACK,
        State.HANDLE_CHUNK_TIMEOUT,
        State.HANDLE_CHUNK_ERROR,
        State.CHUNK_COMPLETE,
    }
)
"""Those nested in the map over chunks."""
