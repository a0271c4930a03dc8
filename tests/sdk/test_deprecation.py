"""Old spellings work on, and tell who uses them."""

from __future__ import annotations

import sys
import threading
import types
import warnings

import pytest

import plugin_sdk
from plugin_sdk import SDK_VERSION, Deprecation, Plugin, deprecated
from plugin_sdk.deprecation import loading_plugin
from plugin_sdk.testing import FakeContext

OLD = """
from plugin_sdk import deprecated

def shout(text):
    deprecated("old.shout", since="1.1", removed_in="2.0", instead="str.upper")
    return text.upper()

def indirectly(text):
    return shout(text)
"""


@pytest.fixture
def old(monkeypatch):
    """A package that deprecates a function of its own."""
    module = types.ModuleType("old_package")
    exec(compile(OLD, "old_package.py", "exec"), module.__dict__)
    monkeypatch.setitem(sys.modules, "old_package", module)
    return module


class Listening:
    """As the host's context is."""

    def __init__(self):
        self.heard: list[Deprecation] = []
        self.deprecation_listener = self.heard.append


class Caller(Plugin):
    def call(self, function):
        return function("a")

    def call_in_thread(self, function):
        thread = threading.Thread(target=self.call, args=(function,))
        thread.start()
        thread.join()


def test_without_a_host_it_is_a_warning_at_the_callers_line(old):
    with pytest.warns(
        DeprecationWarning, match=r"old\.shout is deprecated since version 1\.1"
    ) as seen:
        assert old.indirectly("a") == "A"
    assert seen[0].filename == __file__
    assert "removed in 2.0: use str.upper" in str(seen[0].message)
    with pytest.warns(DeprecationWarning, match="str.upper"):
        Caller(FakeContext("example.caller")).call(old.shout)


def test_python_shows_it_once(old):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("default")
        for _ in range(3):
            old.shout("a")
    assert len(seen) == 1


@pytest.mark.parametrize("method", ["call", "call_in_thread"])
def test_a_call_is_laid_to_the_plugin_that_made_it(old, method):
    context = Listening()
    getattr(Caller(context), method)(old.indirectly)
    (use,) = context.heard
    assert (use.name, use.since, use.removed_in, use.instead) == (
        "old.shout", "1.1", "2.0", "str.upper",
    )  # fmt: skip
    assert use.file == "sdk/test_deprecation.py"
    assert use.line == Caller.call.__code__.co_firstlineno + 1


def test_two_hosts_in_one_process_do_not_hear_each_other(old):
    one, other = Listening(), Listening()
    Caller(one).call(lambda text: Caller(other).call(old.shout))
    assert (len(one.heard), len(other.heard)) == (0, 1)


def test_an_import_counts_once_for_the_plugin_that_is_loaded():
    heard: list[Deprecation] = []
    with loading_plugin(heard.append):
        namespace: dict[str, object] = {"__name__": "somebody"}
        exec("from plugin_sdk import __version__", namespace)
    assert namespace["__version__"] == SDK_VERSION
    assert [use.name for use in heard] == ["plugin_sdk.__version__"]
    with pytest.warns(DeprecationWarning, match="SDK_VERSION"):
        assert plugin_sdk.__version__ == SDK_VERSION
    with pytest.raises(AttributeError, match="has no attribute 'nonesuch'"):
        _ = plugin_sdk.nonesuch


def test_it_is_called_as_a_function_by_name():
    with pytest.raises(TypeError):
        deprecated("x", "1.0", "2.0", "y")
