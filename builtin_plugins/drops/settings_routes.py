"""What ``/settings`` and ``/synced`` answer (contract, 3.3 and 3.4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from builtin_plugins.drops import strict
from builtin_plugins.drops.answers import document, empty, invalid, invalid_key
from builtin_plugins.drops.documents import BadDocument, Documents
from builtin_plugins.drops.key_paths import InvalidKey
from builtin_plugins.drops.parameters import JsonBody, Unreadable, parameters, read_body
from builtin_plugins.drops.shapes import Kind
from plugin_sdk import Request, Response

__all__ = ["SettingsRoutes"]


class SettingsRoutes:
    """The three methods of one document."""

    def __init__(self, kind: Kind, documents: Documents) -> None:
        self._kind = kind
        self._documents = documents

    def get(self) -> Response:
        return document(self._documents.text(self._kind))

    def put(self, request: Request) -> Response:
        """One key."""
        try:
            body = read_body(request)
        except Unreadable as error:
            raise invalid(str(error)) from None
        except strict.NotStrict as error:
            raise invalid(f"The body cannot be kept: {error}.") from None
        given = parameters(request, body, ("key", "value"))
        key = given["key"].value if "key" in given else None
        try:
            self._documents.put(self._kind, key, given.get("value"))
        except InvalidKey as error:
            raise invalid_key(request.path, str(error), "INVALID_KEY") from None
        except BadDocument as error:
            raise invalid(
                f"The value is not valid: {error}.", "INVALID_VALUE", error.problems
            ) from None
        return empty()

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


def _wanted(request: Request) -> Any:
    """The document, in whichever way it came. Raises Unreadable, NotJson, NotStrict."""
    body = read_body(request)
    if isinstance(body, JsonBody):
        value = body.value
        if not isinstance(value, dict) or "settings" not in value:
            return value
        inner = value["settings"]
        return strict.parse(inner) if isinstance(inner, str) else inner
    fields: Mapping[str, str] | None = body
    given = parameters(request, fields, ("settings",))
    if "settings" not in given:
        raise Unreadable("there is none")
    return strict.parse(given["settings"].value)
