"""Six checks of a folder that is to be deployed; each finds all that it can."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from asl_compat.machines import CATALOGUES
from asl_compat.model import CheckedDefinition, check_definition, count_states, is_warning, walk_states
from asl_compat.sam import GENERATIONS, MACHINES, placeholders_in
from statebag.bag import ACTIONS
from statebag.errors import Problem, StateBagError
from statebag.events import DETAIL_TYPE, SOURCE

__all__ = ["CHECKS", "Finding", "check_folder", "count_lines"]

DEFINITION_BYTES = 1024 * 1024
"""That Step Functions takes of a definition."""
INPUT_BYTES = 256 * 1024
"""That it takes of an input."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A problem in one of the files."""

    file: str
    problem: Problem

    @property
    def is_warning(self) -> bool:
        """Whether it can be deployed all the same."""
        return is_warning(self.problem)


@dataclass(frozen=True, kw_only=True)
class _Folder:
    """What was read of it, as far as it can be."""

    root: Path
    definitions: Mapping[str, CheckedDefinition]
    texts: Mapping[str, str]
    template: Mapping[str, Any]

    @property
    def resources(self) -> Mapping[str, Any]:
        found = self.template.get("Resources")
        return found if isinstance(found, Mapping) else {}

    def of_type(self, kind: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Resources of a type: logical id and properties."""
        for name, body in self.resources.items():
            if isinstance(body, Mapping) and body.get("Type") == kind:
                yield str(name), body.get("Properties") or {}


def check_folder(root: Path) -> list[Finding]:
    """All problems, in the order of :data:`CHECKS`."""
    folder = _read(root)
    return [finding for _, check in CHECKS for finding in check(folder)]


def count_lines(root: Path) -> list[str]:
    """How many states each machine has, with nested ones and without."""
    lines: list[str] = []
    for file, found in _read(root).definitions.items():
        if found.definition is not None:
            states, top = count_states(found.definition)
            lines.append(f"{file}: {states} states, {top} of them not nested")
    return lines


def _read(root: Path) -> _Folder:
    files = {file: root / "statemachines" / file for file in CATALOGUES}
    there = {file: path.read_bytes() for file, path in files.items() if path.is_file()}
    template: Any = {}
    path = root / "template.yaml"
    if path.is_file():
        try:
            template = yaml.safe_load(path.read_bytes())
        except yaml.YAMLError:
            template = None
    return _Folder(
        root=root,
        definitions={file: _checked(data) for file, data in there.items()},
        texts={file: data.decode("utf-8", errors="replace") for file, data in there.items()},
        template=template if isinstance(template, Mapping) else {},
    )


def _checked(data: bytes) -> CheckedDefinition:
    try:
        return check_definition(data)
    except StateBagError as error:
        problem = Problem(path="$", code=error.code, message=error.message)
        return CheckedDefinition(definition=None, problems=(problem,))


def _files_exist(folder: _Folder) -> Iterator[Finding]:
    for name in ("template.yaml", "test_input.json", *(f"statemachines/{file}" for file in CATALOGUES)):
        if not (folder.root / name).is_file():
            text = "is missing. Write the folder with `statebag asl emit`."
            yield _finding(name, "$", "DEPLOY_MISSING", text)


def _definitions_hold(folder: _Folder) -> Iterator[Finding]:
    for file, found in folder.definitions.items():
        for problem in found.problems:
            yield Finding(file=f"statemachines/{file}", problem=problem)
        size = len(folder.texts[file].encode())
        if size > DEFINITION_BYTES:
            text = f"has {size} bytes; Step Functions takes {DEFINITION_BYTES}. Take something out."
            yield _finding(f"statemachines/{file}", "$", "DEPLOY_SIZE", text)
    path = folder.root / "test_input.json"
    if path.is_file() and path.stat().st_size > INPUT_BYTES:
        text = f"has {path.stat().st_size} bytes; Step Functions takes {INPUT_BYTES}. Make it smaller."
        yield _finding("test_input.json", "$", "DEPLOY_SIZE", text)


def _states_are_those_of_the_catalogue(folder: _Folder) -> Iterator[Finding]:
    for file, catalogue in CATALOGUES.items():
        found = folder.definitions.get(file)
        if found is None or found.definition is None:
            continue
        names = {place.name: place.path for place in walk_states(found.definition)}
        for name in sorted(set(map(str, catalogue)) - names.keys()):
            text = f"has no state `{name}`, which the machine must have. Put it back, under this name."
            yield _finding(f"statemachines/{file}", "$.States", "DEPLOY_STATES", text)
        for name in sorted(names.keys() - set(map(str, catalogue))):
            text = f"`{name}` is no state of this machine: traces and dashboards don't know it. Rename or remove it."
            yield _finding(f"statemachines/{file}", names[name], "DEPLOY_STATES", text)


def _functions_are_there(folder: _Folder) -> Iterator[Finding]:
    for name, properties in folder.of_type("AWS::Serverless::Function"):
        handler = str(properties.get("Handler", ""))
        module, _, function = handler.rpartition(".")
        source = folder.root / str(properties.get("CodeUri", "")) / (module.replace(".", "/") + ".py")
        where = f"$.Resources.{name}.Properties.Handler"
        if not source.is_file():
            text = f"`{handler}`: there is no {source.relative_to(folder.root)}. Correct the handler."
            yield _finding("template.yaml", where, "DEPLOY_MISMATCH", text)
        elif f"def {function}(" not in source.read_text():
            text = f"`{handler}`: the module has no function `{function}`. Correct the handler."
            yield _finding("template.yaml", where, "DEPLOY_MISMATCH", text)
    for file, found in folder.definitions.items():
        for place in walk_states(found.definition) if found.definition is not None else ():
            payload = (getattr(place.state, "parameters", None) or {}).get("Payload")
            action = payload.get("action") if isinstance(payload, Mapping) else None
            if isinstance(action, str) and action not in ACTIONS:
                path = f"{place.path}.Parameters.Payload.action"
                text = f"the state data manager has no action `{action}`. Use one of {', '.join(ACTIONS)}."
                yield _finding(f"statemachines/{file}", path, "DEPLOY_MISMATCH", text)


def _template_fits(folder: _Folder) -> Iterator[Finding]:
    if (folder.root / "template.yaml").is_file() and not folder.resources:
        yield _finding("template.yaml", "$.Resources", "DEPLOY_MISMATCH", "is no template: it has no resources.")
        return
    machines = dict(folder.of_type("AWS::Serverless::StateMachine"))
    for logical_id, name in MACHINES.items():
        where = f"$.Resources.{logical_id}"
        if logical_id not in machines:
            text = f"the state machine {name} is missing. Write the folder anew with `statebag asl emit`."
            yield _finding("template.yaml", where, "DEPLOY_MISMATCH", text)
            continue
        uri = str(machines[logical_id].get("DefinitionUri", ""))
        file = next(
            (files[logical_id] for files in GENERATIONS.values() if uri == f"statemachines/{files[logical_id]}"), ""
        )
        if not file:
            known = " or ".join(f"`statemachines/{files[logical_id]}`" for files in GENERATIONS.values())
            text = f"is {uri!r}, not {known}. Correct it."
            yield _finding("template.yaml", f"{where}.Properties.DefinitionUri", "DEPLOY_MISMATCH", text)
            file = GENERATIONS["v3"][logical_id]
        given = set(machines[logical_id].get("DefinitionSubstitutions") or {})
        wanted = placeholders_in(folder.texts.get(file, ""))
        place = f"{where}.Properties.DefinitionSubstitutions"
        for missing in sorted(wanted - given):
            text = f"has no `{missing}`, which {file} uses. Add it."
            yield _finding("template.yaml", place, "DEPLOY_MISMATCH", text)
        for idle in sorted(given - wanted):
            text = f"`{idle}` is used nowhere in {file}. Remove it."
            yield _finding("template.yaml", f"{place}.{idle}", "DEPLOY_MISMATCH", text)
    yield from _references_lead_somewhere(folder)


def _references_lead_somewhere(folder: _Folder) -> Iterator[Finding]:
    known = {*folder.resources, *(folder.template.get("Parameters") or {})}
    for path, name in _references(folder.resources, "$.Resources"):
        if name.partition(".")[0] not in known and not name.startswith("AWS::"):
            text = f"refers to `{name}`, which is neither a resource nor a parameter. Correct the name."
            yield _finding("template.yaml", path, "DEPLOY_MISMATCH", text)


def _references(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, member in value.items():
            where = f"{path}.{key}"
            if key == "Ref" and isinstance(member, str):
                yield where, member
            elif key == "Fn::GetAtt" and isinstance(member, Sequence) and not isinstance(member, str):
                yield where, str(member[0])
            else:
                yield from _references(member, where)
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from _references(member, f"{path}[{index}]")


def _events_reach_somebody(folder: _Folder) -> Iterator[Finding]:
    """Every event that a machine publishes must match a rule with a target."""
    if not folder.resources:
        return
    rules = [properties for _, properties in folder.of_type("AWS::Events::Rule") if properties.get("Targets")]
    patterns = [rule.get("EventPattern") or {} for rule in rules if rule.get("EventBusName")]
    for file, found in folder.definitions.items():
        for place in walk_states(found.definition) if found.definition is not None else ():
            entries = (getattr(place.state, "parameters", None) or {}).get("Entries")
            for index, entry in enumerate(entries if isinstance(entries, list) else ()):
                if not any(_matches(pattern, entry) for pattern in patterns):
                    path = f"{place.path}.Parameters.Entries[{index}]"
                    text = (
                        f"no rule takes an event of {SOURCE} / {DETAIL_TYPE} like this one, so that nobody hears of it."
                    )
                    yield _finding(f"statemachines/{file}", path, "DEPLOY_EVENT", text)


def _matches(pattern: Mapping[str, Any], entry: Mapping[str, Any]) -> bool:
    detail = entry.get("Detail") or {}
    wanted = pattern.get("detail") or {}
    return (
        entry.get("Source") in pattern.get("source", [entry.get("Source")])
        and entry.get("DetailType") in pattern.get("detail-type", [entry.get("DetailType")])
        and all(detail.get(name) in allowed for name, allowed in wanted.items())
    )


def _finding(file: str, path: str, code: str, message: str) -> Finding:
    return Finding(file=file, problem=Problem(path=path, code=code, message=message))


CHECKS: Sequence[tuple[str, Callable[[_Folder], Iterator[Finding]]]] = (
    ("the files are there", _files_exist),
    ("the definitions are valid, every state can be reached and every path resolves", _definitions_hold),
    ("the machines have the states of the catalogue", _states_are_those_of_the_catalogue),
    ("the functions and their actions are there", _functions_are_there),
    ("the template fits the definitions", _template_fits),
    ("every event has a consumer", _events_reach_somebody),
)
"""What is checked, in words, and how."""
