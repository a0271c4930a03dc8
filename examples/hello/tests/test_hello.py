from __future__ import annotations

from hello import Hello

from plugin_sdk.testing import FakeContext, PluginSuite, request


class TestHelloIsSound(PluginSuite):
    plugin = "hello:plugin"


def test_it_greets_whom_the_settings_say() -> None:
    context = FakeContext("hello", settings={"greeting": "you"})
    assert Hello(context).hello(request()) == {"hello": "you"}
