"""Says hello: the smallest plugin that is worth installing."""

from __future__ import annotations

from plugin_sdk import Plugin, Request, route

GREETING = {"type": "object", "properties": {"hello": {"type": "string"}}}


class Hello(Plugin):
    @route("GET", "/hello", access="open", returns=GREETING)
    def hello(self, request: Request) -> dict[str, str]:
        """A greeting, to whom the settings say."""
        return {"hello": self.context.settings["greeting"]}


plugin = Hello
