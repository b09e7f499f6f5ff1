"""The variables that give a worker its version."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion

from statebag.app.deployment import read_deployment
from statebag.errors import InputRefused

NAME, BUILD = "TEMPORAL_DEPLOYMENT_NAME", "TEMPORAL_WORKER_BUILD_ID"


@pytest.mark.parametrize("environment", [{}, {NAME: "", BUILD: ""}, {NAME: ""}])
def test_a_worker_has_no_version_unless_it_is_told(environment: dict[str, str]) -> None:
    assert read_deployment(environment) is None


@pytest.mark.parametrize(("name", "build"), [("statebag", "1"), ("team/state-bag", "v1.4.0:a_b"), ("a b", "_")])
def test_both_make_a_version_whose_runs_are_pinned(name: str, build: str) -> None:
    read = read_deployment({NAME: name, BUILD: build})
    assert read is not None
    assert read.version == WorkerDeploymentVersion(deployment_name=name, build_id=build)
    assert read.use_worker_versioning
    assert read.default_versioning_behavior is VersioningBehavior.PINNED


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({NAME: "statebag"}, {BUILD: f"is not set, but {NAME} is. Set both"}),
        ({NAME: "statebag", BUILD: ""}, {BUILD: f"is not set, but {NAME} is. Set both"}),
        ({BUILD: "1"}, {NAME: f"is not set, but {BUILD} is. Set both"}),
        ({NAME: "state.bag", BUILD: "1"}, {NAME: "is 'state.bag', which is not a name without `.`, `:`"}),
        ({NAME: "state:bag", BUILD: "1"}, {NAME: "is 'state:bag', which is not a name without `.`, `:`"}),
        ({NAME: "__bag", BUILD: "__1"}, {NAME: "that does not begin with `__`", BUILD: "is '__1', which is not an id"}),
        ({NAME: " bag", BUILD: "1 "}, {NAME: "blanks around it", BUILD: "blanks around it"}),
        ({NAME: "a.b"}, {NAME: "is 'a.b'", BUILD: "is not set"}),
    ],
)
def test_what_is_no_version_is_refused(environment: dict[str, str], wanted: dict[str, str]) -> None:
    with pytest.raises(InputRefused) as refused:
        read_deployment(environment)
    found = {problem.path: problem for problem in refused.value.problems}
    assert found.keys() == {f"${variable}" for variable in wanted}
    for variable, text in wanted.items():
        problem = found[f"${variable}"]
        assert problem.code == "SETTING_INVALID"
        assert problem.message.startswith(f"{variable} is ")
        assert text in problem.message


def test_the_worker_does_not_start_with_half_a_version(worker_command: list[str], tmp_path: Path) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("TEMPORAL_", "STATEBAG_"))}
    ended = subprocess.run(
        worker_command,
        env={**clean, "XDG_DATA_HOME": str(tmp_path), NAME: "statebag"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == 1
    assert "SETTING_INVALID: environment refused: " in ended.stderr
    assert f"{BUILD} is not set, but {NAME} is. Set both, or none" in ended.stderr
    assert "Traceback" not in ended.stderr
