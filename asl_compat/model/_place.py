"""Where something stands in a definition, as a JSON path."""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["at", "place"]

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def at(path: str, *steps: str | int) -> str:
    """The path of a member below ``path``; names that are not plain words stand in brackets."""
    for step in steps:
        if isinstance(step, int):
            path += f"[{step}]"
        elif _PLAIN.fullmatch(step):
            path += f".{step}"
        else:
            escaped = step.replace("\\", "\\\\").replace("'", "\\'")
            path += f"['{escaped}']"
    return path


def place(steps: Iterable[str | int]) -> str:
    """The path of a member of the whole."""
    return at("$", *steps)
