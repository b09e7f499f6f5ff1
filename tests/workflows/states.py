"""Stretches of traces that many runs share."""

from __future__ import annotations

VERIFY = ["CheckIdempotency", "VerifyIdempotencyKey"]
START = [*VERIFY, "EvaluateIdempotency"]
INIT = ["InitializeStateBag", "NotifyWorkflowStarted", "SelectExecutionStrategy"]
BORN = [*START, *INIT]
STEP = ["ExecuteSegment", "SyncStateData", "EvaluateNextAction"]
NEXT = ["CheckLoopLimit", *STEP]
PAUSE = ["WaitForHITPCallback", "MergeCallbackResult", "EvaluateNextAction"]
ASYNC = ["HandleAsyncLLM", "WaitForAsyncLLMCallback", "MergeAsyncResult", "EvaluateNextAction"]
END = ["NotifyWorkflowCompleted", "PrepareSuccessOutput", "WorkflowSucceeded"]
FAIL = ["NotifyAndFail", "WorkflowFailed"]
