"""The graph that nodes and edges make: what leads where, which edges go back, where paths come together again."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

from statebag.config._model import Edge, Node, PauseSpec

__all__ = ["END", "Graph", "asked_by"]

END = ""
"""Where every path ends; no node has this id."""

_Place: TypeAlias = str | tuple[str, ...]
"""Where paths join: a node, END, a node that is led back to (in a tuple), or nowhere (an empty tuple)."""


class Graph:
    """Nodes of one list, and what leads from one to the other.

    Where a node routes, its targets count as edges, drawn or not. An edge that closes a cycle is a *jump*; without
    the jumps there are no cycles.

    Args:
        nodes: Each with an id of its own.
        edges: Between these nodes, no two alike.
        start_node: Id of the node that is meant to run first.
    """

    def __init__(self, nodes: Sequence[Node], edges: Sequence[Edge], start_node: str | None = None) -> None:
        self.nodes: Mapping[str, Node] = {node.id: node for node in nodes}
        self.routers: Mapping[str, tuple[str, ...]] = {
            node.id: tuple(name for name in node.targets if name in self.nodes) for node in nodes if node.targets
        }
        self.stray: list[Edge] = []
        """Edges from a node that routes, to none of its targets."""
        self.leads: Mapping[str, Sequence[str]]
        """What a node leads to, jumps and all, in the order in which it is written."""
        self.pauses: dict[tuple[str, str], PauseSpec] = {}
        """Asked on an edge."""
        self.questions: dict[str, PauseSpec] = {}
        """Asked before a node, whatever leads there."""
        self._read_edges(edges)
        self._place_questions()
        self._asked: Mapping[str, Sequence[str]] = self._find_asked()
        self._answered = {to for found in self._asked.values() for to in found}
        turns = list(_turns(self._search_order(start_node), self.leads))
        self.jumps: set[tuple[str, str]] = {(turn[-2], turn[-1]) for turn in turns}
        self._jumped_to = {to for _, to in self.jumps}
        self.cycles: list[list[str]] = self._find_cycles() if turns else []
        """Those without a node that routes, each with its first node again at the end."""
        self.traps: list[list[str]] = self._find_traps(turns) if turns else []
        """Other cycles that nothing leads out of."""
        self._order: Sequence[str] = self._sort(start_node)
        self.rank: Mapping[str, int] = {name: index for index, name in enumerate(self._order)}
        """Place of each node in topological order, ties by document order."""
        self.after: dict[str, tuple[str, ...]] = {}
        """What a node leads to, without jumps and shortcuts.

        A shortcut is an edge without a pause to a node that another of a plain node's ways comes through in any case.
        """
        self._joins: dict[_Place, _Place] = {}
        self._depth: dict[_Place, int] = {END: 1}
        self._out: dict[str, int] = {END: -1}
        self._find_joins()
        self.before: dict[str, list[str]] = {name: [] for name in self.nodes}
        for name in self.nodes:
            for to in self.after[name]:
                self.before[to].append(name)
        self.unclear: tuple[str, str] | None = None
        """Two nodes at which runs may begin, where nothing says which is meant."""
        self.entries: Sequence[str] = self._find_entries(start_node)
        """Nodes that run without anything leading to them: the start first, the others in document order."""
        self.normal: set[str] = self.reach(self.entries, ())
        """Nodes that more than the answer to a pause leads to."""

    def jump_of(self, name: str) -> str | None:
        """Where a plain node's edge back leads."""
        return next((to for to in self.leads[name] if (name, to) in self.jumps), None) if self.jumps else None

    def is_only_way(self, one: str, to: str) -> bool:
        """Whether no edge but that from ``one`` leads to ``to``."""
        return self.before[to] == [one] and to not in self._jumped_to

    def is_ahead(self, name: str, one: str) -> bool:
        """Whether ``name`` is a node behind ``one`` in topological order."""
        return self.rank.get(name, -1) > self.rank[one]

    def join_of(self, name: str) -> str:
        """The nearest node that every path from ``name`` comes through, or END; it may be where all lead back to."""
        join = self._joins[name]
        return join if isinstance(join, str) else join[0] if join else END

    def reach(self, entries: Iterable[str], stop: Collection[str]) -> set[str]:
        """Nodes on the ways from ``entries`` (these too) that do not lead through ``stop``."""
        found: set[str] = set()
        waiting = [name for name in entries if name not in stop]
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += [to for to in self.after[name] if to not in stop]
        return found

    def _read_edges(self, edges: Sequence[Edge]) -> None:
        drawn: defaultdict[str, list[str]] = defaultdict(list)
        for edge in edges:
            if edge.source in self.routers and edge.target not in self.routers[edge.source]:
                self.stray.append(edge)
                continue
            drawn[edge.source].append(edge.target)
            if edge.pause is not None:
                self.pauses[edge.source, edge.target] = edge.pause
        self.leads = {name: self.routers.get(name, drawn[name]) for name in self.nodes}

    def _place_questions(self) -> None:
        """``hitp`` on a node and a pause on one edge to it are one question, which the edge has the words of."""
        flagged = [node.id for node in self.nodes.values() if node.hitp]
        if not flagged:
            return
        asking: defaultdict[str, list[str]] = defaultdict(list)
        for one, to in self.pauses:
            asking[to].append(one)
        ways = Counter(to for found in self.leads.values() for to in found)
        for name in flagged:
            if len(asking[name]) == 1:
                self.questions[name] = self.pauses.pop((asking[name][0], name))
            elif len(asking[name]) < ways[name] or not ways[name]:
                self.questions[name] = PauseSpec()

    def _find_asked(self) -> Mapping[str, Sequence[str]]:
        """For each node, those that the answers to pauses behind or before it may lead to."""
        asked: defaultdict[str, list[str]] = defaultdict(list)
        for (one, _), pause in self.pauses.items():
            asked[one] += asked_by(pause)
        for name, pause in self.questions.items():
            asked[name] += asked_by(pause)
        return {name: [to for to in found if to in self.nodes] for name, found in asked.items()}

    def _search_order(self, start_node: str | None) -> Iterable[str]:
        """Where a search for cycles begins: where runs do."""
        led_to = {to for found in self.leads.values() for to in found}
        heads = [name for name in self.nodes if name in self._answered and name not in led_to]
        first = [name for name in self.nodes if name not in led_to and name not in self._answered]
        if start_node is not None and start_node in self.nodes:
            first.append(start_node)
        return (*(first or [name for name in self.nodes if name in led_to][:1]), *heads, *self.nodes)

    def _find_cycles(self) -> list[list[str]]:
        plain = {
            name: [to for to in found if to not in self.routers]
            for name, found in self.leads.items()
            if name not in self.routers
        }
        return list(_turns(plain, plain))

    def _find_traps(self, turns: Iterable[list[str]]) -> list[list[str]]:
        sources: defaultdict[str, list[str]] = defaultdict(list)
        for name, found in self.leads.items():
            for to in (*found, *self._asked.get(name, ())):
                sources[to].append(name)
        free: set[str] = set()
        waiting = [name for name, found in self.leads.items() if not found]
        while waiting:
            name = waiting.pop()
            if name not in free:
                free.add(name)
                waiting += sources[name]
        return [turn for turn in turns if turn[0] not in free and any(name in self.routers for name in turn)]

    def _sort(self, start_node: str | None) -> Sequence[str]:
        names = sorted(self.nodes, key=lambda name: name != start_node)
        place = {name: index for index, name in enumerate(names)}
        left = dict.fromkeys(names, 0)
        ways = {name: [to for to in self.leads[name] if (name, to) not in self.jumps] for name in names}
        for found in ways.values():
            for to in found:
                left[to] += 1
        ready = [place[name] for name in names if not left[name]]
        heapq.heapify(ready)
        ordered: list[str] = []
        while ready:
            name = names[heapq.heappop(ready)]
            ordered.append(name)
            for to in ways[name]:
                left[to] -= 1
                if not left[to]:
                    heapq.heappush(ready, place[to])
        return ordered

    def _find_joins(self) -> None:
        """Post-dominators, nearest first; and which edges are shortcuts."""
        for name in reversed(self._order):
            ways = [to for to in self.leads[name] if (name, to) not in self.jumps]
            if len(ways) > 1 and name not in self.routers:
                passed = self._passed_from(ways)
                ways = [to for to in ways if (name, to) in self.pauses or to not in passed]
            self.after[name] = tuple(ways)
            ends: list[_Place] = [*ways, *((to,) for to in self.leads[name] if (name, to) in self.jumps)] or [END]
            if name in self.routers:
                # What only leads back to an inner loop comes out again where that loop does.
                out = {end: self._way_out(end) for end in ends}
                ends = [end for end in ends if out[end] == min(out.values())]
            join = ends[0]
            for end in ends[1:]:
                join = self._meet(join, end)
            self._joins[name] = join
            self._depth[name] = self._depth_of(join) + 1
            self._out[name] = self._way_out(join)

    def _way_out(self, place: _Place) -> int:
        """Rank of the node that all ways from ``place`` lead back to; -1 where one leads on to an end."""
        if isinstance(place, str):
            return self._out[place]
        return self.rank[place[0]] if place else -1

    def _passed_from(self, names: Iterable[str]) -> set[_Place]:
        """What the ways from ``names`` come through in any case, behind these."""
        passed: set[_Place] = set()
        for name in names:
            on = self._joins.get(name, ())
            while on and on not in passed:
                passed.add(on)
                on = self._joins.get(on, ())
        return passed

    def _meet(self, one: _Place, other: _Place) -> _Place:
        while one != other:
            if self._depth_of(one) >= self._depth_of(other):
                one = self._joins.get(one, ())
            else:
                other = self._joins.get(other, ())
        return one

    def _depth_of(self, place: _Place) -> int:
        return self._depth.get(place, 1 if place else 0)

    def _find_entries(self, start_node: str | None) -> Sequence[str]:
        roots = [name for name in self.nodes if not self.before[name]]
        order = sorted(self.nodes, key=lambda name: name != start_node)
        entries = [name for name in roots if name == start_node or name not in self._answered]
        reached = self._reach_asked(entries)
        rest = {name: self._reach_asked([name]) for name in roots if name not in reached}
        for root, behind in rest.items():
            if root in reached or any(root in found and name not in behind for name, found in rest.items()):
                continue
            # Answers lead in a circle, so that it may begin anywhere on it.
            first = next(name for name in order if name in behind and root in self._reach_asked([name]))
            entries.append(first)
            reached |= behind
            if first not in (root, start_node):
                self.unclear = (first, root)
        return sorted(entries, key={name: index for index, name in enumerate(order)}.__getitem__)

    def _reach_asked(self, names: Iterable[str]) -> set[str]:
        """All that a run may come to from ``names``, by answers to pauses, too."""
        reached: set[str] = set()
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if name not in reached:
                reached.add(name)
                waiting += [*self.after[name], *self._asked.get(name, ())]
        return reached


def asked_by(pause: PauseSpec) -> list[str]:
    """Nodes that the answer to a pause may lead to."""
    return [name for name in (pause.on_reject, pause.on_timeout) if name is not None]


def _turns(order: Iterable[str], leads: Mapping[str, Sequence[str]]) -> Iterator[list[str]]:
    """A cycle for each edge that a depth-first search finds to lead back, with its first node again at the end."""
    done: set[str] = set()
    for root in order:
        if root in done:
            continue
        way = [root]
        on_way = {root: 0}
        steps = [iter(leads[root])]
        while way:
            to = next(steps[-1], None)
            if to is None:
                name = way.pop()
                steps.pop()
                del on_way[name]
                done.add(name)
            elif to in on_way:
                yield [*way[on_way[to] :], to]
            elif to not in done:
                on_way[to] = len(way)
                way.append(to)
                steps.append(iter(leads[to]))
