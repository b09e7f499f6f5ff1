"""Documents and flows in one line of text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from statebag.config import Flow, Item
from statebag.plan import Segment

TYPES = {"L": "llm_chat", "W": "web", "R": "choice"}


def document(text: str, **more: Any) -> dict[str, Any]:
    """``a b c;a ?d`` has edges from ``a`` to ``b``, from there to ``c``, and from ``a`` to ``d`` with a pause.

    The first letter of a name says what it is: ``L`` a model call, ``W`` a web call, ``R`` a choice between all that it
    leads to, anything else an operator. ``?b!no~late`` leads to ``no`` after a rejection and to ``late`` when time is
    up. ``^b`` has ``hitp: true``. Nodes are listed in the order in which they are first written.
    """
    nodes: dict[str, dict[str, Any]] = {}
    edges: dict[tuple[str, str], dict[str, Any]] = {}
    for path in text.split(";"):
        before: str | None = None
        for word in path.split():
            name, *jumps = word.strip("?^").replace("!", " !").replace("~", " ~").split()
            node = nodes.setdefault(name, {"id": name, "type": TYPES.get(name[0], "operator")})
            if "^" in word:
                node["hitp"] = True
            if before is not None:
                edge = edges.setdefault((before, name), {"source": before, "target": name})
                if word[0] == "?":
                    ways = {{"!": "on_reject", "~": "on_timeout"}[jump[0]]: jump[1:] for jump in jumps}
                    edge |= {"type": "hitp", "metadata": {"prompt": f"{before}>{name}", **ways}}
                if before[0] == "R":
                    targets = nodes[before].setdefault("config", {}).setdefault("targets", [])
                    targets += [] if name in targets else [name]
            before = name
    return {"nodes": list(nodes.values()), "edges": list(edges.values())} | more


def show_flow(flow: Flow) -> str:
    """The items in order, each with what it leads to unless that is the next one: ``.`` is the end.

    ``?b`` asks before ``b``, ``?a>b`` is a pause with a place of its own; ``p[x y|z]`` forks, ``R{a:a,b:.}`` chooses.
    """
    followers: Iterable[Item | None] = (*flow.items[1:], None)
    return " ".join(_show_item(flow, item, follower) for item, follower in zip(flow.items, followers, strict=True))


def _show_item(flow: Flow, item: Item, follower: Item | None) -> str:
    text = ("?" if item in flow.pauses else "") + _name(item)
    if item in flow.routes:
        routes: Mapping[str, Item | None] = flow.routes[str(item)]
        return text + "{" + ",".join(f"{name}:{_name(to)}" for name, to in routes.items()) + "}"
    if item in flow.forks:
        text += "[" + "|".join(show_flow(branch) for branch in flow.forks[str(item)].branches) + "]"
    to = flow.links[item]
    return text if to == follower else f"{text}→{_name(to)}"


def _name(item: Item | None) -> str:
    return "." if item is None else item if isinstance(item, str) else ">".join(item)


def show_plan(segments: Sequence[Segment]) -> str:
    """The segments in order, each with its nodes, and what it leads to unless that is the next one.

    ``?[a,b]`` asks before its nodes, ``{B0 [x]|B1 [y]} +`` is a group and where it joins, ``[R]{a:2,b:.}`` chooses.
    """
    followers = [*(segment.id for segment in segments[1:]), None]
    return " ".join(_show_segment(segment, to) for segment, to in zip(segments, followers, strict=True))


def _show_segment(segment: Segment, follower: str | None) -> str:
    text = "[" + ",".join(node.id for node in segment.nodes) + "]"
    if segment.branches:
        text = "{" + "|".join(f"{branch.id} {show_plan(branch.segments)}" for branch in segment.branches) + "}"
    elif segment.type == "aggregator":
        text = "+"
    text = ("?" if segment.pause else "") + text
    if segment.routes:
        return text + "{" + ",".join(f"{name}:{to or '.'}" for name, to in segment.routes.items()) + "}"
    return text if segment.next == follower else f"{text}→{segment.next or '.'}"
