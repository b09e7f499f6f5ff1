"""What ended the code of a node, as a failure of the node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from statebag.config import Node
from statebag.errors import NodeFailed
from statebag.nodes.code._limits import CodeLimits

if TYPE_CHECKING:
    from pydantic_monty import MontyError

__all__ = ["explain_syntax", "failure_of", "is_time_limit", "line_of", "refusal"]

_TAIL = 1000
_UNSUPPORTED = "The monty syntax parser does not yet support "


def refusal(node: Node, code: str, text: str, *, line: int | None = None, printed: str = "") -> NodeFailed:
    """A failure that says what happened first, then where it did; what was printed last is in its details."""
    place = f"line {line} of the `code` of node `{node.id}`" if line else f"the `code` of node `{node.id}`"
    details: dict[str, Any] = {"line": line} if line else {}
    if printed:
        details["output_tail"] = printed[-_TAIL:]
    return NodeFailed(f"{place}: {text}", code=code, details=details)


def line_of(error: MontyError, script: str) -> int | None:
    """The line of the document's code that was last on the way to the error."""
    from pydantic_monty import MontyRuntimeError, MontySyntaxError  # noqa: PLC0415

    if not isinstance(error, MontyRuntimeError | MontySyntaxError):
        return None
    lines = [frame.line for frame in error.traceback() if frame.filename == script]
    return lines[-1] if lines else None


def failure_of(error: MontyError, node: Node, limits: CodeLimits, *, script: str, printed: str) -> NodeFailed:
    """The failure for what the sandbox raised, but for a lack of time that it did not see itself."""
    from pydantic_monty import MontyCrashedError, MontyRuntimeError, MontySyntaxError  # noqa: PLC0415

    line = line_of(error, script)

    def fail(code: str, text: str) -> NodeFailed:
        return refusal(node, code, text, line=line, printed=printed)

    if isinstance(error, MontyCrashedError):
        return fail("CODE_SANDBOX_FAILED", f"it ended the process it ran in ({error}). Simplify it.")
    if isinstance(error, MontySyntaxError) or _is_unsupported(error):
        return fail("CODE_SYNTAX", f"{explain_syntax(error)}.")
    text = str(error)
    match error.exception():
        case MemoryError() if "memory limit" in text:
            mebibytes = limits.memory_bytes / 1024 / 1024
            return fail("CODE_MEMORY_LIMIT", f"it needs more than {mebibytes:g} MiB. Keep less in memory at once.")
        case RecursionError():
            return fail(
                "CODE_RECURSION_LIMIT", f"calls or values are more than {limits.recursion_depth} deep. Use a loop."
            )
        case RuntimeError() if "suspension limit" in text:
            return fail(
                "CODE_CALL_LIMIT",
                f"it asks for the time, sleeps or makes named ids more than {limits.host_calls} times. To wait, use "
                "one `time.sleep()`.",
            )
        case _:
            shown = error.display("type-msg") if isinstance(error, MontyRuntimeError) else text
            return fail("CODE_FAILED", f"{shown}. Correct the code, or the data it is given.")


def is_time_limit(error: MontyError) -> bool:
    """Whether the code ran out of time."""
    from pydantic_monty import MontyCrashedError  # noqa: PLC0415

    if isinstance(error, MontyCrashedError):
        return error.timed_out
    return isinstance(error.exception(), TimeoutError) and "time limit exceeded" in str(error)


def explain_syntax(error: MontyError) -> str:
    """What the interpreter could not parse, in words for whoever wrote it."""
    text = _text_of(error)
    if not _is_unsupported(error):
        return text
    hint = "; fields and elements can be deleted, names can't" if "'del'" in text else ""
    return f"the sandbox does not support {text.removeprefix(_UNSUPPORTED)}{hint}"


def _is_unsupported(error: MontyError) -> bool:
    return isinstance(error.exception(), NotImplementedError) and _text_of(error).startswith(_UNSUPPORTED)


def _text_of(error: MontyError) -> str:
    from pydantic_monty import MontyRuntimeError, MontySyntaxError  # noqa: PLC0415

    return error.display("msg") if isinstance(error, MontyRuntimeError | MontySyntaxError) else str(error)
