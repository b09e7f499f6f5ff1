"""Serves AWS services out of moto, with its Step Functions interpreter calling the functions of the test process.

What it corrects in the interpreter are deviations from the service that definitions under test run into; what it leaves
is in ``KNOWN_GAPS``.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from contextvars import ContextVar
from types import SimpleNamespace
from typing import Any

import calls
import map_results
import moto.stepfunctions.parser.models
import moto.stepfunctions.responses
from moto.core.config import default_user_config
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from moto.stepfunctions.parser.api import ExecutionFailedEventDetails, HistoryEventType
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEvent, FailureEventException
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import StatesErrorNameType
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration import distributed_iteration_component
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.itemprocessor import (
    distributed_item_processor_worker,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_map.result_writer.resource_eval import resource_eval_s3
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_callback import (
    StateTaskServiceCallback,
)
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import WaitFunction
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.asl.eval.program_state import ProgramEnded, ProgramError
from moto.stepfunctions.parser.asl.utils import json_path
from moto.stepfunctions.parser.asl.utils.boto_client import boto_client_for
from moto.stepfunctions.parser.backend import execution as execution_module
from werkzeug.serving import make_server

SEVERAL = re.compile(r"\.\.|\*|\[\s*-?\d*\s*:|\[\?|\[[^\]]*,")
"""Paths that may lead to several values, and so to a list even where there is one."""


def invoke(parameters: dict[str, Any], region: str, state_credentials: Any) -> dict[str, Any]:
    """The response of Lambda's Invoke, with the payload parsed."""
    answer = calls.call_function(parameters["FunctionName"], json.loads(parameters.get("Payload") or b"{}"))
    if not answer:
        missing = {"Error": {"Code": "ResourceNotFoundException", "Message": f"no {parameters['FunctionName']}"}}
        raise moto_client_error(missing | {"ResponseMetadata": {"HTTPStatusCode": 404, "RequestId": "none"}}, "Invoke")
    response = {
        "StatusCode": 200,
        "ExecutedVersion": "$LATEST",
        "ResponseMetadata": {"HTTPStatusCode": 200, "HTTPHeaders": {}, "RequestId": "none", "RetryAttempts": 0},
    }
    if "error" in answer:
        return response | {"Payload": answer["error"], "FunctionError": "Unhandled"}
    return response | {"Payload": answer["result"]}


def moto_client_error(response: dict[str, Any], operation: str) -> Exception:
    """An error of boto3, which the interpreter names after its code."""
    from botocore.exceptions import ClientError

    return ClientError(response, operation)


def invoke_by_arn(env: Any, parameters: dict[str, Any], region: str, account: str, credentials: Any) -> None:
    """The same for a task whose resource is the function itself."""
    response = invoke(parameters, region, credentials)
    if "FunctionError" in response:
        raise lambda_eval_utils.LambdaFunctionErrorException("Unhandled", json.dumps(response["Payload"]))
    env.stack.append(response)


def extract(path: str, data: Any) -> Any:
    """A value for a path that leads to one at most, a list for any other."""
    from jsonpath_ng.ext import parse

    found = [match.value for match in parse(path).find(data)]
    if SEVERAL.search(path):
        return found
    if not found:
        raise json_path.NoSuchJsonPathError(json_path=path, data=data)
    return found[0]


def send_task_failure(self: Any) -> Any:
    """Keeps the cause."""
    from moto.core.responses import EmptyResult

    self.stepfunction_backend.send_task_failure(
        self._get_param("taskToken"), error=self._get_param("error"), cause=self._get_param("cause")
    )
    return EmptyResult()


def wait_for_answer_or_heartbeat(self: Any, env: Any, callback_endpoint: Any, heartbeat_endpoint: Any) -> Any:
    """Sees an answer that came before the wait began, too."""
    outcome = callback_endpoint.get_outcome()
    return outcome or wait_for_heartbeat(self, env, callback_endpoint, heartbeat_endpoint)


wait_for_heartbeat = StateTaskServiceCallback._wait_for_task_token_heartbeat


def tell_end(self: Any) -> None:
    """Tell the test process which execution has ended."""
    terminated(self)
    calls.post("/ended", {"execution": self.execution.name})


terminated = execution_module.BaseExecutionWorkerCommunication.terminated

parent_events: ContextVar[Any] = ContextVar("parent_events")
"""Events of child executions go where those of the parent go; by themselves they go nowhere."""


def run_map(self: Any, env: Any) -> None:
    """The whole of a distributed Map."""
    parent_events.set(env.event_manager)
    env.stack[-1].map_run_record.children = []
    eval_map(self, env)


eval_map = distributed_iteration_component.DistributedIterationComponent._eval_body


def run_items(self: Any, env: Any, eval_input: Any) -> None:
    """Fails where more children have failed than are tolerated: the interpreter tolerates all."""
    eval_items(self, env=env, eval_input=eval_input)
    children = eval_input.map_run_record.children
    failed = sum(child["Status"] == "FAILED" for child in children)
    count, percentage = eval_input.tolerated_failure_count, eval_input.tolerated_failure_percentage
    limits = [failed > count] if count else []
    limits += [failed * 100 > percentage * len(children)] if percentage else []
    if failed and (any(limits) if limits else True):
        name = StatesErrorNameType.StatesExceedToleratedFailureThreshold
        details = ExecutionFailedEventDetails(
            error=name.to_name(), cause="The specified tolerated failure threshold was exceeded"
        )
        raise FailureEventException(
            FailureEvent(
                env=env,
                error_name=StatesErrorName(typ=name),
                event_type=HistoryEventType.MapRunFailed,
                event_details=EventDetails(mapRunFailedEventDetails=details),
            )
        )


eval_items = distributed_iteration_component.DistributedIterationComponent._map_run


def select_input(self: Any, env_frame: Any) -> None:
    """Remembers what a child is given."""
    eval_input(self, env_frame)
    env_frame.given = env_frame.states.get_input()


eval_input = distributed_item_processor_worker.DistributedItemProcessorWorker._eval_input


def run_child(self: Any, env: Any, job: Any) -> None:
    """Remembers how a child has ended."""
    eval_job(self, env=env, job=job)
    record, state = self._map_run_record, env.program_state()
    name = f"child-{job.job_index}"
    arn = record.map_state_machine_arn
    child = {
        "ExecutionArn": f"{arn.replace(':stateMachine:', ':execution:')}:{name}",
        "StateMachineArn": arn,
        "Name": name,
        "Input": json.dumps(env.given),
        "InputDetails": {"Included": True},
        "OutputDetails": {"Included": True},
    }
    if isinstance(state, ProgramEnded):
        child |= {"Status": "SUCCEEDED", "Output": json.dumps(job.job_output)}
    else:
        error = state.error if isinstance(state, ProgramError) and state.error else {}
        child |= {"Status": "FAILED", "Error": error.get("error") or "", "Cause": error.get("cause") or ""}
    record.children.append(child)


eval_job = distributed_item_processor_worker.DistributedItemProcessorWorker._eval_job


def write_results(env: Any, resource_runtime_part: Any, state_credentials: Any) -> None:
    """Writes the files that the manifest speaks of, too."""
    parameters = env.stack.pop()
    env.stack.pop()
    record = max(env.map_run_record_pool_manager.get_all(), key=lambda record: record.start_date)
    client = boto_client_for(service="s3", region=resource_runtime_part.region, state_credentials=state_credentials)
    env.stack.append(
        map_results.write_results(
            client,
            bucket=parameters["Bucket"],
            prefix=parameters.get("Prefix", ""),
            map_run_arn=record.map_run_arn,
            children=record.children,
        )
    )


def correct() -> None:
    """Put the functions above in place of the interpreter's."""
    lambda_eval_utils._invoke_lambda_function = invoke
    lambda_eval_utils.exec_lambda_function = invoke_by_arn
    moto.stepfunctions.responses.StepFunctionResponse.send_task_failure = send_task_failure
    StateTaskServiceCallback._wait_for_task_token_heartbeat = wait_for_answer_or_heartbeat
    retrier_decl.time = SimpleNamespace(sleep=lambda seconds: None)
    WaitFunction._wait_interval = lambda self, env, wait_seconds: None
    wrong = json_path.extract_json
    for module in list(sys.modules.values()):
        if getattr(module, "extract_json", None) is wrong:
            module.extract_json = extract
    component = distributed_iteration_component.DistributedIterationComponent
    component._eval_body, component._map_run = run_map, run_items
    distributed_iteration_component.EventManager = parent_events.get
    worker = distributed_item_processor_worker.DistributedItemProcessorWorker
    worker._eval_input, worker._eval_job = select_input, run_child
    resource_eval_s3.ResourceEvalS3._handle_put_object = staticmethod(write_results)
    execution_module.BaseExecutionWorkerCommunication.terminated = tell_end


def main() -> None:
    """Serve until the test process has ended."""
    logging.getLogger("moto").setLevel(logging.CRITICAL)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    default_user_config["stepfunctions"]["execute_state_machine"] = True
    default_user_config["lambda"]["use_docker"] = False
    correct()
    application = DomainDispatcherApplication(create_backend_app)
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=MotoRequestHandler)
    os.environ["MOTO_PORT"] = str(server.server_port)
    calls.announce(server.server_port)
    server.serve_forever()


if __name__ == "__main__":
    main()
