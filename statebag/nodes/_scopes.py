"""Views of the user state."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from statebag.nodes._base import Scope

__all__ = ["Fixed", "Layered"]

_GONE: Any = object()


class Fixed:
    """A scope of given values and nothing else."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def get(self, name: str, default: Any = None) -> Any:
        """The value, or ``default`` where there is none."""
        return self._values.get(name, default)

    def names(self) -> Iterator[str]:
        """All names, sorted."""
        yield from sorted(self._values)

    def whole(self) -> dict[str, Any]:
        """All values."""
        return dict(self._values)


class Layered:
    """A scope with other values on top, which grow as nodes run; what is below never changes.

    Args:
        base: The scope below.
        names: Values that are on top from the start.
    """

    def __init__(self, base: Scope, names: Mapping[str, Any] | None = None) -> None:
        self._base = base
        self._top: dict[str, Any] = dict(names or {})

    def __contains__(self, name: object) -> bool:
        if name in self._top:
            return self._top[str(name)] is not _GONE
        return name in self._base

    def __getitem__(self, name: str) -> Any:
        if name not in self._top:
            return self._base[name]
        value = self._top[name]
        if value is _GONE:
            raise KeyError(name)
        return value

    def get(self, name: str, default: Any = None) -> Any:
        """The value, or ``default`` where there is none."""
        if name not in self._top:
            return self._base.get(name, default)
        value = self._top[name]
        return default if value is _GONE else value

    def names(self) -> Iterator[str]:
        """All names, sorted."""
        yield from sorted(name for name in {*self._base.names(), *self._top} if self._top.get(name) is not _GONE)

    def whole(self) -> dict[str, Any]:
        """All values."""
        values = {**self._base.whole(), **self._top}
        return {name: value for name, value in values.items() if value is not _GONE}

    def change(self, changes: Mapping[str, Any], unset: Iterable[str] = ()) -> None:
        """Set some values on top, and hide others."""
        self._top.update(changes)
        for name in unset:
            self._top[name] = _GONE

    def changes(self) -> dict[str, Any]:
        """What is on top."""
        return {name: value for name, value in self._top.items() if value is not _GONE}

    def unset(self) -> tuple[str, ...]:
        """Names that are hidden."""
        return tuple(name for name, value in self._top.items() if value is _GONE)
