"""Once there was an administrator, this machine's callers are nobody in particular."""

from __future__ import annotations

AUTH = """
    from plugin_sdk import AuthProvider, Plugin, Principal, Provider

    class Auth(AuthProvider):
        name = "keys"
        def claims(self, body): return "key" in body
        def login(self, body, request): raise AssertionError("nobody signs in here")
        def identify(self, token):
            if token != "the-key": return None
            return Principal(id="boss", name="Boss", provider="keys",
                             permissions=frozenset({"ADMIN"}))
        def logout(self, token): return False
        def governs(self): return True

    class plugin(Plugin):
        def providers(self): return [Provider("auth", "keys", Auth())]
"""


def test_a_failing_auth_plugin_does_not_open_the_host(make_host, write_plugin):
    host = make_host()
    assert host.post("/api/plugins/realtime/disable").status == 200
    assert host.post("/api/plugins/realtime/enable").status == 200
    folder = write_plugin("keys", AUTH, providers=[{"type": "auth", "name": "keys"}])
    host.host.plugins.install(folder)
    host.enable("keys")
    assert host.post("/api/plugins/realtime/disable").status == 401
    assert host.post("/api/plugins/realtime/enable", token="the-key").status == 200
    assert host.post("/api/plugins/keys/disable", token="the-key").status == 200
    assert host.post("/api/plugins/realtime/disable").status == 401
    host.restart()
    assert host.post("/api/plugins/realtime/disable").status == 401
    assert host.enable("keys").state == "active"
    assert host.post("/api/plugins/realtime/disable", token="the-key").status == 200
