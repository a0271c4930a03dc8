"""How a route's body is read and checked, decided once for each route."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from host.schemas import Validator, compile_schema
from host.web.forms import UploadedFile, read_form
from host.web.problems import all_problems
from host.web.requests import BodyReader
from plugin_sdk import (
    ANY_TYPE,
    JSON,
    MULTIPART,
    Form,
    Invalid,
    Route,
    UnsupportedMediaType,
    parse_json,
)

__all__ = ["MAX_DEPTH", "BodyPlan", "body_plan"]

MAX_DEPTH: Final = 32


def body_plan(route: Route) -> BodyPlan | None:
    """None for a route that leaves its body to the handler, or ignores it."""
    if route.method == "GET" or (route.body is None and tuple(route.consumes) == (JSON,)):
        return None
    return BodyPlan(route)


class BodyPlan:
    """Chooses by Content-Type among what the route consumes (RFC 9110, 15.5.16)."""

    def __init__(self, route: Route) -> None:
        self._consumes = frozenset(each.lower() for each in route.consumes)
        self._required = route.body_required
        self._has_schema = route.body is not None
        self._validator: Validator | None = (
            compile_schema(route.body) if route.body is not None else None
        )
        self._expected = " or ".join(route.consumes)

    def read(
        self, environ: Mapping[str, Any], reader: BodyReader, files: list[UploadedFile]
    ) -> tuple[Any, Form | None]:
        """The JSON value and the form. Uploads are put into ``files`` for the caller to close.

        Raises TooLarge, UnsupportedMediaType, Invalid: in this order of judgement."""
        declared: str = environ.get("CONTENT_TYPE") or ""
        reader.length()  # 413 before 415
        kind = self._kind(declared.partition(";")[0].strip().lower())
        if kind is None:
            if declared or not reader.is_empty():
                raise UnsupportedMediaType(f"This route takes {self._expected}.")
            kind = JSON if self._consumes & {JSON, ANY_TYPE} else ""
        if kind == MULTIPART:
            return None, read_form(declared, reader, files)
        if kind in (JSON, ANY_TYPE) and self._has_schema:
            return self._json(reader), None
        if not kind and self._required:
            raise Invalid(f"A body is needed: {self._expected}.")
        return None, None

    def _kind(self, media_type: str) -> str | None:
        """Which of the consumed types this is; None for none of them."""
        if media_type in self._consumes:
            return media_type
        group = media_type.partition("/")[0] + "/*"
        if media_type and group in self._consumes:
            return group
        return ANY_TYPE if ANY_TYPE in self._consumes else None

    def _json(self, reader: BodyReader) -> Any:
        content = reader()
        if not content and not self._required:
            return None
        value = parse_json(content, max_depth=MAX_DEPTH)
        assert self._validator is not None
        problems = all_problems(self._validator, value)
        if problems:
            raise Invalid("The body is not valid.", details=problems)
        return value
