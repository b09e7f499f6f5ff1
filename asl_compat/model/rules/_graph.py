"""How the states of a machine lead to each other."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence

from asl_compat.model._place import at
from asl_compat.model._states import Choice, Fail, Machine, State, Succeed
from asl_compat.model._walking import MachinePlace, StatePlace
from statebag.errors import Problem

__all__ = ["check_graph", "check_names", "ends_machine", "targets_of"]

_LONGEST_NAME = 80
_MOST_GUESSES = 30
"""Broken links up to which it is guessed what each was to lead to; that compares it with every name."""


def targets_of(state: State) -> Iterator[tuple[str, tuple[str | int, ...]]]:
    """The names of states that a state leads to, each with the steps to where it is named."""
    match state:
        case Choice(choices=choices, default=default):
            for index, rule in enumerate(choices or ()):
                if rule.next is not None:
                    yield rule.next, ("Choices", index, "Next")
            if default is not None:
                yield default, ("Default",)
        case Succeed() | Fail():
            return
        case _:
            if state.next is not None:
                yield state.next, ("Next",)
            for index, catcher in enumerate(getattr(state, "catch", None) or ()):
                yield catcher.next, ("Catch", index, "Next")


def ends_machine(state: State) -> bool:
    """Whether a machine can be done behind this state."""
    return isinstance(state, Succeed | Fail) or (not isinstance(state, Choice) and state.end is True)


def check_names(places: Sequence[StatePlace]) -> Iterator[Problem]:
    """Names of all states of a definition."""
    first: dict[str, str] = {}
    for found in places:
        if not 1 <= len(found.name) <= _LONGEST_NAME:
            message = f"The name of this state has {len(found.name)} characters; 1 to {_LONGEST_NAME} are allowed."
            yield Problem(path=found.path, code="ASL_NAME_LENGTH", message=f"{message} Choose another.")
        if found.name in first:
            message = f"There is another state {found.name!r} at {first[found.name]}. Rename one of them."
            yield Problem(path=found.path, code="ASL_NAME_DUPLICATE", message=message)
        first.setdefault(found.name, found.path)


def check_graph(found: MachinePlace) -> Iterator[Problem]:
    """Targets, states that nothing leads to, and whether there is an end."""
    machine = found.machine
    if not machine.states:
        yield Problem(path=at(found.path, "States"), code="ASL_FIELD_MISSING", message="There is no state. Add one.")
        return
    if machine.start_at not in machine.states:
        yield _unknown(at(found.path, "StartAt"), "StartAt", machine.start_at, machine)
    broken = [
        (at(found.path, "States", name, *steps), str(steps[-1]), target)
        for name, state in machine.states.items()
        for target, steps in targets_of(state)
        if target not in machine.states
    ]
    for index, (path, field, target) in enumerate(broken):
        yield _unknown(path, field, target, machine, guess=index < _MOST_GUESSES)
    for name in _unreached(machine):
        message = f"Nothing leads to the state {name!r}. Lead to it, or remove it."
        yield Problem(path=at(found.path, "States", name), code="ASL_STATE_UNREACHABLE", message=message)
    stuck = any(
        _is_stuck(state) or any(target not in machine.states for target, _ in targets_of(state))
        for state in machine.states.values()
    )
    if not stuck and not any(ends_machine(state) for state in machine.states.values()):
        message = "No state ends this machine. Give one `End: true`, or add a Succeed or Fail state."
        yield Problem(path=at(found.path, "States"), code="ASL_NO_END", message=message)


def _unknown(path: str, field: str, target: str, machine: Machine, *, guess: bool = True) -> Problem:
    near = difflib.get_close_matches(target, machine.states, n=1) if guess else []
    hint = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(list(machine.states)[:10])}."
    message = f"`{field}` is {target!r}, and this machine has no such state. {hint}"
    return Problem(path=path, code="ASL_TARGET_UNKNOWN", message=message)


def _is_stuck(state: State) -> bool:
    """Whether it leads nowhere and does not end, which is a problem of its own."""
    return not ends_machine(state) and not isinstance(state, Choice | Succeed | Fail) and state.next is None


def _unreached(machine: Machine) -> list[str]:
    """States that nothing leads to, without those that only they lead to.

    A broken link elsewhere may be all that is wrong: it is taken to mean the state that is named most like its target,
    or else the next one in the text that nothing leads to. Of a machine with more of them than can be guessed, nothing
    is said.
    """
    states = machine.states
    links = {name: [target for target, _ in targets_of(state)] for name, state in states.items()}
    reached: set[str] = set()

    def reach(start: str) -> None:
        todo = [start]
        while todo:
            name = todo.pop()
            if name in states and name not in reached:
                reached.add(name)
                todo += links[name]

    reach(machine.start_at if machine.start_at in states else next(iter(states)))
    order = list(states)
    broken = {name: [target for target in links[name] if target not in states] for name in order}
    for name in order:
        broken[name] += [""] if _is_stuck(states[name]) else []
    if sum(map(len, broken.values())) > _MOST_GUESSES:
        return []
    for index, name in enumerate(order):
        for target in broken[name]:
            near = difflib.get_close_matches(target, [other for other in order if other not in reached], n=1)
            led = {to for other, tos in links.items() if other != name for to in tos}
            following = [other for other in order[index + 1 :] if other not in reached and other not in led]
            for chosen in (near or following)[:1]:
                reach(chosen)
    roots: list[str] = []
    while left := [name for name in order if name not in reached]:
        led = {to for name in left for to in links[name] if to != name}
        root = next((name for name in left if name not in led), left[0])
        roots.append(root)
        reach(root)
    return sorted(roots, key=order.index)
