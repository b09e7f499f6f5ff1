"""How a run ends on AWS: it tells, and then it succeeds or fails with the real cause."""

from __future__ import annotations

from collections.abc import Mapping

from asl_compat.machines._build import ASL, catch, fail, pass_on, succeed
from asl_compat.machines._notices import publish
from statebag.events import EventType
from statebag.machine import State

__all__ = ["end"]

_LIMIT = (
    "States.Format('LOOP_LIMIT_EXCEEDED: {} segments were executed, the limit is {}. Raise max_loop_iterations.', "
    "$.state_data.loop_counter, $.state_data.max_loop_iterations)"
)
_CAUSE = "States.Format('{}: {}', $.failure.Error, $.failure.Cause)"
_OUTPUT = ("ownerId", "workflowId", "loop_counter", "total_segments", "start_time", "llm_segments", "hitp_segments")


def end(*, distributed: bool) -> Mapping[State, ASL]:
    """The states at the end of a machine."""
    output: ASL = {
        "status": "SUCCEEDED",
        "execution_id.$": "$$.Execution.Id",
        "final_state_s3_path.$": "$.next.bag.root",
        **{f"{name}.$": f"$.state_data.{name}" for name in _OUTPUT},
    }
    if distributed:
        output["distributed_execution"] = True
    return {
        State.FAIL_LOOP_LIMIT_EXCEEDED: fail("LoopLimitExceeded", cause_path=_LIMIT),
        State.NOTIFY_WORKFLOW_COMPLETED: publish(
            EventType.COMPLETED,
            then=State.PREPARE_SUCCESS_OUTPUT,
            catches=[catch(State.PREPARE_SUCCESS_OUTPUT, into=None)],
        ),
        State.PREPARE_SUCCESS_OUTPUT: pass_on(output, then=State.WORKFLOW_SUCCEEDED),
        State.WORKFLOW_SUCCEEDED: succeed(),
        State.NOTIFY_AND_FAIL: publish(
            EventType.FAILED,
            then=State.WORKFLOW_FAILED,
            catches=[catch(State.WORKFLOW_FAILED, into=None)],
            hint=True,
        ),
        State.WORKFLOW_FAILED: fail("WorkflowExecutionFailed", cause_path=_CAUSE),
    }
