"""What Task states call, and how."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

from asl_compat.model._parts import has_placeholder, is_jsonata, walk_template
from asl_compat.model._place import at
from asl_compat.model._states import Task
from asl_compat.model._walking import StatePlace
from asl_compat.model.rules._integrations import INTEGRATIONS, SERVICES
from statebag.errors import Problem

__all__ = ["check_task"]

_HOLE = r"\$\{[^{}]*\}"
_FREE = rf"(?:[^:${{}}]|{_HOLE})*"
_WORD = rf"(?:[\w-]|{_HOLE})+"
_ARN = rf"arn:{_WORD}:"
_FUNCTION = re.compile(rf"{_ARN}lambda:{_WORD}:{_WORD}:function:{_WORD}(?::(?:[\w$-]|{_HOLE})+)?")
_ACTIVITY = re.compile(rf"{_ARN}states:{_WORD}:{_WORD}:activity:.+")
_INTEGRATION = re.compile(
    rf"{_ARN}states:{_FREE}:{_FREE}:(?P<sdk>aws-sdk:)?(?P<service>[\w-]+):(?P<action>\w+)(?:\.(?P<pattern>[\w:]+))?"
)
_CALLBACK = "waitForTaskToken"
_ALIKE = 0.8
"""How like a known action one must be to be taken for a slip of it: the list of those is not complete."""
_LAMBDA_PARAMETERS = (
    "ClientContext",
    "DurableExecutionName",
    "FunctionName",
    "InvocationType",
    "LogType",
    "Payload",
    "Qualifier",
    "TenantId",
)
_TOKEN = re.compile(r"\$\$\s*(?:$|[,)]|(?:\.Task|\[\s*['\"]Task['\"]\s*\])\s*(?:$|[,)]|\.Token|\[\s*['\"]Token))")
_CONTEXT = re.compile(r"\bcontext\b|\$states\s*(?![\w.\s])")


def check_task(found: StatePlace) -> Iterator[Problem]:
    """The resource of a Task, and what is passed to it."""
    task = found.state
    if not isinstance(task, Task):
        return
    path = at(found.path, "Resource")
    if task.resource is None:
        if not task.has("resource"):
            message = "This Task has no `Resource`. Add the ARN of what it calls."
            yield Problem(path=found.path, code="ASL_FIELD_MISSING", message=message)
        return
    resource = task.resource
    if found.express and (resource.endswith((".sync", ".sync:2", f".{_CALLBACK}")) or _ACTIVITY.fullmatch(resource)):
        message = f"An EXPRESS machine can't wait for {resource!r}. Call it without waiting, or make it STANDARD."
        yield Problem(path=path, code="ASL_INTEGRATION", message=message)
        return
    if re.fullmatch(_HOLE, resource) or _FUNCTION.fullmatch(resource) or _ACTIVITY.fullmatch(resource):
        return
    shape = _INTEGRATION.fullmatch(resource)
    if shape is None:
        if not has_placeholder(resource):
            message = (
                f"`Resource` is {resource!r}. Use the ARN of a Lambda function or an activity, a service integration "
                "such as arn:aws:states:::lambda:invoke, or a placeholder such as ${FunctionArn}."
            )
            yield Problem(path=path, code="ASL_RESOURCE", message=message)
        return
    yield from _check_integration(found, task, shape, path)


def _check_integration(found: StatePlace, task: Task, shape: re.Match[str], path: str) -> Iterator[Problem]:
    service, action, pattern = shape["service"], shape["action"], shape["pattern"]
    if pattern is not None:
        yield from _check_pattern(path, service, action, pattern, sdk=shape["sdk"] is not None)
    elif shape["sdk"] is None and service not in SERVICES:
        message = f"There is no known integration with a service {service!r}. Check its name."
        yield Problem(path=path, code="ASL_SUSPECT", message=message)
    if shape["sdk"] is None and (service, action) not in INTEGRATIONS:
        actions = [other for known, other in INTEGRATIONS if known == service]
        near = difflib.get_close_matches(action, actions, n=1, cutoff=_ALIKE)
        if near:
            message = f"There is no known action {service}:{action}. Did you mean {service}:{near[0]}?"
            yield Problem(path=path, code="ASL_SUSPECT", message=message)
    if pattern == _CALLBACK and not _passes_token(found, task):
        where = "$$.Task.Token" if found.language == "JSONPath" else "$states.context.Task.Token"
        field = "Parameters" if found.language == "JSONPath" else "Arguments"
        message = f"This Task waits for an answer, and `{field}` passes no `{where}` to answer with. Add it."
        # An SDK call that has no place for a token is accepted, and waits until it times out.
        code = "ASL_INTEGRATION" if shape["sdk"] is None else "ASL_SUSPECT"
        yield Problem(path=found.path, code=code, message=message)
    if shape["sdk"] is None and (service, action) == ("lambda", "invoke"):
        yield from _check_invoke(found, task)


def _check_pattern(path: str, service: str, action: str, pattern: str, *, sdk: bool) -> Iterator[Problem]:
    allowed = (_CALLBACK,) if sdk else INTEGRATIONS.get((service, action))
    if allowed is None and pattern in ("sync", "sync:2", _CALLBACK):
        return
    if pattern not in (allowed or ()):
        has = f"It has {' and '.join(f'.{name}' for name in allowed)}." if allowed else "Remove it."
        message = f"{service}:{action} has no `.{pattern}`. {has}"
        yield Problem(path=path, code="ASL_INTEGRATION", message=message)


def _passes_token(found: StatePlace, task: Task) -> bool:
    if found.language == "JSONata":
        return any(_CONTEXT.search(text) for text in _texts(task.arguments)) or has_placeholder(task.arguments)
    return any(
        entry.computed and isinstance(entry.value, str) and _TOKEN.search(entry.value)
        for entry in walk_template(task.parameters, "$")
    ) or has_placeholder(task.parameters)


def _check_invoke(found: StatePlace, task: Task) -> Iterator[Problem]:
    field, given = ("Parameters", task.parameters) if found.language == "JSONPath" else ("Arguments", task.arguments)
    if is_jsonata(given) or has_placeholder(given):
        return
    members: Mapping[str, Any] = cast("Mapping[str, Any]", given) if isinstance(given, dict) else {}
    names = {name.removesuffix(".$"): name for name in members}
    path = at(found.path, field) if isinstance(given, dict) else found.path
    misspelt = ""
    for name, written in names.items():
        if name not in _LAMBDA_PARAMETERS:
            near = difflib.get_close_matches(name, [other for other in _LAMBDA_PARAMETERS if other not in names], n=1)
            misspelt += "".join(near)
            hint = f"Did you mean `{near[0]}`?" if near else f"It has {', '.join(_LAMBDA_PARAMETERS)}."
            message = f"lambda:invoke has no parameter `{name}`. {hint}"
            yield Problem(path=at(path, written), code="ASL_INTEGRATION", message=message)
    if "FunctionName" not in names and "FunctionName" not in misspelt:
        message = f"lambda:invoke needs `FunctionName` in `{field}`. Add it."
        yield Problem(path=path, code="ASL_INTEGRATION", message=message)


def _texts(value: Any) -> Iterator[str]:
    todo = [value]
    while todo:
        item = todo.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            todo += cast("dict[str, Any]", item).values()
        elif isinstance(item, list):
            todo += cast("list[Any]", item)
