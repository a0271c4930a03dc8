"""Hooks that a plugin specifies for others."""

from __future__ import annotations

ASKS = """
    from plugin_sdk import Plugin, hookspec, route

    class Specs:
        @hookspec
        def asks_seed(self, number):
            "What does this number grow into?"

    class plugin(Plugin):
        hookspecs = (Specs,)

        @route("GET", "/ask", access="open")
        def ask(self, request):
            results = self.context.hooks.call("asks_seed", number=20)
            return [[each.plugin_id, each.value, str(each.error or "")] for each in results]

        @route("GET", "/first", access="open")
        def first(self, request):
            return {"first": self.context.hooks.first("asks_seed", number=20),
                    "any": self.context.hooks.implemented("asks_seed")}
"""
ANSWERS = """
    from plugin_sdk import Plugin, hookimpl

    class plugin(Plugin):
        @hookimpl
        def asks_seed(self, number):
            return number + 1
"""
FAILS = ANSWERS.replace("return number + 1", "raise RuntimeError('no seed')")
WRONG = ANSWERS.replace("(self, number)", "(self, numeral)").replace("number + 1", "numeral")


def test_each_answer_is_attributed_and_fenced(make_host, write_plugin):
    host = make_host(
        write_plugin("asks", ASKS), write_plugin("answers", ANSWERS), write_plugin("fails", FAILS)
    )
    assert sorted(host.get("/api/plugins/asks/ask").json()) == [
        ["answers", 21, ""],
        ["fails", None, "no seed"],
    ]
    host.disable("fails")
    assert host.get("/api/plugins/asks/ask").json() == [["answers", 21, ""]]
    assert host.get("/api/plugins/asks/first").json() == {"first": 21, "any": True}


def test_specifications_go_and_come_with_their_plugin(make_host, write_plugin):
    host = make_host(write_plugin("asks", ASKS), write_plugin("answers", ANSWERS))
    for _ in range(3):
        assert host.disable("asks").state == "disabled"
        assert host.enable("asks").state == "active"
    assert host.get("/api/plugins/asks/first").json() == {"first": 21, "any": True}
    host.host.plugins.reload("asks")
    assert host.get("/api/plugins/asks/first").json() == {"first": 21, "any": True}


def test_an_implementation_that_does_not_fit_is_laid_to_its_plugin(make_host, write_plugin):
    host = make_host(write_plugin("asks", ASKS), write_plugin("wrong", WRONG))
    fault = host.entry("wrong").fault
    assert fault is not None
    assert fault.code == "SETUP_ERROR"
    assert "numeral" in fault.message


def test_a_hook_of_the_host_cannot_be_specified_anew(make_host, write_plugin):
    code = ASKS.replace("asks_seed(self, number)", "decide(self, number)")
    host = make_host(write_plugin("asks", code))
    fault = host.entry("asks").fault
    assert fault is not None
    assert "specified already, by the host" in fault.message
