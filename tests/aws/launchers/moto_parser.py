"""Reads definitions with moto's grammar. Takes one a line as ``{"definition": ...}``, answers with a list of findings."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser


def findings_of(definition: Any) -> list[str]:
    """One at most: the grammar stops at the first."""
    try:
        AmazonStateLanguageParser.parse(json.dumps(definition))
    except Exception as error:  # noqa: BLE001 - it raises what it likes
        return [f"moto: {error or type(error).__name__}"]
    return []


def main() -> None:
    """Answer until there are no more lines."""
    logging.disable(logging.CRITICAL)
    for line in sys.stdin:
        print(json.dumps(findings_of(json.loads(line)["definition"])), flush=True)


if __name__ == "__main__":
    main()
