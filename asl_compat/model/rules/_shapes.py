"""What is known of a document before it exists: which members it has for certain, and which it can't have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, cast

from asl_compat.model._jsonpath import Path, PathSyntaxError, Step, read_path

__all__ = [
    "ANYTHING",
    "ERROR_OUTPUT",
    "LAMBDA_RESULT",
    "NOTHING_INSIDE",
    "Found",
    "Members",
    "Shape",
    "insert",
    "join",
    "look_up",
    "refine",
    "shape_of",
    "shape_of_template",
]

_DEEPEST = 6
"""Below this nothing is known, so that a loop which nests its own data can't go on for ever."""
_LARGEST = 1000
"""Members in a document, inner ones included, above which the innermost are forgotten."""


@dataclass(frozen=True)
class Anything:
    """Nothing is known: any path into it may lead somewhere."""


@dataclass(frozen=True)
class Scalar:
    """Text, a number, true, false or null: no member can be read."""


@dataclass(frozen=True)
class Member:
    """A member that an object may have."""

    shape: Shape
    certain: bool
    """Whether every way provides it."""


@dataclass(frozen=True)
class Members:
    """An object without any other members than these."""

    members: Mapping[str, Member] = field(default_factory=dict[str, Member])
    size: int = field(init=False, compare=False, repr=False)
    """Members in it, inner ones included."""
    depth: int = field(init=False, compare=False, repr=False)
    """Objects inside of each other."""

    def __post_init__(self) -> None:
        inner = [member.shape for member in self.members.values() if isinstance(member.shape, Members)]
        object.__setattr__(self, "size", len(self.members) + sum(shape.size for shape in inner))
        object.__setattr__(self, "depth", 1 + max((shape.depth for shape in inner), default=0))


Shape: TypeAlias = Anything | Scalar | Members

ANYTHING = Anything()
NOTHING_INSIDE = Scalar()
ERROR_OUTPUT = Members({name: Member(NOTHING_INSIDE, certain=True) for name in ("Error", "Cause")})
"""What a catcher gives."""
LAMBDA_RESULT = Members(
    {
        name: Member(ANYTHING, certain=True)
        for name in (
            "DurableExecutionArn",
            "ExecutedVersion",
            "FunctionError",
            "LogResult",
            "Payload",
            "SdkHttpMetadata",
            "SdkResponseMetadata",
            "StatusCode",
        )
    }
)
"""What lambda:invoke gives; which of it depends on how the function is called."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """Where a path into a shape leads."""

    verdict: Literal["yes", "no", "maybe"]
    shape: Shape = ANYTHING
    name: str = ""
    """The member that is missing, or may be."""


def join(one: Shape, other: Shape) -> Shape:
    """What is known of a document that has the one shape or the other."""
    if one is other or one == other:
        return one
    if isinstance(one, Anything) or isinstance(other, Anything):
        return ANYTHING
    left = one.members if isinstance(one, Members) else {}
    right = other.members if isinstance(other, Members) else {}
    joined: dict[str, Member] = {}
    for name in {**left, **right}:
        here, there = left.get(name), right.get(name)
        if here is not None and there is not None:
            joined[name] = Member(join(here.shape, there.shape), certain=here.certain and there.certain)
        else:
            joined[name] = Member(cast("Member", here or there).shape, certain=False)
    return Members(joined)


def look_up(shape: Shape, steps: Sequence[Step]) -> Found:
    """Where a path leads, as far as that is known: up to the first step that is no name."""
    uncertain = ""
    for step in steps:
        if step.kind != "field" or isinstance(shape, Anything):
            return Found(verdict="maybe", name=uncertain) if uncertain else Found(verdict="yes")
        member = shape.members.get(step.name) if isinstance(shape, Members) else None
        if member is None:
            return Found(verdict="no", name=step.name)
        if not member.certain and not uncertain:
            uncertain = step.name
        shape = member.shape
    return Found(verdict="maybe" if uncertain else "yes", shape=shape, name=uncertain)


def insert(shape: Shape, steps: Sequence[Step], value: Shape) -> Shape:
    """What a document becomes when something is put where a reference path leads."""
    if not steps:
        return _cut(value)
    return _cut(_insert(shape, steps, value))


def _insert(shape: Shape, steps: Sequence[Step], value: Shape) -> Shape:
    if not steps:
        return value
    if steps[0].kind != "field" or not isinstance(shape, Members):
        return ANYTHING
    old = shape.members.get(steps[0].name)
    new = _insert(Members(), steps[1:], value)
    if old is not None and len(steps) > 1:
        new = _insert(old.shape, steps[1:], value) if old.certain else join(new, _insert(old.shape, steps[1:], value))
    return Members({**shape.members, steps[0].name: Member(new, certain=True)})


def refine(shape: Shape, names: Sequence[str], *, present: bool) -> Shape:
    """What is known of a document once a test has shown that a member is there, or is not."""
    if not names or not isinstance(shape, Members):
        return shape
    member = shape.members.get(names[0])
    if member is None:
        return shape
    if len(names) == 1:
        rest = {name: other for name, other in shape.members.items() if name != names[0]}
        return Members({**shape.members, names[0]: Member(member.shape, certain=True)} if present else rest)
    inside = Member(refine(member.shape, names[1:], present=present), certain=member.certain or present)
    return Members({**shape.members, names[0]: inside})


def shape_of(value: Any) -> Shape:
    """The shape of a JSON value; of lists nothing is kept."""
    return _cut(_shape_of(value, None, 0))


def shape_of_template(template: Any, document: Shape) -> Shape:
    """What a payload template makes of a document."""
    return _cut(_shape_of(template, document, 0))


def _shape_of(value: Any, document: Shape | None, depth: int) -> Shape:
    if isinstance(value, list) or depth > _DEEPEST:
        return ANYTHING
    if not isinstance(value, dict):
        return NOTHING_INSIDE
    members: dict[str, Member] = {}
    for key, item in cast("dict[str, Any]", value).items():
        if document is not None and key.endswith(".$"):
            members[key.removesuffix(".$")] = Member(_shape_at(item, document), certain=True)
        else:
            members[key] = Member(_shape_of(item, document, depth + 1), certain=True)
    return Members(members)


def _shape_at(text: Any, document: Shape) -> Shape:
    try:
        path: Path | None = read_path(text) if isinstance(text, str) else None
    except PathSyntaxError:
        path = None
    return look_up(document, path.steps).shape if path is not None and path.root == "$" else ANYTHING


def _cut(shape: Shape) -> Shape:
    """As much of a shape as is worth following: its outer members, if not all."""
    for depth in range(_DEEPEST, 0, -1):
        if not isinstance(shape, Members) or (shape.depth <= depth and shape.size <= _LARGEST):
            break
        shape = _cut_at(shape, depth)
    return shape


def _cut_at(shape: Shape, depth: int) -> Shape:
    if not isinstance(shape, Members) or shape.depth <= depth:
        return shape
    if depth == 0:
        return ANYTHING
    return Members(
        {name: Member(_cut_at(item.shape, depth - 1), certain=item.certain) for name, item in shape.members.items()}
    )
