"""What flows are built out of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from statebag.config._flow import Fork, Item
from statebag.config._model import PauseSpec

__all__ = ["Part", "run_on"]


@dataclass(kw_only=True)
class Part:
    """Some items of a flow; what has no link yet leads to whatever follows the part."""

    items: list[Item] = field(default_factory=list["Item"])
    links: dict[Item, Item | None] = field(default_factory=dict["Item", "Item | None"])
    routes: dict[str, dict[str, Item | None]] = field(default_factory=dict[str, "dict[str, Item | None]"])
    forks: dict[str, Fork] = field(default_factory=dict[str, Fork])
    pauses: dict[Item, PauseSpec] = field(default_factory=dict["Item", PauseSpec])

    def has_end(self) -> bool:
        """Whether anything leads on from it."""
        return None in self.links.values() or any(None in ways.values() for ways in self.routes.values())

    def lead_to(self, first: Item) -> None:
        """Close all open ends."""
        for item, to in self.links.items():
            if to is None:
                self.links[item] = first
        for ways in self.routes.values():
            ways |= {target: first for target, to in ways.items() if to is None}

    def put(self, other: Part) -> None:
        """Put ``other`` behind this, linked by nothing."""
        self.items += other.items
        self.links |= other.links
        self.routes |= other.routes
        self.forks |= other.forks
        self.pauses |= other.pauses


def run_on(names: Sequence[str], nexts: Mapping[str, Iterable[str]]) -> Iterable[str]:
    """Names in topological order; of several that are ready, the last one's follower, else the first by ``names``."""
    left = dict.fromkeys(names, 0)
    for found in nexts.values():
        for to in found:
            left[to] += 1
    place = {name: index for index, name in enumerate(names)}
    ready = [name for name in reversed(names) if not left[name]]
    while ready:
        name = ready.pop()
        yield name
        opened: list[str] = []
        for to in nexts[name]:
            left[to] -= 1
            if not left[to]:
                opened.append(to)
        ready += sorted(opened, key=place.__getitem__, reverse=True)
