"""Follows the document through a definition, to find paths that can't lead anywhere.

Only what must be so is used: of the execution's input nothing is known, and of what tasks give only what
lambda:invoke wraps the answer of a function in.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from asl_compat.model._base import AslModel
from asl_compat.model._jsonpath import PathSyntaxError, read_path
from asl_compat.model._place import at
from asl_compat.model._states import Choice, Fail, Machine, Map, Parallel, Pass, Succeed, Task, Wait
from asl_compat.model._walking import MachinePlace, StatePlace, inner_machines
from asl_compat.model.rules._expressions import is_path_field
from asl_compat.model.rules._integrations import is_plain_invoke
from asl_compat.model.rules._readings import apply_facts, facts_of, read_rule, read_template, read_text
from asl_compat.model.rules._shapes import (
    ANYTHING,
    ERROR_OUTPUT,
    LAMBDA_RESULT,
    Member,
    Members,
    Shape,
    insert,
    join,
    look_up,
    shape_of,
    shape_of_template,
)
from statebag.errors import Problem

__all__ = ["check_flow"]

_MOST_STEPS = 200
"""Visits per state after which a machine is given up; what is known only ever shrinks, so that few are needed."""


@dataclass(kw_only=True)
class _Passage:
    """What comes of a state when its document is known."""

    problems: list[Problem] = field(default_factory=list[Problem])
    leads: list[tuple[str, Shape]] = field(default_factory=list[tuple[str, Shape]])
    """Names of following states, each with what they are given."""
    inside: Shape = ANYTHING
    """What its inner machines are given."""


def check_flow(found: MachinePlace, given: Shape = ANYTHING) -> Iterator[Problem]:
    """Paths in a machine, and those inside of it, that read what is not there, or may not be.

    Args:
        found: The machine.
        given: What it is started with.
    """
    places = {place.name: place for place in found.states()}
    documents = _spread(found.machine, places, given)
    for name, place in places.items():
        if name in documents:
            passage = _pass_through(place, documents[name])
            yield from passage.problems
            for machine in inner_machines(place):
                yield from check_flow(machine, passage.inside)


def _spread(machine: Machine, places: dict[str, StatePlace], given: Shape) -> dict[str, Shape]:
    """What is known of the document at each state that is reached."""
    if machine.start_at not in places:
        return {}
    documents: dict[str, Shape] = {machine.start_at: given}
    todo = [machine.start_at]
    left = _MOST_STEPS * len(places)
    while todo:
        left -= 1
        if left < 0:
            return {}
        name = todo.pop()
        for target, document in _pass_through(places[name], documents[name]).leads:
            if target in places:
                known = documents.get(target)
                joined = document if known is None else join(known, document)
                if joined != known:
                    documents[target] = joined
                    todo.append(target)
    return documents


def _pass_through(found: StatePlace, document: Shape) -> _Passage:
    if not found.language_sure or found.language != "JSONPath":
        return _pass_unread(found, document)
    match found.state:
        case Choice() as state:
            return _pass_choice(found, state, document)
        case Fail() as state:
            passage = _Passage()
            _read_paths(passage, state, document, found.path)
            return passage
        case Succeed() | Wait() as state:
            passage = _Passage()
            effective = _effective(passage, state, document, found.path)
            _read_paths(passage, state, effective, found.path)
            _lead_on(passage, found, state, effective)
            return passage
        case Pass() | Task() | Parallel() | Map() as state:
            return _pass_result(found, state, document)


def _pass_unread(found: StatePlace, document: Shape) -> _Passage:
    """A state that uses JSONata: its expressions are not read."""
    state = found.state
    keeps = isinstance(state, Pass | Wait | Choice) and not state.has("output") and found.language_sure
    passage = _Passage()
    if isinstance(state, Choice):
        for rule in state.choices or ():
            kept = document if keeps and not rule.has("output") else ANYTHING
            passage.leads += [(rule.next, kept)] if rule.next is not None else []
        passage.leads += [(state.default, document if keeps else ANYTHING)] if state.default is not None else []
    elif not isinstance(state, Succeed | Fail):
        passage.leads += [(state.next, document if keeps else ANYTHING)] if state.next is not None else []
        passage.leads += [(catcher.next, ANYTHING) for catcher in getattr(state, "catch", None) or ()]
    return passage


def _pass_choice(found: StatePlace, state: Choice, document: Shape) -> _Passage:
    passage = _Passage()
    known = _effective(passage, state, document, found.path)
    for index, rule in enumerate(state.choices or ()):
        passage.problems += read_rule(rule, known, at(found.path, "Choices", index))
        if rule.next is not None:
            held = apply_facts(known, facts_of(rule, held=True))
            passage.leads.append((rule.next, _select(held, state.output_path)))
        known = apply_facts(known, facts_of(rule, held=False))
    if state.default is not None:
        passage.leads.append((state.default, _select(known, state.output_path)))
    return passage


def _pass_result(found: StatePlace, state: Pass | Task | Parallel | Map, document: Shape) -> _Passage:
    passage = _Passage()
    effective = _effective(passage, state, document, found.path)
    _read_paths(passage, state, effective, found.path)
    given = effective
    if state.has("parameters"):
        passage.problems += read_template(state.parameters, effective, at(found.path, "Parameters"))
        given = shape_of_template(state.parameters, effective)
    result = ANYTHING
    match state:
        case Pass():
            result = shape_of(state.result) if state.has("result") else given
        case Task():
            result = LAMBDA_RESULT if is_plain_invoke(state.resource) else ANYTHING
            passage.problems += read_template(state.credentials, effective, at(found.path, "Credentials"))
        case Parallel():
            passage.inside = given
        case Map():
            passage.inside = _item(passage, state, effective, found.path)
    if not isinstance(state, Pass) and state.has("result_selector"):
        passage.problems += read_template(state.result_selector, result, at(found.path, "ResultSelector"))
        result = shape_of_template(state.result_selector, result)
    _lead_on(passage, found, state, _put(document, state, result))
    for catcher in () if isinstance(state, Pass) else state.catch or ():
        plain = not state.has("input_path") or state.input_path == "$"
        caught = _put(document, catcher, ERROR_OUTPUT) if plain else ANYTHING
        passage.leads.append((catcher.next, caught))
    return passage


def _item(passage: _Passage, state: Map, effective: Shape, path: str) -> Shape:
    """What the processor of a Map is given; reads what the fields of the Map read."""
    selected = ANYTHING
    if state.has("item_selector"):
        passage.problems += read_template(state.item_selector, effective, at(path, "ItemSelector"))
        selected = shape_of_template(state.item_selector, effective)
    elif state.has("parameters"):
        selected = shape_of_template(state.parameters, effective)
    for name, part in (("ItemReader", state.item_reader), ("ResultWriter", state.result_writer)):
        if part is not None:
            passage.problems += read_template(part.parameters, effective, at(path, name, "Parameters"))
    if state.item_reader is not None and state.item_reader.reader_config is not None:
        _read_paths(passage, state.item_reader.reader_config, effective, at(path, "ItemReader", "ReaderConfig"))
    if state.item_batcher is None:
        return selected
    _read_paths(passage, state.item_batcher, effective, at(path, "ItemBatcher"))
    passage.problems += read_template(state.item_batcher.batch_input, effective, at(path, "ItemBatcher", "BatchInput"))
    batch = {"Items": Member(ANYTHING, certain=True)}
    if state.item_batcher.has("batch_input"):
        shape = shape_of_template(state.item_batcher.batch_input, effective)
        batch["BatchInput"] = Member(shape, certain=True)
    return Members(batch)


def _effective(passage: _Passage, state: Any, document: Shape, path: str) -> Shape:
    """The document behind InputPath."""
    if state.input_path is not None:
        passage.problems += read_text(state.input_path, document, at(path, "InputPath"))
    elif state.has("input_path"):
        return Members()
    return _select(document, state.input_path)


def _select(document: Shape, text: str | None) -> Shape:
    """The part of a document that a path leads to; all of it where there is none."""
    if text is None:
        return document
    try:
        path = read_path(text)
    except PathSyntaxError:
        return ANYTHING
    return look_up(document, path.steps).shape if path.root == "$" else ANYTHING


def _put(document: Shape, part: Any, result: Shape) -> Shape:
    """The document with a result where ResultPath says."""
    if not part.has("result_path"):
        return result
    if part.result_path is None:
        return document
    try:
        path = read_path(part.result_path)
    except PathSyntaxError:
        return ANYTHING
    return insert(document, path.steps, result) if path.root == "$" else ANYTHING


def _lead_on(passage: _Passage, found: StatePlace, state: Any, document: Shape) -> None:
    if state.output_path is not None:
        passage.problems += read_text(state.output_path, document, at(found.path, "OutputPath"))
        document = _select(document, state.output_path)
    elif state.has("output_path"):
        document = Members()
    if not isinstance(state, Succeed) and state.next is not None:
        passage.leads.append((state.next, document))


def _read_paths(passage: _Passage, part: AslModel, document: Shape, path: str) -> None:
    """The fields of an object that hold a path which is read from the effective input."""
    for attribute, value in part.written.items():
        if is_path_field(attribute) and attribute not in ("input_path", "output_path", "result_path"):
            passage.problems += read_text(value, document, at(path, part.name_of(attribute)))
