"""/docs and /api/docs: the pages, their files, and what they are without them."""

from __future__ import annotations

import gzip
import json
import re
from html import unescape
from typing import Any

import pytest

import builtin_plugins.api_docs.reference as reference
import builtin_plugins.api_docs.swagger as swagger
from builtin_plugins.api_docs.assets import Asset, find_packaged
from builtin_plugins.api_docs.media_document import build_media_document
from builtin_plugins.api_docs.openapi30 import example_of, schema_30
from plugin_sdk import NotFound, Request, route
from plugin_sdk.management import PublishedRoute
from plugin_sdk.routes import route_declarations
from plugin_sdk.testing import request

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; "
    "worker-src 'self' blob:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


def scripts(page: str) -> list[str]:
    return re.findall(r'<script[^>]*src="([^"]*)"', page)


def test_the_reference_has_nothing_inline(pages_host: Any) -> None:
    answer = pages_host.get("/docs")
    page = answer.content.decode()
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert answer.headers["content-security-policy"] == POLICY
    (said,) = re.findall(r'<script id="api-reference" data-configuration="([^"]*)"></script>', page)
    assert json.loads(unescape(said)) == {
        "url": "/api/openapi.json",
        "withDefaultFonts": False,
        "telemetry": False,
        "agent": {"disabled": True},
        "showDeveloperTools": "never",
    }
    assert re.findall(r"<script[^>]*>([^<]+)</script>", page) == []
    assert len(scripts(page)) == 1
    assert pages_host.head("/docs").headers["content-length"] == str(len(answer.content))
    assert pages_host.get("/docs/").status == 404


@pytest.mark.parametrize("path", ["/docs", "/api/docs"])
def test_assets_are_kept_for_ever(pages_host: Any, path: str) -> None:
    page = pages_host.get(path).content.decode()
    for address in [*scripts(page), *re.findall(r'<link rel="stylesheet" href="([^"]*)"', page)]:
        assert address.startswith(path + "/assets/")
        plain = pages_host.get(address)
        assert plain.status == 200
        kind = "text/css" if address.endswith(".css") else "text/javascript"
        assert plain.headers["content-type"] == kind
        assert plain.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert plain.headers["vary"].startswith("Accept-Encoding")
        assert "content-encoding" not in plain.headers
        tag = plain.headers["etag"]
        assert tag.startswith('"')
        assert pages_host.get(address, headers={"If-None-Match": tag}).status == 304
        packed = pages_host.get(address, headers={"Accept-Encoding": "br, gzip;q=0.5"})
        assert packed.headers["content-encoding"] == "gzip"
        assert packed.headers["etag"] != tag
        assert gzip.decompress(packed.content) == plain.content
        refused = pages_host.get(address, headers={"Accept-Encoding": "gzip;q=0, *"})
        assert refused.content == plain.content
        head = pages_host.head(address, headers={"Accept-Encoding": "gzip"})
        assert head.headers["content-length"] == str(len(packed.content))


@pytest.mark.parametrize("name", ["x.js", "..%2f..%2fpasswd", "scalar.standalone.js", ""])
def test_other_files_are_not_there(pages_host: Any, name: str) -> None:
    for path in ("/docs/assets/", "/api/docs/assets/"):
        assert pages_host.get(path + name).status == 404


def test_the_switch(pages_host: Any) -> None:
    (address,) = scripts(pages_host.get("/docs").content.decode())
    pages_host.host.settings.update("api_docs", {"scalar": False})
    for path in ("/docs", address):
        for method in ("GET", "HEAD", "POST", "OPTIONS"):
            assert pages_host.request(method, path).status == 404
        assert pages_host.get(path).json()["error"] == "NOT_FOUND"
    assert pages_host.get("/api/openapi.json").status == 200
    pages_host.host.settings.update("api_docs", {"scalar": True})
    assert pages_host.get("/docs").status == 200


def test_without_the_packages_there_is_a_list(
    make_host: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (reference, swagger):
        monkeypatch.setattr(module, "find_packaged", lambda *_: None)
    host = make_host()
    for path, document in (("/docs", "/api/openapi.json"), ("/api/docs", "/api/docs.json")):
        answer = host.get(path)
        page = answer.content.decode()
        assert answer.status == 200
        assert f'href="{document}"' in page
        assert "stagebox[docs]" in page
        assert "<script" not in page
        assert host.get(path + "/assets/x.js").status == 404
    assert "<code>GET /api/health</code>" in host.get("/docs").content.decode()


def test_a_prepared_copy_follows_its_source(tmp_path: Any) -> None:
    source, prepared = tmp_path / "a.js", tmp_path / "prepared"
    prepared.mkdir()
    source.write_text("one")
    asked = request(headers={"Accept-Encoding": "gzip"})
    Asset(source, "text/javascript", prepared).response(asked)
    source.write_text("two")
    asset = Asset(source, "text/javascript", prepared)
    asset.response(asked)
    asset.response(asked)
    (copy,) = prepared.iterdir()
    assert copy.name == f"{asset.name}.gz"
    assert gzip.decompress(copy.read_bytes()) == b"two"


def test_packages_that_are_not_there() -> None:
    assert find_packaged("no_such_package_at_all", "x") is None
    assert find_packaged("json", "no-such-file") is None
    assert find_packaged("json", "__init__.py") is not None


FILM = {
    "title": "Film",
    "type": "object",
    "required": ["id"],
    "properties": {
        "id": {"type": "string", "examples": ["c1"]},
        "rating": {"type": ["number", "null"], "exclusiveMinimum": 0},
        "kind": {"const": "film"},
    },
}
LIMIT = {"type": "object", "properties": {"limit": {"type": "integer", "default": 20}}}


class Films:
    """Two routes of a media API, one outside of it."""

    @route(
        "GET",
        "/api/v1/movies/{id}",
        access="open",
        returns=FILM,
        query=LIMIT,
        errors=(404,),
        tags=("movies",),
    )
    def film(self, request: Request) -> None:
        """One film"""

    @route("PUT", "/api/v1/movies/{id}", access="open", body=FILM, returns=FILM, tags=("x",))
    def change(self, request: Request) -> None:
        """Change a film"""

    @route("GET", "/api/other", access="open")
    def other(self, request: Request) -> None:
        """Something else"""


def media_document(*, guarded: bool = False) -> Any:
    declared = [
        PublishedRoute("media", each.path, each)
        for method in (Films.film, Films.change, Films.other)
        for each in route_declarations(method)
    ]
    return build_media_document(declared, "0.3.0", guarded=guarded)


def test_the_media_document_speaks_3_0_3() -> None:
    document = media_document()
    assert list(document["paths"]) == ["/api/v1/movies/{id}"]
    film = document["paths"]["/api/v1/movies/{id}"]["get"]
    assert (film["tags"], film["security"]) == (["Movies"], [{}, {"bearerAuth": []}])
    assert film["responses"]["200"]["content"]["application/json"]["example"] == {
        "id": "c1",
        "rating": 1.5,
        "kind": "film",
    }
    assert document["components"]["schemas"]["Film"]["properties"] == {
        "id": {"type": "string", "example": "c1"},
        "rating": {"type": "number", "nullable": True, "minimum": 0, "exclusiveMinimum": True},
        "kind": {"enum": ["film"]},
    }
    names = {each["name"]: each for each in film["parameters"]}
    assert names["limit"]["example"] == 20
    error = document["components"]["schemas"]["Error"]
    assert error["required"] == ["success", "error", "message"]
    text = json.dumps(document)
    assert '"const"' not in text
    assert '"examples"' not in text
    changed = document["paths"]["/api/v1/movies/{id}"]["put"]
    assert changed["tags"] == ["Movies"]
    assert changed["requestBody"]["content"]["application/json"]["example"]["id"] == "c1"
    guarded = media_document(guarded=True)["paths"]["/api/v1/movies/{id}"]["get"]
    assert guarded["security"] == [{"bearerAuth": []}]


def test_the_media_document_of_a_host(pages_host: Any) -> None:
    answer = pages_host.get("/api/docs.json")
    assert answer.headers["cache-control"] == "no-store"
    assert pages_host.get("/api/docs/swagger.json").content == answer.content
    document = answer.json()
    assert document["openapi"] == "3.0.3"
    assert document["info"]["title"] == "Stagebox Media API"
    assert re.fullmatch(r"\d+\.\d+\.\d+", document["info"]["version"])
    assert document["servers"] == [{"url": pages_host.url}]
    assert [tag["name"] for tag in document["tags"]] == [
        "Health", "Search", "Scan", "Library", "Movies", "TV Shows", "Stream", "Settings", "Logs",
    ]  # fmt: skip
    assert all(path == "/health" or path.startswith("/api/v1/") for path in document["paths"])
    assert "/health" in document["paths"]
    names = {tag["name"] for tag in document["tags"]}
    for operations in document["paths"].values():
        for operation in operations.values():
            assert operation["operationId"]
            assert set(operation["tags"]) <= names
            for response in operation["responses"].values():
                for content in response.get("content", {}).values():
                    assert content["schema"]
    assert "{rest:path}" not in answer.content.decode()
    search = document["paths"]["/api/v1/search"]["get"]["parameters"]
    assert [(each["name"], each["required"]) for each in search] == [("query", True)]
    scan = document["paths"]["/api/v1/scan/path"]["post"]
    accepted = scan["responses"]["202"]["content"]["application/json"]["example"]
    assert accepted["data"]["libraryName"] == "movies"
    refused = scan["responses"]["409"]["content"]["application/json"]["example"]
    assert refused["error"] == "Conflict"
    cleaned = document["paths"]["/api/v1/scan/cleanup"]["post"]["requestBody"]
    assert cleaned["required"] is False
    assert list(cleaned["content"]["application/json"]["schema"]["properties"]) == ["days"]
    asked = document["paths"]["/api/v1/logs"]["get"]["parameters"]
    assert [(each["name"], each["schema"]["type"]) for each in asked] == [
        ("limit", "integer"),
        ("level", "string"),
    ]
    film = document["paths"]["/api/v1/stream/{id}"]["get"]["responses"]
    for status in ("200", "206"):
        assert film[status]["content"] == {
            "video/*": {"schema": {"type": "string", "format": "binary"}}
        }
    assert "content" not in film["304"]


SCHEMAS = [
    (True, {}),
    (False, {"not": {}}),
    ({"type": "null"}, {"nullable": True, "enum": [None]}),
    ({"type": ["string", "integer"]}, {"anyOf": [{"type": "string"}, {"type": "integer"}]}),
    ({"type": "array"}, {"type": "array", "items": {}}),
    ({"anyOf": [{"type": "null"}, {"enum": [1]}]}, {"nullable": True, "anyOf": [{"enum": [1]}]}),
    ({"$ref": "#/x", "description": "d"}, {"description": "d", "allOf": [{"$ref": "#/x"}]}),
    ({"if": {}, "then": {}, "$defs": {}, "type": "string"}, {"type": "string"}),
    ({"additionalProperties": False}, {"additionalProperties": False}),
    ({"properties": {"const": {"const": 1}}}, {"properties": {"const": {"enum": [1]}}}),
    ({"default": {"const": 1}}, {"default": {"const": 1}}),
]  # fmt: skip


@pytest.mark.parametrize(("new", "old"), SCHEMAS, ids=[str(n) for n in range(len(SCHEMAS))])
def test_schemas_in_older_words(new: Any, old: Any) -> None:
    assert schema_30(new) == old


def test_examples_end() -> None:
    schemas = {"Node": {"type": "object", "properties": {"next": {"$ref": "#/x/Node"}}}}
    assert example_of(schemas["Node"], schemas)["next"]["next"]


def test_an_unknown_asset_is_not_found(tmp_path: Any) -> None:
    with pytest.raises(NotFound):
        swagger.Swagger(tmp_path).asset("x", request())
