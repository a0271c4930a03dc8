"""Pages from templates, and the files that they need."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from plugin_sdk import NotFound, Response

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["Renderer", "static_file"]

_FOLDER: Final = Path(__file__).parent
_TYPES: Final = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
}


class Renderer:
    """Jinja2 is loaded when the first page is asked for: most hosts start without anybody
    looking at them."""

    @cached_property
    def _environment(self) -> Environment:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined

        return Environment(
            loader=FileSystemLoader(_FOLDER / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            auto_reload=False,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def page(self, name: str, status: int = 200, **values: Any) -> Response:
        """The template ``<name>.html``, as a page that no cache keeps and nobody frames."""
        html = self._environment.get_template(f"{name}.html").render(name=name, **values)
        return Response.html(html, status, headers=_HEADERS)


def static_file(name: str) -> Response:
    """A style sheet or script. Raises NotFound for what the pages do not need."""
    file = _FOLDER / "static" / name
    content_type = _TYPES.get(file.suffix)
    if content_type is None or file.parent != _FOLDER / "static" or not file.is_file():
        raise NotFound("The desk has no such file.")
    return Response.file(file, content_type=content_type, headers={"Cache-Control": "no-cache"})
