"""Parse and print every definition of a folder's ``cases.jsonl`` and compare, value by value and type by type."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from asl_compat.model import is_warning, parse_definition, print_definition, validate_definition
from statebag.errors import InputRefused

PAYLOADS = frozenset(
    {"Parameters", "Arguments", "Result", "ResultSelector", "ItemSelector", "Items", "Output", "Assign"}
)
"""Fields whose members keep their order; all other objects are printed in the order of the language."""
REFUSED = frozenset({"create_rejected", "validate_definition"})
"""Kinds of cases whose definition may be refused; a single state may have targets outside of itself."""


def differs(path: str, wanted: Any, found: Any, *, payload: bool = False) -> list[str]:
    """What printing has changed."""
    if type(wanted) is not type(found):
        return [f"{path}: {found!r}, not {wanted!r}"]
    if isinstance(wanted, dict):
        if wanted.keys() != found.keys() or ((payload or path.endswith(".States")) and list(wanted) != list(found)):
            return [f"{path}: {list(found)}, not {list(wanted)}"]
        inside = [
            differs(f"{path}.{key}", wanted[key], found[key], payload=payload or key in PAYLOADS) for key in wanted
        ]
    elif isinstance(wanted, list):
        if len(wanted) != len(found):
            return [f"{path}: not {len(wanted)} long"]
        pairs = enumerate(zip(wanted, found, strict=True))
        inside = [differs(f"{path}[{index}]", *pair, payload=payload) for index, pair in pairs]
    else:
        return [] if wanted == found else [f"{path}: {found!r}, not {wanted!r}"]
    return [line for lines in inside for line in lines]


def definition_of(case: dict[str, Any]) -> Any:
    """The case's definition; a single state stands in a machine of its own."""
    raw = case["definition"] if "definition" in case else json.loads(case["definition_raw"])
    alone = isinstance(raw, dict) and "Type" in raw and "States" not in raw
    return {"StartAt": "only", "States": {"only": raw}} if alone else raw


def main(folder: Path) -> int:
    """Check all of them."""
    counts: Counter[str] = Counter()
    for line in (folder / "cases.jsonl").read_text(encoding="utf-8").splitlines():
        case = json.loads(line)
        raw = definition_of(case)
        try:
            definition = parse_definition(raw)
        except InputRefused as refused:
            expected = case["kind"] in REFUSED or "InvalidDefinition" in json.dumps(case["expected"])
            counts["refused, as by AWS" if expected else "wrongly refused"] += 1
            if not expected:
                print(f"{case['id']}: {refused.message}")
            continue
        wrong = differs("$", raw, json.loads(print_definition(definition)))
        counts["printed as parsed" if not wrong else "changed"] += 1
        if wrong:
            print(f"{case['id']}: {'; '.join(wrong)}")
        problems = [problem for problem in validate_definition(definition) if not is_warning(problem)]
        if problems and case["kind"] == "execution":
            counts["executed by AWS, and found invalid"] += 1
            print(f"{case['id']}: {'; '.join(f'{problem.path}: {problem.message}' for problem in problems)}")
    print(f"asl cases: {', '.join(f'{count} {name}' for name, count in counts.items())}")
    bad = counts["wrongly refused"] + counts["changed"] + counts["executed by AWS, and found invalid"]
    return 1 if bad or not counts["printed as parsed"] else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
