"""One call: sent, redirected on its own host, read whole, all in a limited time."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final
from urllib.parse import urljoin

import httpcore
import httpx

from statebag.errors import NodeFailed, StateBagError
from statebag.nodes.http._body import ACCEPTED_ENCODINGS, read_body
from statebag.nodes.http._failures import failure_of, timed_out, unreachable
from statebag.nodes.http._guard import Guard, Target
from statebag.nodes.http._network import Network
from statebag.nodes.http._transport import PinnedTransport
from statebag.nodes.http._values import HttpAnswer, HttpRequest

__all__ = ["send"]

_HEARTBEAT_SECONDS: Final = 5.0
_MAX_REDIRECTS: Final = 5
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_KEEP_METHOD: Final = frozenset({307, 308})
_BODY_HEADERS: Final = frozenset({"content-type", "content-encoding", "content-language", "content-location"})
_FIRST_ERROR: Final = 400
_ERROR_BYTES: Final = 64 * 1024


def send(
    request: HttpRequest,
    guard: Guard,
    network: Network,
    *,
    now: Callable[[], datetime],
    heartbeat: Callable[[object], None],
) -> HttpAnswer:
    """Make the call once and wait for its answer; to be called from a thread without an event loop.

    Args:
        request: The call.
        guard: What it may reach.
        network: How it gets there.
        now: The clock.
        heartbeat: Called at the start and every five seconds of the wait, more often under short time limits. What
            it raises ends the call.

    Returns:
        An answer with a status below 400.

    Raises:
        ProviderUnavailable: ``API_TIMEOUT``, ``API_UNREACHABLE``, ``API_RATE_LIMITED``, ``API_UNAVAILABLE``.
        NodeFailed: ``API_FAILED``, ``API_ADDRESS_REFUSED``, ``API_REDIRECT_REFUSED``, ``API_REQUEST_INVALID``,
            ``API_RESPONSE_TOO_LARGE``, ``API_RESPONSE_UNREADABLE``.
    """
    answer = asyncio.run(_exchange_and_beat(request, guard, network, heartbeat))
    failure = failure_of(answer, now)
    if failure is not None:
        raise failure
    return answer


async def _exchange_and_beat(
    request: HttpRequest, guard: Guard, network: Network, heartbeat: Callable[[object], None]
) -> HttpAnswer:
    call = asyncio.ensure_future(_exchange(request, guard, network))
    started = time.monotonic()
    pause = min(_HEARTBEAT_SECONDS, request.timeout_seconds / 4)
    try:
        while not call.done():
            heartbeat({"url": request.target.shown, "waited_seconds": round(time.monotonic() - started, 1)})
            await asyncio.wait({call}, timeout=pause)
        return call.result()
    finally:
        call.cancel()
        await asyncio.wait({call}, timeout=pause)


async def _exchange(request: HttpRequest, guard: Guard, network: Network) -> HttpAnswer:
    try:
        async with asyncio.timeout(request.timeout_seconds):
            return await _follow(request, guard, network)
    except (TimeoutError, httpcore.TimeoutException):
        raise timed_out(request) from None
    except StateBagError:
        raise
    except httpcore.ConnectError as error:
        if isinstance(wrong := _cause_of(error), ssl.SSLCertVerificationError):
            raise NodeFailed(
                f"the certificate of {request.target.origin} is not trusted: {wrong.verify_message}. Correct the host, or "
                "give the worker the authority's certificate in SSL_CERT_FILE.",
                code="API_FAILED",
            ) from error
        raise unreachable(f"{request.target.origin} can't be reached: {_said(error)}") from error
    except (httpcore.LocalProtocolError, httpx.InvalidURL) as error:
        raise NodeFailed(f"the request can't be sent: {_said(error)}.", code="API_REQUEST_INVALID") from error
    except (httpcore.NetworkError, httpcore.ProtocolError) as error:
        raise unreachable(f"the connection to {request.target.origin} broke: {_said(error)}") from error


async def _follow(request: HttpRequest, guard: Guard, network: Network) -> HttpAnswer:
    method, content, target = request.method, request.content, request.target
    headers = [*request.headers, ("Accept-Encoding", ACCEPTED_ENCODINGS)]
    for _ in range(_MAX_REDIRECTS + 1):
        message = httpx.Request(
            method,
            target.url,
            headers=[(name.encode(), value.encode()) for name, value in headers],
            content=content,
            extensions={"timeout": {"connect": request.timeout_seconds}},
        )
        async with _sent(message, guard, network) as response:
            location = response.headers.get("location")
            if response.status_code not in _REDIRECTS or location is None:
                return await _read(request, response, target)
        target = _next_target(target, location, guard)
        if response.status_code not in _KEEP_METHOD and method not in ("GET", "HEAD"):
            method, content = "GET", None
            headers = [(name, value) for name, value in headers if name.lower() not in _BODY_HEADERS]
    raise _redirect_refused(
        f"{request.target.shown} redirects more than {_MAX_REDIRECTS} times. Call the address at the end of them."
    )


@asynccontextmanager
async def _sent(message: httpx.Request, guard: Guard, network: Network) -> AsyncGenerator[httpx.Response]:
    # Not through httpx's client: that one logs whole URLs, with what is secret in them, and reads the environment.
    async with PinnedTransport(guard, network) as transport:
        response = await transport.handle_async_request(message)
        try:
            yield response
        finally:
            await response.aclose()


async def _read(request: HttpRequest, response: httpx.Response, target: Target) -> HttpAnswer:
    failed = response.status_code >= _FIRST_ERROR
    headers: dict[str, str] = {}
    for name, value in response.headers.multi_items():
        headers[name.lower()] = f"{headers[name.lower()]}, {value}" if name.lower() in headers else value
    body = b""
    if request.method != "HEAD":
        chunks = response.aiter_raw()
        limit = min(_ERROR_BYTES, request.max_response_bytes) if failed else request.max_response_bytes
        body = await read_body(chunks, headers, limit=limit, whole=not failed)
    return HttpAnswer(status=response.status_code, target=target, headers=headers, body=body)


def _next_target(target: Target, location: str, guard: Guard) -> Target:
    try:
        found = guard.read_url(urljoin(target.url, location))
    except ValueError as wrong:
        raise _redirect_refused(f"{target.shown} redirects to what is no URL: {wrong}.") from None
    except NodeFailed as refused:
        message = f"{target.shown} redirects to where no call may go: {refused.message}"
        if refused.code == "API_REQUEST_INVALID":
            raise _redirect_refused(message) from None
        raise NodeFailed(message, code=refused.code, details=refused.details) from None
    if not target.leads_on_to(found):
        message = f"{target.shown} redirects to {found.origin}, another host. Call that one, if it is meant."
        raise _redirect_refused(message, location=found.shown)
    return found


def _redirect_refused(message: str, **details: str) -> NodeFailed:
    return NodeFailed(message, code="API_REDIRECT_REFUSED", details=details)


def _cause_of(error: BaseException) -> BaseException:
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return error


def _said(error: Exception) -> str:
    cause = _cause_of(error)
    return str(error) or str(cause) or type(cause).__name__
