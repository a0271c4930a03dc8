"""Sockets for httpcore: checked addresses, and one deadline over everything.

httpcore limits each read and write alone; a server that drips bytes could then hold a request
for ever. Here every operation gets what is left of the whole exchange.
"""

from __future__ import annotations

import select
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import httpcore

from host.outbound.addresses import Address, Directory
from plugin_sdk import UpstreamFailed

__all__ = ["Deadline", "Network", "StaleConnection"]


class StaleConnection(Exception):
    """A kept connection turned out to be closed by the other side; nothing was answered."""


class Deadline:
    """The end of the exchange that each thread is at; times are those of `time.monotonic`."""

    def __init__(self) -> None:
        self._ends = threading.local()

    @contextmanager
    def until(self, end: float) -> Iterator[None]:
        before = getattr(self._ends, "end", None)
        self._ends.end = end
        try:
            yield
        finally:
            self._ends.end = before

    def left(self, host: str) -> float:
        """Seconds that are left; raises UpstreamFailed when there are none."""
        end: float | None = getattr(self._ends, "end", None)
        if end is None:
            raise RuntimeError("a connection was used outside of an exchange")
        left = end - time.monotonic()
        if left <= 0:
            raise too_slow(host)
        return left


def too_slow(host: str) -> UpstreamFailed:
    return UpstreamFailed(f"{host} did not answer in time.")


class Network(httpcore.NetworkBackend):
    """Opens connections to the checked addresses of a host."""

    def __init__(self, directory: Directory, deadline: Deadline) -> None:
        self._directory = directory
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002 - httpcore's signature
        local_address: str | None = None,  # noqa: ARG002 - same
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002 - same
    ) -> httpcore.NetworkStream:
        addresses = self._directory.addresses(host, port, self._deadline.left(host))
        failure: OSError | None = None
        for number, address in enumerate(addresses):
            # An address that swallows packets must leave time for the next one.
            seconds = self._deadline.left(host) / (len(addresses) - number)
            try:
                return _Stream(_connected(address, seconds), host, self._deadline)
            except OSError as error:
                failure = error
        if isinstance(failure, TimeoutError):
            raise too_slow(host) from failure
        raise UpstreamFailed(f"{host} does not take connections at port {port}.") from failure


def _connected(address: Address, seconds: float) -> socket.socket:
    connection = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        connection.settimeout(seconds)
        connection.connect(address.target)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        connection.close()
        raise
    return connection


class _Stream(httpcore.NetworkStream):
    """A connection whose operations end with the exchange's deadline."""

    def __init__(self, connection: socket.socket, host: str, deadline: Deadline) -> None:
        self._socket = connection
        self._host = host
        self._deadline = deadline
        self._answered_before = False
        self._awaiting = False

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002 - same
        try:
            # A part of a TLS record makes recv wait for the rest: the time-out covers that, too.
            self._socket.settimeout(self._deadline.left(self._host))
            data = self._socket.recv(max_bytes)
        except TimeoutError as error:
            raise too_slow(self._host) from error
        except OSError as error:
            self._lost()
            raise UpstreamFailed(f"{self._host} broke the connection off.") from error
        if data:
            self._answered_before, self._awaiting = True, False
        else:
            self._lost()
        return data

    def _lost(self) -> None:
        if self._awaiting and self._answered_before:
            raise StaleConnection

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002 - same
        self._awaiting = True
        view = memoryview(buffer)
        while view:
            try:
                self._socket.settimeout(self._deadline.left(self._host))
                view = view[self._socket.send(view) :]
            except TimeoutError as error:
                raise too_slow(self._host) from error
            except OSError as error:
                # httpcore goes on to read then: a server may answer before it has read it all.
                raise httpcore.WriteError(str(error)) from error

    def close(self) -> None:
        try:
            # Closing alone does not wake a thread that waits for this socket.
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # it is not connected any more
        self._socket.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002 - same
    ) -> httpcore.NetworkStream:
        try:
            self._socket.settimeout(self._deadline.left(self._host))
            secured = ssl_context.wrap_socket(self._socket, server_hostname=server_hostname)
        except BaseException as error:
            self.close()
            if isinstance(error, TimeoutError):
                raise too_slow(self._host) from error
            if isinstance(error, ssl.SSLCertVerificationError):
                text = f"{self._host} shows a certificate that cannot be trusted."
                raise UpstreamFailed(text) from error
            if isinstance(error, OSError | ValueError):
                raise UpstreamFailed(f"{self._host} does not speak TLS as it should.") from error
            raise
        return _Stream(secured, self._host, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable":
            return self._is_readable()
        if info == "ssl_object" and isinstance(self._socket, ssl.SSLSocket):
            return self._socket
        return None

    def _is_readable(self) -> bool:
        """Of an idle connection: whether the other side has closed it."""
        descriptor = self._socket.fileno()
        if descriptor < 0:
            return True
        if hasattr(select, "poll"):  # select refuses descriptors from 1024 on
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            return bool(poll.poll(0))
        return bool(select.select([descriptor], [], [], 0)[0])
