"""A document's plan as text for people."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from rich.console import Console

from statebag.app.inputs import read_bytes
from statebag.app.tables import print_table
from statebag.config import LoadedDocument, Node, PauseSpec, load_document
from statebag.nodes import NodeRegistry
from statebag.plan import BranchNeeds, Plan, Segment, plan_document

__all__ = ["describe_question", "name_of", "read_plan", "show_plan", "ways_of"]

_HEADS = ("id", "type", "nodes", "pause", "next", "depends on", "outside")
_QUESTION_LENGTH = 80


def read_plan(file: str, registry: NodeRegistry) -> tuple[LoadedDocument, Plan]:
    """Read and check a document, and cut it.

    Args:
        file: Its path, ``-`` for stdin.
        registry: What node types there are.

    Raises:
        InputRefused: with all problems of the document.
        StateBagError: ``FILE_UNREADABLE``.
    """
    loaded = load_document(read_bytes(file), registry)
    return loaded, plan_document(loaded.document, registry)


def show_plan(plan: Plan, name: str) -> None:
    """A line on the whole, then a line for each segment; those of branches and items stand below their group or map."""
    console = Console(highlight=False, soft_wrap=True)
    inside = sum(1 for _ in plan.all_segments()) - plan.total_segments
    owners = sorted({"items" if segment.type == "map" else "branches" for segment in plan.segments if segment.branches})
    counts = [
        _count(plan.total_segments, "segment") + (f" and {inside} inside of {' and '.join(owners)}" if inside else ""),
        _count(plan.llm_segments, "model call"),
        _count(plan.hitp_segments, "pause"),
    ]
    limit = _count(plan.max_loop_iterations, "segment")
    title = f"{name}: " if name else ""
    console.print(f"{title}{', '.join(counts)}; a run executes at most {limit}\n", markup=False)
    print_table(_HEADS, list(_rows(plan.segments, end="end")))


def name_of(segment: Segment) -> str:
    """Ids of its nodes in running order, or the label of a group; of a map also what it is over."""
    names = ", ".join(node.id for node in segment.nodes) or segment.label
    return f"{names} over {_items_of(segment.nodes[0])}" if segment.type == "map" else names


def _items_of(node: Node) -> str:
    """The file or the list with the items of a map, as its node names it."""
    config = node.config
    reader = config.get("item_reader")
    if reader is not None:
        return reader["file"]
    written = next(config[key] for key in ("input_list_key", "items_path", "items") if config.get(key) is not None)
    return _count(len(written), "item") if isinstance(written, list) else str(written)


def describe_question(pause: PauseSpec) -> str:
    """What a person is asked, in a line of its own; the end of a long text is left out."""
    return textwrap.shorten(pause.prompt, _QUESTION_LENGTH, placeholder=" …") or "asks a person"


def ways_of(segment: Segment) -> dict[str | None, list[str]]:
    """Where a segment that chooses leads to, each with the nodes chosen for it; None is the end of its list."""
    ways: dict[str | None, list[str]] = {}
    for name, to in segment.routes.items():
        ways.setdefault(to, []).append(name)
    return ways


def _rows(segments: Sequence[Segment], *, end: str, depth: int = 0) -> Iterator[tuple[str, ...]]:
    indent = "  " * depth
    for segment in segments:
        yield (
            indent + segment.id,
            segment.type,
            name_of(segment),
            _pause(segment),
            _following(segment, end),
            ", ".join(segment.dependencies),
            "yes" if segment.outside or segment.calls else "",
        )
        for branch in segment.branches:
            of_map = segment.type == "map"
            kind, needs = ("each item", "") if of_map else ("branch", _needs(branch.needs))
            yield (f"{indent}  {branch.id}", kind, needs, "", "", "", "")
            yield from _rows(branch.segments, end="done" if of_map else "join", depth=depth + 2)


def _pause(segment: Segment) -> str:
    if segment.pause is None:
        return ""
    ways = (("rejected", segment.on_reject), ("no answer", segment.on_timeout))
    told = ", ".join(f"{when}: {to}" for when, to in ways if to is not None)
    return describe_question(segment.pause) + (f" ({told})" if told else "")


def _following(segment: Segment, end: str) -> str:
    if not segment.routes:
        return segment.next or end
    return ", ".join(f"{' or '.join(names)}: {to or end}" for to, names in ways_of(segment).items())


def _needs(needs: BranchNeeds) -> str:
    parts = [f"{needs.memory_mb} MB", f"{needs.tokens} tokens" if needs.tokens else ""]
    for one in needs.lists:
        tokens = f" and {one.tokens_per_item} tokens" if one.tokens_per_item else ""
        parts.append(f"{one.memory_mb_per_item} MB{tokens} for each of {one.path}")
    parts.append("writes shared resources" if needs.shared else "")
    return ", ".join(filter(None, parts))


def _count(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
