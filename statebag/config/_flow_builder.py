"""From a graph to the flow of its nodes.

A flow is built out of parts. Where one node leads to the next, and where one is
chosen, there is one place at a time at which the run is: such nodes need
nothing but links. Nodes that several ways lead to at once, outside of a fork's
own branches, become a row: one behind another in topological order.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Sequence, Set

from statebag.config._flow import Flow, Fork, Item
from statebag.config._flow_parts import Part, run_on
from statebag.config._graph import END, Graph, asked_by

__all__ = ["build_flow"]

_MAX_FORKS = 50
"""Forks inside of each other."""


def build_flow(graph: Graph) -> tuple[Flow, list[tuple[str, str]]]:
    """The flow of all nodes of a graph without plain cycles, and what is in the way: node ids, each with the reason."""
    builder = _Builder(graph)
    return builder.flow(graph.entries, END), list(dict.fromkeys(builder.faults))


class _Builder:
    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._depth = 0
        self.faults: list[tuple[str, str]] = []

    def flow(self, entries: Sequence[str], stop: str, source: str | None = None) -> Flow:
        """The flow from ``entries`` up to ``stop``; ``source`` is the node that forks to them."""
        part = self._path(entries[0], stop, source) if len(entries) == 1 else self._row(entries, stop, source)
        return self._finish(part, stop)

    def _finish(self, part: Part, stop: str) -> Flow:
        self._put_asked(part, stop)
        self._check_links(part)
        return Flow(items=tuple(part.items), links=part.links, routes=part.routes, forks=part.forks, pauses=part.pauses)

    def _path(self, entry: str, stop: str, source: str | None) -> Part:
        part = Part()
        if source is not None:
            self._lead(part, source, entry, stop)
        part.put(self._walk([entry], stop))
        return part

    def _walk(self, entries: Iterable[str], stop: str, known: Collection[Item] = ()) -> Part:
        """All that a run may come to from one of ``entries``: what follows a node is what its edge leads to.

        Args:
            entries: Where it begins.
            stop: Where it ends.
            known: Where it need not go.
        """
        graph, part = self._graph, Part()
        gates: dict[str, list[Item]] = {}
        waiting = list(entries)
        while waiting:
            name = waiting.pop()
            if name in gates or name in known or name == stop:
                continue
            side = Part()
            ways = graph.after[name]
            if name in graph.routers:
                part.routes[name] = {to: self._lead(side, name, to, stop) for to in graph.routers[name]}
            elif len(ways) > 1:
                part.forks[name] = self._fork(name, stop)
                join = graph.join_of(name)
                part.links[name] = None if join in (END, stop) else join
                ways = (join,) if graph.is_ahead(join, name) else ()
            else:
                to = ways[0] if ways else graph.jump_of(name)
                part.links[name] = None if to is None else self._lead(side, name, to, stop)
            self._check_back(name)
            gates[name] = side.items
            part.links |= side.links
            part.pauses |= side.pauses
            if name in graph.questions:
                part.pauses[name] = graph.questions[name]
            waiting += ways
        for name in self._in_order(gates.keys(), part):
            part.items += [name, *gates[name]]
        return part

    def _lead(self, part: Part, one: str, to: str, stop: str) -> Item | None:
        """What follows ``one`` on its edge to ``to``: before ``to`` or in a place of its own, ``part`` gets the pause."""
        graph = self._graph
        following = None if to == stop else to
        pause = graph.pauses.get((one, to))
        if pause is None:
            return following
        if following is not None and graph.is_only_way(one, to):
            part.pauses[to] = pause
            return to
        gate = (one, to)
        part.items.append(gate)
        part.links[gate] = following
        part.pauses[gate] = pause
        return gate

    def _fork(self, name: str, stop: str) -> Fork:
        """The branches behind ``name``: those that share a node are one."""
        graph = self._graph
        join = graph.join_of(name)
        if name not in graph.normal and not graph.normal.isdisjoint(graph.reach(graph.after[name], {join})):
            text = f"Behind an answer, `{name}` forks to what other ways lead to. Let it lead to where they fork."
            self.faults.append((name, text))
            return Fork(branches=(), positions=())
        if self._depth == _MAX_FORKS:
            self.faults.append((name, f"Forks are inside of each other more than {_MAX_FORKS} deep. Join some before."))
            return Fork(branches=(), positions=())
        self._depth += 1
        end = stop if join == END else join
        position = {to: index for index, to in enumerate(graph.leads[name])}
        made = [
            (position[entries[0]], self.flow(entries, end, name))
            for entries in self._find_branches(graph.after[name], end)
        ]
        if (name, end) in graph.pauses:
            part = Part()
            self._lead(part, name, end, end)
            made.append((position[end], self._finish(part, end)))
        made.sort(key=lambda one: one[0])
        self._depth -= 1
        return Fork(branches=tuple(flow for _, flow in made), positions=tuple(index for index, _ in made))

    def _find_branches(self, ways: Sequence[str], end: str) -> Iterable[list[str]]:
        """The first nodes of each branch, up to ``end``."""
        leader = list(range(len(ways)))

        def find(index: int) -> int:
            while leader[index] != index:
                index = leader[index]
            return index

        owner: dict[str, int] = {}
        for index, entry in enumerate(ways):
            waiting = [entry]
            while waiting:
                name = waiting.pop()
                if name in owner:
                    one, other = sorted((find(owner[name]), find(index)))
                    leader[other] = one
                elif name != end:
                    owner[name] = index
                    waiting += self._graph.after[name]
        groups: dict[int, list[str]] = {}
        for index, entry in enumerate(ways):
            if entry != end:
                groups.setdefault(find(index), []).append(entry)
        return groups.values()

    def _row(self, entries: Sequence[str], stop: str, source: str | None) -> Part:
        """Ways that come together outside of a fork: one node behind another.

        A node that routes stays together with what it chooses between, and a fork with its branches where nothing
        else leads into them.
        """
        graph = self._graph
        reached = graph.reach(entries, {stop})
        leader: dict[str, str] = {}
        blocks: dict[str, Set[str]] = {}
        for name in sorted(reached, key=graph.rank.__getitem__):
            if name not in leader:
                blocks[name] = self._block(name, reached, stop, source)
                leader |= dict.fromkeys(blocks[name], name)
        nexts = {
            name: {leader[to]: None for one in block for to in graph.after[one] if leader.get(to, name) != name}
            for name, block in blocks.items()
        }
        lone = {name for name, block in blocks.items() if len(block) == 1 and name not in graph.routers}
        row, last = Part(), Part()
        for name in run_on(list(blocks), nexts):
            part = self._step(name, stop, lone, source)
            if last.items and not last.has_end():
                self.faults.append((name, f"Nothing leads to `{name}`: what is before it only leads back."))
            last.lead_to(part.items[0])
            row.put(last)
            last = part
        row.put(last)
        return row

    def _block(self, name: str, reached: Set[str], stop: str, source: str | None) -> Set[str]:
        """``name``, and what is between it and where its ways join; by itself where other ways lead in between."""
        graph = self._graph
        ways = graph.after[name]
        routes = name in graph.routers
        if len(ways) < 2 and not routes:
            return {name}
        ends = {graph.join_of(name), stop}
        block = {name}
        ahead = [(graph.rank[to], to) for to in ways if to not in ends]
        heapq.heapify(ahead)
        while ahead:
            _, to = heapq.heappop(ahead)
            if to in block:
                continue
            for one in graph.before[to]:
                # What leads to all of them has run; it matters where it asks, or where it makes a choice vain.
                matters = routes or (one, to) in graph.pauses if one == source else one in reached and one not in block
                if not matters:
                    continue
                if not routes:
                    return {name}
                text = (
                    f"`{to}` follows both the choice of `{name}` and `{one}`, which runs whatever is chosen. "
                    f"Put `{one}` before `{name}`, or behind where its ways join."
                )
                self.faults.append((to, text))
            block.add(to)
            for onward in graph.after[to]:
                if onward not in ends:
                    heapq.heappush(ahead, (graph.rank[onward], onward))
        return block

    def _step(self, name: str, stop: str, lone: Set[str], source: str | None) -> Part:
        """The part of a row that begins with ``name``."""
        graph, part = self._graph, Part()
        for one in graph.before[name]:
            if (one in lone or one == source) and (one, name) in graph.pauses:
                first = self._lead(part, one, name, stop)
                if len(part.items) > 1:
                    part.links[part.items[-2]] = first
        if name not in lone:
            join = graph.join_of(name)
            part.put(self._walk([name], join if graph.is_ahead(join, name) else stop))
            return part
        back, end = graph.jump_of(name), Part()
        ahead = stop if stop in graph.after[name] else None
        to = back or ahead
        part.put(Part(items=[name], links={name: None if to is None else self._lead(end, name, to, stop)}))
        part.put(end)
        if name in graph.questions:
            part.pauses[name] = graph.questions[name]
        self._check_back(name)
        return part

    def _put_asked(self, part: Part, stop: str) -> None:
        """Put what only the answers to pauses of ``part`` lead to behind it."""
        graph = self._graph
        while asked := [to for pause in part.pauses.values() for to in asked_by(pause) if to in graph.nodes]:
            known = graph.normal.union(part.items, [stop])
            head = next((to for to in asked if to not in known), None)
            if head is None:
                return
            part.put(self._walk([head], stop, known))

    def _in_order(self, names: Set[str], part: Part) -> Iterable[str]:
        """Topological order in which what follows a node stands behind it where it can."""
        graph = self._graph
        nexts: dict[str, list[str]] = {}
        for name in names:
            ways = (graph.join_of(name),) if name in part.forks else graph.after[name]
            nexts[name] = [to for to in ways if to in names and graph.is_ahead(to, name)]
        return run_on(sorted(names, key=graph.rank.__getitem__), nexts)

    def _check_back(self, name: str) -> None:
        graph = self._graph
        ways = graph.after[name]
        back = graph.jump_of(name) if ways and name not in graph.routers else None
        if back is not None:
            listed = " and ".join(f"`{to}`" for to in ways)
            self.faults.append((name, f"`{name}` leads back to `{back}` and on to {listed}. Choose with a route."))

    def _check_links(self, part: Part) -> None:
        here = set(part.items)
        ways = list(part.links.items())
        ways += [(name, to) for name, found in part.routes.items() for to in found.values()]
        for item, to in ways:
            if to is not None and to not in here:
                one = item if isinstance(item, str) else item[0]
                text = (
                    f"`{one}` leads to `{to}`, and only one of the two is inside of a branch. "
                    "Ways into a branch start at its fork, and ways out end at its join."
                )
                self.faults.append((one, text))
        for item, pause in part.pauses.items():
            node = item if isinstance(item, str) else item[1]
            for name in asked_by(pause):
                if name in self._graph.nodes and name not in here:
                    text = (
                        f"The answer to the pause before `{node}` leads to `{name}`, which is not in the same branch."
                    )
                    self.faults.append((node, text))
