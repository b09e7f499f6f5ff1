"""The ``config`` of a ``db_query`` node."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from statebag.config import Node
from statebag.config.templates import check_templates, has_template, render, render_text
from statebag.errors import NodeFailed, Problem
from statebag.nodes._base import Scope
from statebag.nodes._numbers import check_seconds, check_whole
from statebag.nodes._options import check_choice, check_text, missing
from statebag.nodes._unknown import check_unknown
from statebag.nodes.sql._connections import DbSettings, is_connection_name
from statebag.nodes.sql._query import Fetch, Query
from statebag.nodes.sql._statement import check_single, may_write, parameters_of

__all__ = ["DbConfig", "build_query", "check_config", "read_config"]

_MOST_ROWS: Final = 1_000_000
_LONGEST: Final = 3600.0
_PASSWORD: Final = re.compile(r"://[^/?#:@]*:(?P<password>[^/?#]*)@")
_KEYS: Final = frozenset(
    {
        *("query", "params", "connection", "connection_string", "fetch", "max_rows", "output_key", "read_only"),
        *("timeout", "on_error", "on_rollback", "mock_response"),
    }
)


@dataclass(frozen=True, kw_only=True)
class DbConfig:
    """A node's ``config`` with its defaults; what are templates in it is not rendered yet."""

    query: str
    params: Mapping[str, Any]
    connection: str | None
    """A name that the worker knows."""
    connection_string: str | None
    """A URL that the document brings."""
    fetch: Fetch
    max_rows: int
    read_only: bool
    timeout_seconds: float
    output_key: str
    go_on: bool
    """Whether the run goes on after a query that fails for good."""
    mock_response: Any

    @property
    def templates(self) -> list[Any]:
        """All that is rendered."""
        return [self.params, self.connection_string, self.mock_response]


def read_config(node: Node) -> DbConfig:
    """The config of a node that :func:`check_config` finds nothing wrong with."""
    config = node.config
    return DbConfig(
        query=config["query"],
        params=config.get("params") or {},
        connection=config.get("connection"),
        connection_string=config.get("connection_string"),
        fetch=config.get("fetch") or "all",
        max_rows=_or_default(config.get("max_rows"), 10_000),
        read_only=_or_default(config.get("read_only"), True),
        timeout_seconds=float(_or_default(config.get("timeout"), 30.0)),
        output_key=config.get("output_key") or f"{node.id}_result",
        go_on=config.get("on_error") == "continue",
        mock_response=config.get("mock_response"),
    )


def check_config(node: Node, path: str) -> Iterator[Problem]:
    """Everything wrong with the config of ``node``, whose JSON path is ``path``."""
    config, base = node.config, f"{path}.config"
    read_only = config.get("read_only")
    if not isinstance(read_only, bool | None):
        yield Problem(path=f"{base}.read_only", code="FIELD_TYPE", message="must be true or false.")
    yield from _check_query(config.get("query"), f"{base}.query", read_only=read_only is not False)
    yield from _check_params(config, base)
    yield from _check_connection(config, base)
    yield from check_choice(config, "fetch", base, ("all", "one", "count"))
    yield from check_whole(config, "max_rows", base, most=_MOST_ROWS)
    yield from check_text(config, "output_key", base)
    yield from check_seconds(config, "timeout", base, most=_LONGEST)
    yield from check_choice(config, "on_error", base, ("fail", "continue"))
    yield from check_templates(config.get("mock_response"), f"{base}.mock_response")
    yield from check_unknown(config, _KEYS, base)


def build_query(config: DbConfig, scope: Scope, settings: DbSettings) -> Query:
    """Render the query's parameters and find its database.

    Raises:
        NodeFailed: ``DB_NOT_CONFIGURED``, ``DB_READ_ONLY``, or ``DB_FAILED`` for a parameter that is no scalar.
    """
    if config.connection is not None:
        connection = settings.named(config.connection)
    else:
        connection = settings.given(render_text(config.connection_string or "", scope))
    if not config.read_only and not connection.may_write:
        raise NodeFailed(
            f"database connection {connection.name}: the worker allows only reading. Set `read_only` to true, or name the "
            "connection in the worker's STATEBAG_DB_ALLOW_WRITE.",
            code="DB_READ_ONLY",
        )
    used = parameters_of(config.query)
    params = {name: value for name, value in render(config.params, scope).items() if name in used}
    for name, value in params.items():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, Mapping | list):
                raise NodeFailed(
                    f"the parameter {name} is no text, number, boolean, null or list of these. Write it with `tojson`.",
                    code="DB_FAILED",
                )
    return Query(
        text=config.query,
        params=params,
        connection=connection,
        fetch=config.fetch,
        max_rows=config.max_rows,
        read_only=config.read_only,
        timeout_seconds=config.timeout_seconds,
    )


def _check_query(query: Any, path: str, *, read_only: bool) -> Iterator[Problem]:
    if query is None or query == "":
        yield missing(path, "one SQL statement, with `:name` where a value of `params` goes in")
    elif not isinstance(query, str):
        yield Problem(path=path, code="FIELD_TYPE", message="must be a text.")
    elif has_template(query):
        message = "has a template, through which data would become SQL. Write `:name`, and the value into `params`."
        yield Problem(path=path, code="FIELD_VALUE", message=message)
    elif (several := check_single(query)) is not None:
        yield Problem(path=path, code="FIELD_VALUE", message=f"{several}.")
    elif read_only and (writing := may_write(query)) is not None:
        message = f"{writing}. A query that writes needs `read_only: false`, and a worker that allows it."
        yield Problem(path=path, code="DB_READ_ONLY", message=message)


def _check_params(config: Mapping[str, Any], base: str) -> Iterator[Problem]:
    params, query = config.get("params"), config.get("query")
    if not isinstance(params, Mapping | None):
        yield Problem(path=f"{base}.params", code="FIELD_TYPE", message="must be an object of names and values.")
        return
    yield from check_templates(params, f"{base}.params")
    used = parameters_of(query) if isinstance(query, str) else ()
    given: Mapping[str, Any] = params or {}
    for name in used:
        if name not in given:
            message = f"the query has `:{name}`, which is not here. Add it; a colon that is no parameter is `\\:`."
            yield Problem(path=f"{base}.params.{name}", code="FIELD_MISSING", message=message)
    for name, value in given.items():
        if isinstance(query, str) and name not in used:
            message = f"the query has no `:{name}`. It is ignored."
            yield Problem(path=f"{base}.params.{name}", code="FIELD_UNKNOWN", message=message)
        elif isinstance(value, Mapping):
            message = "must be a text, a number, a boolean, null or a list of these."
            yield Problem(path=f"{base}.params.{name}", code="FIELD_TYPE", message=message)


def _check_connection(config: Mapping[str, Any], base: str) -> Iterator[Problem]:
    name, url = config.get("connection"), config.get("connection_string")
    yield from check_text(config, "connection_string", base)
    yield from check_templates(url, f"{base}.connection_string")
    if name is None and url is None:
        yield missing(f"{base}.connection", "the <NAME> of a STATEBAG_DB_<NAME> that the worker has")
    elif name is not None and url is not None:
        message = "`connection` is given, too. Remove this one."
        yield Problem(path=f"{base}.connection_string", code="INPUT_CONFLICT", message=message)
    if name is not None and not isinstance(name, str):
        yield Problem(path=f"{base}.connection", code="FIELD_TYPE", message="must be a text.")
    elif isinstance(name, str) and not is_connection_name(name):
        message = f"{name!r} can be no connection's name: letters, digits and `_`, the <NAME> of STATEBAG_DB_<NAME>."
        yield Problem(path=f"{base}.connection", code="FIELD_VALUE", message=message)
    if isinstance(url, str) and (match := _PASSWORD.search(url)) and not _is_placeholder(match["password"]):
        message = "holds a password, which everybody sees who sees the document. Set STATEBAG_DB_<NAME> on the worker."
        yield Problem(path=f"{base}.connection_string", code="FIELD_VALUE", message=message)


def _is_placeholder(text: str) -> bool:
    return re.fullmatch(r"\{\{[^{}]*\}\}", text) is not None


def _or_default(value: Any, default: Any) -> Any:
    return default if value is None else value
