"""Which IP addresses are public."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final

__all__ = ["Address", "why_not_public"]

Address = IPv4Address | IPv6Address

# Written out, since `is_global` answers differently from one patch release of Python to the next.
_V4: Final[Sequence[tuple[IPv4Network, str]]] = tuple(
    (IPv4Network(network), kind)
    for network, kind in (
        ("0.0.0.0/8", "unspecified"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "private behind a carrier's NAT"),
        ("127.0.0.0/8", "loopback"),
        ("168.63.129.16/32", "the metadata service of a cloud"),
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved"),
        ("192.0.2.0/24", "for documentation"),
        ("192.88.99.0/24", "a relay of 6to4"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "for benchmarks"),
        ("198.51.100.0/24", "for documentation"),
        ("203.0.113.0/24", "for documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
    )
)
_V6: Final[Sequence[tuple[IPv6Network, str]]] = tuple(
    (IPv6Network(network), kind)
    for network, kind in (
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("::ffff:0:0/96", "an IPv4 address in the form of an IPv6 one"),
        ("::/96", "an IPv4 address in the form of an IPv6 one"),
        ("2001::/32", "a Teredo tunnel"),
        ("2001::/23", "reserved"),
        ("2001:db8::/32", "for documentation"),
        ("2002::/16", "a 6to4 tunnel"),
        ("3fff::/20", "for documentation"),
        ("fc00::/7", "private"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "private"),
        ("ff00::/8", "multicast"),
    )
)
_GLOBAL_V6: Final = IPv6Network("2000::/3")
_NAT64: Final = IPv6Network("64:ff9b::/96")


def why_not_public(address: Address) -> str | None:
    """What kind of address it is; None for one that anybody on the internet can reach.

    Addresses that carry others in them (6to4, Teredo, IPv4 in the form of IPv6) are none, wherever they lead. NAT64,
    which hosts without IPv4 need for all that has nothing else, counts as the address that it carries.
    """
    if isinstance(address, IPv4Address):
        kind = next((kind for network, kind in _V4 if address in network), None)
        return kind or (None if address.is_global else "not public")
    if address.scope_id is not None:
        return "of one network interface"
    if address in _NAT64:
        inner = why_not_public(IPv4Address(int(address) & 0xFFFFFFFF))
        return inner and f"{inner}, behind NAT64"
    kind = next((kind for network, kind in _V6 if address in network), None)
    return kind or (None if address in _GLOBAL_V6 and address.is_global else "reserved")
