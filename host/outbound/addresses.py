"""Which addresses a plugin may talk to, and finding them: a name is resolved once, every address
is checked, and what was checked is connected to (so a name cannot change its mind in between)."""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Final

from plugin_sdk import Forbidden, UpstreamFailed

__all__ = ["Address", "Directory", "Resolve", "is_public", "resolve"]

_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
_SPECIAL: Final = (  # beyond what the standard library of every Python counts as special
    ipaddress.ip_network("192.88.99.0/24"),  # RFC 7526: 6to4 relays
    ipaddress.ip_network("3fff::/20"),  # RFC 9637: documentation
)
_MAX_LOOKUPS: Final = 16


@dataclass(frozen=True, slots=True)
class Address:
    """Where to connect: what `socket.socket` and its ``connect`` take."""

    family: int
    target: tuple[Any, ...]


Resolve = Callable[[str, int], Sequence[Address]]


def resolve(host: str, port: int) -> list[Address]:
    """What the system says about a name; raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(Address(int(each[0]), each[4]) for each in found))


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether it leads to the open internet: not to this machine, its networks, a group, or an
    address range set aside (RFC 6890). Addresses that carry another one count as that one."""
    if isinstance(address, IPv6Address):
        inner = _inner(address)
        if inner is not None:
            return is_public(inner)
        if address not in _UNICAST:
            return False
    if any(address.version == each.version and address in each for each in _SPECIAL):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _is_usable(address: IPv4Address | IPv6Address) -> bool:
    """Whether one machine can be meant, be it a private one."""
    if isinstance(address, IPv6Address):
        inner = _inner(address)
        if inner is not None:
            return _is_usable(inner)
    broadcast = address == IPv4Address("255.255.255.255")
    # "Unspecified" connects to this machine on some systems.
    return not (address.is_multicast or address.is_unspecified or broadcast)


def _inner(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address inside: mapped (RFC 4291), NAT64 (RFC 6052), 6to4 (RFC 3056)."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


class Directory:
    """Finds the checked addresses of names for one client."""

    def __init__(self, *, allow_private: bool, resolve: Resolve = resolve) -> None:
        self._allow_private = allow_private
        self._resolve = resolve
        self._lookups = threading.BoundedSemaphore(_MAX_LOOKUPS)

    def addresses(self, host: str, port: int, seconds: float) -> Sequence[Address]:
        """All addresses of a host, or Forbidden when one of them may not be talked to; raises
        UpstreamFailed when the name is unknown or ``seconds`` do not suffice."""
        found = self._literal(host, port) or self._looked_up(host, port, seconds)
        for each in found:
            self._check(host, str(each.target[0]))
        return found

    def _literal(self, host: str, port: int) -> list[Address] | None:
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return None
        if isinstance(address, IPv4Address):
            return [Address(socket.AF_INET, (host, port))]
        return [Address(socket.AF_INET6, (host, port))]

    def _looked_up(self, host: str, port: int, seconds: float) -> Sequence[Address]:
        """The system's look-up knows no time limit, so it runs on a thread of its own."""
        if not self._lookups.acquire(timeout=max(0.0, seconds)):
            raise UpstreamFailed(f"Looking up {host} took too long.")
        outcome: list[Sequence[Address] | Exception] = []

        def work() -> None:
            try:
                outcome.append(self._resolve(host, port))
            except Exception as error:  # raised where it was asked for
                outcome.append(error)
            finally:
                self._lookups.release()

        thread = threading.Thread(target=work, name="look-up", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            self._lookups.release()
            raise
        thread.join(max(0.0, seconds))
        if not outcome:
            raise UpstreamFailed(f"Looking up {host} took too long.")
        found = outcome[0]
        if isinstance(found, Exception):
            raise UpstreamFailed(f"The name {host} cannot be found.") from found
        if not found:
            raise UpstreamFailed(f"The name {host} has no address.")
        return found

    def _check(self, host: str, text: str) -> None:
        address = ipaddress.ip_address(text.partition("%")[0])
        if not _is_usable(address):
            raise Forbidden(f"Requests to {host} are not allowed: its address is for no one host.")
        if not self._allow_private and not is_public(address):
            # Which address it is stays unsaid: the answer may reach whoever chose the name.
            raise Forbidden(
                f"Requests to {host} are not allowed: its address is not public, and the plugin "
                'does not declare the capability "http.private", or does not use it for this one.'
            )
