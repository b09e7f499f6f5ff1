"""The tools of an agent: those that are built in, and those that its config has."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from statebag.config import NODE_TYPE_ALIASES, Container, Node, Router, check_schema, normalise_type
from statebag.config.schemas import violation
from statebag.config.templates import check_templates
from statebag.errors import Problem
from statebag.nodes._base import NodeType
from statebag.nodes._registry import load_registry
from statebag.nodes.llm import Tool, ToolCall

__all__ = ["BUILTIN_TOOLS", "Action", "AgentTool", "canonical_type", "check_tools", "read_tools", "refusal_of"]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
"""What all providers allow."""


@dataclass(frozen=True, kw_only=True)
class Action:
    """The node that a tool runs."""

    type: str
    config: Mapping[str, Any]
    """Its templates see the arguments as ``args``, in front of the state."""


@dataclass(frozen=True, kw_only=True)
class AgentTool:
    """A tool and what calling it does."""

    tool: Tool
    action: Action | None = None
    compute: Callable[[Mapping[str, Any]], Any] | None = None
    """For a tool that is built in."""
    mock_result: Any = None
    """A template of what it gives in mock mode; None to run the action there, too."""


def _basic_query(arguments: Mapping[str, Any]) -> Any:
    a, b = arguments["a"], arguments["b"]
    match arguments["operation"]:
        case "add":
            return a + b
        case "subtract":
            return a - b
        case _:
            return a * b


BUILTIN_TOOLS: Final = (
    AgentTool(
        tool=Tool(
            name="read_only",
            description="Gives back the text that it is given.",
            input_schema={
                "type": "object",
                "properties": {"text": {"type": "string"}},
                "required": ["text"],
                "additionalProperties": False,
            },
        ),
        compute=lambda arguments: arguments["text"],
    ),
    AgentTool(
        tool=Tool(
            name="basic_query",
            description="Adds, subtracts or multiplies two numbers.",
            input_schema={
                "type": "object",
                "properties": {
                    "a": {"type": "number"},
                    "b": {"type": "number"},
                    "operation": {"enum": ["add", "subtract", "multiply"]},
                },
                "required": ["a", "b", "operation"],
                "additionalProperties": False,
            },
        ),
        compute=_basic_query,
    ),
)
"""Tools of every agent."""


def read_tools(given: Any) -> tuple[AgentTool, ...]:
    """The tools of a config that :func:`check_tools` finds nothing wrong with; built-in ones not among them."""
    return tuple(_read(one) for one in given or ())


def check_tools(given: Any, base: str) -> Iterator[Problem]:
    """Everything wrong with the list ``tools``, whose JSON path is ``base``."""
    if given is None:
        return
    if not isinstance(given, list):
        yield Problem(path=base, code="FIELD_TYPE", message="`tools`: must be a list of objects.")
        return
    types = load_registry()
    taken = {one.tool.name for one in BUILTIN_TOOLS}
    for index, one in enumerate(cast("list[Any]", given)):
        path = f"{base}[{index}]"
        if not isinstance(one, dict):
            yield _problem(path, "FIELD_TYPE", "must be an object with `name`, `input_schema` and `bridge_action`")
            continue
        fields = cast("dict[str, Any]", one)
        yield from _check_name(fields.get("name"), f"{path}.name", taken)
        if not isinstance(fields.get("description", ""), str | None):
            yield _problem(f"{path}.description", "FIELD_TYPE", "must be text")
        yield from _check_input(fields.get("input_schema"), f"{path}.input_schema")
        yield from check_templates(fields.get("mock_result"), f"{path}.mock_result")
        if fields.get("bridge_action") is not None:
            yield from _check_action(fields, f"{path}.bridge_action", types.find)
        elif fields.get("mock_result") is None:
            message = (
                'a tool must do something: `{"type": <node type>, "config": {…}}`. '
                "Give one, or a `mock_result` for mock mode alone"
            )
            yield _problem(f"{path}.bridge_action", "FIELD_MISSING", message)


def canonical_type(name: str) -> str:
    """The type that a name or alias stands for."""
    plain = normalise_type(name)
    return NODE_TYPE_ALIASES.get(plain, plain)


def refusal_of(tools: Mapping[str, AgentTool], call: ToolCall) -> str | None:
    """Why ``call`` can't be made, for the model to read; None where it can."""
    found = tools.get(call.name)
    if found is None:
        return f"There is no tool {call.name!r}. Use one of {', '.join(sorted(tools))}."
    if not isinstance(call.arguments, dict):
        return f"The arguments of {call.name!r} must be a JSON object."
    broken = violation(call.arguments, found.tool.input_schema)
    return None if broken is None else f"The arguments of {call.name!r} break its schema {broken}. Call it again."


def _read(given: Mapping[str, Any]) -> AgentTool:
    action: Mapping[str, Any] | None = given.get("bridge_action")
    schema: Mapping[str, Any] = given.get("input_schema") or {"properties": {}}
    return AgentTool(
        tool=Tool(
            name=given["name"],
            description=given.get("description") or "",
            input_schema={"type": "object", **schema},
        ),
        action=None if action is None else Action(type=action["type"], config=action.get("config") or {}),
        mock_result=given.get("mock_result"),
    )


def _check_name(name: Any, path: str, taken: set[str]) -> Iterator[Problem]:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        yield _problem(path, "FIELD_VALUE", "must be 1 to 64 letters, digits, `_` and `-`, not beginning with a digit")
    elif name in taken:
        yield _problem(path, "FIELD_VALUE", f"there is a tool {name!r} already. Rename one of the two")
    else:
        taken.add(name)


def _check_input(schema: Any, path: str) -> Iterator[Problem]:
    if schema is None:
        return
    if not isinstance(schema, dict):
        yield _problem(path, "FIELD_TYPE", "must be an object: a JSON Schema of the arguments")
        return
    found = cast("dict[str, Any]", schema)
    problems = check_schema(found, path)
    yield from problems
    if not problems and found.get("type", "object") != "object":
        yield _problem(f"{path}.type", "FIELD_VALUE", "must be `object`: arguments have names")


def _check_action(fields: Mapping[str, Any], path: str, find: Callable[[str], NodeType | None]) -> Iterator[Problem]:
    action: Any = fields["bridge_action"]
    if not isinstance(action, dict) or not isinstance(action.get("type"), str):  # pyright: ignore[reportUnknownMemberType]
        yield _problem(path, "FIELD_TYPE", 'must be an object `{"type": <node type>, "config": {…}}`')
        return
    given = cast("dict[str, Any]", action)
    config = given.get("config", {})
    if not isinstance(config, dict | None):
        yield _problem(f"{path}.config", "FIELD_TYPE", "must be an object")
        return
    kind = find(given["type"])
    if kind is None:
        yield _problem(f"{path}.type", "NODE_TYPE_UNKNOWN", f"no installed node type serves {given['type']!r}")
    elif isinstance(kind, Container | Router):
        message = f"`{kind.name}` holds or chooses other nodes, and a tool runs one alone. Use a type that does neither"
        yield _problem(f"{path}.type", "FIELD_VALUE", message)
    else:
        yield from kind.check(Node(id=str(fields.get("name")), type=kind.name, config=config or {}), path)


def _problem(path: str, code: str, message: str) -> Problem:
    return Problem(path=path, code=code, message=f"`{path.rsplit('.', 1)[-1]}`: {message}.")
