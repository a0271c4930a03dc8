"""The schema of plugin.json takes what is right and refuses what is not."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from plugin_sdk import CAPABILITIES, SDK_VERSION, Manifest, Permission, manifest_schema
from plugin_sdk.manifest import DEFAULT_PREFIX, Author, ManifestPage, ProviderDeclaration

SMALL: dict[str, Any] = {"id": "example.board", "name": "Board", "version": "1.0.0", "sdk": ">=1"}

FULL: dict[str, Any] = {
    **SMALL,
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "description": "Short sounds, one tap away",
    "authors": [{"name": "A", "email": "a@example.org", "url": "https://example.org"}],
    "homepage": "https://example.org/board",
    "license": "MIT",
    "requires": ["songs>=1.0,<2", "rooms"],
    "capabilities": ["db", "http.private"],
    "permissions": [{"name": "example.board:edit", "description": "Edit the board"}],
    "settings": {"type": "object", "properties": {"a": {"type": "integer"}}},
    "settingsHtml": "settings.html",
    "frontend": {
        "scripts": ["static/board.js"],
        "styles": ["static/board.css"],
        "pages": [{"path": "index.html", "title": "Board", "icon": "🔊", "order": 5}],
    },
    "providers": [{"type": "song_format", "name": "board", "description": "Boards"}],
    "routes": {"prefix": "/board"},
}


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    return Draft202012Validator(dict(manifest_schema()))


def test_the_schema_is_one() -> None:
    schema = manifest_schema()
    Draft202012Validator.check_schema(dict(schema))
    assert schema["$id"] == "stagebox:plugin-manifest:1"
    assert manifest_schema() is schema, "read once"


@pytest.mark.parametrize("document", [SMALL, FULL], ids=["small", "full"])
def test_good_manifests(validator: Draft202012Validator, document: dict[str, Any]) -> None:
    assert [error.message for error in validator.iter_errors(document)] == []


@pytest.mark.parametrize(
    "value",
    [
        *("a1", "example.board", "example.board-2", "a_b", "x" * 64, "a.1"),
        *("a", "a..b", "A", "1a", ".a", "a.", "x" * 65, "", "a b", "ä1", "a/b", 7),
        *("providers", "permissions"),
    ],
)
def test_ids(validator: Draft202012Validator, value: Any) -> None:
    good = {"a1", "example.board", "example.board-2", "a_b", "x" * 64, "a.1"}
    assert validator.is_valid({**SMALL, "id": value}) is (value in good)


@pytest.mark.parametrize(
    ("value", "good"),
    [
        *(
            (each, True)
            for each in ("0.0.0", "1.2.3", "10.20.30", "1.0.0a1", "1.0.0b2", "1.0.0rc3")
        ),
        *((each, False) for each in ("1", "1.0", "01.0.0", "1.0.0-1", "1.0.0.dev1", "v1.0.0", "")),
    ],
)
def test_versions(validator: Draft202012Validator, value: str, good: bool) -> None:
    assert validator.is_valid({**SMALL, "version": value}) is good


@pytest.mark.parametrize(
    ("path", "good"),
    [
        *((each, True) for each in ("a.js", "static/a.js", "a b/c.js", "é.js", "a..b", "a.b/c")),
        *(
            (each, False)
            for each in ("", "/a.js", "../a.js", "a/../b", "./a", ".a", "a/.b", "a//b")
        ),
        *((each, False) for each in ("a/", "a\\b", "C:a", "a\nb", "a" * 201)),
    ],
)
def test_paths_stay_in_the_folder(validator: Draft202012Validator, path: str, good: bool) -> None:
    assert validator.is_valid({**SMALL, "frontend": {"scripts": [path]}}) is good
    assert validator.is_valid({**SMALL, "settingsHtml": path}) is good


@pytest.mark.parametrize(
    "change",
    [
        {"unknown": 1},
        {"name": ""},
        {"name": "x" * 81},
        {"sdk": ""},
        {"authors": [{"email": "a@example.org"}]},
        {"authors": [{"name": "A", "phone": "1"}]},
        {"homepage": "javascript:alert(1)"},
        {"requires": ["Songs"]},
        {"requires": ["songs", "songs"]},
        {"capabilities": ["db", "db"]},
        {"capabilities": [7]},
        {"permissions": [{"name": "edit", "description": "Edit"}]},
        {"permissions": [{"name": "example.board:edit", "description": ""}]},
        {"permissions": [{"name": "example.board:Edit", "description": "Edit"}]},
        {"settings": {"properties": {}}},
        {"settings": {"type": "array"}},
        {"frontend": {"script": []}},
        {"frontend": {"pages": [{"path": "a.html"}]}},
        {"frontend": {"pages": [{"path": "a.html", "title": "A", "order": -1}]}},
        {"providers": [{"type": "Song", "name": "x"}]},
        {"providers": [{"type": "song_format"}]},
        {"routes": {"prefix": "board"}},
        {"routes": {"prefix": "/"}},
        {"routes": {"prefix": "/board/"}},
        {"routes": {"prefix": "/{id}"}},
    ],
    ids=str,
)
def test_bad_manifests(validator: Draft202012Validator, change: dict[str, Any]) -> None:
    assert not validator.is_valid({**FULL, **change})


@pytest.mark.parametrize("name", ["id", "name", "version", "sdk"])
def test_what_must_be_there(validator: Draft202012Validator, name: str) -> None:
    document = {key: value for key, value in SMALL.items() if key != name}
    assert not validator.is_valid(document)


def test_every_capability_fits_and_is_explained(validator: Draft202012Validator) -> None:
    assert validator.is_valid({**SMALL, "capabilities": list(CAPABILITIES)})
    assert all(text[0].isupper() and not text.endswith(".") for text in CAPABILITIES.values())


def test_the_sdk_has_a_version(validator: Draft202012Validator) -> None:
    assert validator.is_valid({**SMALL, "version": SDK_VERSION})


def test_a_small_manifest_as_a_value() -> None:
    manifest = Manifest.from_json(SMALL)
    assert manifest == Manifest(
        "example.board",
        "Board",
        "1.0.0",
        ">=1",
        prefix=DEFAULT_PREFIX + "example.board",
        claims=(DEFAULT_PREFIX + "example.board",),
    )
    assert hash(manifest) == hash(Manifest.from_json(dict(SMALL)))


def test_a_full_manifest_as_a_value() -> None:
    manifest = Manifest.from_json(FULL)
    assert manifest.authors == (Author("A", "a@example.org", "https://example.org"),)
    assert manifest.requires == ("songs>=1.0,<2", "rooms")
    assert manifest.capabilities == ("db", "http.private")
    assert manifest.permissions == (
        Permission("example.board:edit", "Edit the board", "example.board"),
    )
    assert manifest.settings == FULL["settings"]
    assert (manifest.settings_html, manifest.scripts) == ("settings.html", ("static/board.js",))
    assert manifest.pages == (ManifestPage("index.html", "Board", "🔊", 5),)
    assert manifest.providers == (ProviderDeclaration("song_format", "board", "Boards"),)
    assert (manifest.prefix, manifest.claims) == ("/board", ("/board",))
