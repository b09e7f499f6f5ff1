"""What a worker's configuration allows calls to reach besides the public internet."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final

from statebag.nodes._environment import read_variable
from statebag.nodes.http._addresses import Address
from statebag.nodes.http._hosts import address_of, read_host

__all__ = ["ALLOW_VARIABLE", "AllowList", "parse_allow_list", "read_allow_list"]

ALLOW_VARIABLE: Final = "STATEBAG_API_ALLOW"
_ENTRY: Final = re.compile(r"(?P<host>\[[^\]]*\]|[^:\[\]]+)(?::(?P<port>\d{1,5}))?")
_MAX_PORT: Final = 65535


@dataclass(frozen=True, kw_only=True)
class _Named:
    host: str
    """A name, or what it ends with, from the dot on."""
    port: int | None

    def covers(self, host: str, port: int) -> bool:
        named = host.endswith(self.host) if self.host.startswith(".") else host == self.host
        return named and self.port in (None, port)


@dataclass(frozen=True, kw_only=True)
class _Network:
    network: IPv4Network | IPv6Network
    port: int | None

    def covers(self, address: Address, port: int) -> bool:
        return address in self.network and self.port in (None, port)


@dataclass(frozen=True, kw_only=True)
class AllowList:
    """Hosts, networks and ports that calls may reach although they are not public."""

    names: tuple[_Named, ...] = ()
    networks: tuple[_Network, ...] = ()

    def has_host(self, host: str, port: int) -> bool:
        """Whether a name is listed: then it may lead anywhere."""
        return any(rule.covers(host, port) for rule in self.names)

    def has_address(self, address: Address, port: int) -> bool:
        """Whether an address is listed."""
        return any(rule.covers(address, port) for rule in self.networks)

    def may_have_port(self, port: int) -> bool:
        """Whether some listed address may be called on ``port``."""
        return any(rule.port in (None, port) for rule in self.networks)


def parse_allow_list(text: str) -> AllowList:
    """Read ``host``, ``host:port``, ``*.domain``, addresses and networks, with commas between them.

    Raises:
        ValueError: an entry is none of these; the message is what it should be.
    """
    names: list[_Named] = []
    networks: list[_Network] = []
    for entry in filter(None, map(str.strip, text.split(","))):
        network = _read_network(entry)
        if network is not None:
            networks.append(_Network(network=network, port=None))
            continue
        match = _ENTRY.fullmatch(entry)
        port = None if match is None or match["port"] is None else int(match["port"])
        if match is None or (port is not None and not 1 <= port <= _MAX_PORT):
            raise ValueError(f"a list of hosts, host:port, *.domain and networks: see {entry!r}")
        suffix = match["host"].startswith("*.")
        try:
            host = read_host(match["host"].removeprefix("*."))
        except ValueError as wrong:
            raise ValueError(f"a list of hosts, host:port, *.domain and networks: {wrong}") from None
        address = address_of(host)
        if address is None or suffix:
            names.append(_Named(host=f".{host}" if suffix else host, port=port))
        else:
            networks.append(_Network(network=ip_network(address), port=port))
    return AllowList(names=tuple(names), networks=tuple(networks))


def read_allow_list(environment: Mapping[str, str] = os.environ) -> AllowList:
    """The list in ``STATEBAG_API_ALLOW``.

    Raises:
        InputRefused: ``SETTING_INVALID``.
    """
    return read_variable(ALLOW_VARIABLE, parse_allow_list, environment)


def _read_network(entry: str) -> IPv4Network | IPv6Network | None:
    if "/" not in entry:
        return None
    try:
        return ip_network(entry)
    except ValueError as wrong:
        raise ValueError(f"a list of hosts, host:port, *.domain and networks: {wrong}") from None
