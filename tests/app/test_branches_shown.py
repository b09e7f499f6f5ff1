"""What people see of branches: in `status`, `respond` and at the end of `run`."""

from __future__ import annotations

from typing import Any

from tests.app.shell import Call, Shell, wait_for_line
from tests.rig import asks, forks, sets

ASKING = forks(
    sets("begin", begun=True),
    [sets("x", x=1)],
    [sets("y", y=2), sets("z", z=3)],
    join=sets("end", ended=True),
    edges=[asks("y", "z", prompt="Sure?")],
)


def test_a_branch_that_waits_is_shown_and_answered_like_the_run(shared: Shell, call: Call) -> None:
    name = "run-" + shared.folder.parent.name
    shared.write("d.json", ASKING)
    watcher = shared.start("run", "d.json", "--json", "--id", name)
    wait_for_line(watcher, "--pause 1/B1:1-1")
    body = call("status", name, "--json").body
    assert body["branches"] == {"total": 2, "done": 1, "failed": 0}
    assert [pause["pause_id"] for pause in body["pending"]] == ["1/B1:1-1"]
    assert "branches 1 of 2 done, 0 failed" in call("status", name).out
    assert "of type BranchWorkflow, not a run" in call("status", f"{name}/3/1").err
    assert call("respond", name, "--pause", "1/B1:1-1").status == 0
    ended = shared.finish(watcher)
    assert (ended.status, ended.body["pauses"], ended.body["final_state"]["z"]) == (0, 1, 3)
    assert "branches" not in call("status", name, "--json").body


def test_a_branch_that_was_left_out_is_told_at_the_end(shared: Shell) -> None:
    fails: dict[str, Any] = {"id": "bad", "type": "operator", "config": {"code": "raise ValueError('no')"}}
    shared.write("d.json", forks(sets("begin", x=1), [fails], [sets("y", y=2)], join=sets("end", z=3)))
    ended = shared.run("run", "d.json", "--json")
    assert (ended.status, ended.body["status"], ended.body["failed_branches"]) == (0, "SUCCEEDED", 1)
    assert ended.body["final_state"] == {"x": 1, "y": 2, "z": 3}
    plain = shared.run("run", "d.json")
    assert "branches that failed and were left out, as their policy says: 1" in plain.err
    assert "BRANCH_FAILED: $.branches.B0: branch B0 failed: CODE_FAILED: " in plain.err
