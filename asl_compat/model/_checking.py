"""Everything that is wrong with a definition file, in one go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from asl_compat.model._parsing import Step, find_shape_problems, parse_definition
from asl_compat.model._place import place
from asl_compat.model._reading import read_json
from asl_compat.model._states import Definition
from asl_compat.model.rules import is_warning, validate_definition
from statebag.canonical import canonical_bytes
from statebag.errors import InputRefused, Problem, Unserialisable

__all__ = ["CheckedDefinition", "check_definition"]

_ROUTING = frozenset(
    {"StartAt", "States", "Next", "End", "Default", "Choices", "Catch", "Branches", "ItemProcessor", "Iterator"}
)
_OF_ROUTES = frozenset(
    {"ASL_TARGET_UNKNOWN", "ASL_STATE_UNREACHABLE", "ASL_NO_END", "ASL_PATH_UNRESOLVED", "ASL_PATH_UNCERTAIN"}
)
_MOST_ROUNDS = 20


@dataclass(frozen=True, kw_only=True)
class CheckedDefinition:
    """A definition file and what is wrong with it."""

    definition: Definition | None
    """None where it is not shaped as one."""
    problems: tuple[Problem, ...]

    @property
    def valid(self) -> bool:
        """Whether there is nothing but warnings."""
        return all(is_warning(problem) for problem in self.problems)


def check_definition(data: bytes, *, express: bool = False) -> CheckedDefinition:
    """Read a definition file and check it.

    A part that has the wrong shape does not keep the others from being checked.

    Args:
        data: The file's content.
        express: Whether it is deployed as an express state machine.

    Raises:
        InputRefused: ``ASL_NOT_JSON``.
    """
    raw, twice = read_json(data)
    try:
        canonical_bytes(raw)
    except Unserialisable as cause:
        raise InputRefused(
            [Problem(path="$", code="ASL_NOT_JSON", message=cause.message)], what="definition"
        ) from cause
    misshapen = find_shape_problems(raw)
    if not misshapen:
        definition = parse_definition(raw)
        return CheckedDefinition(
            definition=definition, problems=(*twice, *validate_definition(definition, express=express))
        )
    shape = [problem for _, problem in misshapen]
    return CheckedDefinition(definition=None, problems=(*twice, *shape, *_check_rest(raw, misshapen, express=express)))


def _check_rest(raw: Any, misshapen: Sequence[tuple[tuple[Step, ...], Problem]], *, express: bool) -> list[Problem]:
    """What is wrong with a definition apart from its misshapen parts."""
    removed: set[tuple[Step, ...]] = set()
    for _ in range(_MOST_ROUNDS):
        for steps, _ in misshapen:
            gone = _removable(raw, steps)
            if not gone:
                return []
            removed.add(gone)
            raw = _without(raw, gone)
        misshapen = find_shape_problems(raw)
        if not misshapen:
            break
    else:
        return []
    # What was removed is missing now, and what it led to may seem lost.
    owners = {place(steps[:-1]) for steps in removed}
    routes = any(steps[-1] in _ROUTING or (len(steps) > 1 and steps[-2] == "States") for steps in removed)
    return [
        problem
        for problem in validate_definition(parse_definition(raw), express=express)
        if problem.path not in owners and not (routes and problem.code in _OF_ROUTES)
    ]


def _removable(raw: Any, steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """The nearest member of an object that can be left out; items of lists can't, since others would move up."""
    value, there = raw, 0
    for step in steps:
        if not (isinstance(value, dict) and step in value) and not isinstance(value, list):
            break
        value = cast("Any", value)[step]
        there += 1
    steps = steps[:there]
    while steps and isinstance(steps[-1], int):
        steps = steps[:-1]
    return steps


def _without(raw: Any, steps: Sequence[Step]) -> Any:
    """A copy without a member; what is beside the way there is shared."""
    first, rest = steps[0], steps[1:]
    if isinstance(raw, list):
        items = list(cast("list[Any]", raw))
        items[cast("int", first)] = _without(items[cast("int", first)], rest)
        return items
    members = dict(cast("dict[Step, Any]", raw))
    if rest:
        members[first] = _without(members[first], rest)
    else:
        members.pop(first, None)
    return members
