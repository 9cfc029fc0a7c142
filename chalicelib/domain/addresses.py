"""Which addresses are on the public internet: where a brand may be told, and what would lead inward.

Source: IANA's registries of special-purpose addresses (as of 2026), through the standard library, and narrower
where that lets something through: multicast, IPv4 in IPv6, the tunnels, and blocks that some versions of Python do
not know yet.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address

_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")

_SPECIAL = (
    IPv4Network("192.0.0.0/24"),  # IETF protocol assignments
    IPv4Network("192.31.196.0/24"),  # AS112
    IPv4Network("192.52.193.0/24"),  # AMT relays
    IPv4Network("192.88.99.0/24"),  # 6to4 relays, dead
    IPv4Network("192.175.48.0/24"),  # AS112
    IPv6Network("2001::/23"),  # IETF protocol assignments: Teredo, benchmarks, ORCHID, drones
    IPv6Network("2620:4f:8000::/48"),  # AS112
    IPv6Network("3fff::/20"),  # documentation
)
"""No receiver of a brand's lives there, whatever a version of the standard library says of them."""

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?")
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+")
_INWARD = ("localhost", "local", "internal", "intranet", "home.arpa", "lan", "test", "invalid", "onion")


def is_public(address: Address) -> bool:
    """True when a packet to it leaves us for the public internet.

    IPv4 that is wrapped in IPv6 (mapped, NAT64) is judged by what is inside. 6to4 and Teredo are refused
    whole: they are dead, and only an attacker's name server answers with them.
    """
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return False
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address in _NAT64:
            return is_public(IPv4Address(int(address) & 0xFFFF_FFFF))
        if address not in _UNICAST or address.sixtofour is not None or address.teredo is not None:
            return False
    if any(address in block for block in _SPECIAL if block.version == address.version):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def literal(host: str) -> Address | None:
    """The address that a URL's host spells out, or None for a name."""
    try:
        return ip_address(host.strip("[]"))
    except ValueError:
        return None


def fault_of(host: str) -> str | None:
    """Why a URL's host cannot be a public receiver, seen from its spelling. None: nothing speaks against it.

    Spellings that some resolvers read as an address (`127.1`, `0x7f000001`, `2130706433`) are refused. What a
    name resolves to is not known here: the line checks that each time it connects.
    """
    address = literal(host)
    if address is not None:
        return None if is_public(address) else "an address on the public internet was expected"
    name = host.lower().removesuffix(".")
    labels = name.split(".")
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        return "a host name in ASCII was expected (punycode for others)"
    if _NUMBER.fullmatch(labels[-1]):
        return "an address is written as four decimal numbers or in brackets"
    if len(labels) == 1 or any(name == inward or name.endswith("." + inward) for inward in _INWARD):
        return "a name on the public internet was expected"
    return None
