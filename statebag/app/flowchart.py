"""A plan as a Mermaid flowchart, which editors and code hosts draw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from statebag.app.plan import describe_question, name_of, ways_of
from statebag.plan import Plan, Segment

__all__ = ["draw_plan"]

_SHAPES: Mapping[str, tuple[str, str]] = {
    "llm": ("([", "])"),
    "react": ("{{", "}}"),
    "aggregator": ("((", "))"),
    "map": ("[[", "]]"),
}
_ESCAPES = {ord(mark): f"#{ord(mark)};" for mark in '"#&<>`|\\'}
_START, _END = "begin", "finish"


def draw_plan(plan: Plan) -> str:
    """The text of the chart.

    A solid arrow is what follows, with the question on it where a person is asked first; a dashed one is a choice: of
    a route, or of an answer. Branches are boxes inside of their group's, what runs for each item is one inside of its map's.
    """
    return "\n".join(["flowchart TD", *(f"    {line}" for line in _Chart(plan).lines())])


class _Chart:
    """The lines of one plan's chart."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._segments = {segment.id: segment for segment in plan.all_segments()}
        self._marks = {name: f"s{number}" for number, name in enumerate(self._segments)}

    def lines(self) -> Iterator[str]:
        """Boxes first, then arrows."""
        segments = self._plan.segments
        yield f'{_START}(["start"])'
        yield from self._boxes(segments)
        yield f'{_END}(["end"])'
        yield from self._arrow(_START, segments[0].id)
        yield from self._arrows(segments, end=_END)

    def _boxes(self, segments: Sequence[Segment]) -> Iterator[str]:
        for segment in segments:
            kind = segment.type if segment.pause is None else "pause"
            mark, label = self._marks[segment.id], _quote(f"{segment.id}: {name_of(segment) or kind}")
            if not segment.branches:
                left, right = _SHAPES.get(segment.type, ("[", "]"))
                yield f"{mark}{left}{label}{right}"
                continue
            yield f"subgraph {mark} [{label}]"
            for number, branch in enumerate(segment.branches):
                name = "each item" if segment.type == "map" else branch.id
                yield f"    subgraph {mark}b{number} [{_quote(name)}]"
                if branch.segments[0].pause is not None:
                    yield f'        {mark}b{number}in((" "))'
                yield from (f"        {line}" for line in self._boxes(branch.segments))
                yield "    end"
            yield "end"

    def _arrows(self, segments: Sequence[Segment], *, end: str | None, join: str | None = None) -> Iterator[str]:
        """Arrows out of each segment of a list.

        Args:
            segments: The list.
            end: What the list's last segment leads to, where that is drawn.
            join: What a choice of the end leads to.
        """
        for segment in segments:
            mark = self._marks[segment.id]
            for number, branch in enumerate(segment.branches):
                if branch.segments[0].pause is not None:
                    yield from self._arrow(f"{mark}b{number}in", branch.segments[0].id)
                after = self._marks[segment.next] if segment.next is not None else end or join
                yield from self._arrows(branch.segments, end=None, join=after)
            if segment.routes:
                for to, names in ways_of(segment).items():
                    yield from self._arrow(mark, to, end=end or join, label=" or ".join(names))
            else:
                yield from self._arrow(mark, segment.next, end=end)

    def _arrow(self, source: str, to: str | None, *, end: str | None = None, label: str = "") -> Iterator[str]:
        """What leads from ``source`` to the segment ``to``, and where the answer to its pause may lead instead."""
        line = "-.->" if label else "-->"
        if to is None:
            if end is not None:
                yield f"{source} {line}{_on_arrow(label)} {end}"
            return
        target = self._segments[to]
        asked = describe_question(target.pause) if target.pause is not None else ""
        yield f"{source} {line}{_on_arrow(': '.join(filter(None, (label, asked))))} {self._marks[to]}"
        for answer, jump in (("rejected", target.on_reject), ("no answer", target.on_timeout)):
            if jump is not None:
                yield f"{source} -.->{_on_arrow(answer)} {self._marks[jump]}"


def _on_arrow(label: str) -> str:
    return f"|{_quote(label)}|" if label else ""


def _quote(text: str) -> str:
    """``text`` as a label, whatever is in it."""
    plain = " ".join(text.split())
    return f'"{plain.translate(_ESCAPES)}"'
