"""Where expressions and templates find the names they read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeGuard, cast

from statebag.config.paths import MISSING, Parts, walk

__all__ = ["Fields", "Names", "Source", "names_of"]


class Fields(Protocol):
    """Named values that are fetched one by one, as a scope's are."""

    def __contains__(self, name: object) -> bool: ...

    def __getitem__(self, name: str) -> Any: ...

    def whole(self) -> dict[str, Any]: ...


_PLAIN = (dict, list, str, int, float, bool, type(None))
Source = Fields | Mapping[str, Any] | Callable[[str], Any]
"""Names to values: a scope, a mapping, or a function that gives null or raises KeyError for what it has not."""


@dataclass(frozen=True, kw_only=True)
class Names:
    """What ``$`` and ``$.name`` stand for; both are asked only when they are read."""

    whole: Callable[[], Any]
    """Gives ``$``."""
    find: Callable[[str], Any]
    """Gives ``$.name``, or MISSING."""

    def resolve(self, parts: Parts) -> Any:
        """The value at a path, or MISSING."""
        if parts and isinstance(parts[0], str):
            return walk(self.find(parts[0]), parts[1:])
        return walk(self.whole(), parts)

    def over(self, local: Mapping[str, Any]) -> Names:
        """These names with some others in front of them."""

        def find(name: str) -> Any:
            return local[name] if name in local else self.find(name)

        return Names(whole=self.whole, find=find)


def names_of(root: Any, lookup: Source | None = None) -> Names:
    """Names for a root value, a scope, or a function that makes the root when it is read.

    Args:
        root: What ``$`` is.
        lookup: Where ``$.name`` is searched, if not in the root.
    """
    if isinstance(root, Names):
        return root
    if lookup is None and type(root) in _PLAIN:
        return Names(whole=lambda: root, find=lambda name: walk(root, (name,)))
    if _is_fields(root):
        return Names(whole=root.whole, find=_finder(root if lookup is None else lookup))
    whole: Callable[[], Any] = root if callable(root) else lambda: root
    if lookup is not None:
        return Names(whole=whole, find=_finder(lookup))
    return Names(whole=whole, find=lambda name: walk(whole(), (name,)))


def _is_fields(value: Any) -> TypeGuard[Fields]:
    # An isinstance of the protocol looks up every member's name in every class, each time anew.
    return hasattr(value, "whole") and hasattr(value, "__contains__") and hasattr(value, "__getitem__")


def _finder(source: Source) -> Callable[[str], Any]:
    if isinstance(source, Mapping):
        return lambda name: source.get(name, MISSING)
    if _is_fields(source):
        return lambda name: source[name] if name in source else MISSING  # noqa: SIM401 - fields have no such get
    ask = cast("Callable[[str], Any]", source)

    def find(name: str) -> Any:
        try:
            value = ask(name)
        except KeyError:
            return MISSING
        return MISSING if value is None else value

    return find
