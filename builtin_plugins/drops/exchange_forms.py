"""Files in which clients hand identities and contacts to one another (contract, 8.2)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from builtin_plugins.drops import strict
from plugin_sdk import Invalid, NotFound

__all__ = [
    "contact_form",
    "contact_items",
    "identity_form",
    "identity_item",
    "read_file",
]

_MAX_FILE: Final = 4 * 1024 * 1024


def read_file(path: Path) -> Any:
    """The JSON value in a file. Raises NotFound, Invalid."""
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_FILE + 1)
    except OSError as error:
        raise NotFound(f"{path} cannot be read: {error.strerror}.") from None
    if len(content) > _MAX_FILE:
        raise Invalid(f"{path} is larger than {_MAX_FILE} bytes.")
    try:
        return strict.parse(content)
    except (strict.NotJson, strict.NotStrict) as error:
        raise Invalid(f"{path} is no usable JSON: {error}.") from None


def identity_form(item: Mapping[str, Any]) -> dict[str, Any]:
    """With the private key."""
    return {
        "alias": item["alias"],
        "email": item.get("email", ""),
        "phone": item.get("phone", ""),
        "private_key": item["keys"]["private_key"],
        "public_key": item["keys"]["public_key"],
        "prefixes": [],
        "drop_urls": item["drops"],
    }


def identity_item(form: Any) -> dict[str, Any]:
    """As it goes into the document, where it is checked. Raises Invalid."""
    form = _object(form, "An identity")
    keys = {name: form[name] for name in ("private_key", "public_key") if name in form}
    item = {"alias": form.get("alias"), "keys": keys, "drops": form.get("drop_urls", [])}
    return {**item, **_reachable(form)}


def contact_form(item: Mapping[str, Any]) -> dict[str, Any]:
    form = {
        "alias": item["alias"],
        "public_key": item["keys"]["public_key"],
        "drop_urls": item["drop_urls"],
    }
    return {**form, **_reachable(item)}


def contact_items(form: Any, owner: str) -> list[dict[str, Any]]:
    """Of ``{"contacts": [...]}`` or one contact; ``owner`` is the key id of the identity that
    gets them. Raises Invalid."""
    form = _object(form, "A file of contacts")
    forms = form.get("contacts", [form])
    if not isinstance(forms, list):
        raise Invalid("contacts must be a list.")
    return [_contact_item(_object(each, "A contact"), owner) for each in forms]


def _contact_item(form: Mapping[str, Any], owner: str) -> dict[str, Any]:
    item = {
        "alias": form.get("alias"),
        "keys": {"public_key": form.get("public_key")},
        "my_identity": owner,
        "drop_urls": form.get("drop_urls", []),
    }
    return {**item, **_reachable(form)}


def _reachable(values: Mapping[str, Any]) -> dict[str, Any]:
    """What is set of e-mail and telephone."""
    return {name: values[name] for name in ("email", "phone") if values.get(name)}


def _object(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise Invalid(f"{what} must be a JSON object.")
    return value
