"""What a database's refusal means: for now, or for good."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import exc

from statebag.errors import NodeFailed, ProviderUnavailable, StateBagError
from statebag.nodes.sql._query import Query

__all__ = ["explain", "explain_connecting", "timed_out"]

_PASSING_CLASSES: Final = ("08", "40", "53", "57P")
"""SQLSTATEs of broken connections, lost races between transactions, used up resources and shutdowns."""
_PASSING_STATES: Final = frozenset({"55P03"})
_PASSING_MYSQL: Final = frozenset({1040, 1053, 1203, 1205, 1213, 1226, 2002, 2003, 2006, 2013, 2055})
_PASSING_SQLITE: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_READ_ONLY_STATES: Final = frozenset({"25006"})
_READ_ONLY_MYSQL: Final = frozenset({1290, 1792})
_TIMEOUT_STATES: Final = frozenset({"57014"})
_TIMEOUT_MYSQL: Final = frozenset({1969, 3024})
_REPEATED: Final = "It is repeated as `retry_config` says."


def explain(query: Query, error: Exception) -> StateBagError:
    """The error with a code for one that a query met."""
    if isinstance(error, StateBagError):
        return error
    orig: Any = error.orig if isinstance(error, exc.DBAPIError) else None
    where = f"database connection {query.connection.name}"
    # pg8000 raises with the server's fields: C is the state, M the message.
    fields: Mapping[str, str] = (
        orig.args[0] if orig is not None and orig.args and isinstance(orig.args[0], dict) else {}
    )
    said = fields.get("M") or str(orig or error).strip().rstrip(".") or type(error).__name__
    if orig is None:
        return NodeFailed(f"{where}: {type(error).__name__}: {said}. Correct the query or `params`.", code="DB_FAILED")
    state = getattr(orig, "sqlstate", None) or getattr(orig, "pgcode", None) or fields.get("C", "")
    number = orig.args[0] if orig.args and isinstance(orig.args[0], int) else 0
    # An extended result code of SQLite has the plain one in its low byte.
    plain = getattr(orig, "sqlite_errorcode", 0) & 0xFF
    if state in _TIMEOUT_STATES or number in _TIMEOUT_MYSQL or plain == sqlite3.SQLITE_INTERRUPT:
        return timed_out(query)
    if state in _READ_ONLY_STATES or number in _READ_ONLY_MYSQL or plain == sqlite3.SQLITE_READONLY:
        return NodeFailed(
            f"{where}: {said}. Only reading is allowed; `read_only: false` allows more, where the worker does, too.",
            code="DB_READ_ONLY",
        )
    if (
        (isinstance(error, exc.DBAPIError) and error.connection_invalidated)
        or state.startswith(_PASSING_CLASSES)
        or state in _PASSING_STATES
        or number in _PASSING_MYSQL
        or plain in _PASSING_SQLITE
    ):
        return _unavailable(where, said)
    details = {"sqlstate": state} if state else {}
    return NodeFailed(f"{where}: {said}. Correct the query or `params`.", code="DB_FAILED", details=details)


def explain_connecting(query: Query, error: Exception) -> StateBagError:
    """The error with a code for one that came before the query was sent."""
    where = f"database connection {query.connection.name}"
    match error:
        case StateBagError():
            return error
        case ModuleNotFoundError() | exc.NoSuchModuleError():
            return NodeFailed(
                f"{where}: its driver is not installed: {error}. Install it beside statebag on the worker.",
                code="PACKAGE_MISSING",
            )
        case exc.OperationalError() | exc.InterfaceError() | exc.TimeoutError() | OSError():
            orig: Any = error.orig if isinstance(error, exc.DBAPIError) else error
            return _unavailable(where, str(orig).strip().rstrip("."))
        case _:
            kind = type(error).__name__
            # The text of such an error may hold the URL, and with it a password.
            return NodeFailed(
                f"{where}: it can't be used ({kind}). Correct its URL: dialect+driver://user:password@host/database.",
                code="DB_NOT_CONFIGURED",
            )


def timed_out(query: Query) -> ProviderUnavailable:
    """The error of a query that isn't over in time."""
    return ProviderUnavailable(
        f"database connection {query.connection.name}: no whole result within {query.timeout_seconds:g} s. {_REPEATED} "
        "If it always takes that long, raise `timeout`.",
        code="DB_TIMEOUT",
        details={"timeout_seconds": query.timeout_seconds},
    )


def _unavailable(where: str, said: str) -> ProviderUnavailable:
    return ProviderUnavailable(f"{where} is not available for now: {said}. {_REPEATED}", code="DB_UNAVAILABLE")
