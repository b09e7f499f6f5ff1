"""A SQLite file that the worker is configured with, and what nodes run with."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from statebag.config import Node
from statebag.nodes import NodeContext, NodeOutput
from statebag.nodes.db_query import DbQuery


class Fields(dict[str, Any]):
    """A scope over a plain dict."""

    def names(self) -> Iterator[str]:
        return iter(self)

    def whole(self) -> dict[str, Any]:
        return dict(self)


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with a table of three items, the connection ``shop``."""
    path = tmp_path / "shop.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT UNIQUE, price REAL, picture BLOB)")
        connection.executemany(
            "INSERT INTO item VALUES (?, ?, ?, ?)",
            [(1, "pen", 1.5, None), (2, "ink", 7.25, None), (3, "cap", None, b"x")],
        )
    monkeypatch.setenv("STATEBAG_DB_SHOP", f"sqlite:///{path}")
    return path


@pytest.fixture
def rows_of(database: Path) -> Callable[[str], list[Any]]:
    """Reads the file without the engine."""

    def read(query: str) -> list[Any]:
        with closing(sqlite3.connect(database)) as connection:
            return connection.execute(query).fetchall()

    return read


@pytest.fixture
def ask() -> Callable[..., NodeOutput]:
    """Runs a ``db_query`` node; keyword arguments are its config."""

    def run_node(
        query: str,
        state: Mapping[str, Any] | None = None,
        *,
        mock: bool = False,
        heartbeat: Callable[[object], None] = lambda _: None,
        **config: Any,
    ) -> NodeOutput:
        given = {"query": query} | ({} if "connection_string" in config else {"connection": "shop"}) | config
        node = Node(id="ask", type="db_query", config=given)
        context = NodeContext(execution_id="run-1", segment_id="seg-1", mock=mock, heartbeat=heartbeat)
        return DbQuery().run(node, Fields(state or {}), context)

    return run_node


@pytest.fixture
def check() -> Callable[..., list[tuple[str, str]]]:
    """Path and code of each problem of a node with the config given."""

    def check_node(**config: Any) -> list[tuple[str, str]]:
        node = Node(id="ask", type="db_query", config=config)
        return [(problem.path, problem.code) for problem in DbQuery().check(node, "$.nodes[0]")]

    return check_node
