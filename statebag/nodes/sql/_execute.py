"""One query: sent, read whole, in a limited time, in a transaction of its own."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import sqlalchemy
from sqlalchemy.pool import NullPool

from statebag.errors import NodeFailed, StateBagError
from statebag.nodes.sql._failures import explain, explain_connecting, timed_out
from statebag.nodes.sql._query import Query
from statebag.nodes.sql._rows import require_distinct, row_of
from statebag.nodes.sql._statement import first_word

__all__ = ["execute", "opening_statements"]

_HEARTBEAT_SECONDS: Final = 5.0
_GRACE_SECONDS: Final = 2.0
"""What a query that was told to stop gets for it; one that doesn't is left behind."""
_CHUNK: Final = 500


def execute(query: Query, *, heartbeat: Callable[[object], None]) -> Any:
    """Run a query and wait for all of it.

    Args:
        query: What to run.
        heartbeat: Called at the start and every five seconds of the wait, more often under short time limits. What
            it raises ends the query.

    Returns:
        A list of rows, a row or None, or a number of rows, as ``query.fetch`` says.

    Raises:
        ProviderUnavailable: ``DB_UNAVAILABLE``, ``DB_TIMEOUT``.
        NodeFailed: ``DB_FAILED``, ``DB_READ_ONLY``, ``DB_TOO_MANY_ROWS``, ``DB_NOT_CONFIGURED``, ``PACKAGE_MISSING``.
        Unserialisable: a value has no JSON form.
    """
    work = _Work(query)
    threading.Thread(target=work.run, name=f"query {query.connection.name}", daemon=True).start()
    try:
        in_time = _wait(work, query, heartbeat)
    except BaseException:
        work.cancel()
        work.done.wait(_GRACE_SECONDS)
        raise
    if not in_time:
        work.cancel()
        # One that ends all the same is taken for what it is: a write may be in the database by now.
        if not work.done.wait(_GRACE_SECONDS):
            raise timed_out(query)
    return work.result()


def _wait(work: _Work, query: Query, heartbeat: Callable[[object], None]) -> bool:
    started = time.monotonic()
    pause = min(_HEARTBEAT_SECONDS, query.timeout_seconds / 4)
    heartbeat({"connection": query.connection.name, "waited_seconds": 0})
    while not work.done.wait(pause):
        waited = time.monotonic() - started
        if waited >= query.timeout_seconds:
            return False
        heartbeat({"connection": query.connection.name, "waited_seconds": round(waited, 1)})
    return True


def opening_statements(dialect: str, *, read_only: bool, timeout_seconds: float) -> tuple[str, ...]:
    """What is sent before a query, so that the database itself keeps to the limits, as far as it can.

    A database of another kind than these is only asked for what it gives, and whatever was done there is rolled back.
    """
    millis = max(1, round(timeout_seconds * 1000))
    match dialect:
        case "postgresql":
            limit = f"SET LOCAL statement_timeout = {millis}"
            return ("SET TRANSACTION READ ONLY", limit) if read_only else (limit,)
        case "mysql":
            limit = f"SET SESSION max_execution_time = {millis}"
            return (limit, "START TRANSACTION READ ONLY") if read_only else (limit,)
        case "mariadb":
            limit = f"SET SESSION max_statement_time = {millis / 1000}"
            return (limit, "START TRANSACTION READ ONLY") if read_only else (limit,)
        case "sqlite":
            return ("PRAGMA query_only = ON",) if read_only else ()
        case _:
            return ()


class _Work:
    """A query in a thread, since few drivers can be waited for with a time limit."""

    def __init__(self, query: Query) -> None:
        self.done = threading.Event()
        self._query = query
        self._driver: Any = None
        self._value: Any = None
        self._error: Exception | None = None

    def run(self) -> None:
        """Run it; never raises."""
        try:
            self._value = self._run()
        except Exception as error:  # noqa: BLE001 - raised again by who waits
            self._error = error
        finally:
            self.done.set()

    def cancel(self) -> None:
        """Stop it where the driver can."""
        for name in ("interrupt", "cancel"):
            stop = getattr(self._driver, name, None)
            if callable(stop):
                with contextlib.suppress(Exception):  # it may be over by now
                    stop()
                return

    def result(self) -> Any:
        """What it gave.

        Raises:
            StateBagError: it failed.
        """
        if self._error is not None:
            raise self._error
        return self._value

    def _run(self) -> Any:
        query = self._query
        try:
            engine = _engine_of(query)
            connection = engine.connect()
        except Exception as error:
            raise explain_connecting(query, error) from error
        try:
            with connection:
                self._driver = connection.connection.driver_connection
                return _transact(connection, query)
        except StateBagError:
            raise
        except Exception as error:
            raise explain(query, error) from error
        finally:
            engine.dispose()


def _engine_of(query: Query) -> sqlalchemy.Engine:
    url = sqlalchemy.make_url(query.connection.url)
    engine = sqlalchemy.create_engine(url, poolclass=NullPool, hide_parameters=True)
    if engine.dialect.is_async:
        raise NodeFailed(
            f"database connection {query.connection.name}: {engine.dialect.driver} is a driver for asyncio. "
            "Name another in the URL.",
            code="DB_NOT_CONFIGURED",
        )
    file = url.database or ""
    on_disk = engine.dialect.name == "sqlite" and file not in ("", ":memory:") and not file.startswith("file:")
    if on_disk and query.read_only and not Path(file).exists():
        # Connecting would make an empty one.
        raise NodeFailed(
            f"database connection {query.connection.name}: there is no file {file}. Correct its URL.",
            code="DB_NOT_CONFIGURED",
        )
    return engine


def _transact(connection: sqlalchemy.Connection, query: Query) -> Any:
    dialect: Any = connection.dialect
    name = "mariadb" if getattr(dialect, "is_mariadb", False) else dialect.name
    opening = opening_statements(name, read_only=query.read_only, timeout_seconds=query.timeout_seconds)
    for statement in opening:
        connection.exec_driver_sql(statement)
    lists = [name for name, value in query.params.items() if isinstance(value, list)]
    text = sqlalchemy.text(query.text).bindparams(*(sqlalchemy.bindparam(name, expanding=True) for name in lists))
    # Row by row from the server, so that too many are noticed early; only what reads can be had like that.
    streamed = query.read_only and first_word(query.text) != "EXPLAIN"
    options: dict[str, Any] = {"yield_per": _CHUNK} if streamed else {}
    with connection.execute(text, dict(query.params), execution_options=options) as result:
        value = _read(result, query)
    if query.read_only:
        connection.rollback()
    else:
        connection.commit()
    return value


def _read(result: sqlalchemy.CursorResult[Any], query: Query) -> Any:
    if not result.returns_rows:
        return _changed(result) if query.fetch == "count" else [] if query.fetch == "all" else None
    if query.fetch == "count":
        return sum(len(rows) for rows in _chunks(result))
    columns = list(map(str, result.keys()))
    require_distinct(columns)
    limit = 1 if query.fetch == "one" else query.max_rows
    found: list[dict[str, Any]] = []
    for rows in _chunks(result):
        found += [row_of(columns, row) for row in rows[: limit + 1 - len(found)]]
        if len(found) > limit:
            raise _too_many(query, limit)
    return found if query.fetch == "all" else found[0] if found else None


def _chunks(result: sqlalchemy.CursorResult[Any]) -> Iterator[list[tuple[Any, ...]]]:
    while rows := result.fetchmany(_CHUNK):
        yield [tuple(row) for row in rows]


def _changed(result: sqlalchemy.CursorResult[Any]) -> int:
    if result.rowcount < 0:
        raise NodeFailed(
            "the database does not say how many rows this statement changes. Use another `fetch`.", code="DB_FAILED"
        )
    return result.rowcount


def _too_many(query: Query, limit: int) -> NodeFailed:
    remedy = "Add LIMIT 1, or use `fetch: all`." if query.fetch == "one" else "Narrow the query, or raise `max_rows`."
    return NodeFailed(
        f"database connection {query.connection.name}: the query gives more than {limit} row{'s' * (limit > 1)}. "
        f"{remedy}",
        code="DB_TOO_MANY_ROWS",
        details={"limit": limit},
    )
