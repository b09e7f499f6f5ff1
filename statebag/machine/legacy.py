"""Names of the states of the machines before v3, which stay deployable so that there is a way back."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["LARGE_WORKFLOW_SEGMENTS", "LEGACY_DISTRIBUTED_STATES", "LEGACY_STANDARD_STATES", "LegacyState"]

LARGE_WORKFLOW_SEGMENTS = 200
"""A document with more of them is told of, when it starts."""


class LegacyState(StrEnum):
    """The states of the standard machine, and those that only the distributed one has."""

    CHECK_FOR_INJECTED_CONFIG = "CheckForInjectedConfig"
    CHECK_FOR_EXISTING_EXECUTION = "CheckForExistingExecution"
    HANDLE_IDEMPOTENCY_FAILURE = "HandleIdempotencyFailure"
    FAIL_IDEMPOTENCY_UNAVAILABLE = "FailIdempotencyUnavailable"
    HANDLE_EXISTING_EXECUTION = "HandleExistingExecution"
    FAIL_DUPLICATE_EXECUTION = "FailDuplicateExecution"
    SUCCEED_DUPLICATE_EXECUTION = "SucceedDuplicateExecution"
    HANDLE_INIT_FAILURE = "HandleInitFailure"
    INITIALIZE_STATE_DATA = "InitializeStateData"
    INITIALIZATION_FAILED = "InitializationFailed"
    CHECK_LARGE_WORKFLOW = "CheckLargeWorkflow"
    NOTIFY_LARGE_WORKFLOW_WARNING = "NotifyLargeWorkflowWarning"
    NOTIFY_WORKFLOW_STARTED = "NotifyWorkflowStarted"
    SELECT_DISTRIBUTED_STRATEGY = "SelectDistributedStrategy"
    EXECUTE_MAP_REDUCE_MODE = "ExecuteMapReduceMode"
    MAP_REDUCE_SEGMENT_RUNNER = "MapReduceSegmentRunner"
    AGGREGATE_MAP_REDUCE_RESULTS = "AggregateMapReduceResults"
    EXECUTE_BATCHED_MODE = "ExecuteBatchedMode"
    BATCHED_SEGMENT_RUNNER = "BatchedSegmentRunner"
    AGGREGATE_BATCHED_RESULTS = "AggregateBatchedResults"
    EXECUTE_SEGMENT = "ExecuteSegment"
    CHECK_SEGMENT_STATUS = "CheckSegmentStatus"
    PREPARE_SEQUENTIAL_BRANCH = "PrepareSequentialBranch"
    PROCESS_PARALLEL_SEGMENTS = "ProcessParallelSegments"
    INITIALIZE_BRANCH = "InitializeBranch"
    EXECUTE_BRANCH_SEGMENT = "ExecuteBranchSegment"
    HANDLE_BRANCH_ERROR = "HandleBranchError"
    HANDLE_BRANCH_FAILED_STATUS = "HandleBranchFailedStatus"
    CHECK_BRANCH_NEXT = "CheckBranchNext"
    UPDATE_BRANCH_SEGMENT = "UpdateBranchSegment"
    UPDATE_BRANCH_TO_SEQUENTIAL = "UpdateBranchToSequential"
    CHECK_BRANCH_LOOP_LIMIT = "CheckBranchLoopLimit"
    BRANCH_LOOP_LIMIT_EXCEEDED = "BranchLoopLimitExceeded"
    BRANCH_COMPLETE = "BranchComplete"
    HANDLE_MAP_ERROR = "HandleMapError"
    AGGREGATE_PARALLEL_RESULTS_FROM_ERROR = "AggregateParallelResultsFromError"
    ENSURE_EXECUTION_RESULT = "EnsureExecutionResult"
    MERGE_EXECUTION_RESULT = "MergeExecutionResult"
    CLEANUP_MERGED_STATE = "CleanupMergedState"
    AGGREGATE_PARALLEL_RESULTS = "AggregateParallelResults"
    UPDATE_STATE_DATA = "UpdateStateData"
    UPDATE_STATE_DATA_FALLBACK = "UpdateStateDataFallback"
    IS_PAUSE_NEEDED = "IsPauseNeeded"
    CHECK_FOR_NEXT_SEGMENT = "CheckForNextSegment"
    APPLY_MERGED_STATE = "ApplyMergedState"
    WAIT_FOR_CALLBACK = "WaitForCallback"
    PREPARE_STATE_AFTER_PAUSE = "PrepareStateAfterPause"
    PREPARE_HYBRID_MODE_OUTPUT = "PrepareHybridModeOutput"
    CHECK_IF_ASYNC_REQUIRED = "CheckIfAsyncRequired"
    NOTIFY_ASYNC_LLM_PROCESSING = "NotifyAsyncLLMProcessing"
    HANDLE_ASYNC_LLM = "HandleAsyncLLM"
    PROCESS_ASYNC_RESULT = "ProcessAsyncResult"
    PREPARE_NEXT_SEGMENT = "PrepareNextSegment"
    UPDATE_SEGMENT_TO_RUN = "UpdateSegmentToRun"
    CHECK_LOOP_LIMIT = "CheckLoopLimit"
    LOOP_LIMIT_EXCEEDED = "LoopLimitExceeded"
    PUBLISH_SUCCEEDED_EVENT = "PublishSucceededEvent"
    PREPARE_SUCCESS_OUTPUT = "PrepareSuccessOutput"
    NOTIFY_EXECUTION_SUCCESS = "NotifyExecutionSuccess"
    NOTIFY_WORKFLOW_COMPLETED = "NotifyWorkflowCompleted"
    WORKFLOW_SUCCEEDED = "WorkflowSucceeded"
    NOTIFY_EXECUTION_FAILURE = "NotifyExecutionFailure"
    WORKFLOW_FAILED = "WorkflowFailed"
    CHECK_IF_ITEM_EXISTS = "CheckIfItemExists"
    EXTRACT_EXISTING_EXECUTION_INFO = "ExtractExistingExecutionInfo"
    CHECK_DISTRIBUTED_MAP_REQUIRED = "CheckDistributedMapRequired"
    PREPARE_DISTRIBUTED_EXECUTION = "PrepareDistributedExecution"
    NOTIFY_DISTRIBUTED_WORKFLOW_STARTED = "NotifyDistributedWorkflowStarted"
    EXECUTE_DISTRIBUTED_SEGMENTS = "ExecuteDistributedSegments"
    LOAD_LATEST_STATE_POINTER = "LoadLatestStatePointer"
    PROCESS_SEGMENT_CHUNK = "ProcessSegmentChunk"
    SAVE_LATEST_STATE_POINTER = "SaveLatestStatePointer"
    CHECK_CHUNK_STATUS = "CheckChunkStatus"
    WAIT_FOR_DISTRIBUTED_CALLBACK = "WaitForDistributedCallback"
    RESUME_CHUNK_AFTER_CALLBACK = "ResumeChunkAfterCallback"
    SAVE_RESUMED_STATE_POINTER = "SaveResumedStatePointer"
    CHECK_RESUMED_CHUNK_STATUS = "CheckResumedChunkStatus"
    CHUNK_COMPLETED = "ChunkCompleted"
    AGGREGATE_DISTRIBUTED_RESULTS = "AggregateDistributedResults"
    CHECK_AGGREGATION_RESULT = "CheckAggregationResult"
    PREPARE_DISTRIBUTED_SUCCESS_OUTPUT = "PrepareDistributedSuccessOutput"
    PROCESS_PARALLEL_SEGMENTS_DISTRIBUTED = "ProcessParallelSegmentsDistributed"
    EXECUTE_BRANCH_DISTRIBUTED = "ExecuteBranchDistributed"


LEGACY_STANDARD_STATES = (
    LegacyState.CHECK_FOR_INJECTED_CONFIG,
    LegacyState.CHECK_FOR_EXISTING_EXECUTION,
    LegacyState.HANDLE_IDEMPOTENCY_FAILURE,
    LegacyState.FAIL_IDEMPOTENCY_UNAVAILABLE,
    LegacyState.HANDLE_EXISTING_EXECUTION,
    LegacyState.FAIL_DUPLICATE_EXECUTION,
    LegacyState.SUCCEED_DUPLICATE_EXECUTION,
    LegacyState.HANDLE_INIT_FAILURE,
    LegacyState.INITIALIZE_STATE_DATA,
    LegacyState.INITIALIZATION_FAILED,
    LegacyState.CHECK_LARGE_WORKFLOW,
    LegacyState.NOTIFY_LARGE_WORKFLOW_WARNING,
    LegacyState.NOTIFY_WORKFLOW_STARTED,
    LegacyState.SELECT_DISTRIBUTED_STRATEGY,
    LegacyState.EXECUTE_MAP_REDUCE_MODE,
    LegacyState.MAP_REDUCE_SEGMENT_RUNNER,
    LegacyState.AGGREGATE_MAP_REDUCE_RESULTS,
    LegacyState.EXECUTE_BATCHED_MODE,
    LegacyState.BATCHED_SEGMENT_RUNNER,
    LegacyState.AGGREGATE_BATCHED_RESULTS,
    LegacyState.EXECUTE_SEGMENT,
    LegacyState.CHECK_SEGMENT_STATUS,
    LegacyState.PREPARE_SEQUENTIAL_BRANCH,
    LegacyState.PROCESS_PARALLEL_SEGMENTS,
    LegacyState.INITIALIZE_BRANCH,
    LegacyState.EXECUTE_BRANCH_SEGMENT,
    LegacyState.HANDLE_BRANCH_ERROR,
    LegacyState.HANDLE_BRANCH_FAILED_STATUS,
    LegacyState.CHECK_BRANCH_NEXT,
    LegacyState.UPDATE_BRANCH_SEGMENT,
    LegacyState.UPDATE_BRANCH_TO_SEQUENTIAL,
    LegacyState.CHECK_BRANCH_LOOP_LIMIT,
    LegacyState.BRANCH_LOOP_LIMIT_EXCEEDED,
    LegacyState.BRANCH_COMPLETE,
    LegacyState.HANDLE_MAP_ERROR,
    LegacyState.AGGREGATE_PARALLEL_RESULTS_FROM_ERROR,
    LegacyState.ENSURE_EXECUTION_RESULT,
    LegacyState.MERGE_EXECUTION_RESULT,
    LegacyState.CLEANUP_MERGED_STATE,
    LegacyState.AGGREGATE_PARALLEL_RESULTS,
    LegacyState.UPDATE_STATE_DATA,
    LegacyState.UPDATE_STATE_DATA_FALLBACK,
    LegacyState.IS_PAUSE_NEEDED,
    LegacyState.CHECK_FOR_NEXT_SEGMENT,
    LegacyState.APPLY_MERGED_STATE,
    LegacyState.WAIT_FOR_CALLBACK,
    LegacyState.PREPARE_STATE_AFTER_PAUSE,
    LegacyState.PREPARE_HYBRID_MODE_OUTPUT,
    LegacyState.CHECK_IF_ASYNC_REQUIRED,
    LegacyState.NOTIFY_ASYNC_LLM_PROCESSING,
    LegacyState.HANDLE_ASYNC_LLM,
    LegacyState.PROCESS_ASYNC_RESULT,
    LegacyState.PREPARE_NEXT_SEGMENT,
    LegacyState.UPDATE_SEGMENT_TO_RUN,
    LegacyState.CHECK_LOOP_LIMIT,
    LegacyState.LOOP_LIMIT_EXCEEDED,
    LegacyState.PUBLISH_SUCCEEDED_EVENT,
    LegacyState.PREPARE_SUCCESS_OUTPUT,
    LegacyState.NOTIFY_EXECUTION_SUCCESS,
    LegacyState.NOTIFY_WORKFLOW_COMPLETED,
    LegacyState.WORKFLOW_SUCCEEDED,
    LegacyState.NOTIFY_EXECUTION_FAILURE,
    LegacyState.WORKFLOW_FAILED,
)
"""In the order of the catalogue, nested ones behind the map that they are in."""

LEGACY_DISTRIBUTED_STATES = (
    LegacyState.CHECK_FOR_INJECTED_CONFIG,
    LegacyState.CHECK_FOR_EXISTING_EXECUTION,
    LegacyState.CHECK_IF_ITEM_EXISTS,
    LegacyState.EXTRACT_EXISTING_EXECUTION_INFO,
    LegacyState.HANDLE_IDEMPOTENCY_FAILURE,
    LegacyState.FAIL_IDEMPOTENCY_UNAVAILABLE,
    LegacyState.HANDLE_EXISTING_EXECUTION,
    LegacyState.FAIL_DUPLICATE_EXECUTION,
    LegacyState.SUCCEED_DUPLICATE_EXECUTION,
    LegacyState.INITIALIZE_STATE_DATA,
    LegacyState.HANDLE_INIT_FAILURE,
    LegacyState.INITIALIZATION_FAILED,
    LegacyState.CHECK_DISTRIBUTED_MAP_REQUIRED,
    LegacyState.PREPARE_DISTRIBUTED_EXECUTION,
    LegacyState.NOTIFY_DISTRIBUTED_WORKFLOW_STARTED,
    LegacyState.EXECUTE_DISTRIBUTED_SEGMENTS,
    LegacyState.LOAD_LATEST_STATE_POINTER,
    LegacyState.PROCESS_SEGMENT_CHUNK,
    LegacyState.SAVE_LATEST_STATE_POINTER,
    LegacyState.CHECK_CHUNK_STATUS,
    LegacyState.WAIT_FOR_DISTRIBUTED_CALLBACK,
    LegacyState.RESUME_CHUNK_AFTER_CALLBACK,
    LegacyState.SAVE_RESUMED_STATE_POINTER,
    LegacyState.CHECK_RESUMED_CHUNK_STATUS,
    LegacyState.CHUNK_COMPLETED,
    LegacyState.AGGREGATE_DISTRIBUTED_RESULTS,
    LegacyState.CHECK_AGGREGATION_RESULT,
    LegacyState.PREPARE_DISTRIBUTED_SUCCESS_OUTPUT,
    LegacyState.NOTIFY_WORKFLOW_STARTED,
    LegacyState.EXECUTE_SEGMENT,
    LegacyState.CHECK_SEGMENT_STATUS,
    LegacyState.PROCESS_PARALLEL_SEGMENTS_DISTRIBUTED,
    LegacyState.EXECUTE_BRANCH_DISTRIBUTED,
    LegacyState.AGGREGATE_PARALLEL_RESULTS,
    LegacyState.UPDATE_STATE_DATA,
    LegacyState.CHECK_FOR_NEXT_SEGMENT,
    LegacyState.PREPARE_NEXT_SEGMENT,
    LegacyState.WAIT_FOR_CALLBACK,
    LegacyState.PREPARE_STATE_AFTER_PAUSE,
    LegacyState.APPLY_MERGED_STATE,
    LegacyState.PUBLISH_SUCCEEDED_EVENT,
    LegacyState.PREPARE_SUCCESS_OUTPUT,
    LegacyState.NOTIFY_EXECUTION_SUCCESS,
    LegacyState.WORKFLOW_SUCCEEDED,
    LegacyState.NOTIFY_EXECUTION_FAILURE,
    LegacyState.WORKFLOW_FAILED,
)
"""The same of the distributed machine."""
