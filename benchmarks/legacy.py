"""The machines before v3 against those since, on an interpreter of Step Functions and its local services.

Needs what ``make aws-tools`` installs, and the scenarios of the tests, which the figures are sums over.
"""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from unittest import mock

from asl_compat.machines import LEGACY_STANDARD, STANDARD, definitions
from asl_compat.model import count_states, parse_definition
from benchmarks._figures import Figure, figure_of
from benchmarks._size import Size
from statebag.errors import StateBagError

if TYPE_CHECKING:
    from tests.aws.on_aws import Stack
    from tests.aws.ran import Ran
    from tests.aws.scenarios import Scenario

__all__ = ["measure_legacy"]

_FIGURES: Mapping[str, str] = {
    "states": "states",
    "transitions": "transitions",
    "s3_gets": "GET requests",
    "s3_gets.warm": "GET requests",
    "history_events": "events",
    "history_bytes": "bytes",
    "duplicate_log_entries": "entries",
    "time": "ms",
}
"""Figures and their units."""
_WAITS = frozenset({"pause_timed_out", "pause_timed_out_routed", "branch_times_out", "distributed_timed_out"})
"""Scenarios whose time is that of a time-out."""


def measure_legacy(size: Size) -> list[Figure]:
    """Each scenario on both machines in turns; sums over all of them, of the medians where it is a time.

    Raises:
        StateBagError: ``TOOL_MISSING``: the interpreter is not installed.
    """
    with _stack() as stack:
        return _measure(stack, size)


def _measure(stack: Stack, size: Size) -> list[Figure]:
    from tests.aws.scenarios import SCENARIOS  # noqa: PLC0415 - only where it is installed

    chosen = [scenario for scenario in SCENARIOS if scenario.name not in _WAITS][: size.scenarios]
    sums: dict[tuple[str, str], float] = defaultdict(float)
    with _counting_gets() as gets:
        for scenario in chosen:
            for side, ran, read in _each(stack, scenario, gets, turns=size.legacy_turns):
                sums["transitions", side] += ran[0].transitions
                sums["history_events", side] += ran[0].history_events
                sums["history_bytes", side] += ran[0].history_bytes
                sums["duplicate_log_entries", side] += len(ran[0].log_ids) - len(set(ran[0].log_ids))
                sums["s3_gets", side] += read
                sums["time", side] += median(one.seconds for one in ran) * 1000
    written = definitions()
    for side, file in (("v3", STANDARD), ("legacy", LEGACY_STANDARD)):
        sums["states", side] = count_states(parse_definition(written[file]))[0]
    sums["s3_gets.warm", "v3"], sums["s3_gets.warm", "legacy"] = sums["s3_gets", "v3"], sums["s3_gets", "legacy"]
    sums["s3_gets", "legacy"] = sums["s3_gets", "forgetful"]
    before = f"the machines before v3, {len(chosen)} scenarios"
    return [
        figure_of(
            f"legacy.{name}",
            [sums[name, "v3"]],
            unit,
            against=[sums[name, "legacy"]],
            baseline=f"{before}, functions that keep nothing" if name == "s3_gets" else before,
            digits=1,
        )
        for name, unit in _FIGURES.items()
    ]


def _each(stack: Stack, scenario: Scenario, gets: _Count, *, turns: int) -> Iterator[tuple[str, list[Ran], int]]:
    """A scenario on each side: how it ran in each turn, and what the first one has read.

    The functions before v3 kept nothing from call to call: ``forgetful`` is what they read. Everything else is
    compared with ones that do keep what they have read, as ours.
    """
    from tests.aws.on_aws import run_on_aws  # noqa: PLC0415

    ran: dict[str, list[Ran]] = {"v3": [], "legacy": [], "forgetful": []}
    read: dict[str, int] = {}
    for turn in range(turns):
        for side, runs in ran.items():
            if side == "forgetful" and turn:
                continue
            before = gets.value
            name = f"{scenario.name}-{side}-{turn}"
            remembers = side != "forgetful"
            runs.append(run_on_aws(stack, scenario, name, legacy=side != "v3", remembers=remembers))
            read.setdefault(side, gets.value - before)
    for side, runs in ran.items():
        yield side, runs, read[side]


class _Count:
    """Counts from several threads."""

    def __init__(self) -> None:
        self.value = 0
        self._lock = threading.Lock()

    def add(self) -> None:
        with self._lock:
            self.value += 1


@contextmanager
def _counting_gets() -> Generator[_Count]:
    """GET requests of objects, by whichever client of this process."""
    from botocore.client import BaseClient  # noqa: PLC0415

    count = _Count()
    call: Any = getattr(BaseClient, "_make_api_call")  # noqa: B009 - where all calls pass, which its types hide

    def counted(client: Any, operation: str, arguments: Any) -> Any:
        if operation == "GetObject":
            count.add()
        return call(client, operation, arguments)

    with mock.patch.object(BaseClient, "_make_api_call", counted):
        yield count


@contextmanager
def _stack() -> Generator[Stack]:
    with ExitStack() as cleaning:
        try:
            from tests.aws.functions import function_server  # noqa: PLC0415
            from tests.aws.on_aws import make_stack  # noqa: PLC0415
            from tests.aws.served import ServedInterpreter  # noqa: PLC0415
            from tests.aws.services import environment_of  # noqa: PLC0415
            from tests.aws.tools import LAUNCHERS, program, started  # noqa: PLC0415

            command = [program("moto", "python"), str(LAUNCHERS / "moto_server.py")]
        except (ImportError, FileNotFoundError) as missing:
            text = f"bench legacy: {missing}. Run it in a clone of the repository, after `make aws-tools`."
            raise StateBagError(text, code="TOOL_MISSING") from missing
        folder = Path(cleaning.enter_context(TemporaryDirectory()))
        functions = cleaning.enter_context(function_server())
        environment = environment_of("") | {"TEST_PROCESS_URL": functions.url}
        port = cleaning.enter_context(started(command, environment, folder / "log"))
        moto = ServedInterpreter(name="moto", url=f"http://127.0.0.1:{port}", functions=functions)
        yield make_stack(moto, f"bench-{os.getpid()}")
