"""Branches that fail, vanish or go round for ever: counted by the fork's policy, and no trouble of the others."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import Mapping
from typing import Any

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType as HistoryEventType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import WorkflowExecutionStatus, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import CancelledError

from statebag.bag import Kernel, Place
from statebag.errors import NodeFailed, ProviderUnavailable
from tests.rig import Document, Rig, events_of, forks, group, llm, probe, sets
from tests.workflows.states import (
    BORN,
    BRANCH_BORN,
    BRANCH_BORN_WAITING,
    BRANCH_END,
    BRANCH_FAIL,
    BRANCH_NEXT,
    END,
    FAIL,
    FORK,
    NEXT,
    STEP,
)

Handle = WorkflowHandle[Any, Any]
FORKED = [*BORN, *STEP, *NEXT, *FORK]


def kernel_of(rig: Rig, handle: Handle, output: Mapping[str, Any]) -> Kernel:
    place = Place(
        owner_id="acme",
        workflow_id="review",
        execution_id=handle.id,
        version=0,
        root=output["final_state_s3_path"],
    )
    return rig.plugin.engine.read_bag(place).kernel


def failed_of(rig: Rig, handle: Handle, output: Mapping[str, Any]) -> dict[str, str]:
    """Branch id to code of the branches that failed, as the bag lists them."""
    failed = kernel_of(rig, handle, output).failed_segments
    assert failed is not None
    return {line["branch_id"]: line["error"]["code"] for line in failed["sample"]}


async def failure_of(rig: Rig, branch: Handle) -> Any:
    """The error with which a branch workflow ends."""
    return await rig.failure(branch)


async def ends_of(handle: Handle) -> list[str]:
    """How the branches of a run ended, by its history, in branch order."""
    names = ("COMPLETED", "FAILED", "CANCELED", "TERMINATED", "TIMED_OUT")
    ends: dict[str, str] = {}
    for event in await events_of(handle):
        kind = HistoryEventType.Name(event.event_type).removeprefix("EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_")
        if kind in names:
            body = getattr(event, f"child_workflow_execution_{kind.lower()}_event_attributes")
            ends[body.workflow_execution.workflow_id] = kind
    return [ends[name] for name in sorted(ends)]


def breaking(rig: Rig, *broken: bool, policy: str | None = None, local: bool = False) -> Document:
    """A branch for each of ``broken``; those that are true fail for good."""

    def fail(node: Any, scope: Any, context: Any) -> dict[str, Any]:
        raise NodeFailed(f"{node.id} is broken")

    rig.behaviours["fail"] = fail
    rig.behaviours["work"] = lambda node, *_: {node.id: 1}
    source = sets("a", x=1)
    if policy is not None:
        source["config"]["branch_policy"] = {"failure": policy}
    branches = [
        [sets(f"s{number}", **{f"s{number}": 1}), probe(f"b{number}", "fail" if bad else "work", local=local)]
        for number, bad in enumerate(broken)
    ]
    return forks(source, *branches, join=sets("z", z=1))


@pytest.mark.parametrize("local", [True, False], ids=["in the worker", "outside"])
async def test_a_branch_that_fails_is_listed_and_left_out(rig: Rig, local: bool) -> None:
    handle = await rig.start(breaking(rig, False, True, False, local=local))
    output = await handle.result()
    assert rig.user_state(output) == {"x": 1, "s0": 1, "b0": 1, "s2": 1, "b2": 1, "z": 1}
    assert await rig.trace(handle) == [*FORKED, *NEXT, *NEXT, *END]
    assert await ends_of(handle) == ["COMPLETED", "FAILED", "COMPLETED"]
    _, failing, _ = await rig.branches(handle)
    failure = await failure_of(rig, failing)
    assert (failure.type, failure.details[0]["error_info"]["code"]) == ("BranchFailed", "NODE_FAILED")
    assert (failure.details[0]["branch_id"], failure.details[0]["branch_index"]) == ("B1", 1)
    trace = [*BRANCH_BORN, *BRANCH_FAIL] if local else [*BRANCH_BORN, *BRANCH_NEXT, *BRANCH_FAIL]
    assert await rig.trace(failing) == trace
    kernel = kernel_of(rig, handle, output)
    assert kernel.failed_segments is not None
    assert kernel.distributed_chunk_summary is not None
    (line,) = kernel.failed_segments["sample"]
    assert (line["branch_id"], line["branch_index"], line["status"]) == ("B1", 1, "FAILED")
    assert line["error"]["message"] == "node b1 (probe_local): b1 is broken".replace("_local", "_local" * local)
    assert line["error"]["node_id"] == "b1"
    summary = kernel.distributed_chunk_summary
    assert (summary["total"], summary["succeeded"], summary["failed"]) == (3, 2, 1)
    assert [one["status"] for one in summary["chunk_results"]] == ["COMPLETE", "FAILED", "COMPLETE"]
    failed = [entry for entry in kernel.state_history.entries if entry.get("status") == "FAILED"]
    assert [entry["error"]["code"] for entry in failed] == ["NODE_FAILED"]


@pytest.mark.parametrize(
    ("policy", "broken", "fails"),
    [
        (None, (1, 1, 1), True),
        ("fail_if_all", (1, 1, 0), False),
        ("fail_on_any", (0, 0, 0), False),
        ("fail_on_any", (0, 1, 0), True),
        ("fail_on_majority", (1, 1, 0, 0), False),
        ("fail_on_majority", (1, 1, 0), True),
        ("tolerate:34", (0, 0, 1), False),
        ("tolerate:33", (0, 0, 1), True),
        ("tolerate:34", (0, 1, 1), True),
    ],
)
async def test_the_policy_says_how_many_may_fail(
    rig: Rig, policy: str | None, broken: tuple[int, ...], fails: bool
) -> None:
    handle = await rig.start(breaking(rig, *map(bool, broken), policy=policy))
    if not fails:
        output = await handle.result()
        assert rig.user_state(output)["z"] == 1
        return
    failure = await rig.failure(handle)
    details = failure.details[0]
    assert (failure.type, details["code"]) == ("WorkflowExecutionFailed", "AGGREGATION_FAILED")
    first = broken.index(1)
    assert f"{sum(broken)} of {len(broken)} failed" in details["message"]
    assert f"The first: B{first}: NODE_FAILED: node b{first} (probe): b{first} is broken" in details["message"]
    assert await rig.trace(handle) == [*FORKED, *FAIL]
    assert list(failed_of(rig, handle, details)) == [f"B{number}" for number, bad in enumerate(broken) if bad]
    kept = {name for name in rig.user_state({**details, "execution_id": handle.id}) if name.startswith("b")}
    assert kept == {f"b{number}" for number, bad in enumerate(broken) if not bad}
    assert rig.types_of(handle.id) == ["STARTED", "FAILED"]


@pytest.mark.parametrize("local", [True, False], ids=["in the worker", "outside"])
async def test_what_fails_for_now_is_tried_again_in_its_branch_alone(rig: Rig, local: bool) -> None:
    tries: list[tuple[str, int]] = []
    lock = threading.Lock()

    def work(node: Any, scope: Any, context: Any) -> dict[str, Any]:
        with lock:
            tries.append((node.id, context.attempt))
        if node.id == "c" and context.attempt < 3:
            raise ProviderUnavailable("busy", details={"retry_after_seconds": 0.01})
        return {node.id: context.attempt}

    rig.behaviours["try"] = work
    handle = await rig.start(forks(sets("a"), *([probe(name, "try", local=local)] for name in "bcd")))
    assert rig.user_state(await handle.result()) == {"b": 1, "c": 3, "d": 1}
    assert sorted(tries) == [("b", 1), ("c", 1), ("c", 2), ("c", 3), ("d", 1)]


async def test_a_first_segment_keeps_its_own_number_of_tries(rig: Rig) -> None:
    attempts: list[int] = []

    def refuse(node: Any, scope: Any, context: Any) -> dict[str, Any]:
        attempts.append(context.attempt)
        raise ProviderUnavailable("busy", details={"retry_after_seconds": 0.01})

    rig.behaviours["refuse"] = refuse
    bad = probe("b", "refuse", local=True, retry_config={"max_retries": 1})
    handle = await rig.start(forks(sets("a"), [bad], [sets("c", c=1)]))
    output = await handle.result()
    assert failed_of(rig, handle, output) == {"B0": "LLM_UNAVAILABLE"}
    assert attempts == [1, 2]


@pytest.mark.parametrize("how", ["terminate", "cancel"])
async def test_a_branch_that_is_ended_from_outside_is_lost_and_the_others_go_on(rig: Rig, how: str) -> None:
    (entered, go_on), (other, go_on_too) = rig.gate(f"lost-{how}"), rig.gate(f"found-{how}", {"c": 1})
    document = forks(
        sets("a", x=1), [sets("b", b=1), probe("b2", f"lost-{how}")], [probe("c", f"found-{how}")], join=sets("z", z=1)
    )
    handle = await rig.start(document)
    await asyncio.gather(entered.wait(), other.wait())
    first, _ = await rig.branches(handle)
    await (first.terminate("by hand") if how == "terminate" else first.cancel())
    go_on.set()
    go_on_too.set()
    output = await handle.result()
    assert rig.user_state(output) == {"x": 1, "c": 1, "z": 1}
    assert failed_of(rig, handle, output) == {"B0": "BRANCH_LOST"}
    failed = kernel_of(rig, handle, output).failed_segments
    assert failed is not None
    said = "was terminated from outside" if how == "terminate" else "was cancelled from outside"
    assert said in failed["sample"][0]["error"]["message"]
    assert first.id in failed["sample"][0]["error"]["message"]
    assert await ends_of(handle) == ["TERMINATED" if how == "terminate" else "CANCELED", "COMPLETED"]


async def test_canceling_the_run_cancels_its_branches(rig: Rig) -> None:
    """Those that call the outside world, that wait for their turn, and that are inside of others."""
    names = ("cancel-1", "cancel-2")
    gates = [rig.gate(name) for name in names]
    source = {**sets("a"), "config": {"sets": {}, "max_concurrency": 2}}
    inner = group("g", [probe("b", names[0])], [probe("c", names[1])])
    document = forks(source, [inner], [llm("d", **{"async": True}), sets("d2")], [sets("e")], [sets("f")])
    handle = await rig.start(document)
    await asyncio.gather(*(entered.wait() for entered, _ in gates))
    (outer, *_) = await rig.branches(handle)
    nested = await rig.branches(outer)
    assert len(nested) == 2
    await handle.cancel()
    with pytest.raises(WorkflowFailureError) as failed:
        await handle.result()
    assert isinstance(failed.value.cause, CancelledError)
    for _, go_on in gates:
        go_on.set()
    for branch in [handle, outer, *nested]:
        assert (await branch.describe()).status is WorkflowExecutionStatus.CANCELED, branch.id
    assert rig.types_of(handle.id)[-1] == "ABORTED"
    assert "ABORTED" not in rig.types_of(handle.id)[:-1]
    assert (await handle.query("progress"))["status"] == "CANCELED"


async def test_terminating_the_run_ends_its_branches(rig: Rig) -> None:
    (entered, go_on), (other, go_on_too) = rig.gate("orphan-1"), rig.gate("orphan-2")
    inner = group("g", [probe("b", "orphan-1")], [sets("c")])
    handle = await rig.start(forks(sets("a"), [inner], [probe("d", "orphan-2")]))
    await asyncio.gather(entered.wait(), other.wait())
    outer, plain = await rig.branches(handle)
    nested = (await rig.branches(outer))[0]
    await handle.terminate("enough")
    go_on.set()
    go_on_too.set()
    for branch in (outer, plain, nested):
        with pytest.raises(WorkflowFailureError):
            await branch.result()
        assert (await branch.describe()).status is WorkflowExecutionStatus.TERMINATED


@pytest.mark.parametrize("when", ["before the fork", "in the middle"])
async def test_a_run_that_is_reset_gets_all_of_its_branches(rig: Rig, when: str) -> None:
    """Those that it has started already belong to it, and those of the run that it replaces are in nobody's way."""
    (first, go_on), (second, go_on_too) = rig.gate("reset-1", {"b": 1}), rig.gate("reset-2", {"c": 1})
    document = forks(sets("a"), [probe("b", "reset-1")], [probe("c", "reset-2")], [sets("d", d=1)], join=sets("z", z=1))
    handle = await rig.start(document)
    await asyncio.gather(first.wait(), second.wait())
    while (await handle.query("progress"))["branches"]["done"] < 1:
        pass
    started = (await events_of(handle, "START_CHILD_WORKFLOW_EXECUTION_INITIATED"))[0]
    task = started.start_child_workflow_execution_initiated_event_attributes.workflow_task_completed_event_id
    if when == "in the middle":
        task = (await events_of(handle, "WORKFLOW_TASK_COMPLETED"))[-1].event_id
    await rig.client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace="default",
            workflow_execution=WorkflowExecution(workflow_id=handle.id, run_id=handle.first_execution_run_id or ""),
            workflow_task_finish_event_id=task,
            request_id=secrets.token_hex(8),
        )
    )
    go_on.set()
    go_on_too.set()
    again = rig.client.get_workflow_handle(handle.id)
    output = await again.result()
    assert rig.user_state(output) == {"b": 1, "c": 1, "d": 1, "z": 1}
    assert kernel_of(rig, again, output).failed_segments is None


def going_round(**more: Any) -> Document:
    """A branch that never ends, and one that does."""
    back = {"id": "r", "type": "route_condition", "config": {"branches": [{"condition": "true", "target": "b"}]}}
    back["config"]["default_target"] = "z"
    return forks(sets("a", x=1), [sets("b", b=1), llm("b2"), back], [sets("c", c=1)], join=sets("z", z=1), **more)


async def test_a_branch_that_goes_round_for_ever_is_stopped(rig: Rig) -> None:
    handle = await rig.start(going_round(max_branch_iterations=7))
    output = await handle.result()
    assert failed_of(rig, handle, output) == {"B0": "LOOP_LIMIT_EXCEEDED"}
    assert rig.user_state(output) == {"x": 1, "c": 1, "z": 1}
    assert output["loop_counter"] == 4
    first, _ = await rig.branches(handle)
    failure = await failure_of(rig, first)
    assert failure.type == "BranchLoopLimitExceeded"
    assert failure.details[0]["status"] == "LOOP_LIMIT_EXCEEDED"
    assert "branch 1/B0: 7 segments were executed" in failure.message
    assert "`max_branch_iterations`" in failure.message
    trace = await rig.trace(first)
    assert trace == [*BRANCH_BORN, *(BRANCH_NEXT * 6), "CheckBranchLoopLimit", "FailBranchLoopLimit"]
    kernel = kernel_of(rig, handle, output)
    assert kernel.failed_segments is not None
    assert kernel.failed_segments["sample"][0]["status"] == "FAILED"


async def test_a_run_s_own_limit_counts_its_own_segments_only(rig: Rig) -> None:
    document = going_round(max_branch_iterations=30, max_loop_iterations=5)
    output = await (await rig.start(document)).result()
    assert output["loop_counter"] == 4


async def test_a_branch_that_goes_round_may_fail_the_run(rig: Rig) -> None:
    document = going_round(max_branch_iterations=3)
    document["nodes"][0]["config"]["branch_policy"] = {"failure": "fail_on_any"}
    handle = await rig.start(document)
    failure = await rig.failure(handle)
    assert failure.details[0]["code"] == "AGGREGATION_FAILED"
    assert "The first: B0: LOOP_LIMIT_EXCEEDED" in failure.message


async def test_a_branch_whose_first_segment_fails_for_good(rig: Rig) -> None:
    assert_node = {"id": "b", "type": "operator_official"}
    assert_node["config"] = {"strategy": "assert", "params": {"condition": "1 > 2"}}
    handle = await rig.start(forks(sets("a"), [assert_node], [sets("c", c=1)]))
    output = await handle.result()
    first, _ = await rig.branches(handle)
    assert await rig.trace(first) == [*BRANCH_BORN, *BRANCH_FAIL]
    assert list(failed_of(rig, handle, output)) == ["B0"]
    _, second = await rig.branches(handle)
    assert await rig.trace(second) == [*BRANCH_BORN, *BRANCH_END]


async def test_failures_of_two_forks_are_listed_together(rig: Rig) -> None:
    first = breaking(rig, True, False)
    second = group("again", [probe("no", "fail")], [probe("yes", "work")])
    first["nodes"].append(second)
    first["edges"].append({"source": "z", "target": "again"})
    handle = await rig.start(first)
    output = await handle.result()
    failed = kernel_of(rig, handle, output).failed_segments
    assert failed is not None
    assert (failed["count"], [line["branch_id"] for line in failed["sample"]]) == (2, ["B0", "b0"])
    assert (await rig.trace((await rig.branches(handle))[2]))[:2] == BRANCH_BORN_WAITING
