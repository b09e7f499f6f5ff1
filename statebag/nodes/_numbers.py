"""Checks of numbers in a node's ``config``; null counts as absent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from statebag.errors import Problem

__all__ = ["check_seconds", "check_whole"]


def check_whole(config: Mapping[str, Any], key: str, path: str, *, most: int) -> Iterator[Problem]:
    """``key`` is a whole number from 1 to ``most``."""
    value = config.get(key)
    if value is None:
        return
    if not isinstance(value, int) or isinstance(value, bool):
        yield Problem(path=f"{path}.{key}", code="FIELD_TYPE", message=f"must be a whole number from 1 to {most}.")
    elif not 1 <= value <= most:
        message = f"is {value}; it must be a whole number from 1 to {most}."
        yield Problem(path=f"{path}.{key}", code="FIELD_VALUE", message=message)


def check_seconds(config: Mapping[str, Any], key: str, path: str, *, most: float) -> Iterator[Problem]:
    """``key`` is a number of seconds above 0, up to ``most``."""
    value = config.get(key)
    if value is None:
        return
    wanted = f"must be a number of seconds above 0, up to {most:g}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        yield Problem(path=f"{path}.{key}", code="FIELD_TYPE", message=f"{wanted}.")
    elif not 0 < value <= most:
        yield Problem(path=f"{path}.{key}", code="FIELD_VALUE", message=f"is {value}; it {wanted}.")
