"""The checks of others find what is broken, and nothing in what is not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from asl_compat.machines import definitions
from tests.aws.functions import function_arn
from tests.aws.probes import called, caught, distributed, everything, machine, mapped, retried, waiting
from tests.aws.validators import (
    Validators,
    as_resource,
    fill,
    lint_template,
    placeholders_in,
    running_validators,
)

pytestmark = [pytest.mark.aws, pytest.mark.timeout(60)]

ASL = "asl-validator"
SERVICE = "amazon-states-language-service"
MOTO = "moto"
DONE: Mapping[str, Any] = {"Type": "Succeed"}


@pytest.fixture(scope="module")
def validators(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Validators]:
    """One process of each for all tests here."""
    with running_validators(tmp_path_factory.mktemp("validators")) as running:
        yield running


def whole() -> dict[str, Any]:
    """All that there is in one machine."""
    definition = everything(table="table", bus="bus")
    states = definition["States"]
    states["Done"] = {"Type": "Succeed", "OutputPath": "$.answers"}
    states["Both"]["Parameters"] = {"key.$": "$.label"}
    states["Pause"]["Next"] = "Chunks"
    states["Chunks"] = distributed(
        {"Inside": waiting("ask", {}, End=True)},
        "bucket",
        ToleratedFailurePercentage=10,
        ResultPath="$.made",
        Next="Tell",
    )
    return definition


@pytest.mark.parametrize("definition", [whole(), machine(Only=DONE)], ids=["whole", "smallest"])
def test_nothing_is_found_where_nothing_is_wrong(validators: Validators, definition: dict[str, Any]) -> None:
    assert validators.validate_independently(definition) == []


@pytest.mark.parametrize(
    ("broken", "finders"),
    [
        pytest.param(machine(A={"Type": "Pass", "Next": "B"}), {ASL, SERVICE}, id="next is nowhere"),
        pytest.param(machine(A={"Type": "Pass", "End": True}, B=DONE), {ASL, SERVICE}, id="unreachable"),
        pytest.param({"StartAt": "B", "States": {"A": DONE}}, {ASL, SERVICE}, id="no such start"),
        pytest.param(machine(A={"Type": "Pass"}), {ASL, SERVICE}, id="neither next nor end"),
        pytest.param(machine(A={"Type": "Psas", "End": True}), {ASL, SERVICE, MOTO}, id="no such type"),
        pytest.param(machine(A={"Type": "Pass", "InputPath": "$.[", "End": True}), {ASL}, id="no path"),
        pytest.param(machine(A={"Type": "Task", "Resource": "lambda", "End": True}), {ASL}, id="no resource"),
        pytest.param(
            machine(A=called("f", {}, Retry=[{**retried("Busy"), "BackoffRate": 0.5}], End=True)),
            {SERVICE},
            id="backoff shrinks",
        ),
        pytest.param(
            machine(A=called("f", {}, Retry=[{**retried("Busy"), "JitterStrategy": "HALF"}], End=True)),
            {SERVICE, MOTO},
            id="no such jitter",
        ),
        pytest.param(
            machine(A=waiting("f", {}, HeartbeatSeconds=10, TimeoutSeconds=5, End=True)),
            {MOTO},
            id="heartbeat longer than time-out",
        ),
        pytest.param(
            machine(A=called("f", {}, Catch=caught("B", "States.Nonsense"), End=True), B=DONE),
            {MOTO},
            id="no such error",
        ),
        pytest.param(
            machine(A={**mapped({"X": {"Type": "Pass", "Next": "Y"}}, {}), "End": True}), {ASL, SERVICE}, id="nested"
        ),
        pytest.param(
            machine(A={**mapped({"X": DONE}, {}, ResultSelector={"a.$": "$[*].{b: c}"}), "End": True}),
            {ASL},
            id="projection that is no path",
        ),
    ],
)
def test_what_is_broken_is_found(validators: Validators, broken: dict[str, Any], finders: set[str]) -> None:
    found = validators.validate_independently(broken)

    assert {finding.partition(": ")[0] for finding in found} >= finders, found


def test_placeholders_are_filled_by_what_their_names_say(validators: Validators) -> None:
    task = called("f", {"table": "${IdempotencyTable}"}, End=True)
    task["Parameters"]["FunctionName"] = "${SegmentRunnerArn}"

    assert placeholders_in(machine(A=task)) == {"IdempotencyTable", "SegmentRunnerArn"}
    parameters = fill(machine(A=task), {"IdempotencyTable": "keys"})["States"]["A"]["Parameters"]
    assert parameters == {"FunctionName": function_arn("SegmentRunner"), "Payload": {"table": "keys"}}
    assert validators.validate_independently(machine(A=task)) == []


@pytest.mark.parametrize("name", definitions())
def test_nothing_is_found_in_what_is_deployed(validators: Validators, name: str) -> None:
    assert validators.validate_independently(definitions()[name]) == []


def test_the_template_is_linted_without_false_alarms(tmp_path: Path) -> None:
    definition = json.loads(json.dumps(whole()).replace(function_arn("count"), "${CountArn}"))
    wrong = machine(A={"Type": "Pass", "Nxt": "B"}, B={"Type": "Succeed", "OutputPath": "$", "Parameters": {}})

    right = {name.split(".")[0].title().replace("_", ""): as_resource(each) for name, each in definitions().items()}
    assert lint_template({**right, "Whole": as_resource(definition)}, tmp_path) == []
    found = lint_template({"Wrong": as_resource(wrong)}, tmp_path)
    assert sorted({finding.partition(":")[0].rpartition("/")[2] for finding in found}) == ["A", "Nxt", "Parameters"]
