"""The node type ``db_query``: one SQL statement."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec
from typing import Any, ClassVar, Final

from statebag.config import Node
from statebag.config.templates import render, template_fields
from statebag.errors import NodeFailed, Problem, ProviderUnavailable, StateBagError, Unserialisable
from statebag.nodes._base import NodeContext, NodeOutput, Scope
from statebag.nodes._run import retold
from statebag.nodes.sql import DbConfig, build_query, check_config, read_config, read_db_settings

__all__ = ["NODE_TYPES", "DbQuery"]

_MISSING: Final = "database queries need SQLAlchemy, which is not installed. Install `statebag[db]`."
_MOCKED: Final = {"all": [], "one": None, "count": 0}


class DbQuery:
    """Sends one statement with bound parameters to a database and writes what comes back.

    The call is made once: repeating it is the engine's part.
    """

    name: ClassVar[str] = "db_query"
    outside: ClassVar[bool] = True

    def check(self, node: Node, path: str) -> Iterable[Problem]:
        """Everything wrong with the node's config."""
        if not _is_installed():
            yield Problem(path=f"{path}.type", code="PACKAGE_MISSING", message=_MISSING)
        yield from check_config(node, path)

    def reads(self, node: Node) -> frozenset[str] | None:
        """The fields that the templates read; None for all."""
        return template_fields(read_config(node).templates)

    def run(self, node: Node, scope: Scope, context: NodeContext) -> NodeOutput:
        """Ask once.

        Raises:
            ProviderUnavailable: the database does not answer, or not in time, or refuses for now.
            NodeFailed: the query is refused for good.
            Unserialisable: a value of the result has no JSON form.
        """
        config = read_config(node)
        if context.mock:
            value = _MOCKED[config.fetch] if config.mock_response is None else render(config.mock_response, scope)
            return _result(node, config, value)
        if not _is_installed():
            raise NodeFailed(f"node `{node.id}`: {_MISSING}", code="PACKAGE_MISSING")
        # The library takes a while to load, and most commands never ask a database.
        from statebag.nodes.sql._execute import execute  # noqa: PLC0415

        try:
            value = execute(build_query(config, scope, read_db_settings()), heartbeat=context.heartbeat)
        except (NodeFailed, ProviderUnavailable, Unserialisable) as failure:
            told = retold(failure, f"node `{node.id}`: {failure.message}")
            if failure.retryable or not config.go_on or not failure.code.startswith(("DB_", "UNSERIALISABLE_")):
                raise told from failure
            return _failed(node, told)
        return _result(node, config, value)


def _result(node: Node, config: DbConfig, value: Any) -> NodeOutput:
    rows = value if config.fetch == "count" else len(value) if isinstance(value, list) else int(value is not None)
    # An error of an earlier pass over the node would be taken for one of this.
    unset = (f"{node.id}_error",) if config.go_on else ()
    log = _log(node, "COMPLETED") | {"output": {"rows": rows}}
    return NodeOutput(changes={config.output_key: value}, logs=(log,), step=f"db_query:{config.fetch}", unset=unset)


def _failed(node: Node, failure: StateBagError) -> NodeOutput:
    error: dict[str, Any] = {"code": failure.code, "message": failure.message}
    error |= {"details": failure.details} if failure.details else {}
    log = _log(node, "FAILED") | {"error": {"code": failure.code, "message": failure.message}}
    return NodeOutput(changes={f"{node.id}_error": error}, logs=(log,), step="db_query:error")


def _log(node: Node, status: str) -> dict[str, Any]:
    return {"type": "tool_usage", "name": node.label or node.id, "node_id": node.id, "status": status}


def _is_installed() -> bool:
    return find_spec("sqlalchemy") is not None


NODE_TYPES: Final = (DbQuery(),)
