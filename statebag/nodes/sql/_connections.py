"""Which databases a worker's environment gives to nodes."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from statebag.errors import InputRefused, NodeFailed, Problem

__all__ = ["Connection", "DbSettings", "is_connection_name", "parse_flag", "parse_writable", "read_db_settings"]

_PREFIX: Final = "STATEBAG_DB_"
_ALLOW_URLS: Final = f"{_PREFIX}ALLOW_URLS"
_ALLOW_WRITE: Final = f"{_PREFIX}ALLOW_WRITE"
_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
_TAKEN: Final = frozenset({"allow_urls", "allow_write"})


@dataclass(frozen=True, kw_only=True)
class Connection:
    """A database that a node may use."""

    url: str = field(repr=False)
    """SQLAlchemy's form; holds secrets, so that no message has it."""
    name: str
    """How messages call it."""
    may_write: bool


@dataclass(frozen=True, kw_only=True)
class DbSettings:
    """What the environment says."""

    urls: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    """By name, in lower case."""
    allow_urls: bool = False
    """Whether documents may bring connections of their own."""
    writable: frozenset[str] | None = frozenset()
    """Names of connections that nodes may write to; None for all."""

    def named(self, name: str) -> Connection:
        """The connection that a document calls ``name``, in any case.

        Raises:
            NodeFailed: ``DB_NOT_CONFIGURED``.
        """
        key = name.lower()
        if key not in self.urls:
            known = ", ".join(sorted(self.urls)) or "none"
            raise NodeFailed(
                f"the worker has no database connection {name!r}; it has {known}. Set {_PREFIX}{name.upper()} to its URL.",
                code="DB_NOT_CONFIGURED",
            )
        return Connection(url=self.urls[key], name=key, may_write=self.writable is None or key in self.writable)

    def given(self, url: str) -> Connection:
        """A connection that a document brings.

        Raises:
            NodeFailed: ``DB_NOT_CONFIGURED``: documents may not.
        """
        if not self.allow_urls:
            raise NodeFailed(
                "the worker takes no `connection_string` from a document. Set STATEBAG_DB_<NAME> on the worker and name "
                f"it in `connection`; or set {_ALLOW_URLS}=1, if everybody who writes documents may reach all hosts "
                "that the worker reaches.",
                code="DB_NOT_CONFIGURED",
            )
        return Connection(url=url, name="of the document", may_write=self.writable is None)


def is_connection_name(name: str) -> bool:
    """Whether a connection can have that name."""
    return _NAME.fullmatch(name.lower()) is not None and name.lower() not in _TAKEN


def parse_flag(text: str) -> bool:
    """Read a switch; empty is off.

    Raises:
        ValueError: the message is what it should be.
    """
    if text.lower() not in ("", "0", "1", "false", "true"):
        raise ValueError("true (or 1) or false (or 0)")
    return text.lower() in ("1", "true")


def parse_writable(text: str) -> frozenset[str] | None:
    """Read which connections may be written to: a switch for all of them, or their names.

    Raises:
        ValueError: the message is what it should be.
    """
    try:
        return None if parse_flag(text) else frozenset()
    except ValueError:
        names = frozenset(name.strip().lower() for name in text.split(","))
        if not all(map(is_connection_name, names)):
            raise ValueError("true, false, or names of connections with commas between them") from None
        return names


def read_db_settings(environment: Mapping[str, str] = os.environ) -> DbSettings:
    """The variables ``STATEBAG_DB_*``.

    Raises:
        InputRefused: ``SETTING_INVALID``.
    """
    urls = {
        variable.removeprefix(_PREFIX).lower(): value
        for variable, value in environment.items()
        if variable.startswith(_PREFIX) and is_connection_name(variable.removeprefix(_PREFIX))
    }
    variable = _ALLOW_URLS
    try:
        allow_urls = parse_flag(environment.get(variable, ""))
        variable = _ALLOW_WRITE
        writable = parse_writable(environment.get(variable, ""))
    except ValueError as wrong:
        message = f"{variable} is {environment[variable]!r}, which is not {wrong}."
        problem = Problem(path=f"${variable}", code="SETTING_INVALID", message=message)
        raise InputRefused([problem], what="environment") from None
    return DbSettings(urls=urls, allow_urls=allow_urls, writable=writable)
