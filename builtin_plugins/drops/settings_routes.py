"""What ``/settings`` and ``/synced`` answer (contract, 3.3 and 3.4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from builtin_plugins.drops import strict
from builtin_plugins.drops.answers import document, empty, invalid, invalid_key
from builtin_plugins.drops.documents import BadDocument, Documents, Given
from builtin_plugins.drops.key_paths import InvalidKey
from builtin_plugins.drops.parameters import JsonBody, Unreadable, parameters, read_body
from builtin_plugins.drops.shapes import Kind
from plugin_sdk import Problem, Request, Response

__all__ = ["SettingsRoutes"]


class SettingsRoutes:
    """The three methods of one document."""

    def __init__(self, kind: Kind, documents: Documents) -> None:
        self._kind = kind
        self._documents = documents

    def get(self) -> Response:
        return document(self._documents.text(self._kind))

    def put(self, request: Request) -> Response:
        """One key, which is judged before its value."""
        try:
            self._put(request)
        except InvalidKey as error:
            raise invalid_key(request.path, str(error), "INVALID_KEY") from None
        except BadDocument as error:
            raise invalid(
                f"The value is not valid: {error}.", "INVALID_VALUE", error.problems
            ) from None
        return empty()

    def _put(self, request: Request) -> None:
        try:
            body = read_body(request)
        except Unreadable as error:
            raise invalid(str(error)) from None
        except strict.Unkeepable as error:
            body = JsonBody(error.value)
            self._documents.check_key(self._kind, _key(parameters(request, body, ("key",))))
            raise BadDocument([Problem("value", f"cannot be kept: {error}")]) from None
        except strict.NotStrict as error:
            raise invalid(f"The body is not JSON: {error}.") from None
        given = parameters(request, body, ("key", "value"))
        self._documents.put(self._kind, _key(given), given.get("value"))

    def post(self, request: Request) -> Response:
        """Everything."""
        try:
            wanted = _wanted(request)
        except (Unreadable, strict.NotJson) as error:
            text = f"The settings are not a JSON document: {error}"
            raise invalid_key(request.path, text.rstrip(".") + ".", "INVALID_JSON") from None
        except strict.NotStrict as error:
            raise invalid(f"The settings cannot be kept: {error}.", "INVALID_SETTINGS") from None
        try:
            self._documents.replace(self._kind, wanted)
        except BadDocument as error:
            text = f"The settings are not valid: {error}."
            raise invalid(text, "INVALID_SETTINGS", error.problems) from None
        return empty()


def _key(given: Mapping[str, Given]) -> Any:
    return given["key"].value if "key" in given else None


def _wanted(request: Request) -> Any:
    """The document, in whichever way it came. Raises Unreadable, NotJson, NotStrict."""
    body = read_body(request)
    fields = None if isinstance(body, JsonBody) else body
    given = parameters(request, fields, ("settings",))
    if isinstance(body, JsonBody):
        value = body.value
        if not isinstance(value, dict) or "settings" not in value:
            return value
        inner = value["settings"]
        return strict.parse(inner) if isinstance(inner, str) else inner
    if "settings" not in given:
        raise Unreadable("there is none")
    return strict.parse(given["settings"].value)
