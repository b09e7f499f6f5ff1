"""What a parallel branch is expected to use."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from statebag.config import Node
from statebag.config.paths import print_path
from statebag.config.templates import has_template, parse_template

__all__ = ["BranchNeeds", "ListNeed", "needs_of"]

_EMPTY_MB = 256
_BRANCH_MB = 50
_NODE_MB = 10
_MODEL_MB = 50
_ITEM_MB = 5
_MODEL_TOKENS = 500
_ITEM_TOKENS = 5000
_CHARACTERS_PER_TOKEN = 4

_MODEL_TYPES = frozenset({"llm_chat", "vision", "react"})
_LIST_TYPES = frozenset({"for_each", "nested_for_each"})
_WRITER_TYPES = frozenset({"db_write", "s3_write", "api_call"})
_WRITER_FLAGS = ("write_to_db", "write_to_s3")
_PROMPTS = ("prompt", "system_prompt", "prompt_template", "prompt_content", "user_prompt_template")
_LIST_KEYS = ("input_list_key", "items_path", "items")

_COMMENTS = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_READS = re.compile(r"[\s(]*(?:select|with|values|show|describe|explain)\b", re.IGNORECASE)
_WRITES = re.compile(
    r"\b(?:insert|update|delete|merge|into|create|drop|alter|truncate|grant|revoke|call|lock)\b", re.IGNORECASE
)


@dataclass(frozen=True, kw_only=True)
class ListNeed:
    """What each item of a list adds, whose length is known only when the branch is about to run."""

    path: str
    """Where the list is in the state: ``order.lines``, with or without ``$.``."""
    memory_mb_per_item: int = _ITEM_MB
    tokens_per_item: int = 0

    def to_json(self) -> dict[str, Any]:
        """The stored form; defaults are left out."""
        body: dict[str, Any] = {"path": self.path}
        for name in ("memory_mb_per_item", "tokens_per_item"):
            if getattr(self, name) != getattr(ListNeed, name):
                body[name] = getattr(self, name)
        return body

    @staticmethod
    def from_json(body: Mapping[str, Any]) -> ListNeed:
        """Read the stored form."""
        return ListNeed(**body)


@dataclass(frozen=True, kw_only=True)
class BranchNeeds:
    """Estimates of one branch, made when a document is planned."""

    memory_mb: int = _EMPTY_MB
    """Megabytes without those of the lists; the default is for a branch without nodes."""
    tokens: int = 0
    """Tokens of its model calls, without those made for each item of a list."""
    lists: tuple[ListNeed, ...] = ()
    shared: bool = False
    """Whether it writes something that other branches may write too."""

    def to_json(self) -> dict[str, Any]:
        """The stored form; defaults are left out."""
        body: dict[str, Any] = {}
        for name in ("memory_mb", "tokens", "shared"):
            if getattr(self, name) != getattr(BranchNeeds, name):
                body[name] = getattr(self, name)
        return body | ({"lists": [need.to_json() for need in self.lists]} if self.lists else {})

    @staticmethod
    def from_json(body: Mapping[str, Any]) -> BranchNeeds:
        """Read the stored form."""
        return BranchNeeds(
            memory_mb=body.get("memory_mb", _EMPTY_MB),
            tokens=body.get("tokens", 0),
            lists=tuple(ListNeed.from_json(need) for need in body.get("lists", ())),
            shared=body.get("shared", False),
        )


def needs_of(nodes: Sequence[Node]) -> BranchNeeds:
    """Estimate what a branch with these nodes uses.

    Nodes inside of others count like the branch's own. Those inside of a ``for_each`` don't: they count by the item.
    """
    if not nodes:
        return BranchNeeds()
    counted = list(_counted(nodes))
    models = [node for node in counted if node.type in _MODEL_TYPES]
    memory_mb = _BRANCH_MB + _NODE_MB * len(counted) + _MODEL_MB * len(models)
    tokens = sum(_tokens_of(node) for node in models)
    lists: list[ListNeed] = []
    for node in counted:
        if node.type not in _LIST_TYPES:
            continue
        given = next((node.config[key] for key in _LIST_KEYS if node.config.get(key)), None)
        per_item = _ITEM_TOKENS if _calls_model(node) else 0
        if isinstance(given, list):
            # Written in the document: its length is known.
            memory_mb += _ITEM_MB * len(given)
            tokens += per_item * len(given)
        elif isinstance(given, str) and (path := _path_in(given)) is not None:
            lists.append(ListNeed(path=path, tokens_per_item=per_item))
    return BranchNeeds(
        memory_mb=memory_mb,
        tokens=tokens,
        lists=tuple(lists),
        shared=any(_writes_shared(node) for node in _all(nodes)),
    )


def _all(nodes: Sequence[Node]) -> Iterator[Node]:
    for node in nodes:
        yield node
        for body in node.bodies:
            yield from _all(body.nodes)


def _counted(nodes: Sequence[Node]) -> Iterator[Node]:
    for node in nodes:
        yield node
        for body in () if node.type in _LIST_TYPES else node.bodies:
            yield from _counted(body.nodes)


def _tokens_of(node: Node) -> int:
    texts = (node.config.get(name) for name in _PROMPTS)
    prompt = next((text for text in texts if isinstance(text, str) and text), "")
    return len(prompt) // _CHARACTERS_PER_TOKEN + _MODEL_TOKENS


def _calls_model(node: Node) -> bool:
    return any(inner.type in _MODEL_TYPES for body in node.bodies for inner in _all(body.nodes))


def _path_in(written: str) -> str | None:
    """The one path that ``written`` is, or that a template reads; None where it reads several."""
    if not has_template(written):
        return written
    paths = list(parse_template(written).references())
    return print_path(paths[0]) if len(paths) == 1 else None


def _writes_shared(node: Node) -> bool:
    if node.type in _WRITER_TYPES or any(node.config.get(name) in (True, "true") for name in _WRITER_FLAGS):
        return True
    return node.type == "db_query" and not _only_reads(node.config.get("query"))


def _only_reads(query: Any) -> bool:
    """Whether a query surely writes nothing; one whose verb is filled in later may write."""
    if not isinstance(query, str):
        return False
    plain = _COMMENTS.sub(" ", query)
    return _READS.match(plain) is not None and _WRITES.search(plain) is None
