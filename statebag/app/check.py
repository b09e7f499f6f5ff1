"""``statebag check``: whether a folder can be deployed to AWS."""

from __future__ import annotations

from pathlib import Path

import click

from asl_compat.check import CHECKS, Finding, check_folder, count_lines
from statebag.app.output import print_json, print_text

__all__ = ["check"]


@click.command()
@click.argument("folder", metavar="[DIR]", type=click.Path(path_type=Path, exists=True, file_okay=False), default=".")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout, nothing else.")
def check(folder: Path, *, as_json: bool) -> int:
    """Check the folder DIR that `statebag asl emit` has written, before it is deployed.

    The exit status is 0 where nothing is wrong, else 1.
    """
    found = check_folder(folder)
    wrong = [finding for finding in found if not finding.is_warning]
    if as_json:
        problems = [
            {"file": one.file, **one.problem.to_json(), "severity": "warning" if one.is_warning else "error"}
            for one in found
        ]
        print_json({"status": "FAILED" if wrong else "PASSED", "problems": problems, "states": count_lines(folder)})
        return 1 if wrong else 0
    for number, (what, _) in enumerate(CHECKS, start=1):
        print_text(f"[{number}/{len(CHECKS)}] {what}")
    for line in count_lines(folder):
        print_text(f"      {line}")
    for number, finding in enumerate(found, start=1):
        print_text(_line(number, finding))
    if wrong:
        print_text(f"CHECKS FAILED: {len(wrong)} problems")
    elif found:
        print_text(f"CHECKS PASSED WITH {len(found)} WARNINGS")
    else:
        print_text("ALL CHECKS PASSED")
    return 1 if wrong else 0


def _line(number: int, finding: Finding) -> str:
    kind = "warning: " if finding.is_warning else ""
    problem = finding.problem
    return f"{number}. {finding.file}: {problem.path}: {kind}{problem.message} ({problem.code})"
