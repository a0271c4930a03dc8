"""Small questions to Python's syntax trees."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping

from host.authoring.checking.subject import Module

__all__ = [
    "Function",
    "called",
    "constants_of",
    "decorator_names",
    "methods",
    "plugin_classes",
    "qualified",
    "text_of",
]

Function = ast.FunctionDef | ast.AsyncFunctionDef


def qualified(node: ast.expr) -> tuple[str, ...]:
    """``self.context.db`` as its names; empty for anything else at the left end."""
    if isinstance(node, ast.Name):
        return (node.id,)
    if isinstance(node, ast.Attribute):
        before = qualified(node.value)
        return (*before, node.attr) if before else ("", node.attr)
    return ()


def called(node: ast.AST) -> tuple[str, ...]:
    """The names of what a call calls."""
    return qualified(node.func) if isinstance(node, ast.Call) else ()


def constants_of(modules: Iterable[Module]) -> dict[str, str]:
    """Texts that modules keep under a name: ``EDIT = "example.notes:edit"``."""
    found: dict[str, str] = {}
    for module in modules:
        for node in module.tree.body:
            value: ast.expr | None = None
            targets: list[ast.expr] = []
            if isinstance(node, ast.Assign):
                value, targets = node.value, node.targets
            elif isinstance(node, ast.AnnAssign):
                value, targets = node.value, [node.target]
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                found |= {each.id: value.value for each in targets if isinstance(each, ast.Name)}
    return found


def text_of(node: ast.expr | None, constants: Mapping[str, str]) -> str | None:
    """A text that is written there, or under a constant's name."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.Name | ast.Attribute):
        return constants.get(qualified(node)[-1])
    return None


def plugin_classes(module: Module) -> Iterator[ast.ClassDef]:
    """Classes whose base is called Plugin."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ClassDef) and any(
            qualified(base)[-1:] == ("Plugin",) for base in node.bases
        ):
            yield node


def methods(cls: ast.ClassDef) -> Iterator[Function]:
    for node in cls.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def decorator_names(function: Function) -> set[str]:
    """Last names of the decorators: ``route``, ``hookimpl``."""
    found: set[str] = set()
    for decorator in function.decorator_list:
        target = decorator.func if isinstance(decorator, ast.Call) else decorator
        found.update(qualified(target)[-1:])
    return found
