"""Definitions that were run on the service itself: read and printed without loss, and found valid where they ran.

Usage: asl_cases.py FOLDER, which holds cases.jsonl.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from asl_compat.model import is_warning, parse_definition, to_json, validate_definition
from statebag.errors import InputRefused


def main() -> int:
    """Say what was lost; 1 where anything was."""
    lost: list[str] = []
    blamed: list[str] = []
    refused = checked = 0
    for line in (Path(sys.argv[1]) / "cases.jsonl").read_text().splitlines():
        case = json.loads(line)
        raw = case.get("definition")
        if not isinstance(raw, dict):
            continue
        checked += 1
        try:
            definition = parse_definition(raw)
        except InputRefused:
            # What the service itself does not take need not have the shape of a definition.
            refused += 1
            if case["kind"] == "execution":
                blamed.append(case["id"])
            continue
        if json.dumps(to_json(definition), sort_keys=True) != json.dumps(raw, sort_keys=True):
            lost.append(case["id"])
        ran = case["kind"] == "execution" and case["expected"].get("status") == "SUCCEEDED"
        found = [problem for problem in validate_definition(definition) if not is_warning(problem)]
        if ran and found:
            blamed.append(f"{case['id']}: {found[0].path}: {found[0].message}")
    print(f"{checked} definitions, {refused} refused, {len(lost)} lost something, {len(blamed)} blamed though they ran")
    print("\n".join([*lost, *blamed]))
    return 1 if lost or blamed else 0


if __name__ == "__main__":
    sys.exit(main())
