"""Which addresses of other systems we call, and which addresses are one caller. Speaks to nobody."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit


def may_be_called(url: str) -> bool:
    """Is it http or https to a named or numbered host, without user or fragment? Addresses inside a government network
    are private ones and allowed; link-local ones, where clouds keep their credentials, are nobody's hotline, however
    they are written. Where a name leads is asked when it is called.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises for what is no port
    except ValueError:
        return False
    host = parts.hostname
    if parts.scheme not in {"http", "https"} or not host or parts.username is not None or parts.fragment:
        return False
    if any(c <= " " or c > "~" for c in url):
        return False
    return may_be_met(host)


def may_be_met(host: str) -> bool:
    """Is it a name, or an address that is not link-local, of many or of none?"""
    try:
        # As those who connect read a number: 169.254.43518, 0xa9fea9fe and 2852039166 are one address.
        address = ipaddress.ip_address(socket.inet_aton(host))
    except OSError:
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return True  # a name
    address = getattr(address, "ipv4_mapped", None) or address
    return not (address.is_link_local or address.is_multicast or address.is_unspecified)


def network_of(address: str) -> str:
    """The caller behind an address: an IPv4 address, or the /64 of an IPv6 one, as whoever has one of those has all of
    it. What is no address (a socket's name) is itself.
    """
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(known, ipaddress.IPv6Address):
        known = known.ipv4_mapped or ipaddress.IPv6Network((known, 64), strict=False).network_address
    return str(known)
