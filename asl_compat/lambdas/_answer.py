"""The frame of every handler: errors leave it under names that a definition can match."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from statebag.errors import InputRefused, Problem, StateBagError

__all__ = ["answer", "error_name", "require"]


class LambdaFailure(Exception):
    """What a function fails with: the class names the error, the text begins with its code."""


def answer(work: Callable[[], Any]) -> Any:
    """The return value of ``work``.

    Raises:
        LambdaFailure: of a subclass named as :func:`error_name` says of the error that ``work`` raised.
    """
    try:
        return work()
    except StateBagError as error:
        raise _named(error_name(error))(f"{error.code}: {error.message}") from error


def error_name(error: BaseException) -> str:
    """The name under which Step Functions knows an error: its code; of one that may pass, the name of its class.

    The definitions repeat what may pass by a few names, whatever codes there are.
    """
    if isinstance(error, StateBagError) and not error.retryable:
        return error.code
    return type(error).__name__


def require(event: Any, *names: str) -> Mapping[str, Any]:
    """The event, with every one of its members that is needed.

    Raises:
        InputRefused: one problem for each that is not there.
    """
    if not isinstance(event, Mapping):
        problem = Problem(path="$", code="FIELD_TYPE", message="the event must be an object")
        raise InputRefused([problem], what="event")
    missing = [name for name in names if event.get(name) is None]
    if missing:
        text = "is absent. Pass on what the state before it gave, unchanged."
        problems = [Problem(path=f"$.{name}", code="FIELD_MISSING", message=text) for name in missing]
        raise InputRefused(problems, what="event")
    return event


@cache
def _named(name: str) -> type[LambdaFailure]:
    return type(name, (LambdaFailure,), {"__doc__": f"A {name} of the engine."})
