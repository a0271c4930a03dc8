"""A token that is ended ends the WebSocket that it opened."""

from __future__ import annotations

import pytest
from websockets.exceptions import ConnectionClosed

CODE = """
    from plugin_sdk import AuthProvider, Plugin, Principal, Provider, websocket

    class Auth(AuthProvider):
        name = "keys"
        live = {"one", "two"}
        def claims(self, body): return False
        def login(self, body, request): raise AssertionError
        def identify(self, token):
            return Principal(id=token, name=token, provider="keys") if token in self.live else None
        def logout(self, token):
            self.live.discard(token)
            return True

    class plugin(Plugin):
        auth = Auth()
        def providers(self): return [Provider("auth", "keys", self.auth)]
        @websocket("/socket")
        def socket(self, connection): connection.send(connection.principal.id)
"""


def test_a_logout_ends_the_socket_and_no_other(make_host, write_plugin):
    folder = write_plugin(
        "keys", CODE, providers=[{"type": "auth", "name": "keys"}], capabilities=["websocket"]
    )
    host = make_host(folder)
    path = "/api/plugins/keys/socket"
    with host.websocket(f"{path}?token=one") as one, host.websocket(f"{path}?token=two") as two:
        assert (one.recv(timeout=60), two.recv(timeout=60)) == ("one", "two")
        assert host.post("/api/auth/logout", token="one").status == 204
        with pytest.raises(ConnectionClosed):
            one.recv(timeout=60)
        with pytest.raises(TimeoutError):
            two.recv(timeout=0.5)
