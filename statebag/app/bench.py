"""``statebag bench``: measure what runs cost on this machine."""

from __future__ import annotations

import asyncio

import click

from benchmarks import BENCHMARKS, Figure, Report, run_benchmarks
from statebag.app.output import print_json

__all__ = ["bench"]


@click.command()
@click.argument("name", required=False, type=click.Choice(list(BENCHMARKS)))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout, nothing else.")
@click.option("--stock-server", is_flag=True, help="Leave the server its limit of 20 reads of a queue a second.")
def bench(name: str | None, *, as_json: bool, stock_server: bool) -> int:
    """Measure what runs cost, against plain Temporal.

    NAME is one benchmark; without it all are run, on a server of their own. What a figure is compared with is measured
    in the same run, both several times in turns; medians are shown.
    """
    report = asyncio.run(run_benchmarks([name] if name is not None else list(BENCHMARKS), stock_server=stock_server))
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
