"""The node type ``api_call``: one call of a web service."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, Final

from statebag.config import Node
from statebag.config.templates import render, render_text, template_fields
from statebag.errors import NodeFailed, Problem, ProviderUnavailable, StateBagError
from statebag.nodes._base import NodeContext, NodeOutput, Scope
from statebag.nodes._run import retold
from statebag.nodes.http import (
    ApiConfig,
    Guard,
    HttpAnswer,
    Network,
    build_request,
    check_config,
    read_allow_list,
    read_config,
    read_value,
)

__all__ = ["NODE_TYPES", "ApiCall"]


class ApiCall:
    """Sends an HTTP request and writes its status and what comes back.

    The call is made once: repeating it is the engine's part.

    Args:
        network: How it gets to the service.
    """

    name: ClassVar[str] = "api_call"
    outside: ClassVar[bool] = True

    def __init__(self, *, network: Network | None = None) -> None:
        self._network = network or Network()

    def check(self, node: Node, path: str) -> Iterable[Problem]:
        """Everything wrong with the node's config."""
        return check_config(node, path)

    def reads(self, node: Node) -> frozenset[str] | None:
        """The fields that the templates read; None for all."""
        return template_fields(read_config(node).templates)

    def run(self, node: Node, scope: Scope, context: NodeContext) -> NodeOutput:
        """Call once.

        Raises:
            ProviderUnavailable: the service does not answer, or not in time, or asks to call later.
            NodeFailed: the call is refused for good, on either side.
        """
        config = read_config(node)
        if context.mock:
            return _mocked(node, config, scope)
        try:
            answer = self._call(node, config, scope, context)
            return _output(node, config, answer, read_value(answer))
        except (NodeFailed, ProviderUnavailable) as failure:
            if failure.retryable or not config.go_on or not failure.code.startswith("API_"):
                raise retold(failure, _told(node, config, failure)) from failure
            return _failed(node, config, failure)

    def _call(self, node: Node, config: ApiConfig, scope: Scope, context: NodeContext) -> HttpAnswer:
        guard = Guard(allowed=read_allow_list())
        request = build_request(node, config, scope, context, guard)
        # The library takes a while to load, and most commands never call.
        from statebag.nodes.http._call import send  # noqa: PLC0415

        return send(request, guard, self._network, now=context.now, heartbeat=context.heartbeat)


def _mocked(node: Node, config: ApiConfig, scope: Scope) -> NodeOutput:
    value = render(config.mock_response, scope)
    if config.mock_response is None:
        value = {"mock": True, "method": config.method, "url": render_text(config.url, scope)}
    changes: dict[str, Any] = {f"{node.id}_status": 200, config.output_key: value}
    changes |= {f"{node.id}_headers": {}} if config.include_headers else {}
    return _result(node, config, changes)


def _output(node: Node, config: ApiConfig, answer: HttpAnswer, value: Any) -> NodeOutput:
    changes: dict[str, Any] = {
        f"{node.id}_status": answer.status,
        config.output_key: None if config.method == "HEAD" else value,
    }
    changes |= {f"{node.id}_headers": dict(answer.headers)} if config.include_headers else {}
    return _result(node, config, changes, url=answer.target.shown, response_bytes=len(answer.body))


def _failed(node: Node, config: ApiConfig, failure: StateBagError) -> NodeOutput:
    status: int | str = failure.details.get("status", "error")
    error: dict[str, Any] = {"code": failure.code, "message": _told(node, config, failure)}
    error |= {"details": failure.details} if failure.details else {}
    changes: dict[str, Any] = {f"{node.id}_status": status, f"{node.id}_error": error}
    log = _log(node, config, "FAILED") | {"error": {"code": failure.code, "message": failure.message}}
    return NodeOutput(changes=changes, logs=(log,), step=f"api_call:{config.method}:{status}")


def _result(node: Node, config: ApiConfig, changes: dict[str, Any], **seen: Any) -> NodeOutput:
    log = _log(node, config, "COMPLETED") | {"output": {"status": changes[f"{node.id}_status"], **seen}}
    # An error of an earlier pass over the node would be taken for one of this.
    unset = (f"{node.id}_error",) if config.go_on else ()
    return NodeOutput(changes=changes, logs=(log,), step=f"api_call:{config.method}", unset=unset)


def _log(node: Node, config: ApiConfig, status: str) -> dict[str, Any]:
    return {
        "type": "tool_usage",
        "name": node.label or node.id,
        "node_id": node.id,
        "status": status,
        "input": {"method": config.method},
    }


def _told(node: Node, config: ApiConfig, failure: StateBagError) -> str:
    return f"node `{node.id}`: {config.method}: {failure.message}"


NODE_TYPES: Final = (ApiCall(),)
