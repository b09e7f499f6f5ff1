"""Connections that go to the address that was checked, and to no other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from ipaddress import ip_address
from typing import Any

import httpcore
import httpx

from statebag.nodes.http._addresses import Address
from statebag.nodes.http._guard import Guard
from statebag.nodes.http._hosts import address_of
from statebag.nodes.http._network import Network

__all__ = ["PinnedBackend", "PinnedTransport"]


class PinnedBackend(httpcore.AsyncNetworkBackend):
    """Looks a host up once, checks all that it finds, and connects to the very addresses that it has checked.

    The name stays what the request's Host header, the TLS handshake and the check of the certificate are about.
    """

    def __init__(self, guard: Guard, network: Network) -> None:
        self._guard = guard
        self._resolve = network.resolve
        make: Any = network.connect or httpcore.AnyIOBackend
        self._inner: httpcore.AsyncNetworkBackend = make()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface's own
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address that answers.

        Raises:
            NodeFailed: ``API_ADDRESS_REFUSED``.
            httpcore.ConnectError: the host has no address, or none of them answers.
        """
        addresses = await self._addresses_of(host, port)
        self._guard.check_addresses(host, port, addresses)
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        # An address that is silent must leave time for the others.
        share = None if timeout is None else timeout / max(1, len(addresses))
        for address in addresses:
            try:
                return await self._inner.connect_tcp(str(address), port, share, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def _addresses_of(self, host: str, port: int) -> list[Address]:
        literal = address_of(host)
        if literal is not None:
            return [literal]
        try:
            found = await self._resolve(host, port)
        except OSError as error:
            raise httpcore.ConnectError(f"{host} is not found: {error.strerror or error}") from error
        return [ip_address(text) for text in dict.fromkeys(found)]


class PinnedTransport(httpx.AsyncBaseTransport):
    """Sends requests over :class:`PinnedBackend`; one for each call, since connections are not kept."""

    def __init__(self, guard: Guard, network: Network) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            max_keepalive_connections=0,
            network_backend=PinnedBackend(guard, network),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; follows nothing.

        Raises:
            httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError: see the message.
            NodeFailed: ``API_ADDRESS_REFUSED``.
        """
        url = request.url
        sent = httpcore.Request(
            method=request.method,
            url=httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        answer = await self._pool.handle_async_request(sent)
        return httpx.Response(
            status_code=answer.status, headers=answer.headers, stream=_Body(answer), extensions=answer.extensions
        )

    async def aclose(self) -> None:
        """Close what is open."""
        await self._pool.aclose()


class _Body(httpx.AsyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._answer.aiter_stream():
            yield chunk

    async def aclose(self) -> None:
        await self._answer.aclose()
