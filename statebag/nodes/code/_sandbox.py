"""Run code in the sandbox."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from statebag.canonical import canonical_bytes, parse_json
from statebag.config import Node
from statebag.errors import StateBagError
from statebag.nodes._base import NodeContext
from statebag.nodes.code._failures import explain_syntax, failure_of, is_time_limit, line_of, refusal
from statebag.nodes.code._host import Host, name_uuid
from statebag.nodes.code._limits import CodeLimits
from statebag.nodes.code._program import Program, SyntaxProblem
from statebag.nodes.code._workers import Workers
from statebag.nodes.code.inside import text_of

if TYPE_CHECKING:
    from pydantic_monty import MontySession, OSPolicy, ResourceLimits

__all__ = ["Outcome", "parse_in_sandbox", "run_program"]

_FIRST, _SECOND = "<python-input-0>", "<python-input-1>"
_CLOSE = '"\\n".join(_statebag_close(state, result))'
"""A text whatever the code has done to these names, so that nothing else ever comes out of the sandbox."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What code made of the state."""

    changes: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Fields that are new or have another value."""
    gone: tuple[str, ...] = ()
    """Fields that it removed."""
    result: Any = None
    """What it left in ``result``."""
    printed: str = ""


def run_program(
    program: Program, state: Mapping[str, Any], node: Node, context: NodeContext, limits: CodeLimits, workers: Workers
) -> Outcome:
    """Run it on a copy of ``state``.

    Raises:
        NodeFailed: with a code for each way in which it can fail.
    """
    from pydantic_monty import MontyError  # noqa: PLC0415

    given = {name: canonical_bytes(value).decode() for name, value in state.items()}
    seconds = limits.seconds_of(node)
    inputs = {"_statebag_given": given, "_statebag_seed": context.seed(node.id, "uuid").hex()}
    session = workers.pool().checkout(
        limits=_resource_limits(limits, seconds), os_policy=_os_policy(context.seed(node.id, "random"))
    )
    with session:
        refuse = partial(refusal, node)
        host = Host(context, limits, seconds=seconds, pid=session.worker_pid, refuse=refuse)
        try:
            _prepare(session, program, inputs, node)
            host.start()
            session.feed_run(
                program.text,
                print_callback=host.print,
                os=host.call,
                external_lookup={"_statebag_named_uuid": name_uuid},
            )
            host.check_time()
            answer: str = session.feed_run(_CLOSE, print_callback=host.print, os=host.call)
        except MontyError as error:
            if host.failure is not None:
                raise host.failure from error
            if is_time_limit(error):
                raise host.out_of_time() from error
            raise failure_of(error, node, limits, script=_SECOND, printed=host.printed) from error
        if host.failure is not None:
            raise host.failure
    size = len(answer.encode("utf-8", "surrogatepass"))
    if size > limits.output_bytes:
        raise refusal(
            node,
            "CODE_OUTPUT_LIMIT",
            f"what it changed is {size:,} bytes of JSON, more than {limits.output_bytes:,}. Keep less in `state` and "
            "`result`.",
            printed=host.printed,
        )
    return _read_answer(answer.split("\n"), state, node, host.printed)


def parse_in_sandbox(program: Program, limits: CodeLimits, workers: Workers) -> SyntaxProblem | None:
    """What the sandbox's interpreter can't run of it; nothing of it runs.

    Raises:
        NodeFailed: ``CODE_SANDBOX_FAILED``: there is no sandbox.
    """
    from pydantic_monty import MontyError  # noqa: PLC0415

    with workers.pool().checkout(limits=_resource_limits(limits, limits.seconds)) as session:
        try:
            # All of it is parsed before the first line runs, which ends it.
            session.feed_run(f"1 / 0\n{program.text}")
        except MontyError as error:
            if isinstance(error.exception(), ZeroDivisionError):
                return None
            line = line_of(error, _FIRST)
            return SyntaxProblem(line=max((line or 1) - 1, 0), message=explain_syntax(error))
    return None


def _resource_limits(limits: CodeLimits, seconds: float) -> ResourceLimits:
    return {
        "max_feed_duration_secs": seconds,
        "max_memory": limits.memory_bytes,
        "max_recursion_depth": limits.recursion_depth,
        "max_suspensions": limits.host_calls,
    }


def _os_policy(seed: bytes) -> OSPolicy:
    return {"datetime": "call_host", "timezone": "utc", "sleep": "call_host", "random_start": {"seed": seed}}


def _prepare(session: MontySession, program: Program, inputs: dict[str, Any], node: Node) -> None:
    """Put the state into the sandbox, and what the code needs besides."""
    from pydantic_monty import MontyRuntimeError  # noqa: PLC0415

    text = "\n".join(text_of(name) for name in ("state", *sorted(program.helpers)))
    try:
        session.feed_run(text, inputs=inputs)
    except MontyRuntimeError as error:
        if "recursion limit" not in str(error):
            raise
        raise refusal(
            node, "CODE_RECURSION_LIMIT", "it is given a value that is nested more than 200 deep. Flatten it before."
        ) from error


def _read_answer(lines: Sequence[str], state: Mapping[str, Any], node: Node, printed: str) -> Outcome:
    try:
        header: dict[str, Any] = json.loads(lines[0])
        problem: str | None = header.get("problem")
        if problem is None:
            names: list[str] = header["changed"]
            values = {name: parse_json(text) for name, text in zip(names, lines[2:], strict=True)}
            gone = tuple(str(name) for name in header["gone"])
            result = parse_json(lines[1])
            canonical_bytes(values)
            return Outcome(
                changes={name: value for name, value in values.items() if not _same(state, name, value)},
                gone=gone,
                result=result,
                printed=printed,
            )
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, StateBagError) as cause:
        text = "it changed what belongs to the sandbox. Leave names that begin with `_statebag` alone."
        raise refusal(node, "CODE_FAILED", text, printed=printed) from cause
    if header.get("refused") == "state":
        text = f"it made `state` {_kind_of(problem)}, which must be a dict. Put values into `state['name']`."
        raise refusal(node, "CODE_FAILED", text, printed=printed)
    raise refusal(node, "UNSERIALISABLE_FIELD", f"{problem}. Convert it first, or keep it out.", printed=printed)


def _kind_of(name: str) -> str:
    return f"an {name}" if name[:1] in "aeio" else f"a {name}"


def _same(state: Mapping[str, Any], name: str, value: Any) -> bool:
    return name in state and canonical_bytes(state[name]) == canonical_bytes(value)
