"""Waves: what depends on something runs after it, and what does not runs at the same time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from statebag.errors import NodeFailed

__all__ = ["Needs", "compress", "expand", "find_waves", "read_needs"]


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What the items of a map depend on."""

    ids: tuple[str, ...]
    """Of each item."""
    of: tuple[tuple[int, ...], ...]
    """Numbers of the items that each one depends on."""


def read_needs(items: Iterable[Any], *, id_key: str, depends_on: str, where: str) -> Needs:
    """The ids of all items, and what each depends on.

    Raises:
        NodeFailed: ``ITEMS_DEPENDENCY``: an item has no id, or another one's; or it names an id that no item has.
    """
    ids: list[str] = []
    wanted: list[tuple[str, ...]] = []
    for index, item in enumerate(items):
        found = item.get(id_key) if isinstance(item, Mapping) else None
        if not isinstance(found, str | int) or isinstance(found, bool):
            raise _refuse(where, f"item {index} has no `{id_key}`. Give each item one, a text or a whole number")
        listed = item.get(depends_on)
        listed = [] if listed is None else [listed] if isinstance(listed, str | int) else listed
        if not isinstance(listed, list) or not all(isinstance(one, str | int) for one in listed):
            raise _refuse(where, f"item {index}: `{depends_on}` must be a list of ids")
        ids.append(str(found))
        wanted.append(tuple(dict.fromkeys(map(str, listed))))
    number = {name: index for index, name in enumerate(ids)}
    if len(number) < len(ids):
        twice = next(name for index, name in enumerate(ids) if number[name] != index)
        raise _refuse(where, f"several items have the `{id_key}` {twice!r}. Give each one of its own")
    missing = next(((index, one) for index, names in enumerate(wanted) for one in names if one not in number), None)
    if missing is not None:
        raise _refuse(
            where, f"item {missing[0]} depends on {missing[1]!r}, and no item has that `{id_key}`. Correct it"
        )
    return Needs(ids=tuple(ids), of=tuple(tuple(number[one] for one in names) for names in wanted))


def find_waves(needs: Sequence[Sequence[int]], *, names: Sequence[str], where: str) -> list[int]:
    """For each item the number of its wave, from 0: one behind the last of those that it depends on.

    Raises:
        NodeFailed: ``ITEMS_DEPENDENCY``: items depend on each other.
    """
    after: list[list[int]] = [[] for _ in needs]
    left = [len(wanted) for wanted in needs]
    for index, wanted in enumerate(needs):
        for one in wanted:
            after[one].append(index)
    wave = [0] * len(needs)
    ready = [index for index, count in enumerate(left) if not count]
    done = 0
    while ready:
        index = ready.pop()
        done += 1
        for follower in after[index]:
            wave[follower] = max(wave[follower], wave[index] + 1)
            left[follower] -= 1
            if not left[follower]:
                ready.append(follower)
    if done < len(needs):
        stuck = [names[index] for index, count in enumerate(left) if count]
        shown = ", ".join(stuck[:5]) + (" …" if len(stuck) > 5 else "")
        raise _refuse(where, f"{len(stuck)} items depend on each other, or on some that do: {shown}. Break the cycle")
    return wave


def compress(sizes: Iterable[int]) -> list[list[int]]:
    """``[3, 3, 1]`` as ``[[3, 2], [1, 1]]``: a chain of thousands of waves takes no more room than one."""
    runs: list[list[int]] = []
    for size in sizes:
        if runs and runs[-1][0] == size:
            runs[-1][1] += 1
        else:
            runs.append([size, 1])
    return runs


def expand(runs: Iterable[Sequence[int]]) -> list[int]:
    """Undo :func:`compress`."""
    return [size for size, times in runs for _ in range(times)]


def _refuse(where: str, what: str) -> NodeFailed:
    return NodeFailed(f"{where}: {what}.", code="ITEMS_DEPENDENCY")
