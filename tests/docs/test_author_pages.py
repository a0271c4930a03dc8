"""The hooks reference is that of the specifications; it and the guide for testing are run."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from host.authoring.reference import examples, hooks_reference
from plugin_sdk import HOOK_NAMES, Plugin, hookspecs, testing
from plugin_sdk.testing import FakeCommandIO, FakeContext, request, signed_in

pytestmark = pytest.mark.one_engine  # what a page shows is the same on either

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "guide" / "hooks.md"
TESTING = ROOT / "docs" / "guide" / "testing.md"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)
GIVEN = {
    "FakeCommandIO": FakeCommandIO,
    "FakeContext": FakeContext,
    "request": request,
    "signed_in": signed_in,
}


def run(code: str, given: dict[str, Any]) -> dict[str, Any]:
    namespace = {"__name__": "shown", **given}
    exec(compile(code, "page", "exec"), namespace)  # our own documentation
    return namespace


def test_the_page_is_that_of_the_specifications():
    assert PAGE.read_text("utf-8") == hooks_reference(), (
        "python -m host.authoring.reference > docs/guide/hooks.md"
    )


@pytest.mark.parametrize("name", HOOK_NAMES)
def test_a_hook_is_documented_and_answered_as_specified(name):
    assert inspect.getdoc(getattr(hookspecs, name))
    specified = inspect.signature(getattr(hookspecs, name))
    own = inspect.signature(getattr(Plugin, name))
    assert list(own.parameters)[1:] == list(specified.parameters)
    assert own.return_annotation == specified.return_annotation


@pytest.mark.parametrize("name", HOOK_NAMES)
def test_a_hook_has_an_example_that_answers_it_and_a_test(name):
    namespace = run(examples()[name], GIVEN)
    answering = [
        value
        for value in namespace.values()
        if isinstance(value, type)
        and issubclass(value, Plugin)
        and value is not Plugin
        and name in vars(value)
    ]
    assert len(answering) == 1
    assert len(inspect.signature(vars(answering[0])[name]).parameters) == 1 + len(
        inspect.signature(getattr(hookspecs, name)).parameters
    )
    namespace[f"test_{name}"]()


def test_there_is_no_example_of_a_hook_that_is_none():
    assert set(examples()) == set(HOOK_NAMES)


def test_the_blocks_of_the_page_are_the_examples():
    first, *others = BLOCK.findall(PAGE.read_text("utf-8"))
    assert set(run(first, {})) >= set(GIVEN)
    assert others == [examples()[name] for name in HOOK_NAMES]


@pytest.mark.parametrize("number", range(len(BLOCK.findall(TESTING.read_text("utf-8")))))
def test_the_blocks_of_the_guide_for_testing_pass(number, request):
    code = BLOCK.findall(TESTING.read_text("utf-8"))[number]
    namespace = run(code, {})
    tests = [value for name, value in namespace.items() if name.startswith("test_")]
    assert tests
    for test in tests:
        fixtures = inspect.signature(test).parameters
        test(**{name: request.getfixturevalue(name) for name in fixtures})


def test_the_guide_names_every_fixture_and_only_what_there_is():
    text = TESTING.read_text("utf-8")
    source = ast.parse(Path(testing.__file__).with_name("plugin.py").read_text("utf-8"))
    fixtures = {
        node.name
        for node in source.body
        if isinstance(node, ast.FunctionDef) and any("fixture" in ast.dump(each)
                                                     for each in node.decorator_list)
    }  # fmt: skip
    assert fixtures == {"fake_context", "stagebox", "no_leaks"}
    for name in fixtures:
        assert f"`{name}`" in text
    with FakeContext() as context:
        for name in re.findall(r"`context\.([a-z]+)`", text):
            assert hasattr(context, name), name
    for name in re.findall(r"`(\w+Suite)`", text):
        assert name in testing.__all__
