"""What a state reads of its document, and what the tests of a Choice tell about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from asl_compat.model._choice import ChoiceRule
from asl_compat.model._intrinsics import IntrinsicSyntaxError
from asl_compat.model._jsonpath import Path, PathSyntaxError, read_path
from asl_compat.model._parts import read_expression, walk_template
from asl_compat.model._place import at
from asl_compat.model.rules._shapes import Shape, look_up, refine
from statebag.errors import Problem

__all__ = ["Facts", "apply_facts", "facts_of", "read_rule", "read_template", "read_text"]

Facts = Mapping[tuple[str, ...], bool]
"""Names that lead to a member, and whether it is there."""


def read_text(text: Any, document: Shape, path: str) -> Iterator[Problem]:
    """Problems with a path, or with those in a call of an intrinsic function, that is read from a document."""
    if not isinstance(text, str):
        return
    try:
        paths = read_expression(text)
    except (PathSyntaxError, IntrinsicSyntaxError):
        return  # told elsewhere
    for read in paths:
        if read.root == "$":
            yield from _judge(text, read, document, path)


def read_template(template: Any, document: Shape, path: str) -> Iterator[Problem]:
    """Problems with the paths of a payload template."""
    for entry in walk_template(template, path):
        if entry.computed:
            yield from read_text(entry.value, document, entry.path)


def read_rule(rule: ChoiceRule, document: Shape, path: str) -> Iterator[Problem]:
    """Problems with what a rule reads; what its own tests rule out is none."""
    if rule.variable is not None and any(not name.startswith("Is") for name in rule.comparisons):
        yield from read_text(rule.variable, document, at(path, "Variable"))
    for name, operand in rule.comparisons.items():
        if name.endswith("Path"):
            yield from read_text(operand, document, at(path, name))
    for field, members, held in (("And", rule.and_, True), ("Or", rule.or_, False)):
        seen = document
        for index, member in enumerate(members or ()):
            yield from read_rule(member, seen, at(path, field, index))
            seen = apply_facts(seen, facts_of(member, held=held))
    if rule.not_ is not None:
        yield from read_rule(rule.not_, document, at(path, "Not"))


def facts_of(rule: ChoiceRule, *, held: bool) -> Facts:
    """What is known of a document for which a rule held, or did not."""
    if rule.not_ is not None:
        return facts_of(rule.not_, held=not held)
    members = rule.and_ if rule.and_ is not None else rule.or_
    if members is not None:
        # Of an And that did not hold, and of an Or that held, it is not known which of several decided.
        if held != (rule.and_ is not None) and len(members) > 1:
            return {}
        return {names: there for member in members for names, there in facts_of(member, held=held).items()}
    names = _names(rule.variable)
    if names is None or len(rule.comparisons) != 1:
        return {}
    name, operand = next(iter(rule.comparisons.items()))
    if name == "IsPresent":
        return {names: bool(operand) == held}
    # A comparison of what is not there fails the execution, and some tests of a type hold only for what is there.
    return {names: True} if not name.startswith("Is") or (held and operand is True) else {}


def apply_facts(document: Shape, facts: Facts) -> Shape:
    """A document of which that is known."""
    for names, present in facts.items():
        document = refine(document, names, present=present)
    return document


def _names(text: str | None) -> tuple[str, ...] | None:
    try:
        path = read_path(text or "")
    except PathSyntaxError:
        return None
    if path.root != "$" or not path.steps or any(step.kind != "field" for step in path.steps):
        return None
    return tuple(step.name for step in path.steps)


def _judge(text: str, read: Path, document: Shape, path: str) -> Iterator[Problem]:
    found = look_up(document, read.steps)
    if found.verdict == "no":
        message = f"{text!r} reads `{found.name}`, which no way to this state provides. Correct it, or provide it."
        yield Problem(path=path, code="ASL_PATH_UNRESOLVED", message=message)
    elif found.verdict == "maybe":
        message = (
            f"{text!r} reads `{found.name}`, which only some ways to this state provide. Provide it on all of them, or "
            "test it with `IsPresent`."
        )
        yield Problem(path=path, code="ASL_PATH_UNCERTAIN", message=message)
