"""``statebag asl validate``: what it says of files, and how it ends."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from asl_compat.model import WARNING_CODES
from statebag.app.command import run_command
from statebag.errors import CODES
from tests.app.shell import Ended
from tests.asl.model.building import chain, invoke, machine

Validate = Callable[..., Ended]

GOOD = chain({"Type": "Pass"}, {"Type": "Succeed"})
WARNED = chain({"Type": "Pass", "Parameters": {"a": "$.b"}})
TEN_MISTAKES = machine(
    Begin={"Type": "Pass", "Parameters": {"action": "go", "bag.$": "$.bag"}, "Next": "Call"},
    Call={
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionNme": "f", "Payload.$": "$.bag"},
        "ResultSelector": {"bag.$": "$.Payload.bag", "next_action.$": "$.Payload.next_action"},
        "ResultPath": "$",
        "Retry": [{"ErrorEquals": ["States.ALL"], "BackoffRate": 0.5, "IntervalSeconds": 5, "MaxDelaySeconds": 3}],
        "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.err[*]", "Next": "Bad"}],
        "Next": "Choose",
    },
    Choose={
        "Type": "Choice",
        "Choices": [
            {"Variable": "$.next_action", "StringEquals": "A", "Next": "Puase"},
            {"Variable": "$.next_step", "StringEquals": "B", "Next": "Done"},
        ],
        "Default": "Done",
    },
    Pause={"Type": "Wait", "Seconds": 5, "SecondsPath": "$.bag.wait", "Next": "Done"},
    Done={"Type": "Succeed", "Next": "Begin"},
    Bad={"Type": "Fail", "Error": "x", "CausePath": "States.Fromat('{}', $.err)"},
)
TEN_MISTAKES["Timeout"] = 60
THE_TEN = [
    ("$.Timeout", "ASL_FIELD_UNKNOWN"),
    ("$.States.Call.Parameters.FunctionNme", "ASL_INTEGRATION"),
    ("$.States.Call.Retry[0].BackoffRate", "ASL_RETRY"),
    ("$.States.Call.Retry[0].MaxDelaySeconds", "ASL_RETRY"),
    ("$.States.Call.Catch[0].ResultPath", "ASL_PATH_SYNTAX"),
    ("$.States.Choose.Choices[0].Next", "ASL_TARGET_UNKNOWN"),
    ("$.States.Choose.Choices[1].Variable", "ASL_PATH_UNRESOLVED"),
    ("$.States.Pause", "ASL_FIELD_CONFLICT"),
    ("$.States.Done.Next", "ASL_FIELD_UNKNOWN"),
    ("$.States.Bad.CausePath", "ASL_INTRINSIC"),
]


@pytest.fixture
def validate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Validate:
    """``validate({"a.json": …}, "--json")``: the files, then the options."""
    monkeypatch.chdir(tmp_path)

    def run(files: dict[str, Any], *options: str) -> Ended:
        for name, content in files.items():
            if content is not None:
                text = content if isinstance(content, str) else json.dumps(content)
                Path(name).write_text(text, encoding="utf-8")
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["statebag", "asl", "validate", *files, *options])
            status = run_command()
        shown = capfd.readouterr()
        return Ended(status=status, out=shown.out, err=shown.err)

    return run


def test_ten_mistakes_are_ten_problems(validate: Validate) -> None:
    ended = validate({"d.json": TEN_MISTAKES}, "--json")
    (told,) = ended.body["files"]
    assert [(problem["path"], problem["code"]) for problem in told.pop("problems")] == THE_TEN
    assert told == {"file": "d.json", "status": "INVALID", "states": 6, "top_level_states": 6}
    assert (ended.status, ended.body["status"], ended.err) == (1, "INVALID", "")


def test_problems_are_numbered_with_file_place_and_remedy(validate: Validate) -> None:
    ended = validate({"a.json": GOOD, "b.json": TEN_MISTAKES, "c.json": {**GOOD, "StartAt": "Z"}})
    lines = ended.out.splitlines()
    assert (ended.status, ended.err, len(lines)) == (1, "", 14)
    first = "`Timeout` is no field of a Definition. Did you mean `TimeoutSeconds`? (ASL_FIELD_UNKNOWN)"
    assert lines[0] == f"1. b.json: $.Timeout: {first}"
    assert [line.split(": ")[:2] for line in lines[:10]] == [
        [f"{number}. b.json", path] for number, (path, _) in enumerate(THE_TEN, start=1)
    ]
    assert lines[10].startswith("11. c.json: $.StartAt: `StartAt` is 'Z', and this machine has no such state.")
    assert lines[11:] == [
        "a.json: valid, 2 states",
        "b.json: 10 problems, 6 states",
        "c.json: 1 problem, 2 states",
    ]


def test_warnings_leave_a_definition_valid(validate: Validate) -> None:
    ended = validate({"d.json": WARNED})
    assert ended.status == 0
    assert ended.out.splitlines() == [
        (
            "1. d.json: $.States.A.Parameters.a: warning: `a` is the text '$.b'. To read that path, name the key `a.$`. "
            "(ASL_SUSPECT)"
        ),
        "d.json: valid, 1 warning, 1 state",
    ]
    body = validate({"d.json": WARNED}, "--json").body
    assert (body["status"], body["files"][0]["problems"][0]["severity"]) == ("VALID", "warning")


def test_what_can_not_be_read_is_told_and_the_rest_checked(validate: Validate) -> None:
    files = {"good.json": GOOD, "nowhere.json": None, "torn.json": '{"StartAt": "A",\n  "States": {'}
    ended = validate(files)
    assert (ended.status, ended.out.splitlines()) == (2, ["good.json: valid, 2 states"])
    missing, torn = ended.err.splitlines()
    assert missing == "FILE_UNREADABLE: nowhere.json: can't be read: No such file or directory. Check the path."
    assert torn.startswith("ASL_NOT_JSON: torn.json: The definition is not JSON: ")
    assert "line 2, column 14" in torn
    body = validate(files, "--json").body
    assert (body["status"], [one["status"] for one in body["files"]]) == ("REFUSED", ["VALID", "REFUSED", "REFUSED"])
    assert body["files"][2]["error"]["code"] == "ASL_NOT_JSON"


def test_a_misshapen_definition_is_invalid_and_not_unreadable(validate: Validate) -> None:
    ended = validate({"d.json": {"StartAt": "A", "States": []}, "e.json": "[]"}, "--json")
    assert ended.status == 1
    assert [problem for one in ended.body["files"] for problem in one["problems"]] == [
        {
            "path": "$.States",
            "code": "ASL_SHAPE",
            "message": "`States` is a list. Make it an object.",
            "severity": "error",
        },
        {
            "path": "$",
            "code": "ASL_SHAPE",
            "message": "the definition is a list. Make it an object.",
            "severity": "error",
        },
    ]


def test_duplicate_keys_are_problems(validate: Validate) -> None:
    ended = validate({"d.json": json.dumps(GOOD)[:-1] + ', "StartAt": "A"}'})
    assert ended.status == 1
    assert ended.out.splitlines()[0].startswith("1. d.json: $.StartAt: The key 'StartAt' is there more than once")


def test_express_machines(validate: Validate) -> None:
    waiting = invoke(
        Resource="arn:aws:states:::lambda:invoke.waitForTaskToken",
        Parameters={"FunctionName": "f", "Payload": {"t.$": "$$.Task.Token"}},
    )
    assert validate({"d.json": chain(waiting)}).status == 0
    assert validate({"d.json": chain(waiting)}, "--express").status == 1


def test_a_definition_may_come_from_stdin(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["statebag", "asl", "validate", "-"])
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(GOOD).encode())))
    assert run_command() == 0
    assert capfd.readouterr().out == "-: valid, 2 states\n"


def test_a_file_is_needed(validate: Validate) -> None:
    ended = validate({}, "--json")
    assert (ended.status, ended.body["error"]["code"]) == (2, "USAGE")


def test_warnings_say_of_themselves_that_they_are() -> None:
    warnings = {code for code, meaning in CODES.items() if code.startswith("ASL_") and "with this warning" in meaning}
    assert warnings == WARNING_CODES
