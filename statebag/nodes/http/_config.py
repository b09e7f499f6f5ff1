"""The ``config`` of an ``api_call`` node."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from statebag.canonical import canonical_bytes
from statebag.config import Node
from statebag.config.templates import check_templates, has_template, render, render_text, text_of
from statebag.errors import InputRefused, NodeFailed, Problem
from statebag.nodes._base import NodeContext, Scope
from statebag.nodes._numbers import check_seconds, check_whole
from statebag.nodes._options import check_choice, check_text, missing
from statebag.nodes._unknown import check_unknown
from statebag.nodes.http._allow import read_allow_list
from statebag.nodes.http._guard import Guard
from statebag.nodes.http._values import HttpRequest

__all__ = ["ApiConfig", "build_request", "check_config", "read_config"]

_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD")
_NOT_IDEMPOTENT: Final = frozenset({"POST", "PATCH"})
_LONGEST: Final = 300.0
_DEFAULT_BYTES: Final = 5 * 1024 * 1024
_MOST_BYTES: Final = 64 * 1024 * 1024
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NOT_IN_VALUES: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_OWN_HEADERS: Final = frozenset(
    {
        *("host", "content-length", "transfer-encoding", "connection", "keep-alive", "upgrade", "te", "trailer"),
        *("expect", "accept-encoding", "proxy-connection", "proxy-authorization"),
    }
)
"""Headers that say how a message is sent; another Host would lead around the check of the URL's."""
_FIXED_ORIGIN: Final = re.compile(r"[a-zA-Z]+://[^/?#{]+(?=[/?#])")
_KEYS: Final = frozenset(
    {
        *("url", "method", "headers", "params", "json", "body", "timeout", "output_key", "on_error", "on_rollback"),
        *("max_response_bytes", "include_headers", "mock_response"),
    }
)


@dataclass(frozen=True, kw_only=True)
class ApiConfig:
    """A node's ``config`` with its defaults; what are templates in it is not rendered yet."""

    url: str
    method: str
    headers: Mapping[str, Any]
    params: Mapping[str, Any]
    json: Any
    """What is sent as JSON; None for nothing."""
    body: Any
    """What is sent as text; None for nothing."""
    timeout_seconds: float
    max_response_bytes: int
    include_headers: bool
    output_key: str
    go_on: bool
    """Whether the run goes on after a call that fails for good."""
    mock_response: Any

    @property
    def templates(self) -> list[Any]:
        """All that is rendered."""
        return [self.url, self.headers, self.params, self.json, self.body, self.mock_response]


def read_config(node: Node) -> ApiConfig:
    """The config of a node that :func:`check_config` finds nothing wrong with."""
    config = node.config
    return ApiConfig(
        url=config["url"],
        method=str(config.get("method") or "GET").strip().upper(),
        headers=config.get("headers") or {},
        params=config.get("params") or {},
        json=config.get("json"),
        body=config.get("body"),
        timeout_seconds=float(_or_default(config.get("timeout"), 10.0)),
        max_response_bytes=_or_default(config.get("max_response_bytes"), _DEFAULT_BYTES),
        include_headers=bool(config.get("include_headers")),
        output_key=config.get("output_key") or f"{node.id}_response",
        go_on=config.get("on_error") == "continue",
        mock_response=config.get("mock_response"),
    )


def check_config(node: Node, path: str) -> Iterator[Problem]:
    """Everything wrong with the config of ``node``, whose JSON path is ``path``."""
    config, base = node.config, f"{path}.config"
    yield from _check_url(config.get("url"), f"{base}.url")
    method = config.get("method")
    if method is not None and (not isinstance(method, str) or method.strip().upper() not in _METHODS):
        message = f"{method!r} is unknown. Use one of: {', '.join(_METHODS)}."
        yield Problem(path=f"{base}.method", code="FIELD_VALUE", message=message)
    for key in ("headers", "params"):
        if not isinstance(config.get(key), Mapping | None):
            yield Problem(path=f"{base}.{key}", code="FIELD_TYPE", message="must be an object of names and values.")
    for key in ("headers", "params", "json", "body", "mock_response"):
        yield from check_templates(config.get(key), f"{base}.{key}")
    if isinstance(config.get("headers"), Mapping):
        yield from _check_headers(config["headers"], f"{base}.headers")
    if config.get("json") is not None and config.get("body") is not None:
        message = "`json` is given, too, and only one of the two can be sent. Remove one."
        yield Problem(path=f"{base}.body", code="INPUT_CONFLICT", message=message)
    yield from check_seconds(config, "timeout", base, most=_LONGEST)
    yield from check_whole(config, "max_response_bytes", base, most=_MOST_BYTES)
    if not isinstance(config.get("include_headers"), bool | None):
        yield Problem(path=f"{base}.include_headers", code="FIELD_TYPE", message="must be true or false.")
    yield from check_text(config, "output_key", base)
    yield from check_choice(config, "on_error", base, ("fail", "continue"))
    yield from check_unknown(config, _KEYS, base)


def build_request(node: Node, config: ApiConfig, scope: Scope, context: NodeContext, guard: Guard) -> HttpRequest:
    """Render the call and check what it has become.

    Raises:
        NodeFailed: ``API_REQUEST_INVALID``, ``API_ADDRESS_REFUSED``, or a template fails.
    """
    headers = {name: text_of(value) for name, value in render(config.headers, scope).items() if value is not None}
    for name, value in headers.items():
        if _NOT_IN_VALUES.search(value):
            raise _invalid(f"the header {name} has a line break or another control character in it. Remove it.")
    content: bytes | None = None
    if config.json is not None:
        content = canonical_bytes(render(config.json, scope))
        _add(headers, "Content-Type", "application/json")
    elif config.body is not None:
        content = text_of(render(config.body, scope)).encode()
        _add(headers, "Content-Type", "text/plain; charset=utf-8")
    if config.method in _NOT_IDEMPOTENT:
        # The same for each try: a service that knows the header does the work once.
        _add(headers, "Idempotency-Key", context.seed(node.id, "idempotency").hex())
    _add(headers, "Accept", "application/json, text/*;q=0.9, */*;q=0.5")
    _add(headers, "User-Agent", "statebag")
    return HttpRequest(
        method=config.method,
        target=guard.read_url(_with_params(render_text(config.url, scope), render(config.params, scope))),
        headers=tuple(headers.items()),
        content=content,
        timeout_seconds=config.timeout_seconds,
        max_response_bytes=config.max_response_bytes,
    )


def _check_url(url: Any, path: str) -> Iterator[Problem]:
    if url is None or url == "":
        yield missing(path, "such as `https://api.example.com/orders`")
        return
    if not isinstance(url, str):
        yield Problem(path=path, code="FIELD_TYPE", message="must be a text.")
        return
    yield from check_templates(url, path)
    # A URL that is filled in can be checked only if the templates come behind its host.
    fixed = _FIXED_ORIGIN.match(url.strip()) if has_template(url) else None
    if has_template(url) and fixed is None:
        return
    try:
        Guard(allowed=read_allow_list()).read_url(fixed.group() if fixed else url)
    except NodeFailed as refused:
        yield Problem(path=path, code=refused.code, message=refused.message)
    except InputRefused as refused:
        yield from refused.problems


def _check_headers(headers: Mapping[str, Any], path: str) -> Iterator[Problem]:
    seen: set[str] = set()
    for name, value in headers.items():
        at = f"{path}[{name!r}]"
        if not _TOKEN.fullmatch(name):
            yield Problem(path=at, code="FIELD_VALUE", message=f"{name!r} is no name of a header.")
        elif name.lower() in _OWN_HEADERS:
            message = f"{name} is set from the URL and the body, or not at all. Remove it."
            yield Problem(path=at, code="FIELD_VALUE", message=message)
        elif name.lower() in seen:
            yield Problem(path=at, code="FIELD_VALUE", message=f"{name} is there twice. Remove one.")
        elif isinstance(value, Mapping | list):
            yield Problem(path=at, code="FIELD_TYPE", message="must be a text.")
        elif isinstance(value, str) and _NOT_IN_VALUES.search(value):
            yield Problem(path=at, code="FIELD_VALUE", message="has a line break or another control character in it.")
        seen.add(name.lower())


def _with_params(url: str, params: Mapping[str, Any]) -> str:
    pairs: list[tuple[str, str]] = []
    for name, value in params.items():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, Mapping | list):
                raise _invalid(f"the parameter {name} is no text, number or list of these. Write it with `tojson`.")
            if item is not None:
                pairs.append((name, text_of(item)))
    if not pairs:
        return url
    url, mark, fragment = url.partition("#")
    join = "" if url.endswith(("?", "&")) else "&" if "?" in url else "?"
    return f"{url}{join}{urlencode(pairs)}{mark}{fragment}"


def _add(headers: dict[str, str], name: str, value: str) -> None:
    if name.lower() not in {given.lower() for given in headers}:
        headers[name] = value


def _invalid(message: str) -> NodeFailed:
    return NodeFailed(message, code="API_REQUEST_INVALID")


def _or_default(value: Any, default: Any) -> Any:
    return default if value is None else value
