"""Every state of a definition, with where it stands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from asl_compat.model._base import QueryLanguage
from asl_compat.model._place import at
from asl_compat.model._states import Definition, Machine, Map, Parallel, State

__all__ = ["MachinePlace", "StatePlace", "count_states", "inner_machines", "walk_machines", "walk_states"]


@dataclass(frozen=True, kw_only=True)
class MachinePlace:
    """A machine of a definition: the definition itself, a branch or a processor."""

    machine: Machine
    path: str
    """Its JSON path."""
    language: QueryLanguage
    """What holds for its states where they name none themselves."""
    language_sure: bool
    """False inside of a state that names another language than its surroundings: whether that holds inside too is
    not documented."""
    depth: int
    """0 for the definition itself."""
    express: bool = False
    """Whether it runs as an express execution, which can't wait for what it calls."""

    def states(self) -> Iterator[StatePlace]:
        """Its own states."""
        for name, state in self.machine.states.items():
            yield StatePlace(
                name=name,
                state=state,
                path=at(self.path, "States", name),
                machine=self.machine,
                language=state.query_language or self.language,
                language_sure=self.language_sure or state.query_language is not None,
                depth=self.depth,
                express=self.express,
            )


@dataclass(frozen=True, kw_only=True)
class StatePlace:
    """A state, and what surrounds it."""

    name: str
    state: State
    path: str
    """Its JSON path."""
    machine: Machine
    """The machine that it belongs to: where its targets are looked up."""
    language: QueryLanguage
    """The query language that holds for it."""
    language_sure: bool
    """Whether that is documented; see :class:`MachinePlace`."""
    depth: int
    """0 for a state of the definition itself."""
    express: bool = False
    """Whether its machine is an express one."""


def inner_machines(found: StatePlace) -> Iterator[MachinePlace]:
    """The machines that a state runs."""
    inside: list[tuple[str, Machine]] = []
    match found.state:
        case Parallel(branches=branches):
            inside += [(at(found.path, "Branches", index), branch) for index, branch in enumerate(branches or ())]
        case Map(item_processor=processor, iterator=iterator):
            inside += [(at(found.path, "ItemProcessor"), processor)] if processor is not None else []
            inside += [(at(found.path, "Iterator"), iterator)] if iterator is not None else []
        case _:
            pass
    for path, machine in inside:
        config = machine.processor_config
        own = config.execution_type if config is not None and config.mode == "DISTRIBUTED" else None
        yield MachinePlace(
            machine=machine,
            express=found.express if own is None else own == "EXPRESS",
            path=path,
            language=machine.query_language or found.language,
            language_sure=machine.query_language is not None
            or (found.language_sure and found.state.query_language is None),
            depth=found.depth + 1,
        )


def walk_machines(definition: Definition, *, express: bool = False) -> Iterator[MachinePlace]:
    """The definition and all machines inside of it, each before those inside of it.

    Args:
        definition: The definition.
        express: Whether it is deployed as an express state machine.
    """
    language = definition.query_language or "JSONPath"
    todo = [MachinePlace(machine=definition, path="$", language=language, language_sure=True, depth=0, express=express)]
    while todo:
        found = todo.pop()
        yield found
        inside = [machine for state in found.states() for machine in inner_machines(state)]
        todo += reversed(inside)


def walk_states(definition: Definition) -> Iterator[StatePlace]:
    """All states, those of inner machines included."""
    for machine in walk_machines(definition):
        yield from machine.states()


def count_states(definition: Definition) -> tuple[int, int]:
    """How many states there are in all, and how many of them are the definition's own."""
    return sum(1 for _ in walk_states(definition)), len(definition.states)
