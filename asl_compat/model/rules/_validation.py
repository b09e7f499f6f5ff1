"""All rules together."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from asl_compat.model._parts import walk_parts
from asl_compat.model._states import Definition, Fail, Map
from asl_compat.model._walking import MachinePlace, StatePlace, inner_machines, walk_machines
from asl_compat.model.rules._choices import check_choice
from asl_compat.model.rules._expressions import check_expressions
from asl_compat.model.rules._fields import check_part, check_transition, check_wait
from asl_compat.model.rules._flow import check_flow
from asl_compat.model.rules._graph import check_graph, check_names
from asl_compat.model.rules._language import check_language, check_state_language
from asl_compat.model.rules._maps import check_map, check_no_processor, check_parallel
from asl_compat.model.rules._resources import check_task
from asl_compat.model.rules._retries import check_delays, check_handlers
from statebag.errors import Problem

__all__ = ["WARNING_CODES", "is_warning", "validate_definition"]

WARNING_CODES = frozenset({"ASL_PATH_UNCERTAIN", "ASL_SUSPECT"})
"""Codes of problems that leave a definition valid."""


def is_warning(problem: Problem) -> bool:
    """Whether a definition is valid in spite of a problem."""
    return problem.code in WARNING_CODES


def validate_definition(definition: Definition, *, express: bool = False) -> list[Problem]:
    """Check a definition.

    Args:
        definition: The definition.
        express: Whether it is deployed as an express state machine.

    Returns:
        What is wrong with it, in the order of its states; see ``is_warning``.
    """
    machines = list(walk_machines(definition, express=express))
    places = [found for machine in machines for found in machine.states()]
    processors = {machine.path for found in places if isinstance(found.state, Map) for machine in inner_machines(found)}
    raised = {found.state.error for found in places if isinstance(found.state, Fail) and found.state.error is not None}
    problems = [
        *check_names(places),
        *(problem for machine in machines for problem in _check_machine(machine, machine.path in processors)),
        *(problem for found in places for problem in _check_state(found, definition, raised)),
        *check_flow(machines[0]),
    ]
    return _in_order(problems, places)


def _check_machine(found: MachinePlace, processor: bool) -> Iterator[Problem]:
    for part in walk_parts(found.machine, found.path):
        yield from check_part(part)
    if not processor:
        yield from check_no_processor(found)
    yield from check_graph(found)


def _check_state(found: StatePlace, whole: Definition, raised: Collection[str]) -> Iterator[Problem]:
    yield from check_state_language(found, whole.query_language or "JSONPath")
    yield from check_handlers(found, raised)
    yield from check_transition(found)
    for check in (check_wait, check_choice, check_map, check_parallel, check_task):
        yield from check(found)
    for part in walk_parts(found.state, found.path):
        yield from check_part(part)
        yield from check_language(found, part)
        yield from check_delays(part)
        yield from check_expressions(found, part)


def _in_order(problems: Iterable[Problem], places: Sequence[StatePlace]) -> list[Problem]:
    """Each problem once, those of the whole first, then state by state."""
    order = {found.path: index for index, found in enumerate(places, start=1)}

    def rank(problem: Problem) -> int:
        best = max((path for path in order if _is_in(problem.path, path)), key=len, default=None)
        return 0 if best is None else order[best]

    return sorted(dict.fromkeys(problems), key=rank)


def _is_in(path: str, state: str) -> bool:
    return path == state or path.startswith((f"{state}.", f"{state}["))
