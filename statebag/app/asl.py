"""``statebag asl``: Step Functions definitions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import click

from asl_compat.emit import emit as write_folder
from asl_compat.model import CheckedDefinition, check_definition, count_states, is_warning
from asl_compat.sam import Architecture, Generation
from statebag.app.inputs import read_bytes
from statebag.app.output import error_body, print_error, print_json, print_text
from statebag.errors import InputRefused, StateBagError

__all__ = ["asl"]


@click.group()
def asl() -> None:
    """Work with AWS Step Functions definitions."""


@dataclass(frozen=True, kw_only=True)
class _Checked:
    """A file, and what came of reading it: one of both."""

    file: str
    found: CheckedDefinition | None = None
    error: StateBagError | None = None

    @property
    def status(self) -> str:
        if self.found is None:
            return "REFUSED"
        return "VALID" if self.found.valid else "INVALID"

    def to_json(self) -> dict[str, Any]:
        body: dict[str, Any] = {"file": self.file, "status": self.status}
        if self.error is not None:
            return body | {"error": error_body(self.error)}
        if self.found is None or self.found.definition is None:
            counts: dict[str, Any] = {}
        else:
            states, top_level = count_states(self.found.definition)
            counts = {"states": states, "top_level_states": top_level}
        problems = self.found.problems if self.found is not None else ()
        told = [
            {**problem.to_json(), "severity": "warning" if is_warning(problem) else "error"} for problem in problems
        ]
        return body | counts | {"problems": told}


@asl.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--architecture",
    type=click.Choice(get_args(Architecture)),
    default="x86_64",
    show_default=True,
    help="What the functions run on.",
)
@click.option(
    "--machines",
    type=click.Choice(get_args(Generation)),
    default="v3",
    show_default=True,
    help="Which machines the template deploys.",
)
def emit(folder: Path, *, architecture: Architecture, machines: Generation) -> int:
    """Write the machines, their functions and the SAM template into DIR, from which `sam build` works as it is.

    What an earlier call wrote there is replaced; files of anybody else's, and changed ones, are refused, but for
    samconfig.toml, which is left as it is.
    """
    files = write_folder(folder, architecture=architecture, machines=machines)
    print_text(f"{len(files)} files in {folder}")
    print_text(f"Next: statebag check {folder}, then there: sam build, sam deploy --guided")
    return 0


@asl.command()
@click.argument("files", metavar="FILE…", nargs=-1, required=True)
@click.option("--express", is_flag=True, help="Check for an express state machine, which can't wait for what it calls.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout, nothing else.")
def validate(files: Sequence[str], *, express: bool, as_json: bool) -> int:
    """Check the definitions in FILE… ("-" for stdin), JSONPath and JSONata.

    Finds what AWS refuses, what would fail only when it runs, such as a path that reads what no state provides, and,
    as warnings, what hardly does what is meant.

    The exit status is 1 where something is wrong, 2 where a file can't be read or is not JSON; warnings leave it at 0.
    """
    checked = [_check(file, express=express) for file in files]
    statuses = {one.status for one in checked}
    if as_json:
        worst = next(status for status in ("REFUSED", "INVALID", "VALID") if status in statuses)
        print_json({"status": worst, "files": [one.to_json() for one in checked]})
    else:
        _show(checked)
    return 2 if "REFUSED" in statuses else 1 if "INVALID" in statuses else 0


def _check(file: str, *, express: bool) -> _Checked:
    try:
        return _Checked(file=file, found=check_definition(read_bytes(file), express=express))
    except StateBagError as error:
        return _Checked(file=file, error=error)


def _show(checked: Sequence[_Checked]) -> None:
    number = 0
    for one in checked:
        for problem in one.found.problems if one.found is not None else ():
            number += 1
            mark = "warning: " if is_warning(problem) else ""
            print_text(f"{number}. {one.file}: {problem.path}: {mark}{problem.message} ({problem.code})")
    for one in checked:
        if one.error is not None:
            print_error(_name_file(one.file, one.error))
        elif one.found is not None:
            print_text(f"{one.file}: {_sum_up(one.found)}")


def _name_file(file: str, error: StateBagError) -> dict[str, str]:
    if isinstance(error, InputRefused):
        return {"code": error.code, "message": f"{file}: {error.problems[0].message}"}
    return {"code": error.code, "message": error.message}


def _sum_up(found: CheckedDefinition) -> str:
    warnings = sum(1 for problem in found.problems if is_warning(problem))
    errors = len(found.problems) - warnings
    told = [_count(errors, "problem")] if errors else ["valid"]
    told += [_count(warnings, "warning")] if warnings else []
    if found.definition is not None:
        states, top_level = count_states(found.definition)
        inside = f", {top_level} of them at the top" if top_level < states else ""
        told.append(_count(states, "state") + inside)
    return ", ".join(told)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
