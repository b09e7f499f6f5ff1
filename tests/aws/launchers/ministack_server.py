"""Serves MiniStack, with its Step Functions interpreter calling the functions of the test process.

What it corrects in the interpreter are deviations from the service that definitions under test run into; what it leaves
is in ``KNOWN_GAPS``.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
from typing import Any

import boto3
import calls
import map_results
from ministack.app import main as serve
from ministack.services import stepfunctions

FOREVER = 99_999
HANDLERS = {
    "Pass": "_execute_pass",
    "Task": "_execute_task",
    "Choice": "_execute_choice",
    "Wait": "_execute_wait",
    "Parallel": "_execute_parallel",
    "Map": "_execute_map",
}
writing = threading.Lock()


def call_lambda(reference: str, event: Any) -> Any:
    """What the function gives back; its error under the name of the exception's class."""
    answer = calls.call_function(reference, event)
    if not answer:
        raise stepfunctions._ExecutionError("Lambda.ResourceNotFoundException", f"Function not found: {reference}")
    if "error" in answer:
        raise stepfunctions._ExecutionError(answer["error"]["errorType"], json.dumps(answer["error"]))
    return answer["result"]


def invoke_resource(resource: str, given: Any) -> Any:
    """Tells the version of the function, as the service does."""
    result = invoke(resource, given)
    return result | {"ExecutedVersion": "$LATEST"} if "states:::lambda:invoke" in resource else result


invoke = stepfunctions._invoke_resource


def wait_for_answer(resource: str, given: Any, token: str, state: dict[str, Any]) -> Any:
    """Fails when the function does or when no heartbeat comes; MiniStack would wait on."""
    if "states:::lambda:invoke" not in resource:
        return wait(resource, given, token, state)
    ticket = {"event": threading.Event(), "result": None, "error": None, "heartbeat": None}
    stepfunctions._task_tokens[token] = ticket
    try:
        reference = stepfunctions._resolve_lambda_function_ref(given["FunctionName"], optimized=True)
        stepfunctions._call_lambda(reference, given.get("Payload", {}))
        wait_until_set(ticket, timeout=state.get("TimeoutSeconds", FOREVER), heartbeat=state.get("HeartbeatSeconds"))
    finally:
        del stepfunctions._task_tokens[token]
    if ticket["error"]:
        raise stepfunctions._ExecutionError(ticket["error"].get("Error"), ticket["error"].get("Cause"))
    return json.loads(ticket["result"])


wait = stepfunctions._invoke_with_callback


def wait_until_set(ticket: dict[str, Any], *, timeout: float, heartbeat: float | None) -> None:
    """Raises the error of the limit that passes first."""
    end, last = time.monotonic() + timeout, ticket["heartbeat"]
    while not ticket["event"].wait(min(heartbeat or FOREVER, max(0, end - time.monotonic()))):
        if time.monotonic() >= end:
            raise stepfunctions._ExecutionError("States.Timeout", "")
        if ticket["heartbeat"] == last:
            raise stepfunctions._ExecutionError("States.HeartbeatTimeout", "")
        last = ticket["heartbeat"]


def run_nested(
    states: dict[str, Any], start_at: str, given: Any, execution: dict[str, Any], ctx: dict[str, Any]
) -> Any:
    """Records what nested states are given and give, and lends no branch the context of another."""
    ctx, name, value = {**ctx}, start_at, json.loads(json.dumps(given))
    while name:
        state, entered = states[name], name
        ctx["State"] = {"Name": name, "EnteredTime": stepfunctions.now_iso(), "RetryCount": 0}
        details = {"name": entered, "input": json.dumps(value)}
        stepfunctions._add_event(execution, f"{state['Type']}StateEntered", {"stateEnteredEventDetails": details})
        if state["Type"] == "Fail":
            raise stepfunctions._ExecutionError(*stepfunctions._fail_state_error(state, value, ctx))
        if state["Type"] == "Succeed":
            value = stepfunctions._apply_input_path(state, value, ctx)
            value, name = stepfunctions._apply_output_path(state, value, ctx), None
        else:
            handle = getattr(stepfunctions, HANDLERS[state["Type"]])
            shared = (execution,) if state["Type"] in ("Task", "Parallel", "Map") else ()
            value, name = handle(state, value, *shared, ctx)
        details = {"name": entered, "output": json.dumps(value)}
        stepfunctions._add_event(execution, f"{state['Type']}StateExited", {"stateExitedEventDetails": details})
    return value


def add_event(execution: dict[str, Any], event_type: str, details: dict[str, Any] | None = None) -> Any:
    """Puts events of child executions where those of the parent are, too."""
    with writing:
        if "mapRunArn" in execution:
            parent = stepfunctions._map_runs[execution["mapRunArn"]]["executionArn"]
            record(stepfunctions._executions[parent], event_type, details)
        return record(execution, event_type, details)


record = stepfunctions._add_event


def run_distributed_map(
    state: dict[str, Any], raw: Any, effective: Any, iterator: Any, execution: dict[str, Any], ctx: dict[str, Any]
) -> Any:
    """Writes the results where the state says so; MiniStack would return them."""
    writer = state.get("ResultWriter")
    if not writer:
        return run_map(state, raw, effective, iterator, execution, ctx)
    plain = {key: value for key, value in state.items() if key not in ("ResultSelector", "ResultPath", "OutputPath")}
    before = set(stepfunctions._map_runs)
    to = stepfunctions._resolve_params_obj(writer["Parameters"], effective, ctx)
    try:
        _, following = run_map(plain, raw, effective, iterator, execution, ctx)
    finally:
        runs = [stepfunctions._map_runs[arn] for arn in stepfunctions._map_runs if arn not in before]
        arn = next(run["mapRunArn"] for run in runs if run["executionArn"] == execution["executionArn"])
        written = map_results.write_results(
            boto3.client("s3", endpoint_url=f"http://127.0.0.1:{os.environ['GATEWAY_PORT']}"),
            bucket=to["Bucket"],
            prefix=to.get("Prefix", ""),
            map_run_arn=arn,
            children=[listed(child) for child in stepfunctions._executions.values() if child.get("mapRunArn") == arn],
        )
    result = stepfunctions._apply_result_selector(state, written)
    output = stepfunctions._apply_result_path(state, raw, result)
    return stepfunctions._apply_output_path(state, output, ctx), following


run_map = stepfunctions._run_distributed_map


def listed(child: dict[str, Any]) -> dict[str, Any]:
    """A child execution as result files list it."""
    entry = {
        "ExecutionArn": child["executionArn"],
        "StateMachineArn": child["stateMachineArn"],
        "Name": child["name"],
        "Status": child["status"],
        "Input": child["input"],
        "InputDetails": {"Included": True},
        "OutputDetails": {"Included": True},
    }
    if child["status"] == "SUCCEEDED":
        return entry | {"Output": child["output"]}
    return entry | {"Error": child.get("error") or "", "Cause": child.get("cause") or ""}


def tell_end(execution: dict[str, Any]) -> None:
    """Tell the test process which execution has ended."""
    tell_bus(execution)
    if execution["status"] != "RUNNING":
        calls.post("/ended", {"execution": execution["name"]})


tell_bus = stepfunctions._emit_execution_status_event


def correct() -> None:
    """Put the functions above in place of the interpreter's."""
    stepfunctions._call_lambda = call_lambda
    stepfunctions._invoke_resource = invoke_resource
    stepfunctions._invoke_with_callback = wait_for_answer
    stepfunctions._run_sub_machine = run_nested
    stepfunctions._add_event = add_event
    stepfunctions._run_distributed_map = run_distributed_map
    stepfunctions._emit_execution_status_event = tell_end


def announce_when_listening(port: int) -> None:
    """MiniStack tells nobody when its port is open."""
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return calls.announce(port)
        time.sleep(0.02)


def serve_as_a_command() -> None:
    """Serve as ``ministack`` does."""
    sys.argv = ["ministack"]
    serve()


def main() -> None:
    """Serve until the test process has ended."""
    correct()
    port = int(os.environ["GATEWAY_PORT"])
    threading.Thread(target=announce_when_listening, args=(port,), daemon=True).start()
    serve_as_a_command()


if __name__ == "__main__":
    main()
