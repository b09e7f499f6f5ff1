"""What a worker's environment lets nodes do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from statebag.errors import InputRefused, Problem

__all__ = ["read_variable"]

T = TypeVar("T")


def read_variable(name: str, parse: Callable[[str], T], environment: Mapping[str, str]) -> T:
    """What ``parse`` makes of the variable ``name``, empty where it is not set.

    Args:
        name: Of the variable.
        parse: Raises a ``ValueError`` that says what the text should be.
        environment: The variables.

    Raises:
        InputRefused: ``SETTING_INVALID``.
    """
    text = environment.get(name, "")
    try:
        return parse(text)
    except ValueError as wrong:
        message = f"{name} is {text!r}, which is not {wrong}."
        problem = Problem(path=f"${name}", code="SETTING_INVALID", message=message)
        raise InputRefused([problem], what="environment") from None
