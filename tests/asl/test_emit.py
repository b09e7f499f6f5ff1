"""``statebag asl emit`` and ``statebag check``: what is written can be deployed, and what would fail is found."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from asl_compat.check import check_folder
from asl_compat.emit import LISTING, emit
from asl_compat.machines import STANDARD
from asl_compat.sam import LAMBDAS
from statebag.app.asl import asl
from statebag.app.check import check
from statebag.canonical import sha256_hex
from statebag.errors import StateBagError

MACHINE = f"statemachines/{STANDARD}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    emit(tmp_path / "out")
    return tmp_path / "out"


def test_what_is_written_passes_the_check(folder: Path) -> None:
    ended = CliRunner().invoke(check, [str(folder)], standalone_mode=False)
    assert (ended.return_value, ended.output.splitlines()[-1]) == (0, "ALL CHECKS PASSED")
    assert f"{STANDARD}: 43 states, 33 of them not nested" in ended.output


def test_the_bytes_are_the_same_each_time(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    files = emit(other)
    assert len(files) > 100
    assert {path.relative_to(other): path.read_bytes() for path in files} == {
        path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_a_later_call_removes_what_it_does_not_write(folder: Path) -> None:
    listing = json.loads((folder / LISTING).read_text())
    (folder / "src/old.py").write_text("")
    listing["files"]["src/old.py"] = sha256_hex(b"")
    (folder / LISTING).write_text(json.dumps(listing))
    emit(folder)
    assert not (folder / "src/old.py").exists()


def test_the_way_back_is_told(folder: Path) -> None:
    text = (folder / "README.md").read_text()
    assert all(command in text for command in ("update-alias", "cancel-update-stack", "sam build", "sam deploy"))


def test_files_of_others_are_refused(folder: Path) -> None:
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(StateBagError) as refused:
        emit(folder)
    assert (refused.value.code, refused.value.details["files"]) == ("FOLDER_OCCUPIED", ["notes.txt"])
    assert (folder / "notes.txt").read_text() == "mine"


def test_what_was_changed_since_is_refused(folder: Path) -> None:
    (folder / "template.yaml").write_text("mine")
    with pytest.raises(StateBagError, match=r"changed since they were written: template\.yaml") as refused:
        emit(folder)
    assert (refused.value.code, (folder / "template.yaml").read_text()) == ("FOLDER_OCCUPIED", "mine")


def test_answers_of_the_guided_deployment_are_kept(folder: Path) -> None:
    (folder / "samconfig.toml").write_text("region = 1")
    emit(folder)
    assert (folder / "samconfig.toml").read_text() == "region = 1"


def test_nothing_outside_of_the_folder_is_touched(folder: Path) -> None:
    mine = folder.parent / "mine.txt"
    mine.write_text("")
    listing = json.loads((folder / LISTING).read_text())
    listing["files"]["../mine.txt"] = sha256_hex(b"")
    (folder / LISTING).write_text(json.dumps(listing))
    emit(folder)
    assert mine.exists()


@pytest.mark.parametrize("text", ["", "[]", "{", '{"files": 1}', '{"files": ["template.yaml"]}'])
def test_a_listing_of_another_form_is_refused(folder: Path, text: str) -> None:
    (folder / LISTING).write_text(text)
    with pytest.raises(StateBagError) as refused:
        emit(folder)
    assert refused.value.code == "FOLDER_OCCUPIED"


@pytest.mark.parametrize(("path", "code"), [("file", "FOLDER_OCCUPIED"), ("file/inside", "FOLDER_UNWRITABLE")])
def test_a_file_is_no_folder(tmp_path: Path, path: str, code: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateBagError) as refused:
        emit(tmp_path / path)
    assert refused.value.code == code


def test_functions_and_packages_are_for_one_architecture(tmp_path: Path) -> None:
    emit(tmp_path, architecture="arm64")
    template = yaml.safe_load((tmp_path / "template.yaml").read_text())
    assert template["Globals"]["Function"]["Architectures"] == ["arm64"]
    assert template["Resources"]["DependenciesLayer"]["Metadata"]["BuildArchitecture"] == "arm64"
    makefile = (tmp_path / "dependencies/Makefile").read_text()
    assert ("_aarch64" in makefile, "x86_64" in makefile) == (True, False)


def test_the_command_says_what_is_next(tmp_path: Path) -> None:
    ended = CliRunner().invoke(asl, ["emit", str(tmp_path / "new")], standalone_mode=False)
    assert ended.return_value == 0
    assert "sam build" in ended.output


def test_the_functions_need_no_temporal(folder: Path) -> None:
    text = """
import importlib, pathlib, sys
sys.path.insert(0, "src")
sys.modules.update(dict.fromkeys(("temporalio", "click", "rich", "workflows", "activities", "statebag.app")))
for path in sorted(pathlib.Path("src/asl_compat/lambdas").glob("[a-z]*.py")):
    module = importlib.import_module(f"asl_compat.lambdas.{path.stem}")
    print(path.stem, callable(module.handler), pathlib.Path(module.__file__).is_relative_to(pathlib.Path("src").resolve()))
"""
    ended = subprocess.run([sys.executable, "-c", text], cwd=folder, capture_output=True, text=True, check=False)
    assert ended.stdout.splitlines() == [
        f"{one.module} True True" for one in sorted(LAMBDAS, key=lambda one: one.module)
    ], ended.stderr


def change_machine(change: Callable[[dict[str, Any]], None]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        definition = json.loads((folder / MACHINE).read_text())
        change(definition["States"])
        (folder / MACHINE).write_text(json.dumps(definition))

    return apply


def change_template(change: Callable[[dict[str, Any]], None]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        template = yaml.safe_load((folder / "template.yaml").read_text())
        change(template["Resources"])
        (folder / "template.yaml").write_text(yaml.safe_dump(template))

    return apply


def set_in(where: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(body: Any) -> None:
        *path, last = where.split("/")
        for name in path:
            body = body[int(name) if isinstance(body, list) else name]
        body[last] = value

    return change


MISTAKES: tuple[tuple[str, str, str, Callable[[Path], None]], ...] = (
    ("test_input.json", "$", "DEPLOY_MISSING", lambda folder: (folder / "test_input.json").unlink()),
    (
        MACHINE,
        "$.States.SyncStateData.Parameters.Payload.action",
        "DEPLOY_MISMATCH",
        change_machine(set_in("SyncStateData/Parameters/Payload/action", "synk")),
    ),
    (
        MACHINE,
        "$.States.NotifyWorkflowStarted.Parameters.Entries[0]",
        "DEPLOY_EVENT",
        change_machine(set_in("NotifyWorkflowStarted/Parameters/Entries/0/Source", "somebody")),
    ),
    (
        MACHINE,
        "$.States.WorkflowFailed.Next",
        "ASL_FIELD_UNKNOWN",
        change_machine(set_in("WorkflowFailed/Next", "PrepareSuccessOutput")),
    ),
    (
        MACHINE,
        "$.States.PrepareSuccessOutput.Parameters['x.$']",
        "ASL_PATH_UNRESOLVED",
        change_machine(set_in("PrepareSuccessOutput/Parameters/x.$", "$.nowhere")),
    ),
    (
        MACHINE,
        "$.States.MergeCallbackResult.Retry[0].BackoffRate",
        "ASL_RETRY",
        change_machine(set_in("MergeCallbackResult/Retry/0/BackoffRate", 0.5)),
    ),
    (
        MACHINE,
        "$.States.CheckLoopLimit.Default",
        "ASL_TARGET_UNKNOWN",
        change_machine(set_in("CheckLoopLimit/Default", "ExecuteSegmentt")),
    ),
    (
        "template.yaml",
        "$.Resources.ResumeHandlerFunction.Properties.Handler",
        "DEPLOY_MISMATCH",
        change_template(set_in("ResumeHandlerFunction/Properties/Handler", "asl_compat.lambdas.resume.handler")),
    ),
    (
        "template.yaml",
        "$.Resources.StepFunctionDistributedOrchestrator.Properties.DefinitionUri",
        "DEPLOY_MISMATCH",
        change_template(set_in("StepFunctionDistributedOrchestrator/Properties/DefinitionUri", "other.json")),
    ),
    (
        "template.yaml",
        "$.Resources.LifecycleRule.Properties.EventBusName.Ref",
        "DEPLOY_MISMATCH",
        change_template(set_in("LifecycleRule/Properties/EventBusName", {"Ref": "WorkflowEventBuss"})),
    ),
)


def test_ten_mistakes_are_ten_problems_each_in_its_place(folder: Path) -> None:
    for _, _, _, plant in MISTAKES:
        plant(folder)
    found = [(one.file, one.problem.path, one.problem.code) for one in check_folder(folder)]
    assert sorted(found) == sorted((file, path, code) for file, path, code, _ in MISTAKES)
    ended = CliRunner().invoke(check, [str(folder)], standalone_mode=False)
    assert (ended.return_value, ended.output.splitlines()[-1]) == (1, "CHECKS FAILED: 10 problems")


def test_states_that_are_missing_or_unknown_are_named(folder: Path) -> None:
    def rename(states: dict[str, Any]) -> None:
        states["SyncState"] = states.pop("SyncStateData")
        states["ExecuteSegment"]["Next"] = "SyncState"

    change_machine(rename)(folder)
    texts = [finding.problem.message for finding in check_folder(folder)]
    assert [text.partition(",")[0] for text in texts] == [
        "has no state `SyncStateData`",
        "`SyncState` is no state of this machine: traces and dashboards don't know it. Rename or remove it.",
    ]


def test_what_is_no_json_and_no_yaml_is_told(folder: Path) -> None:
    (folder / MACHINE).write_text("{")
    (folder / "template.yaml").write_text("a: [")
    codes = {finding.problem.code for finding in check_folder(folder)}
    assert codes == {"ASL_NOT_JSON", "DEPLOY_MISMATCH"}


def test_as_json(folder: Path) -> None:
    (folder / "test_input.json").unlink()
    ended = CliRunner().invoke(check, [str(folder), "--json"], standalone_mode=False)
    told = json.loads(ended.output)
    assert (ended.return_value, told["status"]) == (1, "FAILED")
    assert [problem["code"] for problem in told["problems"]] == ["DEPLOY_MISSING"]
