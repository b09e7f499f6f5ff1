"""Where a call may go: checked on the URL before anything is looked up, and on every address behind it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from statebag.errors import NodeFailed
from statebag.nodes.http._addresses import Address, why_not_public
from statebag.nodes.http._allow import ALLOW_VARIABLE, AllowList
from statebag.nodes.http._hosts import address_of, is_local_name, read_host

__all__ = ["Guard", "Target"]

_PORTS: Final = {"http": 80, "https": 443}
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, kw_only=True)
class Target:
    """A URL that has passed the checks that need no lookup."""

    scheme: str
    host: str
    """In the form of ``read_host``."""
    port: int
    rest: str
    """Path and query, as they were written."""

    @property
    def origin(self) -> str:
        """Scheme, host and port; the port only where it isn't the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + ("" if self.port == _PORTS[self.scheme] else f":{self.port}")

    @property
    def url(self) -> str:
        """The whole, in one form."""
        return self.origin + self.rest

    @property
    def shown(self) -> str:
        """What messages and logs may have of it: queries often hold keys."""
        return self.origin + self.rest.split("?", 1)[0]

    def leads_on_to(self, other: Target) -> bool:
        """Whether a redirect may: to the same host, or from it to its https."""
        if self.host != other.host:
            return False
        ports = (self.scheme, self.port), (other.scheme, other.port)
        return ports[0] == ports[1] or ports == (("http", 80), ("https", 443))


@dataclass(frozen=True, kw_only=True)
class Guard:
    """Refuses what is neither public nor allowed by the worker's configuration."""

    allowed: AllowList

    def read_url(self, text: str) -> Target:
        """Check a URL as far as that needs no lookup.

        Raises:
            NodeFailed: ``API_REQUEST_INVALID``: it is no URL. ``API_ADDRESS_REFUSED``: it leads where it must not.
        """
        text = text.strip()
        scheme, separator, _ = text.partition("://")
        scheme = scheme.lower()
        if not separator or _CONTROL.search(text):
            raise NodeFailed(
                f"{_shorten(text)!r} is no URL. Write it as https://host/path.", code="API_REQUEST_INVALID"
            )
        if scheme not in _PORTS:
            raise _refused(f"the URL's scheme is {_shorten(scheme)!r}. Use http or https.")
        try:
            parts = urlsplit(text)
            port = _PORTS[scheme] if parts.port is None else parts.port
        except ValueError as wrong:
            raise NodeFailed(f"{_shorten(text)!r} is no URL: {wrong}.", code="API_REQUEST_INVALID") from None
        if "@" in parts.netloc:
            raise _refused("the URL holds a user name or a password. Send them in `headers`.")
        host = re.sub(r":\d*\Z", "", parts.netloc)
        try:
            host = read_host(host)
        except ValueError as wrong:
            raise _refused(f"the URL's host {wrong}.") from None
        self._check_name(host, port)
        rest = parts.path or "/"
        return Target(
            scheme=scheme,
            host=host,
            port=port,
            rest=f"{rest}?{parts.query}" if parts.query else rest,
        )

    def check_addresses(self, host: str, port: int, addresses: Sequence[Address]) -> None:
        """Check everything that ``host`` was found to be.

        Raises:
            NodeFailed: ``API_ADDRESS_REFUSED``: one of the addresses is not public, or the port isn't allowed.
        """
        if self.allowed.has_host(host, port):
            return
        for address in addresses:
            if self.allowed.has_address(address, port):
                continue
            kind = why_not_public(address)
            found = f"{address}" if str(address) == host else f"{host} is {address}, which"
            if kind is not None:
                raise _refused(f"{found} is {kind}. {_remedy(host, port)}", host=host, address=str(address))
            if port not in _PORTS.values():
                raise _refused(f"port {port} is neither 80 nor 443. {_remedy(host, port)}", host=host)

    def _check_name(self, host: str, port: int) -> None:
        address = address_of(host)
        if address is not None:
            self.check_addresses(host, port, [address])
        elif self.allowed.has_host(host, port):
            return
        elif is_local_name(host):
            raise _refused(f"{host} is the worker itself. {_remedy(host, port)}", host=host)
        elif port not in _PORTS.values() and not self.allowed.may_have_port(port):
            raise _refused(f"port {port} is neither 80 nor 443. {_remedy(host, port)}", host=host)


def _refused(message: str, **details: str) -> NodeFailed:
    return NodeFailed(message, code="API_ADDRESS_REFUSED", details=details)


def _remedy(host: str, port: int) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"Call a public address, or list {shown}:{port} in the worker's {ALLOW_VARIABLE}."


def _shorten(text: str) -> str:
    return text.split("?", 1)[0][:100]
