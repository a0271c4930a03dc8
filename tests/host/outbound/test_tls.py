"""Certificates, names and hand-shakes."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from host.outbound import OutboundClient
from host.outbound.addresses import Address
from plugin_sdk import UpstreamFailed

HERE = Path(__file__).parent


def here(host: str, port: int) -> Sequence[Address]:
    """Every name leads to this machine."""
    return [Address(socket.AF_INET, ("127.0.0.1", port))]


@pytest.fixture
def tls_server(server: Any) -> Any:
    """Shows the certificate of ``box.test``, which nobody has signed but itself."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(HERE / "box.test.pem")
    names: list[str | None] = []
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    server.names = names
    plain = server.get_request

    def get_request() -> Any:
        connection, address = plain()
        secured = context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        server._open[-1] = secured
        return secured, address

    server.get_request = get_request
    return server


def trusting() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(HERE / "box.test.pem"))


def test_certificates_are_checked(tls_server: Any) -> None:
    client = OutboundClient(allow_private=True, resolve=here)
    with pytest.raises(UpstreamFailed, match="certificate"):
        client.request("GET", f"https://box.test:{tls_server.port}/")
    client.close()
    assert tls_server.seen == []


def test_the_name_is_checked_and_sent(tls_server: Any) -> None:
    client = OutboundClient(allow_private=True, resolve=here, ssl_context=trusting())
    for _ in range(2):
        assert client.request("GET", f"https://box.test:{tls_server.port}/").content == b"hello"
    assert tls_server.seen[0].headers["Host"] == f"box.test:{tls_server.port}"
    assert set(tls_server.names) == {"box.test"}
    with pytest.raises(UpstreamFailed, match="certificate"):
        client.request("GET", f"https://other.test:{tls_server.port}/")
    client.close()


def test_a_server_without_tls(server: Any) -> None:
    client = OutboundClient(allow_private=True, ssl_context=trusting())
    with pytest.raises(UpstreamFailed, match=r"TLS|broke"):
        client.request("GET", f"https://127.0.0.1:{server.port}/", timeout=60)
    client.close()


def test_a_hand_shake_that_never_ends() -> None:
    client = OutboundClient(allow_private=True, ssl_context=trusting())
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        pytest.raises(UpstreamFailed, match="in time"),
    ):
        client.request("GET", f"https://127.0.0.1:{listener.getsockname()[1]}/", timeout=0.2)
    client.close()
