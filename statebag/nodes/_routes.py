"""What nodes that route have in common: the ids they may lead to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

from statebag.errors import Problem
from statebag.nodes._options import check_text

__all__ = ["allowed_in", "check_targets", "once"]


def once(names: Iterable[Any]) -> tuple[str, ...]:
    """The texts among ``names``, each at its first place."""
    return tuple(dict.fromkeys(name for name in names if isinstance(name, str) and name))


def allowed_in(config: Mapping[str, Any]) -> Sequence[str] | None:
    """``allowed_targets`` and the default; None where all are allowed, or the list is none."""
    written = config.get("allowed_targets")
    return once([*cast("list[Any]", written), config.get("default_target")]) if isinstance(written, list) else None


def check_targets(config: Mapping[str, Any], path: str) -> Iterator[Problem]:
    """What is wrong with ``allowed_targets`` and ``default_target``."""
    written: Any = config.get("allowed_targets")
    if written is not None and not isinstance(written, list):
        yield Problem(path=f"{path}.allowed_targets", code="FIELD_TYPE", message="must be a list of node ids.")
    for index, name in enumerate(cast("list[Any]", written) if isinstance(written, list) else []):
        if not isinstance(name, str) or not name:
            yield Problem(
                path=f"{path}.allowed_targets[{index}]", code="FIELD_TYPE", message="must be the id of a node."
            )
    yield from check_text(config, "default_target", path)
