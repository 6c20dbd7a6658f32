"""Where a host name leads, and whether that is a place to go to: the guard against URLs that reach into a private network."""

from __future__ import annotations

import ipaddress
import socket

from phidex.errors import InputError, ServiceError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: an IPv4 address in the last 32 bits


def is_public(address: Address) -> bool:
    """Whether an address is reached over the internet: not private, shared (RFC 6598), loopback, link-local or multicast.

    IPv6 addresses that carry an IPv4 address (mapped, 6to4, Teredo, NAT64) are as public as that.

    >>> [is_public(ipaddress.ip_address(text)) for text in ("8.8.8.8", "100.64.0.1", "::ffff:127.0.0.1", "2002:7f00:1::")]
    [True, False, False, False]
    """
    if isinstance(address, ipaddress.IPv6Address):
        carried = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if address in _NAT64:
            carried = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if carried is not None:
            return is_public(carried)
        if address.is_site_local:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def resolve(host: str, port: int, *, allow_private: bool) -> list[str]:
    """The addresses of a host, to be connected to as they are: asking again could give others.

    Raises:
        InputError: it has none, or none that may be gone to.
        ServiceError: names cannot be resolved now.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as exc:
        if exc.errno == socket.EAI_AGAIN:
            raise ServiceError(f"{host} cannot be resolved now", hint="check the network", retryable=True) from exc
        raise InputError(f"there is no host {host}", hint="check the address") from exc
    except (OSError, UnicodeError) as exc:
        raise InputError(f"there is no host {host}", hint="check the address") from exc
    addresses = list(dict.fromkeys(str(entry[4][0]).split("%")[0] for entry in found))
    allowed = [text for text in addresses if allow_private or is_public(ipaddress.ip_address(text))]
    if not allowed:
        hint = "set PHIDEX_INGEST__ALLOW_PRIVATE_URLS=true if you trust who names the URLs"
        raise InputError(f"{host} leads to a private address", hint=hint)
    return allowed
