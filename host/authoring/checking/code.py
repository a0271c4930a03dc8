"""Rules about the plugin's class, by reading the code."""

from __future__ import annotations

import ast
import importlib.util
import inspect
from collections.abc import Iterator
from typing import Final

import plugin_sdk
from host.authoring.checking.findings import Finding
from host.authoring.checking.subject import Module, Subject
from host.authoring.checking.syntax import (
    Function,
    called,
    decorator_names,
    methods,
    plugin_classes,
    qualified,
)
from host.suggestions import did_you_mean, suggestion_suffix
from plugin_sdk import hookspecs

__all__ = ["check_code"]

_HANDLERS: Final = frozenset({"route", "websocket", "event_handler", "job", "migration", "command"})
_OTHER_METHODS: Final = ("guard", "error_body")
_FOREIGN: Final = frozenset({"host", "builtin_plugins"})


def check_code(subject: Subject) -> Iterator[Finding]:
    named = {
        node.attr
        for module in subject.modules
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute)
    }
    for module in subject.modules:
        if module.path == subject.entry:
            yield from _entry(subject, module)
        yield from _imports(subject, module)
        for cls in plugin_classes(module):
            yield from _constructor(subject, module, cls)
            for method in methods(cls):
                yield from _decorators(subject, module, method)
                yield from _method(subject, module, method, named)


def _entry(subject: Subject, module: Module) -> Iterator[Finding]:
    classes = {node.name for node in module.tree.body if isinstance(node, ast.ClassDef)}
    found = False
    for node in module.tree.body:
        if isinstance(node, ast.If | ast.Try):
            found = True  # bound on a condition: loading it tells
        if subject.attribute not in _bound(node):
            continue
        found = True
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        if isinstance(value, ast.Call) and called(value)[-1:] and called(value)[-1] in classes:
            text = f'"{subject.attribute}" is an instance of {called(value)[-1]}.'
            yield subject.finding("code-instance-not-class", text, module.path, node.lineno)
    if not found:
        text = f'The module has no attribute "{subject.attribute}".'
        yield subject.finding("code-no-plugin", text, module.path, 1)


def _bound(node: ast.stmt) -> set[str]:
    """Names that a statement binds; ``from … import *`` may bind any."""
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        return {node.name}
    if isinstance(node, ast.Assign):
        return {each.id for each in node.targets if isinstance(each, ast.Name)}
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return {node.target.id}
    if isinstance(node, ast.Import | ast.ImportFrom):
        names = {alias.asname or alias.name for alias in node.names}
        return {"plugin"} | names if "*" in names else names
    return set()


def _imports(subject: Subject, module: Module) -> Iterator[Finding]:
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        names = [alias.name for alias in node.names]
        if isinstance(node, ast.ImportFrom):
            if node.module == "plugin_sdk" and node.level == 0:
                yield from _sdk_names(subject, module, node)
            names = [node.module] if node.level == 0 and node.module else []
        for name in names:
            if name.partition(".")[0] in _FOREIGN:
                text = f'"{name}" is no part of the SDK.'
                yield subject.finding("code-imports-host", text, module.path, node.lineno)


def _sdk_names(subject: Subject, module: Module, node: ast.ImportFrom) -> Iterator[Finding]:
    """Names that the SDK does not have: nobody could import them."""
    known = vars(plugin_sdk)
    for alias in node.names:
        if alias.name != "*" and alias.name not in known and not _is_module(alias.name):
            # Of route and Route the one that looks like it.
            alike = alias.name[:1].islower()
            names = [each for each in plugin_sdk.__all__ if each[:1].islower() == alike]
            suffix = suggestion_suffix(alias.name, names)
            text = f'plugin_sdk has no "{alias.name}"{";" + suffix if suffix else "."}'
            yield subject.finding("sdk-name", text, module.path, node.lineno)


def _is_module(name: str) -> bool:
    return importlib.util.find_spec(f"plugin_sdk.{name}") is not None


def _decorators(subject: Subject, module: Module, method: Function) -> Iterator[Finding]:
    """Keywords that a decorator of the SDK does not take, and decorators that are not called."""
    for node in method.decorator_list:
        name = "".join(qualified(node.func if isinstance(node, ast.Call) else node)[-1:])
        if name not in _HANDLERS:
            continue
        known = inspect.signature(getattr(plugin_sdk, name)).parameters
        if not isinstance(node, ast.Call):
            text = f"@{name} is not called: write @{name}(...) with its arguments."
            yield subject.finding("decorator-argument", text, module.path, node.lineno)
            continue
        for keyword in node.keywords:
            if keyword.arg is not None and keyword.arg not in known:
                suffix = suggestion_suffix(keyword.arg, known)
                text = f'@{name} takes no "{keyword.arg}"{";" + suffix if suffix else "."}'
                yield subject.finding("decorator-argument", text, module.path, keyword.lineno)


def _constructor(subject: Subject, module: Module, cls: ast.ClassDef) -> Iterator[Finding]:
    for method in methods(cls):
        if method.name != "__init__":
            continue
        calls = (called(node) for node in ast.walk(method))
        inner = (
            node
            for node in ast.walk(method)
            if isinstance(node, ast.Attribute) and node.attr == "__init__"
        )
        if not any(inner) and not any(names[-1:] == ("__init__",) for names in calls):
            text = f"{cls.name}.__init__ does not call that of Plugin, so there is no self.context."
            yield subject.finding("code-own-init-without-super", text, module.path, method.lineno)


def _method(
    subject: Subject, module: Module, method: Function, named: set[str]
) -> Iterator[Finding]:
    decorators = decorator_names(method)
    hook = method.name in hookspecs.HOOK_NAMES
    if isinstance(method, ast.AsyncFunctionDef) and (hook or decorators & _HANDLERS):
        text = f"{method.name} is a coroutine, which nobody awaits."
        yield subject.finding("code-async", text, module.path, method.lineno)
    if hook:
        yield from _signature(subject, module, method)
    elif not decorators and not method.name.startswith("_") and method.name not in named:
        known = (*hookspecs.HOOK_NAMES, *_OTHER_METHODS)
        meant = did_you_mean(method.name, known) if len(method.name) > 3 else None
        if meant is not None and meant != method.name:
            text = f'Nobody calls "{method.name}"; did you mean "{meant}"?'
            yield subject.finding("hook-misspelled", text, module.path, method.lineno)


def _signature(subject: Subject, module: Module, method: Function) -> Iterator[Finding]:
    expected = list(inspect.signature(getattr(hookspecs, method.name)).parameters)
    arguments = method.args
    names = [each.arg for each in (*arguments.posonlyargs, *arguments.args)]
    static = "staticmethod" in decorator_names(method)
    own = names if static else names[1:]
    optional = len(arguments.defaults)
    required = own[: len(own) - optional] if optional else own
    wrong = [name for name in required if name not in expected]
    missing_self = not static and not names
    if wrong or missing_self or (expected and not own and arguments.vararg is None):
        shown = ", ".join(["self", *expected])
        text = f"{method.name} takes ({', '.join(names)}), not ({shown})."
        yield subject.finding("hook-signature", text, module.path, method.lineno)
