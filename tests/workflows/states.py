"""Stretches of traces that many runs share."""

from __future__ import annotations

START = ["CheckIdempotency"]
VERIFY = [*START, "VerifyIdempotencyKey"]
"""With an idempotency key."""
INIT = ["InitializeStateBag", "NotifyWorkflowStarted", "SelectExecutionStrategy"]
BORN = [*START, *INIT]
KEYED = [*VERIFY, "EvaluateIdempotency"]
KEYED_BORN = [*KEYED, *INIT]
STEP = ["ExecuteSegment", "SyncStateData", "EvaluateNextAction"]
NEXT = ["CheckLoopLimit", *STEP]
PAUSE = ["WaitForHITPCallback", "MergeCallbackResult", "EvaluateNextAction"]
ASYNC = ["HandleAsyncLLM", "WaitForAsyncLLMCallback", "MergeAsyncResult", "EvaluateNextAction"]
END = ["NotifyWorkflowCompleted", "PrepareSuccessOutput", "WorkflowSucceeded"]
FAIL = ["NotifyAndFail", "WorkflowFailed"]
FORK = ["ProcessParallelBranches", "AggregateParallelResults", "EvaluateNextAction"]
MAP = ["ExecuteMapReduceMode", "SyncStateAfterDistributed", "EvaluateNextAction"]

BRANCH_STEP = ["ExecuteBranchSegment", "SyncBranchState", "EvaluateBranchNext"]
BRANCH_BORN = ["InitBranchState", *BRANCH_STEP]
"""Its first segment is a quick one."""
BRANCH_BORN_WAITING = ["InitBranchState", "EvaluateBranchNext"]
"""Its first segment calls the outside world, or somebody is asked before."""
BRANCH_NEXT = ["CheckBranchLoopLimit", *BRANCH_STEP]
BRANCH_PAUSE = ["WaitForHITPCallback", "MergeCallbackResult", "EvaluateBranchNext"]
BRANCH_ASYNC = ["HandleAsyncLLM", "WaitForAsyncLLMCallback", "MergeAsyncResult", "EvaluateBranchNext"]
BRANCH_FORK = ["ProcessParallelBranches", "AggregateParallelResults", "EvaluateBranchNext"]
BRANCH_END = ["BranchComplete"]
BRANCH_FAIL = ["HandleBranchError"]
