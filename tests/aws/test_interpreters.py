"""What definitions under test rely on is the same on all interpreters."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from tests.aws.gaps import IGNORE_TIMES_IN_INPUT, KNOWN_GAPS, Gap
from tests.aws.interpreters import Functions, Interpreter, Refused
from tests.aws.probes import called, caught, distributed, everything, machine, mapped, retried, waiting
from tests.aws.services import Resources, create, table

pytestmark = [pytest.mark.aws, pytest.mark.timeout(60)]


class Busy(Exception):
    """Goes away."""


class TooLarge(Exception):
    """Stays."""


class Refusal(Exception):
    """Of a function that was to arrange for an answer."""


@pytest.fixture(params=["moto", "ministack", "local_step_functions"])
def interpreter(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Interpreter:
    """Each of them, with this process's environment pointing at its services."""
    chosen: Interpreter = request.getfixturevalue(request.param)
    for name, value in chosen.environment.items():
        monkeypatch.setenv(name, value)
    return chosen


@pytest.fixture
def name() -> str:
    """New each time: for executions, and for what they use."""
    return f"probe-{uuid.uuid4().hex[:12]}"


def answer(token: str, output: Any) -> None:
    """As another process would."""
    boto3.client("stepfunctions").send_task_success(taskToken=token, output=json.dumps(output))


@pytest.fixture
def answerers() -> Iterator[list[threading.Thread]]:
    """Threads that answer later, joined at the end."""
    threads: list[threading.Thread] = []
    yield threads
    for thread in threads:
        thread.join()


def test_all_kinds_of_states(interpreter: Interpreter, name: str, answerers: list[threading.Thread]) -> None:
    taps = create(interpreter, Resources(tables=[table(name, "key")], buses=[name]))
    item = {"key": {"S": "k"}, "status": {"S": "SUCCEEDED"}, "other": {"S": "unseen"}}
    interpreter.client("dynamodb").put_item(TableName=name, Item=item)
    tries: list[int] = []

    def count(event: Any, context: Any) -> int:
        tries.append(1)
        if len(tries) < 3:
            raise Busy(f"try {len(tries)}")
        return len(event["items"])

    def double(event: Any, context: Any) -> int:
        if event["value"] > 10:
            raise TooLarge("more than ten")
        return event["value"] * 2

    def ask(event: Any, context: Any) -> None:
        later = threading.Thread(target=answer, args=(event["token"], f"{event['who']} says yes"))
        answerers.append(later)
        later.start()

    ran = interpreter.run(
        everything(table=name, bus=name),
        {"key": "k", "items": [1, 20, 3]},
        {"count": count, "double": double, "ask": ask},
        name=name,
    )

    answers = ["one says yes", "two says yes"]
    assert (ran.status, ran.error, ran.cause) == ("SUCCEEDED", None, None)
    assert ran.output == {
        "items": [1, 20, 3],
        "width": 2,
        "name": name,
        "state": "Prepare",
        "label": "k/SUCCEEDED",
        "counted": {"value": 3},
        "doubles": [{"is": 2, "at": 0}, {"is": None, "why": "TooLarge"}, {"is": 6, "at": 2}],
        "answers": answers,
    }
    before, inside = ["Look", "Known", "Prepare", "Count", "Each"], ["Double"] * 3 + ["Keep"] * 2 + ["Refused"]
    assert ran.trace[:5] == before
    assert sorted(ran.trace[5:11]) == sorted(inside)
    assert (ran.trace[11], sorted(ran.trace[12:14]), ran.trace[14:]) == (
        "Both",
        ["Ask", "AskToo"],
        ["Pause", "Tell", "Done"],
    )
    assert ran.transitions == len(ran.trace) + 2
    (event,) = taps[name].take()
    assert (event["detail-type"], event["detail"]) == ("Told", {"name": name, "answers": answers})


def test_the_largest_value_between_states_is_known(interpreter: Interpreter, name: str) -> None:
    definition = machine(
        Each=mapped(
            {"Grow": {"Type": "Pass", "Parameters": {"twice.$": "States.Array($.value, $.value)"}, "End": True}},
            {"value.$": "$$.Map.Item.Value"},
            Next="Shrink",
        ),
        Shrink={"Type": "Pass", "Result": "ü", "End": True},
    )

    ran = interpreter.run(definition, {"items": ["x" * 10_000]}, {}, name=name)

    assert ran.output == "ü"
    assert ran.largest_bytes == len('[{"twice":["",""]}]') + 20_000


def test_an_error_that_is_not_retried_fails_with_its_name_and_what_lambda_tells(
    interpreter: Interpreter, name: str
) -> None:
    tries: list[int] = []

    def fail(event: Any, context: Any) -> None:
        tries.append(1)
        raise TooLarge("by far")

    definition = machine(Call=called("fail", {}, Retry=[retried("Busy")], End=True))

    ran = interpreter.run(definition, {}, {"fail": fail}, name=name)

    assert (ran.status, ran.error, ran.trace, len(tries)) == ("FAILED", "TooLarge", ["Call"], 1)
    cause = json.loads(ran.cause or "")
    assert (cause["errorType"], cause["errorMessage"]) == ("TooLarge", "by far")


def test_retries_end(interpreter: Interpreter, name: str) -> None:
    tries: list[int] = []

    def fail(event: Any, context: Any) -> None:
        tries.append(1)
        raise Busy("again")

    definition = machine(
        Call=called("fail", {}, Retry=[retried("Busy", times=4)], Catch=caught("Caught"), End=True),
        Caught={"Type": "Pass", "Parameters": {"why.$": "$.error.Error"}, "End": True},
    )

    ran = interpreter.run(definition, {}, {"fail": fail}, name=name)

    assert (ran.status, ran.output, len(tries)) == ("SUCCEEDED", {"why": "Busy"}, 5)
    assert (ran.trace, ran.transitions) == (["Call", "Caught"], 6)


@pytest.mark.parametrize("limit", [{}, {"HeartbeatSeconds": 3600}, {"TimeoutSeconds": 3600}])
def test_an_answer_that_comes_before_the_function_returns(
    interpreter: Interpreter, name: str, limit: dict[str, int]
) -> None:
    def ask(event: Any, context: Any) -> str:
        answer(event["token"], {"said": event["what"]})
        return "unseen"

    definition = machine(Ask=waiting("ask", {"what.$": "$.what"}, ResultPath="$.answer", End=True, **limit))

    ran = interpreter.run(definition, {"what": "yes"}, {"ask": ask}, name=name)

    assert (ran.status, ran.output) == ("SUCCEEDED", {"what": "yes", "answer": {"said": "yes"}})


def test_an_answer_can_be_a_failure(interpreter: Interpreter, name: str) -> None:
    def ask(event: Any, context: Any) -> None:
        boto3.client("stepfunctions").send_task_failure(taskToken=event["token"], error="Rejected", cause="too dear")

    definition = machine(
        Ask=waiting("ask", {}, Catch=caught("Caught", "Rejected"), End=True),
        Caught={"Type": "Pass", "OutputPath": "$.error", "End": True},
    )

    ran = interpreter.run(definition, {}, {"ask": ask}, name=name)

    assert ran.output == {"Error": "Rejected", "Cause": "too dear"}


def test_a_function_that_fails_ends_the_wait(interpreter: Interpreter, name: str) -> None:
    def ask(event: Any, context: Any) -> None:
        raise Refusal("nobody there")

    ran = interpreter.run(machine(Ask=waiting("ask", {}, End=True)), {}, {"ask": ask}, name=name)

    assert (ran.status, ran.error) == ("FAILED", "Refusal")


def test_a_wait_ends_with_its_time_out(interpreter: Interpreter, name: str) -> None:
    definition = machine(Ask=waiting("ask", {}, TimeoutSeconds=1, End=True))

    ran = interpreter.run(definition, {}, {"ask": lambda event, context: None}, name=name)

    assert (ran.status, ran.error) == ("FAILED", "States.Timeout")


@pytest.mark.parametrize(
    "limits",
    [{"TimeoutSecondsPath": "$.seconds"}, {"HeartbeatSecondsPath": "$.seconds", "TimeoutSeconds": 3600}],
    ids=["time-out", "heartbeat"],
)
def test_times_in_the_input_pass_where_they_are_known_to(
    interpreter: Interpreter, name: str, limits: dict[str, Any]
) -> None:
    definition = machine(Ask=waiting("ask", {}, End=True, **limits))
    functions: Functions = {"ask": lambda event, context: None}

    if interpreter.name in IGNORE_TIMES_IN_INPUT:
        with pytest.raises(TimeoutError, match=name):
            interpreter.run(definition, {"seconds": 1}, functions, name=name, timeout=2)
    else:
        ran = interpreter.run(definition, {"seconds": 1}, functions, name=name)
        assert (ran.status, ran.error, ran.trace) == ("FAILED", "States.Timeout", ["Ask"])


def test_a_time_in_the_input_that_has_passed_is_caught(interpreter: Interpreter, name: str) -> None:
    def ask(event: Any, context: Any) -> None:
        if interpreter.name in IGNORE_TIMES_IN_INPUT:
            boto3.client("stepfunctions").send_task_failure(taskToken=event["token"], error="States.Timeout")

    limits = {"TimeoutSecondsPath": "$.seconds", "Catch": caught("Caught", "States.Timeout")}
    definition = machine(
        Ask=waiting("ask", {}, End=True, **limits),
        Caught={"Type": "Pass", "Parameters": {"late": True}, "End": True},
    )

    ran = interpreter.run(definition, {"seconds": 1}, {"ask": ask}, name=name)

    assert (ran.status, ran.output, ran.trace) == ("SUCCEEDED", {"late": True}, ["Ask", "Caught"])


def test_a_wait_ends_when_no_heartbeat_comes(interpreter: Interpreter, name: str) -> None:
    definition = machine(
        Ask=waiting(
            "ask",
            {},
            HeartbeatSeconds=1,
            Catch=caught("Caught", "States.HeartbeatTimeout", "States.Timeout"),
            End=True,
        ),
        Caught={"Type": "Pass", "Parameters": {"late": True}, "End": True},
    )

    ran = interpreter.run(definition, {}, {"ask": lambda event, context: None}, name=name)

    assert (ran.status, ran.output, ran.trace) == ("SUCCEEDED", {"late": True}, ["Ask", "Caught"])


def test_one_item_that_fails_fails_a_map(interpreter: Interpreter, name: str) -> None:
    def check(event: Any, context: Any) -> Any:
        if event["value"] == 2:
            raise TooLarge("two")
        return event["value"]

    definition = machine(
        Each=mapped(
            {"Check": called("check", {"value.$": "$.value"}, End=True)},
            {"value.$": "$$.Map.Item.Value"},
            Catch=caught("Caught"),
            End=True,
        ),
        Caught={"Type": "Pass", "Parameters": {"why.$": "$.error.Error", "items.$": "$.items"}, "End": True},
    )

    ran = interpreter.run(definition, {"items": [1, 2, 3]}, {"check": check}, name=name)

    assert (ran.status, ran.output) == ("SUCCEEDED", {"why": "TooLarge", "items": [1, 2, 3]})


def test_a_projection_over_what_a_map_gives(interpreter: Interpreter, name: str) -> None:
    definition = machine(
        Each=mapped(
            {"Keep": {"Type": "Pass", "End": True}},
            {"value.$": "$$.Map.Item.Value", "left": "out"},
            ResultSelector={"all.$": "$[*].value", "whole.$": "$"},
            ResultPath="$.made",
            End=True,
        )
    )

    ran = interpreter.run(definition, {"items": ["a", "b"]}, {}, name=name)

    whole = [{"value": "a", "left": "out"}, {"value": "b", "left": "out"}]
    assert ran.output == {"items": ["a", "b"], "made": {"all": ["a", "b"], "whole": whole}}


def put_items(interpreter: Interpreter, name: str, items: list[Any]) -> None:
    """Where ``distributed`` reads them."""
    create(interpreter, Resources(buckets=[name]))
    interpreter.client("s3").put_object(Bucket=name, Key="items.json", Body=json.dumps(items).encode())


def results_in(interpreter: Interpreter, details: dict[str, str], status: str) -> list[dict[str, Any]]:
    """What the files of a manifest list."""
    client = interpreter.client("s3")

    def read(key: str) -> Any:
        return json.loads(client.get_object(Bucket=details["Bucket"], Key=key)["Body"].read())

    manifest = read(details["Key"])
    return [entry for file in manifest["ResultFiles"][status] for entry in read(file["Key"])]


def answering_function(event: Any, context: Any) -> None:
    """Arranges for an answer at once."""
    answer(event["token"], event["value"] * 100)


FUNCTIONS: Functions = {"ask": answering_function}


def chunk_states() -> dict[str, Any]:
    """Fails where the value is 2."""
    return {
        "Two": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.value", "NumericEquals": 2, "Next": "Fails"}],
            "Default": "Ask",
        },
        "Fails": {"Type": "Fail", "Error": "Two", "Cause": "is two"},
        "Ask": waiting("ask", {"value.$": "$.value"}, HeartbeatSeconds=3600, ResultPath="$.answer", End=True),
    }


def test_a_distributed_map_reads_and_writes_files(interpreter: Interpreter, name: str) -> None:
    put_items(interpreter, name, [1, 2, 3, 4])
    each = distributed(chunk_states(), name, ToleratedFailurePercentage=25, ResultPath="$.made", Next="After")
    definition = machine(Chunks=each, After={"Type": "Pass", "End": True})

    ran = interpreter.run(definition, {"key": "items.json", "shared": "all"}, FUNCTIONS, name=name)

    assert (ran.status, ran.error) == ("SUCCEEDED", None)
    assert set(ran.output["made"]) == {"MapRunArn", "ResultWriterDetails"}
    details = ran.output["made"]["ResultWriterDetails"]
    succeeded = results_in(interpreter, details, "SUCCEEDED")
    given = [json.loads(entry["Input"]) for entry in succeeded]
    made = [json.loads(entry["Output"])["answer"] for entry in succeeded]
    assert sorted((one["index"], one["value"], one["shared"]) for one in given) == [
        (0, 1, "all"),
        (2, 3, "all"),
        (3, 4, "all"),
    ]
    assert sorted(made) == [100, 300, 400]
    (failed,) = results_in(interpreter, details, "FAILED")
    assert (failed["Status"], failed["Error"], failed["Cause"]) == ("FAILED", "Two", "is two")
    assert (ran.trace[0], ran.trace[-1]) == ("Chunks", "After")
    assert sorted(ran.trace[1:-1]) == ["Ask"] * 3 + ["Fails"] + ["Two"] * 4


def test_a_distributed_map_fails_by_exceeding_its_tolerance(interpreter: Interpreter, name: str) -> None:
    put_items(interpreter, name, [1, 2, 2, 4])
    each = distributed(chunk_states(), name, ToleratedFailurePercentage=25, Catch=caught("Caught"), End=True)
    definition = machine(Chunks=each, Caught={"Type": "Pass", "Parameters": {"why.$": "$.error.Error"}, "End": True})

    ran = interpreter.run(definition, {"key": "items.json", "shared": None}, FUNCTIONS, name=name)

    assert (ran.status, ran.output) == ("SUCCEEDED", {"why": "States.ExceedToleratedFailureThreshold"})


def test_an_execution_that_never_ends_is_stopped(interpreter: Interpreter, name: str) -> None:
    definition = machine(Ask=waiting("ask", {}, End=True))

    with pytest.raises(TimeoutError, match=name):
        interpreter.run(definition, {}, {"ask": lambda event, context: None}, name=name, timeout=0.5)


def test_many_calls_at_once(interpreter: Interpreter, name: str) -> None:
    definition = machine(
        Each=mapped(
            {"Call": called("same", {"value.$": "$.value"}, OutputPath="$.value", End=True)},
            {"value.$": "$$.Map.Item.Value"},
            MaxConcurrency=40,
            End=True,
        )
    )

    ran = interpreter.run(
        definition, {"items": list(range(200))}, {"same": lambda event, context: event["value"]}, name=name
    )

    assert (ran.output, ran.trace.count("Call")) == (list(range(200)), 200)


@pytest.mark.parametrize("gap", KNOWN_GAPS, ids=lambda gap: gap.what)
def test_the_gaps_are_those_that_are_known(interpreter: Interpreter, name: str, gap: Gap) -> None:
    functions: Functions = {"nothing": lambda event, context: None}

    ran = interpreter.run(gap.definition, gap.given, functions, name=name)

    made = ran.output if ran.status == "SUCCEEDED" else {"error": ran.error}
    assert made == gap.by.get(interpreter.name, gap.otherwise)


@pytest.mark.parametrize(("width", "most"), [(1, 1), (3, 3)])
def test_no_more_items_at_once_than_allowed(interpreter: Interpreter, name: str, width: int, most: int) -> None:
    now, seen = [0], [0]
    lock, full = threading.Lock(), threading.Barrier(most)

    def work(event: Any, context: Any) -> None:
        with lock:
            now[0] += 1
            seen[0] = max(seen[0], now[0])
        full.wait(20)
        with lock:
            now[0] -= 1

    definition = machine(
        Each=mapped(
            {"Work": called("work", {}, End=True)},
            {},
            MaxConcurrency=width,
            End=True,
        )
    )

    ran = interpreter.run(definition, {"items": [0] * 6}, {"work": work}, name=name)

    assert (ran.status, seen) == ("SUCCEEDED", [most])


@pytest.mark.parametrize(("given", "found"), [({"a": 1}, "there"), ({}, "absent")])
def test_a_choice_on_what_is_absent(interpreter: Interpreter, name: str, given: dict[str, Any], found: str) -> None:
    test = {"And": [{"Variable": "$.a", "IsPresent": False}], "Next": "Absent"}
    definition = machine(
        Which={"Type": "Choice", "Choices": [test], "Default": "There"},
        Absent={"Type": "Pass", "Result": "absent", "End": True},
        There={"Type": "Pass", "Result": "there", "End": True},
    )

    assert interpreter.run(definition, given, {}, name=name).output == found


def test_a_definition_without_a_start_is_refused_or_fails(interpreter: Interpreter, name: str) -> None:
    definition = {"States": {"Only": {"Type": "Succeed"}}}

    try:
        ran = interpreter.run(definition, {}, {}, name=name)
    except Refused:
        return
    assert ran.status == "FAILED"
