"""Run bodies many times: items of a list, branches of a group, one behind another or in threads."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeAlias

from statebag.config import Node
from statebag.errors import NodeFailed, Problem, StateBagError
from statebag.nodes._base import NodeContext
from statebag.nodes._run import NodesRun, retold

__all__ = ["failed_inside", "fan_out", "logs_of", "named", "shown_changes", "warnings_of"]

_SILENCE_SECONDS: Final = 2.0
_PURE_BEAT_SECONDS: Final = 0.5

_Outcome: TypeAlias = NodesRun | StateBagError
"""What one did, or why it failed for now."""


def fan_out(
    node: Node,
    work: Callable[[int], NodesRun],
    count: int,
    context: NodeContext,
    *,
    threads: int,
    outside: bool,
    go_on: bool,
    place: Callable[[int], str],
) -> list[NodesRun]:
    """Call ``work`` with every number below ``count``, and start no more once one has failed.

    What is going on then is waited for, so that nothing it called is lost; the failure with the lowest number is
    raised, which is the same one however many threads there are.

    Args:
        node: The node whose bodies run.
        work: Runs one of them.
        count: How many there are.
        context: The node's; its ``heartbeat`` is called, and what it raises ends everything at once.
        threads: How many may run at the same time.
        outside: Whether they call the outside world: then the end of each one is told.
        go_on: Whether one that fails for good keeps its error in its run, and stops nothing.
        place: What messages call a number, such as ``item 3``.

    Raises:
        NodeFailed: one failed for good.
        StateBagError: one failed for now.
    """

    def attempt(index: int) -> _Outcome:
        try:
            return work(index)
        except StateBagError as error:
            if error.retryable:
                return error
            raise

    def stops(outcome: _Outcome) -> bool:
        return isinstance(outcome, StateBagError) or (outcome.error is not None and not go_on)

    beat = _Beat(context.heartbeat, count, each=outside)
    if min(threads, count) > 1:
        outcomes = _in_threads(attempt, count, stops, beat, threads=threads, name=node.id)
    else:
        outcomes = _in_turn(attempt, count, stops, beat)
    runs: list[NodesRun] = []
    for index, outcome in sorted(outcomes.items()):
        if isinstance(outcome, StateBagError):
            with named(node, place(index)):
                raise outcome
        if outcome.error is not None and not go_on:
            raise failed_inside(node, place(index), outcome.error)
        runs.append(outcome)
    return runs


def failed_inside(node: Node, place: str, error: Mapping[str, Any]) -> NodeFailed:
    """The failure of ``node`` for one inside of it; the details name the innermost."""
    details = {"node_id": error["node_id"], **error.get("details", {})}
    where = f"{place}: " if place else ""
    return NodeFailed(f"node `{node.id}`: {where}{error['message']}", code=error["code"], details=details)


@contextmanager
def named(node: Node, place: str) -> Generator[None]:
    """Let a failure for now, of one inside of ``node``, say where it is."""
    try:
        yield
    except StateBagError as error:
        if not error.retryable:
            raise
        where = f"{place}: " if place else ""
        raise retold(error, f"node `{node.id}`: {where}{error.message}") from error


def shown_changes(run: NodesRun) -> dict[str, Any]:
    """What a run changed, with its ``error`` where it failed."""
    if run.error is None:
        return dict(run.changes)
    return {**run.changes, "error": {"code": run.error["code"], "message": run.error["message"]}}


def logs_of(runs: Iterable[NodesRun]) -> tuple[Mapping[str, Any], ...]:
    """The entries of all runs."""
    return tuple(log for run in runs for log in run.logs)


def warnings_of(runs: Iterable[NodesRun]) -> tuple[Problem, ...]:
    """What all runs have to say, each thing once."""
    return tuple(dict.fromkeys(warning for run in runs for warning in run.warnings))


def _in_turn(
    attempt: Callable[[int], _Outcome], count: int, stops: Callable[[_Outcome], bool], beat: _Beat
) -> dict[int, _Outcome]:
    outcomes: dict[int, _Outcome] = {}
    for index in range(count):
        outcomes[index] = attempt(index)
        beat.finish_one()
        if stops(outcomes[index]):
            break
    return outcomes


def _in_threads(
    attempt: Callable[[int], _Outcome],
    count: int,
    stops: Callable[[_Outcome], bool],
    beat: _Beat,
    *,
    threads: int,
    name: str,
) -> dict[int, _Outcome]:
    """Numbers are started in their order, so that none below a failed one is left out."""
    outcomes: dict[int, _Outcome] = {}
    ended: SimpleQueue[Future[_Outcome]] = SimpleQueue()
    going: dict[Future[_Outcome], int] = {}
    waiting = iter(range(count))
    executor = ThreadPoolExecutor(threads, thread_name_prefix=name)

    def start() -> None:
        for index in waiting:
            future = executor.submit(attempt, index)
            going[future] = index
            future.add_done_callback(ended.put)
            if len(going) == threads:
                return

    try:
        start()
        stopped = False
        while going:
            try:
                future = ended.get(timeout=_SILENCE_SECONDS)
            except Empty:
                beat.send()
                continue
            index = going.pop(future)
            outcomes[index] = future.result()
            beat.finish_one()
            stopped = stopped or stops(outcomes[index])
            if not stopped:
                start()
    finally:
        # After a heartbeat that raised, calls may hang: they end by their own heartbeats, nobody waits for them.
        executor.shutdown(wait=False, cancel_futures=True)
    return outcomes


class _Beat:
    """Signs of life; rare where the work is quick and pure."""

    def __init__(self, heartbeat: Callable[[object], None], total: int, *, each: bool) -> None:
        self._heartbeat = heartbeat
        self._total = total
        self._each = each
        self._done = 0
        self._last = time.monotonic()

    def finish_one(self) -> None:
        self._done += 1
        if self._each or time.monotonic() - self._last >= _PURE_BEAT_SECONDS:
            self.send()

    def send(self) -> None:
        self._last = time.monotonic()
        self._heartbeat({"done": self._done, "total": self._total})
