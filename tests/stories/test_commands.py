"""The command line beside a running server, and without one."""

from __future__ import annotations

import json

import pytest

CODE = """
    from plugin_sdk import Argument, Plugin, command, route

    class plugin(Plugin):
        @route("GET", "/hello", access="open")
        def hello(self, request):
            return {"hello": self.context.settings["name"], "version": 1}

        @command("greet", Argument("name"), Argument("--loud", flag=True, help="Shout"))
        def greet(self, io, name, loud):
            '''Greet somebody.'''
            io.print(f"Hello {name}!".upper() if loud else f"Hello {name}!")

        @command("fail")
        def fail(self, io):
            '''End badly.'''
            return 3
"""
SETTINGS = {"type": "object", "properties": {"name": {"type": "string", "default": "world"}}}


@pytest.fixture
def greeter(write_plugin, tmp_path):
    def write(into="v1", **more):
        code = more.pop("code", CODE)
        manifest = {"settings": SETTINGS, "capabilities": ["commands"], **more}
        return str(write_plugin("greeter", code, into=tmp_path / into, **manifest))

    return write


def test_an_administrator_s_day_beside_a_running_server(serve, greeter):
    served = serve()

    def asked():
        return served.client.get("/api/plugins/greeter/hello")

    installed = served.command("plugin", "install", greeter(), "--yes")
    assert installed.returncode == 0, installed.stderr
    assert "Adds commands" in installed.stdout
    assert "plugin enable greeter" in installed.stdout
    assert asked().status_code == 404
    enabled = served.command("plugin", "enable", "greeter")
    assert enabled.returncode == 0, enabled.stderr
    assert "Adds commands" in enabled.stdout, "what nobody agreed to yet"
    assert enabled.stdout.endswith("greeter is active.\n")
    assert asked().json() == {"hello": "world", "version": 1}

    assert served.command("settings", "set", "greeter", "name", "you").returncode == 0
    assert asked().json()["hello"] == "you", "in force with the next request"
    assert json.loads(served.command("settings", "get", "greeter").stdout) == {"name": "you"}
    assert served.command("settings", "set", "greeter", "name").returncode == 0
    assert asked().json()["hello"] == "world"

    newer = greeter("v2", version="2.0.0", code=CODE.replace('"version": 1', '"version": 2'))
    upgraded = served.command("plugin", "install", newer, "--yes")
    assert upgraded.returncode == 0, upgraded.stderr
    assert asked().json()["version"] == 2
    broken = greeter("v3", version="3.0.0", code="raise RuntimeError('not today')")
    refused = served.command("plugin", "install", broken, "--yes")
    assert refused.returncode == 1
    assert "not today" in refused.stderr
    assert asked().json()["version"] == 2

    greeted = served.command("greeter", "greet", "Ann", "--loud")
    assert greeted.stdout == "HELLO ANN!\n"
    assert served.command("greeter", "fail").returncode == 3

    assert served.command("plugin", "disable", "greeter").returncode == 0
    assert asked().status_code == 404
    assert served.command("plugin", "enable", "greeter").returncode == 0
    gone = served.command("plugin", "uninstall", "greeter", "--purge")
    assert gone.returncode == 0, gone.stderr
    assert asked().status_code == 404
    listed = json.loads(served.command("plugin", "list", "--json").stdout)
    assert "greeter" not in [entry["id"] for entry in listed]
    assert not (served.data_dir / "plugins" / "greeter").exists()
    assert served.stop() == 0


@pytest.mark.parametrize("server", ["waitress", pytest.param("granian", marks=pytest.mark.soak)])
def test_commands_work_without_a_server_and_are_remembered(serve, greeter):
    served = serve()
    served.stop()
    assert served.command("plugin", "install", greeter(), "--yes").returncode == 0
    assert served.command("plugin", "enable", "greeter").returncode == 0
    assert served.command("settings", "set", "greeter", "name", '"me"').returncode == 0
    served.start().up("/api/plugins/greeter/hello")
    assert served.client.get("/api/plugins/greeter/hello").json()["hello"] == "me"
    info = served.command("plugin", "info", "greeter")
    assert "active" in info.stdout
    assert served.command("provider", "list").stdout.startswith("storage\n  * local")
    assert served.command("provider", "use", "storage", "local").returncode == 0
    assert "Serving" in served.command("doctor").stdout
    document = json.loads(served.command("openapi").stdout)
    assert "/api/plugins/greeter/hello" in document["paths"]
    assert served.stop() == 0


@pytest.mark.one_engine
@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (["plugin", "enable", "nowhere"], 1, 'There is no plugin "nowhere".'),
        (["plugin", "enable", "rooom"], 1, 'There is no plugin "rooom"; did you mean "rooms"?'),
        (["plugin", "list", "--data-dir", "/proc/none"], 1, '"/proc/none" cannot be used: '),
        (["plugin", "new", "ada.x", "/proc/none"], 1, '"/proc/none" cannot be used: '),
        (["plugin", "disable", "plugin_admin"], 1, "cannot be disabled"),
        (["plugin", "disable", "local_storage"], 1, "Choose another storage provider first"),
        (["plugin", "install", "/no/such/folder"], 1, "does not exist"),
        (["plugin", "info"], 2, "Missing argument"),
        (["settings", "get", "plugin_admin", "drainSecond"], 1, 'did you mean "drainSeconds"?'),
        (["settings", "set", "plugin_admin", "drainSeconds", "-1"], 1, "at least 0"),
        (["settings", "set", "nowhere", "a", "1"], 1, "nowhere"),
        (["provider", "use", "storage", "tape"], 1, "tape"),
        (["serve", "--listen", "nonsense"], 1, "nonsense"),
        (["serve", "--port", "1"], 2, "No such option"),
        (["nonsense"], 2, "No such command"),
    ],
)
def test_wrong_inputs_get_one_clear_sentence(stopped, arguments, status, text):
    answer = stopped.command(*arguments)
    assert answer.returncode == status
    assert text in answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.mark.one_engine
def test_the_help_helps(stopped):
    served = stopped
    for arguments in ([], ["plugin"], ["settings"], ["provider"], ["serve"], ["doctor"]):
        answer = served.command(*arguments, "--help")
        assert answer.returncode == 0
        assert "Usage: stagebox" in answer.stdout
    top = served.command("--help").stdout
    for name in ("serve", "plugin", "provider", "settings", "doctor", "openapi"):
        assert name in top


@pytest.mark.one_engine
def test_an_address_in_use_is_said(serve):
    served = serve()
    address = served.url.removeprefix("http://")
    answer = served.command("serve", "--listen", address)
    assert answer.returncode == 1
    assert address in answer.stderr
    assert "Traceback" not in answer.stderr
    served.stop()


@pytest.mark.one_engine
def test_a_wrong_configuration_is_said(stopped):
    served = stopped
    (served.data_dir / "stagebox.toml").write_text("thread = 5\n")
    answer = served.command("plugin", "list")
    assert answer.returncode == 1
    assert 'did you mean "threads"?' in answer.stderr
