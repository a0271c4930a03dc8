"""The hooks reference, made from the hook specifications and an example for each.

``python -m host.authoring.reference > docs/guide/hooks.md`` writes it anew; a test fails while
the two differ.
"""

from __future__ import annotations

import inspect
import sys
from importlib.resources import files
from typing import Final

from plugin_sdk import HOOK_NAMES, Plugin, hookspecs

__all__ = ["examples", "hooks_reference"]

_MARK: Final = "# hook: "
_HEAD: Final = """\
# Hooks

This page is made from `plugin_sdk/hookspecs.py`: edit the specifications, or the examples in
`host/authoring/templates/hooks.py.txt`.

A hook is a question that the host asks a plugin. `plugin_sdk.Plugin` answers all of them, from the
decorators (`@route`, `@job`, …) of its methods, so a plugin names only those that it answers
itself: define a method of that name. Where decorators contribute too, add to what `super()` says.

* Each plugin is asked by itself. What it raises is logged and laid to that plugin alone.
* Nobody waits for a plugin's start longer than `setupTimeoutSeconds`.
* A method may leave out arguments of its hook, but not name others: `stagebox plugin check` finds
  that (`hook-signature`), and names that are nearly right (`hook-misspelled`).

The order of a plugin's life: `check`, `migrations`, `enable`, then the contributions (`routes`,
`filters`, `providers`, `subscriptions`, `jobs`, `commands`, `pages`), all of which appear in one
switch; at the end `disable`. `diagnostics`, `holds`, `purge` and `decide` are asked while it is
active.

The examples are tests at the same time. They use [the test kit](testing.md):

```python
from plugin_sdk.testing import FakeCommandIO, FakeContext, request, signed_in
```
"""


def hooks_reference() -> str:
    """The page as Markdown. Raises KeyError for a hook without an example, ValueError for one
    without documentation."""
    shown = examples()
    parts = [_HEAD]
    for name in HOOK_NAMES:
        parts.append(f"## {name}\n\n{_signature(name)}\n{_doc(name)}\n\n{_block(shown[name])}")
    return "\n".join(parts)


def examples() -> dict[str, str]:
    """Python code by hook, each with its test ``test_<hook>``."""
    text = files("host.authoring").joinpath("templates", "hooks.py.txt").read_text("utf-8")
    found = {}
    for part in text.split(_MARK)[1:]:
        name, _, code = part.partition("\n")
        found[name.strip()] = code.strip() + "\n"
    return found


def _signature(name: str) -> str:
    parameters = inspect.signature(getattr(Plugin, name))
    text = f"def {name}{parameters}".replace("'", "")
    return _block(f"{text}: ...\n", "text")


def _doc(name: str) -> str:
    doc = inspect.getdoc(getattr(hookspecs, name))
    if not doc:
        raise ValueError(f"The hook {name} is not documented.")
    return doc.replace("``", "`")


def _block(code: str, language: str = "python") -> str:
    return f"```{language}\n{code}```\n"


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]  # it is a text stream
    sys.stdout.write(hooks_reference())
