"""Documents grown out of sequences, forks, choices and loops, which say themselves what their runs visit."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from statebag.config import Document, Edge, Node, PauseSpec

Pick = Callable[[str, int], int]
"""A number for a node or a pause, by its name and how often it was asked for before."""


@dataclass(kw_only=True)
class _Ends:
    """What leads to whatever follows: nodes, and the forks that join there."""

    nodes: list[str] = field(default_factory=list[str])
    forks: list[str] = field(default_factory=list[str])


class Grown:
    """A document of about ``size`` nodes; the same seed gives the same one."""

    def __init__(self, seed: int, size: int, *, loops: bool = True, answers: bool = True) -> None:
        self._random = random.Random(seed)
        self._size = size
        self._loops = loops
        self._nodes: dict[str, str] = {}
        self._place: dict[str, int] = {}
        """In which branch a node is."""
        self._branches = 0
        self._ways: defaultdict[str, list[str]] = defaultdict(list)
        self._joins: dict[str, str] = {}
        self._pauses: dict[tuple[str, str], PauseSpec] = {}
        ends = self._grow(_Ends(), 0)
        if any(self._nodes[name] == "choice" for name in ends.nodes):
            self._add(ends, 0, "operator")
        self._ask(answers=answers)

    def document(self, shuffle: random.Random | None = None) -> Document:
        """The document; ``shuffle`` mixes its lists, which means nothing but the order of each node's edges."""
        nodes = [
            Node(id=name, type=kind, targets=tuple(self._ways[name]) if kind == "choice" else ())
            for name, kind in self._nodes.items()
        ]
        edges = [
            Edge(source=source, target=target, pause=self._pauses.get((source, target)))
            for source, targets in self._ways.items()
            for target in targets
            if self._nodes[source] != "choice" or (source, target) in self._pauses
        ]
        if shuffle is not None:
            shuffle.shuffle(nodes)
            shuffle.shuffle(edges)
        return Document(nodes=tuple(nodes), edges=tuple(edges), start_node="n0")

    def run(self, pick: Pick) -> list[str]:
        """What a run visits and asks, branches one after another; see ``walk``."""
        self._visits: Counter[str] = Counter()
        self._seen: list[str] = []
        self._run("n0", None, pick)
        return self._seen

    def _grow(self, ends: _Ends, branch: int) -> _Ends:
        for _ in range(self._random.randint(1, 4)):
            kind = self._random.random()
            small = len(self._nodes) >= self._size
            name = self._add(ends, branch, "choice" if kind >= 0.6 and not small else "operator")
            if small or kind < 0.3:
                ends = _Ends(nodes=[name])
            elif kind < 0.6:
                ends = self._fork(name)
            elif kind < 0.8 or not self._loops:
                ends = self._choose(name, branch)
            else:
                ends = self._loop(name, branch)
            if self._random.random() < 0.5:
                ends = _Ends(nodes=[self._add(ends, branch, self._random.choice(["operator", "web"]))])
        return ends

    def _add(self, ends: _Ends, branch: int, kind: str) -> str:
        name = f"n{len(self._nodes)}"
        self._nodes[name] = kind
        self._place[name] = branch
        for one in ends.nodes:
            self._ways[one].append(name)
        self._joins |= dict.fromkeys(ends.forks, name)
        return name

    def _fork(self, name: str) -> _Ends:
        ends = _Ends(forks=[name])
        for _ in range(self._random.randint(2, 3)):
            self._branches += 1
            inner = self._grow(_Ends(nodes=[name]), self._branches)
            ends.nodes += inner.nodes
            ends.forks += inner.forks
        return ends

    def _choose(self, name: str, branch: int) -> _Ends:
        ends = _Ends()
        for _ in range(self._random.randint(2, 3)):
            inner = self._grow(_Ends(nodes=[name]), branch)
            ends.nodes += inner.nodes
            ends.forks += inner.forks
        if self._random.random() < 0.3:
            ends.nodes.append(name)
        return ends

    def _loop(self, name: str, branch: int) -> _Ends:
        """``name`` goes on, or through some more and then back to itself; as in a `while`."""
        back = self._grow(_Ends(nodes=[name]), branch)
        if back.forks:
            back = _Ends(nodes=[self._add(back, branch, "operator")])
        for one in back.nodes:
            self._ways[one].append(name)
        return _Ends(nodes=[name])

    def _ask(self, *, answers: bool) -> None:
        """Put pauses on some edges. A rejection leads to a node of the same branch, or to a new one."""
        ways = [(source, target) for source, targets in self._ways.items() for target in targets]
        asking = [way for way in ways if self._random.random() < 0.15]
        asked = {target for _, target in asking}
        for source, target in asking:
            forks = self._nodes[source] != "choice" and len(self._ways[source]) > 1
            branch = self._place[target if forks else source]
            near = [name for name, place in self._place.items() if place == branch and name not in asked]
            on_reject = None
            if answers and near and self._random.random() < 0.5:
                on_reject = self._random.choice(near)
                if self._random.random() < 0.3:
                    head = self._add(_Ends(), branch, "operator")
                    self._ways[head] += [on_reject] if self._random.random() < 0.7 else []
                    on_reject = head
            self._pauses[source, target] = PauseSpec(prompt=f"{source}>{target}", on_reject=on_reject)

    def _run(self, name: str | None, stop: str | None, pick: Pick) -> None:
        while name is not None and name != stop:
            self._seen.append(name)
            ways = self._ways[name]
            if self._nodes[name] == "choice":
                name = self._go(name, ways[self._count(name, pick) % len(ways)], pick)
            elif len(ways) > 1:
                join = self._joins.get(name, stop)
                for way in ways:
                    self._run(self._go(name, way, pick), join, pick)
                name = join
            else:
                name = self._go(name, ways[0], pick) if ways else None

    def _go(self, source: str, target: str, pick: Pick) -> str:
        pause = self._pauses.get((source, target))
        if pause is None:
            return target
        self._seen.append(f"?{pause.prompt}")
        visit = self._count(pause.prompt, pick)
        return pause.on_reject if pause.on_reject is not None and visit % 3 == 0 else target

    def _count(self, name: str, pick: Pick) -> int:
        self._visits[name] += 1
        return pick(name, self._visits[name] - 1)
