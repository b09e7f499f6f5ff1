"""``statebag bench``: measure what runs cost on this machine."""

from __future__ import annotations

import asyncio
import sys

import click

from benchmarks import BENCHMARKS, Figure, Report, run_benchmarks
from statebag.app.output import exit_status_of, failure_body, print_error, print_json
from statebag.errors import StateBagError

__all__ = ["bench"]


@click.command()
@click.argument("name", required=False, type=click.Choice(list(BENCHMARKS)))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object with `figures`.")
def bench(name: str | None, *, as_json: bool) -> None:
    """Measure against plain Temporal, on a server that is started for it.

    NAME is one benchmark; without it all are run. What a figure is compared with is measured in the same run, both
    several times in turns; medians are shown.
    """
    try:
        report = asyncio.run(run_benchmarks([name] if name else list(BENCHMARKS)))
    except StateBagError as error:
        if as_json:
            print_json(failure_body(error))
        else:
            print_error(error)
        sys.exit(exit_status_of(error))
    if as_json:
        print_json(report.to_json())
    else:
        click.echo(_table(report))


def _table(report: Report) -> str:
    width = max(len(figure.name) for figure in report.figures)
    lines = [_line(figure, width) for figure in report.figures]
    facts = ", ".join(f"{name} {value}" for name, value in report.environment.items())
    return "\n".join([*lines, "", facts])


def _line(figure: Figure, width: int) -> str:
    line = f"{figure.name:<{width}}  {figure.value:>10g} {figure.unit}"
    if figure.compared_with is None:
        return line
    ratio = "" if figure.ratio is None else f", {figure.ratio:.3g} times"
    return f"{line}{ratio} {figure.compared_with:g} of {figure.baseline}"
