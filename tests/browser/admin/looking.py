"""What must hold of every page: reach, colours, where it asks, what its policy allows."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import expect

__all__ = ["accessibility_problems", "assert_strict", "controls_out_of_reach", "public_routes"]


CONTROLS = """() => {
  const all = "a[href], button, input, select, textarea, summary, [tabindex='0']";
  const usable = (each) => each.checkVisibility({ visibilityProperty: true }) && !each.disabled;
  window.controls = [...document.querySelectorAll(all)].filter(usable);
  window.seen = new Set();
  addEventListener("focusin", ({ target }) => {
    if (getComputedStyle(target).outlineStyle !== "none") window.seen.add(target);
  });
  return window.controls.length;
}"""


LOST = """() => window.controls
  .filter((each) => each.isConnected && !window.seen.has(each)).map((each) => each.outerHTML)"""


def accessibility_problems(page: Any, axe: str) -> list[Any]:
    """What axe-core finds, in the scheme of the page and as to colours in the other one too."""
    page.emulate_media(reduced_motion="reduce")  # colours that are on their way are none
    page.evaluate(axe)
    found = page.evaluate("axe.run().then((r) => [r.passes.length, r.violations])")
    assert found[0] > 5
    dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    page.emulate_media(color_scheme="light" if dark else "dark")
    colours = (
        "axe.run({ runOnly: ['color-contrast'] }).then((r) => [r.passes.length, r.violations])"
    )
    found_there = page.evaluate(colours)
    assert found_there[0] == 1 or found_there[1]
    page.emulate_media(color_scheme="dark" if dark else "light")
    return [(each["id"], each["nodes"][0]["html"]) for each in [*found[1], *found_there[1]]]


def controls_out_of_reach(page: Any) -> list[str]:
    """What no Tab leads to, or where nobody sees that it did. What a page that lives replaces
    meanwhile does not count."""
    expect(page.locator("main")).not_to_contain_text("Asking…")
    count = page.evaluate(CONTROLS)
    assert count > 3
    lost: list[str] = []
    for _ in range(3):  # what is drawn anew meanwhile may send the focus back to the beginning
        for _ in range(count + 10):
            page.keyboard.press("Tab")
        if not (lost := page.evaluate(LOST)):
            break
    return lost


def public_routes(page: Any) -> list[re.Pattern[str]]:
    """What the reference of the HTTP API documents, and the panels in the public list."""
    get = "(url) => fetch(url).then((answer) => answer.json())"
    documented = page.evaluate(get, "/api/openapi.json")["paths"]
    routes = [
        re.compile(f"{method.upper()} {re.sub(r'{[^}]+}', '[^/]+', path)}")
        for path, methods in documented.items()
        for method in methods
    ]
    panels = [
        re.compile(f"GET {re.escape(panel['url'])}")
        for plugin in page.evaluate(get, "/api/plugins")
        for panel in plugin["frontend"].get("panels", ())
    ]
    return [*routes, *panels]


def assert_strict(answer: Any) -> None:
    """The policy of a page, as the browser got it."""
    directives = dict(
        each.strip().partition(" ")[::2]
        for each in answer.header_value("content-security-policy").split(";")
    )
    assert directives["default-src"] == "'none'"
    assert directives["script-src"] == directives["style-src"] == "'self'"
    assert directives["connect-src"] == "'self'"
    assert not [each for each in directives.values() if "unsafe" in each or "http" in each]
