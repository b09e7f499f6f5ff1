"""``statebag bench``: measure what runs cost on this machine."""

from __future__ import annotations

import asyncio

import click

from benchmarks import APART, BENCHMARKS, LOCAL_BENCHMARKS, SERVERS, Figure, Report, run_benchmarks
from statebag.app.output import print_json

__all__ = ["bench"]

_ALL = [*BENCHMARKS, *LOCAL_BENCHMARKS]
_TOGETHER = {"segment": ["segment", "pure"]}


@click.command()
@click.argument("name", required=False, type=click.Choice(_ALL))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout, nothing else.")
@click.option(
    "--server", type=click.Choice(SERVERS), help="Which development server: as it comes, or without its waits."
)
def bench(name: str | None, *, as_json: bool, server: str | None) -> int:
    """Measure what runs cost, against plain Temporal.

    NAME is one benchmark; without it all but `legacy` are run, on servers of their own. `segment` includes `pure`: what a segment
    costs with and without an outside call. `plan` needs no server. `legacy` compares
    the machines before v3 with those since, needs `make aws-tools`, and is run only by its name. What a figure is compared with is measured
    in the same run, both several times in turns; medians are shown. Times are given for the development server as it
    comes, which waits up to 50 ms before each step, and again (.responsive) for one that does not.
    """
    names = [each for each in _ALL if each not in APART] if name is None else _TOGETHER.get(name, [name])
    report = asyncio.run(run_benchmarks(names, servers=SERVERS if server is None else [server]))
    if as_json:
        print_json(report.to_json())
    else:
        click.echo(_table(report))
    return 0


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
