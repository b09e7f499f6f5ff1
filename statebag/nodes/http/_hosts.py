"""One form for the host of a URL, however it is written."""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final

import idna

from statebag.nodes.http._addresses import Address

__all__ = ["address_of", "is_local_name", "read_host"]

_LABEL: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
_MAX_LENGTH: Final = 253


def read_host(text: str) -> str:
    """The host in lower case, without a dot behind it, in ASCII; addresses as their libraries write them.

    Args:
        text: As it is in a URL: an IPv6 address is in brackets.

    Raises:
        ValueError: it is no name and no address; the message says why.
    """
    if text.startswith("[") or ":" in text:
        return _read_v6(text)
    host = _to_ascii(text).lower().removesuffix(".")
    labels = host.split(".")
    if len(host) > _MAX_LENGTH or not all(map(_LABEL.fullmatch, labels)):
        raise ValueError(f"{text!r} is no host name")
    if _NUMBER.fullmatch(labels[-1]):
        try:
            return str(IPv4Address(host))
        except AddressValueError:
            raise ValueError(
                f"{text!r} is an IPv4 address in a form that hides it; write four decimal numbers"
            ) from None
    return host


def address_of(host: str) -> Address | None:
    """The address that a host of :func:`read_host` is; None for a name."""
    if ":" in host:
        return IPv6Address(host)
    try:
        return IPv4Address(host)
    except AddressValueError:
        return None


def is_local_name(host: str) -> bool:
    """Whether a name means the machine itself, whatever a name server says."""
    return host == "localhost" or host.endswith((".localhost", ".localdomain"))


def _read_v6(text: str) -> str:
    inner = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if "%" in inner:
        raise ValueError(f"{text!r} is an address of one network interface, which nothing outside has")
    try:
        return str(IPv6Address(inner))
    except AddressValueError:
        raise ValueError(f"{text!r} is no IPv6 address") from None


def _to_ascii(text: str) -> str:
    if text.isascii():
        return text
    try:
        return idna.encode(text, uts46=True).decode()
    except idna.IDNAError as error:
        raise ValueError(f"{text!r} is no host name: {error}") from None
