"""Parts of a definition: one function a kind of state, so that a machine reads like the table of its states."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

__all__ = [
    "ASL",
    "call",
    "catch",
    "choice",
    "fail",
    "fan_out",
    "is_equal",
    "keep",
    "pass_on",
    "succeed",
    "wait_for_token",
]

ASL = dict[str, Any]
"""A state, or a part of one, as JSON."""
Name = TypeVar("Name", bound=str)

_INVOKE = "arn:aws:states:::lambda:invoke"


def keep(*names: str) -> ASL:
    """Parameters that pass members of the document on under their own names."""
    return {f"{name}.$": f"$.{name}" for name in names}


def call(
    function: str,
    payload: Mapping[str, Any] | str,
    *,
    then: str | None,
    select: Iterable[str] | None = None,
    into: str = "$",
    result: str = "",
    retry: Sequence[ASL] = (),
    catches: Sequence[ASL] = (),
) -> ASL:
    """Call a function, and wait for its return value.

    Args:
        function: Its placeholder.
        payload: What it gets; a text is a path.
        then: The state that follows; None ends the machine.
        select: Members of the return value that are kept.
        into: Where in the document they go.
        result: Instead of ``select``: the name under which the whole return value goes there.
        retry: Which errors are repeated.
        catches: Which errors lead elsewhere.
    """
    chosen = {f"{name}.$": f"$.Payload.{name}" for name in select or ()}
    if result:
        chosen = {f"{result}.$": "$.Payload"}
    return _task(
        _INVOKE,
        _invocation(function, payload),
        {"ResultSelector": chosen, **_result_at(into)},
        retry=retry,
        catches=catches,
        then=then,
    )


def wait_for_token(
    function: str,
    payload: Mapping[str, Any],
    *,
    then: str,
    into: str,
    timeout: ASL,
    retry: Sequence[ASL] = (),
    catches: Sequence[ASL] = (),
) -> ASL:
    """Hand a token to a function, and wait until somebody answers it.

    Args:
        function: Its placeholder.
        payload: What it gets beside ``TaskToken``.
        then: The state that follows.
        into: Where in the document the answer goes.
        timeout: ``TimeoutSeconds`` or ``TimeoutSecondsPath``.
        retry: Which errors are repeated.
        catches: Which errors lead elsewhere.
    """
    given = {"TaskToken.$": "$$.Task.Token", **payload}
    more = {**_result_at(into), **timeout}
    resource = f"{_INVOKE}.waitForTaskToken"
    return _task(resource, _invocation(function, given), more, retry=retry, catches=catches, then=then)


def service(
    resource: str,
    parameters: ASL,
    *,
    then: str,
    into: str | None,
    retry: Sequence[ASL] = (),
    catches: Sequence[ASL] = (),
) -> ASL:
    """Call another service of AWS."""
    return _task(f"arn:aws:states:::{resource}", parameters, _result_at(into), retry=retry, catches=catches, then=then)


def catch(then: str, *, into: str | None, errors: Sequence[str] = ("States.ALL",)) -> ASL:
    """Go on elsewhere after an error, with ``{"Error", "Cause"}`` at ``into``; None drops it."""
    return {"ErrorEquals": list(errors), "ResultPath": into, "Next": str(then)}


def choice(arms: Iterable[tuple[ASL, str]], *, otherwise: str) -> ASL:
    """Go where the first rule says that holds."""
    return {
        "Type": "Choice",
        "Choices": [{**rule, "Next": str(then)} for rule, then in arms],
        "Default": str(otherwise),
    }


def is_equal(path: str, values: Sequence[str]) -> ASL:
    """The rule that a text is one of ``values``."""
    rules = [{"Variable": path, "StringEquals": value} for value in values]
    return rules[0] if len(rules) == 1 else {"Or": rules}


def pass_on(document: Mapping[str, Any], *, then: str | None, into: str = "$") -> ASL:
    """Make a document of parts of the one that there is."""
    return {"Type": "Pass", "Parameters": dict(document), **_result_at(into), **_onwards(then)}


def fail(error: str, *, cause: str = "", cause_path: str = "") -> ASL:
    """End without success."""
    return {"Type": "Fail", "Error": error, **({"CausePath": cause_path} if cause_path else {"Cause": cause})}


def succeed(*, output: str = "$") -> ASL:
    """End with success."""
    return {"Type": "Succeed"} if output == "$" else {"Type": "Succeed", "OutputPath": output}


def fan_out(
    states: Mapping[Name, ASL],
    *,
    start: Name,
    items: ASL,
    concurrency: ASL,
    selector: ASL,
    into: str,
    then: str,
    catches: Sequence[ASL],
    more: ASL | None = None,
    mode: Mapping[str, str] | None = None,
) -> ASL:
    """Run a machine of its own for each item, and keep all results as ``branches`` at ``into``.

    Args:
        states: Those of the inner machine.
        start: Where it starts.
        items: ``ItemsPath`` or ``ItemReader``.
        concurrency: ``MaxConcurrency`` or ``MaxConcurrencyPath``.
        selector: What each inner machine gets.
        into: Where in the document the results go.
        then: The state that follows.
        catches: Where errors lead that no inner machine has dealt with.
        more: Further fields.
        mode: ``ProcessorConfig``.
    """
    processor = {
        "ProcessorConfig": dict(mode or {"Mode": "INLINE"}),
        "StartAt": str(start),
        "States": {str(name): state for name, state in states.items()},
    }
    return {
        "Type": "Map",
        **items,
        "ItemSelector": selector,
        **concurrency,
        "ItemProcessor": processor,
        **(more or {}),
        **_result_at(into),
        "Catch": list(catches),
        "Next": str(then),
    }


def _invocation(function: str, payload: Mapping[str, Any] | str) -> ASL:
    given = {"Payload.$": payload} if isinstance(payload, str) else {"Payload": dict(payload)}
    return {"FunctionName": f"${{{function}}}", **given}


def _task(
    resource: str,
    parameters: ASL,
    more: Mapping[str, Any],
    *,
    retry: Sequence[ASL],
    catches: Sequence[ASL],
    then: str | None,
) -> ASL:
    return {
        "Type": "Task",
        "Resource": resource,
        "Parameters": parameters,
        **more,
        **({"Retry": list(retry)} if retry else {}),
        **({"Catch": list(catches)} if catches else {}),
        **_onwards(then),
    }


def _onwards(then: str | None) -> ASL:
    return {"End": True} if then is None else {"Next": str(then)}


def _result_at(path: str | None) -> ASL:
    """Where a result goes; ``$``, in place of the document, is what holds where nothing is said."""
    return {} if path == "$" else {"ResultPath": path}
