"""Temporal's remote codec protocol over HTTP: ``POST /encode``, ``/decode`` and ``/download``."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import re
import secrets
import socket
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import uvicorn
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from temporalio.api.common.v1 import Payload, Payloads

from statebag.app.codec_reader import PayloadReader
from statebag.blobs import BlobStore
from statebag.canonical import canonical_bytes, parse_json
from statebag.errors import StateBagError

__all__ = ["CodecOptions", "make_app", "serve_app"]

_MIB = 1024 * 1024
_JSON = "application/json"
_STRUCTURE = re.compile(rb"[\[{,]")
_MOST_STRUCTURE = 100_000
"""Brackets and commas of a body: beyond them, its values take many times the memory of its text."""
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]*={0,2}")
_AT_A_TIME = 2
"""Requests that are worked on: each may hold what is decoded, and its JSON."""
_CONNECTIONS = 64
_STOP_SECONDS = 5
_HEADERS = ("Authorization", "Authorization-Extras", "X-Namespace")
"""What the web page of Temporal sends, besides the type of the content."""

_log = logging.getLogger("statebag.codec")

Work = Callable[[Request, list[Payload]], Awaitable[list[Payload]]]


@dataclass(frozen=True, kw_only=True)
class CodecOptions:
    """Whom the server answers, and how much."""

    token: str = ""
    """What a request has to bear in its ``Authorization``; nothing where it is empty."""
    origins: tuple[str, ...] = ()
    """Origins of web pages that may ask, such as ``http://127.0.0.1:8233``."""
    body_bytes: int = 16 * _MIB
    """Most bytes of a request: four of the largest messages that a Temporal server takes."""
    decoded_bytes: int = 64 * _MIB
    """Most bytes that the payloads of a request may come to."""


class _Refused(StateBagError):
    """A request that is answered with a status of its own."""

    def __init__(self, status: HTTPStatus, message: str, code: str = "CODEC_REQUEST_INVALID") -> None:
        super().__init__(message, code=code)
        self.status = status


def make_app(store: BlobStore, options: CodecOptions) -> Starlette:
    """The server as an ASGI application.

    Errors are JSON, ``{"code", "message"}``: 400, 404, 405 and 415 for a request that breaks the protocol, 401 and 403
    for one that may not ask, 413 for a limit, 422 for a payload that can't be decoded, 503 for a store that does not
    answer.

    Args:
        store: Where payloads are that history has a reference to. It is only read.
        options: Whom it answers, and how much.
    """
    reader = PayloadReader(store, decoded_bytes=options.decoded_bytes)
    turns = asyncio.Semaphore(_AT_A_TIME)

    def route(path: str, work: Work) -> Route:
        async def answer(request: Request) -> Response:
            _admit(request, options)
            body = await _read_body(request, options.body_bytes)
            async with turns:
                payloads = await asyncio.to_thread(_parse, body)
                done = await work(request, payloads)
                return Response(await asyncio.to_thread(_print, done), media_type=_JSON)

        return Route(path, answer, methods=["POST"])

    async def decode(request: Request, payloads: list[Payload]) -> list[Payload]:
        keep = request.query_params.get("preserveStorageRefs", "").lower() in ("true", "1")
        return await reader.decode(payloads, keep_references=keep)

    cors = Middleware(
        CORSMiddleware,
        allow_origins=options.origins,
        allow_methods=["POST"],
        allow_headers=_HEADERS,
        allow_private_network=bool(options.origins),
    )
    return Starlette(
        routes=[
            route("/encode", lambda _, payloads: reader.encode(payloads)),
            route("/decode", decode),
            route("/download", lambda _, payloads: reader.download(payloads)),
        ],
        middleware=[cors],
        exception_handlers={StateBagError: _tell, HTTPException: _tell_unknown, ClientDisconnect: _tell_nobody},
    )


class _Server(uvicorn.Server):
    """One that leaves signals to the command."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


async def serve_app(app: Starlette, listening: socket.socket, stop: asyncio.Event) -> None:
    """Serve on a socket until ``stop`` is set; requests that are under way have some seconds to finish."""
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level=logging.WARNING,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=_CONNECTIONS,
        timeout_graceful_shutdown=_STOP_SECONDS,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait((serving, stopped), return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    server.should_exit = True
    await serving


def _admit(request: Request, options: CodecOptions) -> None:
    """Check who asks, before a byte of the body is read."""
    origin = request.headers.get("origin")
    # A browser sends a page's simple requests whatever the answer allows, and a page may have our address under its own
    # name: what it asks must not be done.
    if origin is not None and origin not in options.origins:
        text = f"pages of {origin} may not ask. Start the server with --allow-origin {origin} where they shall."
        raise _Refused(HTTPStatus.FORBIDDEN, text, "CODEC_REQUEST_DENIED")
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    known = scheme.lower() == "bearer" and secrets.compare_digest(given.strip().encode(), options.token.encode())
    if options.token and not known:
        text = "the Authorization is not `Bearer TOKEN`, with the server's STATEBAG_CODEC_TOKEN. Give it that."
        raise _Refused(HTTPStatus.UNAUTHORIZED, text, "CODEC_REQUEST_DENIED")
    content_type = request.headers.get("content-type", "")
    if content_type.partition(";")[0].strip().lower() != _JSON:
        text = f"the Content-Type is {content_type or 'missing'}. Send {_JSON}."
        raise _Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, text)


async def _read_body(request: Request, most: int) -> bytes:
    kept = bytearray()
    size = 0
    async with aclosing(request.stream()) as chunks:
        async for chunk in chunks:
            size += len(chunk)
            if size <= most:
                kept += chunk
            elif size > 2 * most:
                break  # until here what is too much is read all the same: many clients hear only when all is sent
    if size > most:
        raise _too_large(f"body: more than {most // _MIB} MiB. Send fewer payloads at a time, or raise --max-body.")
    return bytes(kept)


def _parse(body: bytes) -> list[Payload]:
    if next(itertools.islice(_STRUCTURE.finditer(body), _MOST_STRUCTURE, None), None) is not None:
        raise _too_large(f"body: more than {_MOST_STRUCTURE:,} brackets and commas. Send fewer payloads at a time.")
    try:
        value = parse_json(body)
    except (ValueError, RecursionError) as cause:
        raise _Refused(HTTPStatus.BAD_REQUEST, f"body: not JSON: {cause}.") from cause
    if not isinstance(value, dict):
        raise _Refused(HTTPStatus.BAD_REQUEST, 'body: not an object. Send {"payloads": […]}.')
    try:
        found = ParseDict(value, Payloads())
    except (ParseError, ValueError) as cause:
        raise _Refused(HTTPStatus.BAD_REQUEST, f"body: not Payloads in Protobuf's JSON form: {cause}.") from cause
    _check_base64(value)
    return list(found.payloads)


def _check_base64(value: dict[str, Any]) -> None:
    """The library skips characters that are none of base64, and so would change what it was given."""
    for index, payload in enumerate(value.get("payloads") or []):
        texts = {f"metadata.{name}": text for name, text in (payload.get("metadata") or {}).items()}
        for name, text in {**texts, "data": payload.get("data") or ""}.items():
            if not _BASE64.fullmatch(text):
                raise _Refused(HTTPStatus.BAD_REQUEST, f"body: payloads[{index}].{name} is not base64.")


def _print(payloads: Sequence[Payload]) -> bytes:
    return canonical_bytes({"payloads": [MessageToDict(payload) for payload in payloads]})


async def _tell(request: Request, error: Exception) -> Response:
    assert isinstance(error, StateBagError)
    if isinstance(error, _Refused):
        status = error.status
    elif error.code == "CODEC_TOO_LARGE":
        status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    elif error.code == "CODEC_REQUEST_INVALID":
        status = HTTPStatus.BAD_REQUEST
    else:
        status = HTTPStatus.SERVICE_UNAVAILABLE if error.retryable else HTTPStatus.UNPROCESSABLE_ENTITY
    _log.warning("%s %d: %s: %s", request.url.path, status, error.code, error.message)
    headers = {"WWW-Authenticate": "Bearer"} if status == HTTPStatus.UNAUTHORIZED else None
    body = canonical_bytes({"code": error.code, "message": error.message})
    return Response(body, status, headers, _JSON)


async def _tell_unknown(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    text = f"{request.method} {request.url.path} does not exist. There is POST /encode, /decode and /download."
    return await _tell(request, _Refused(HTTPStatus(error.status_code), text))


async def _tell_nobody(request: Request, error: Exception) -> Response:  # noqa: ARG001 - the library's signature
    return Response(status_code=HTTPStatus.BAD_REQUEST)


def _too_large(text: str) -> _Refused:
    return _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, text, "CODEC_TOO_LARGE")
