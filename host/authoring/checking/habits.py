"""Rules about what works here and today, and troubles people elsewhere and later."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from host.authoring.checking.findings import Finding
from host.authoring.checking.subject import Module, Subject
from host.authoring.checking.syntax import Function, called, decorator_names, qualified

__all__ = ["check_habits"]

_SQL: Final = frozenset({"query", "iterate", "one", "value", "values", "execute", "executemany"})
_DATABASES: Final = frozenset({"db", "_db", "database", "_database"})
_VALUE_FOLLOWS: Final = re.compile(r"([=<>'\"]|\bLIKE|\bVALUES *\()\s*$", re.I)
_ABSOLUTE: Final = re.compile(r"(/(home|Users|root|tmp|var|etc|opt|srv|mnt)/\S+|[A-Za-z]:\\\S+)")
_BROAD: Final = frozenset({"Exception", "BaseException"})
_WAITING: Final = frozenset({"route", "websocket", "event_handler"})


def check_habits(subject: Subject) -> Iterator[Finding]:
    for module in subject.modules:
        docs = _docstrings(module.tree)
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call):
                yield from _call(subject, module, node)
            elif isinstance(node, ast.ExceptHandler):
                yield from _handler(subject, module, node)
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield from _waiting(subject, module, node)
            elif isinstance(node, ast.Constant) and id(node) not in docs:
                yield from _constant(subject, module, node)


def _constant(subject: Subject, module: Module, node: ast.Constant) -> Iterator[Finding]:
    if isinstance(node.value, str) and _ABSOLUTE.fullmatch(node.value):
        text = f'"{node.value}" is a path of one machine.'
        yield subject.finding("absolute-path", text, module.path, node.lineno)


def _docstrings(tree: ast.Module) -> set[int]:
    return {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }


def _call(subject: Subject, module: Module, node: ast.Call) -> Iterator[Finding]:
    names = called(node)
    if names == ("print",):
        text = "print writes to nobody: a server has no terminal."
        yield subject.finding("print-used", text, module.path, node.lineno)
    sql = len(names) > 1 and names[-1] in _SQL and names[-2] in _DATABASES
    if sql and node.args and _is_composed(node.args[0]):
        text = "Values are written into the SQL: whoever sends them writes the statement."
        yield subject.finding("sql-from-f-string", text, module.path, node.lineno)


def _is_composed(sql: ast.expr) -> bool:
    """f"… = {name}", "… = " + name, "…" % name, "…".format(name). What is no value (a list of
    parameters, an order) and what is written in capitals, as constants are, passes."""
    if isinstance(sql, ast.JoinedStr):
        return any(
            isinstance(value, ast.FormattedValue)
            and not _is_constant(value.value)
            and _before_value(before)
            for before, value in pairwise(sql.values)
        )
    if isinstance(sql, ast.BinOp) and isinstance(sql.op, ast.Mod):
        return isinstance(sql.left, ast.Constant)
    if isinstance(sql, ast.BinOp) and isinstance(sql.op, ast.Add):
        if _is_composed(sql.left):
            return True
        plain = isinstance(sql.right, ast.Constant) or _is_constant(sql.right)
        return not plain and _before_value(sql.left)
    return called(sql)[-1:] == ("format",)


def _before_value(node: ast.expr) -> bool:
    """Whether a value is to follow this part of a statement."""
    if isinstance(node, ast.BinOp):
        node = node.right
    text = node.value if isinstance(node, ast.Constant) else None
    return isinstance(text, str) and _VALUE_FOLLOWS.search(text) is not None


def _is_constant(node: ast.expr) -> bool:
    name = (qualified(node) or ("",))[-1]
    return bool(name) and name == name.upper()


def _handler(subject: Subject, module: Module, node: ast.ExceptHandler) -> Iterator[Finding]:
    kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
    broad = any(each is None or (qualified(each)[-1:] and qualified(each)[-1] in _BROAD)
                for each in kinds)  # fmt: skip
    silent = all(
        isinstance(each, ast.Pass | ast.Continue)
        or (isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant))
        for each in node.body
    )
    if broad and silent:
        text = "Whatever goes wrong here, nobody will know."
        yield subject.finding("exception-swallowed", text, module.path, node.lineno)


def _waiting(subject: Subject, module: Module, function: Function) -> Iterator[Finding]:
    if not decorator_names(function) & _WAITING:
        return
    for node in ast.walk(function):
        if called(node) in (("time", "sleep"), ("sleep",)):
            text = f"{function.name} sleeps while somebody waits for its answer."
            yield subject.finding("sleep-in-handler", text, module.path, getattr(node, "lineno", 0))
