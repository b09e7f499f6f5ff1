"""Retriers and catchers."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

from asl_compat.model._errors import Catcher, Retrier
from asl_compat.model._parts import Part
from asl_compat.model._place import at
from asl_compat.model._walking import StatePlace
from statebag.errors import Problem

__all__ = ["ERROR_NAMES", "check_delays", "check_handlers"]

ERROR_NAMES = frozenset(
    f"States.{name}"
    for name in (
        "ALL",
        "BranchFailed",
        "DataLimitExceeded",
        "ExceedToleratedFailureThreshold",
        "HeartbeatTimeout",
        "Http.Socket",
        "IntrinsicFailure",
        "ItemReaderFailed",
        "NoChoiceMatched",
        "ParameterPathFailure",
        "Permissions",
        "QueryEvaluationError",
        "ResultPathMatchFailure",
        "ResultWriterFailed",
        "Runtime",
        "TaskFailed",
        "Timeout",
    )
)
"""Error names that the language defines; ``States.Http.StatusCode.`` and a status go with them."""
_STATUS = re.compile(r"States\.Http\.StatusCode\.\d{3}")
_DEFAULT_INTERVAL = 1


def check_handlers(found: StatePlace, raised: Collection[str]) -> Iterator[Problem]:
    """The errors that retriers and catchers of a state name.

    Args:
        found: The state.
        raised: Names of errors that Fail states of the definition raise.
    """
    retriers: Sequence[Retrier] = getattr(found.state, "retry", None) or ()
    catchers: Sequence[Catcher] = getattr(found.state, "catch", None) or ()
    for field, handlers in (("Retry", retriers), ("Catch", catchers)):
        for index, handler in enumerate(handlers):
            path = at(found.path, field, index, "ErrorEquals")
            yield from _check_names(path, handler.error_equals, raised, last=index == len(handlers) - 1)


def check_delays(part: Part) -> Iterator[Problem]:
    """That the longest delay of a retrier leaves room to grow."""
    if not isinstance(part.model, Retrier):
        return
    longest, first = part.model.max_delay_seconds, part.model.interval_seconds
    first = _DEFAULT_INTERVAL if first is None else first
    if longest is None or longest < 1:
        return
    path = part.at("max_delay_seconds")
    if longest < first:
        message = f"`MaxDelaySeconds` is {longest}, less than the `IntervalSeconds` of {first}. Raise it."
        yield Problem(path=path, code="ASL_RETRY", message=message)
    elif longest == first and part.model.has("interval_seconds"):
        message = (
            f"`MaxDelaySeconds` is {longest}, as is `IntervalSeconds`: the delay never grows. Raise it, or remove it."
        )
        yield Problem(path=path, code="ASL_RETRY", message=message)


def _check_names(path: str, names: Sequence[str], raised: Collection[str], *, last: bool) -> Iterator[Problem]:
    if not names:
        yield Problem(path=path, code="ASL_RETRY", message="`ErrorEquals` is empty. Name an error, or `States.ALL`.")
    for index, name in enumerate(names):
        if not name.startswith("States.") or name in ERROR_NAMES or _STATUS.fullmatch(name):
            continue
        if name in raised:
            message = f"{name!r} is an error of your own, and the language keeps names with `States.` for itself."
            yield Problem(
                path=at(path, index), code="ASL_SUSPECT", message=f"{message} Rename it, in its Fail state too."
            )
        else:
            known = ", ".join(sorted(ERROR_NAMES))
            message = f"{name!r} is no error of the language, and names of your own must not start with `States.`."
            yield Problem(path=at(path, index), code="ASL_ERROR_NAME", message=f"{message} There are {known}.")
    if "States.ALL" in names and len(names) > 1:
        message = "`States.ALL` must stand alone. Remove the other names, or give them an entry before this one."
        yield Problem(path=path, code="ASL_ERROR_NAME", message=message)
    elif "States.ALL" in names and not last:
        message = "`States.ALL` must come last: what is behind it is never reached. Move this entry to the end."
        yield Problem(path=path, code="ASL_ERROR_NAME", message=message)
