"""The OpenAPI document says what the host answers, and nothing else."""

from __future__ import annotations

import json
import re

CODE = """
    from plugin_sdk import Plugin, route

    BODY = {"title": "Wave", "type": "object", "properties": {"hand": {"type": "string"}}}

    class plugin(Plugin):
        @route("POST", "/wave/{name}", body=BODY, permission="waver:wave", errors=(409,),
               query={"type": "object", "properties": {"times": {"type": "integer", "default": 1}}})
        def wave(self, request):
            '''Wave at somebody

            As often as you like.
            '''
            return {}

        @route("GET", "/hidden", documented=False)
        def hidden(self, request):
            return {}
"""
MANIFEST = {"permissions": [{"name": "waver:wave", "description": "Wave"}]}


def references(node):
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(node, list):
        for each in node:
            yield from references(each)


def test_the_document_is_sound(make_host, write_plugin):
    host = make_host(write_plugin("waver", CODE, **MANIFEST))
    reply = host.get("/api/openapi.json")
    assert reply.headers["content-type"] == "application/json"
    document = reply.json()
    assert document["openapi"].startswith("3.1")
    assert document["info"] == {"title": "Stagebox API", "version": host.host.version}
    assert document["servers"] == [{"url": host.url}]
    assert document["components"]["securitySchemes"]["bearerAuth"] == {
        "type": "http",
        "scheme": "bearer",
    }
    assert "security" not in document
    operations = [
        operation for methods in document["paths"].values() for operation in methods.values()
    ]
    ids = [operation["operationId"] for operation in operations]
    assert len(ids) == len(set(ids))
    assert {"getHealth", "getOpenApi", "login", "logout", "getPluginData", "getMeta"} <= set(ids)
    for operation in operations:
        for requirement in operation["security"]:
            assert set(requirement) <= set(document["components"]["securitySchemes"])
        assert operation["summary"]
    for reference in references(document):
        target = document
        for part in reference.removeprefix("#/").split("/"):
            target = target[part]
    shapes = [re.sub(r"\{[^}]*\}", "{}", path) for path in document["paths"]]
    assert len(shapes) == len(set(shapes))
    assert "nullable" not in json.dumps(document)


def test_a_route_is_described_by_its_declaration(make_host, write_plugin):
    host = make_host(write_plugin("waver", CODE, **MANIFEST))
    paths = host.get("/api/openapi.json").json()["paths"]
    operation = paths["/api/plugins/waver/wave/{name}"]["post"]
    assert operation["summary"] == "Wave at somebody"
    assert "As often as you like." in operation["description"]
    assert "waver:wave" in operation["description"]
    assert operation["tags"] == ["waver"]
    assert operation["security"] == [{"bearerAuth": []}]
    assert {each["name"]: each["in"] for each in operation["parameters"]} == {
        "name": "path",
        "times": "query",
    }
    assert set(operation["responses"]) == {"200", "400", "401", "403", "409"}
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/Wave"}
    assert "/api/plugins/waver/hidden" not in paths


TREE = """
    from plugin_sdk import Plugin, route

    TREE = {"title": "Tree", "type": "object", "$defs": {"name": {"type": "string"}},
            "properties": {"name": {"$ref": "#/$defs/name"}, "default": {"title": "Leaf"},
                           "branches": {"type": "array", "items": {"$ref": "#"}}}}
    QUERY = {"type": "object", "$defs": {"height": {"type": "integer"}},
             "properties": {"above": {"$ref": "#/$defs/height"}, "below": {"type": "integer"}}}
    FILM = {"title": "Film", "type": "object", "examples": [{"title": "Heat"}],
            "properties": {"default": {"title": "Leaf"}, "title": {"default": {"title": "Heat"}}}}

    class plugin(Plugin):
        @route("POST", "/trees", access="open", body=TREE, query=QUERY, returns=FILM)
        def plant(self, request):
            return {}
"""


def resolved(document, reference):
    node = document
    for part in reference.removeprefix("#/").split("/"):
        node = node[part]
    return node


def test_schemas_that_refer_to_themselves_and_values_that_look_like_schemas(
    make_host, write_plugin
):
    document = make_host(write_plugin("trees", TREE)).get("/api/openapi.json").json()
    schemas = document["components"]["schemas"]
    assert all(resolved(document, each) for each in references(document))
    tree = schemas["Tree"]
    assert resolved(document, tree["properties"]["name"]["$ref"]) == {"type": "string"}
    assert resolved(document, tree["properties"]["branches"]["items"]["$ref"]) == tree
    operation = document["paths"]["/api/plugins/trees/trees"]["post"]
    parameters = {each["name"]: each["schema"] for each in operation["parameters"]}
    assert resolved(document, parameters["above"]["$ref"]) == {"type": "integer"}
    film = schemas["Film"]
    assert film["examples"] == [{"title": "Heat"}]
    assert film["properties"]["title"]["default"] == {"title": "Heat"}
    assert film["properties"]["default"] == {"$ref": "#/components/schemas/Leaf"}
    assert "Heat" not in schemas


def test_it_follows_every_switch(make_host, write_plugin):
    host = make_host(write_plugin("waver", CODE, **MANIFEST))
    host.disable("waver")
    assert "waver" not in host.get("/api/openapi.json").content.decode()
    host.enable("waver")
    assert "waver" in host.get("/api/openapi.json").content.decode()


def test_every_documented_path_answers(make_host, write_plugin):
    host = make_host(write_plugin("waver", CODE, **MANIFEST))
    for path, methods in host.get("/api/openapi.json").json()["paths"].items():
        allowed = host.options(re.sub(r"\{[^}]*\}", "x", path)).headers["allow"]
        assert {method.upper() for method in methods} <= set(allowed.split(", "))


def test_the_command_prints_the_same(make_host):
    host = make_host()
    document = host.get("/api/openapi.json").json()
    docs = host.plugin("api_docs")
    printed: list[str] = []

    class Paper:
        def print(self, text: str = "") -> None:
            printed.append(text)

    docs.print_openapi(Paper())
    assert json.loads(printed[0]) == {**document, "servers": [{"url": "/"}]}


LOCAL = {
    "getHealth": ("get", "/api/health", "200"),
    "getOpenApi": ("get", "/api/openapi.json", "200"),
    "login": ("post", "/api/auth/login", "200 400 401 403 413 429 502"),
    "logout": ("post", "/api/auth/logout", "204 401"),
    "getProfile": ("get", "/api/profile", "200 401"),
    "listRooms": ("get", "/api/rooms", "200 401"),
    "getRoom": ("get", "/api/rooms/{roomId}", "200 401 404"),
    "listRoomUsers": ("get", "/api/rooms/{roomId}/users", "200 401"),
    "listRoomMessages": ("get", "/api/rooms/{roomId}/messages", "200 401"),
    "listRoomMessagesSince": ("get", "/api/rooms/{roomId}/messages/since", "200 400 401"),
    "listRoomBans": ("get", "/api/rooms/{roomId}/bans", "200 401"),
    "isUserBanned": ("get", "/api/rooms/{roomId}/bans/{userId}", "200 401"),
    "getMessage": ("get", "/api/messages/{messageId}", "200 401 404"),
    "listMessageReactions": ("get", "/api/messages/{messageId}/reactions", "200 401"),
    "listMessageAttachments": ("get", "/api/messages/{messageId}/attachments", "200 401"),
    "getUser": ("get", "/api/users/{userId}", "200 401 404"),
    "listAttachments": ("get", "/api/attachments", "200 401"),
    "getPluginData": ("get", "/api/plugin-data", "200 400 401"),
    "getMeta": ("get", "/api/meta/{key}", "200 401 404"),
}
OPEN = {"getHealth", "getOpenApi", "login"}


def test_the_operations_of_the_local_api(pages_host):
    """Section 8 of the local REST contract, row by row."""
    document = pages_host.get("/api/openapi.json").json()
    for name, (method, path, statuses) in LOCAL.items():
        operation = document["paths"][path][method]
        assert operation["operationId"] == name
        assert sorted(operation["responses"]) == statuses.split(), name
        assert operation["security"] == ([] if name in OPEN else [{"bearerAuth": []}])
        for parameter in operation["parameters"]:
            if parameter["in"] == "path":
                assert parameter["required"] is True
    page = document["paths"]["/api/rooms/{roomId}/messages"]["get"]["parameters"]
    shapes = {each["name"]: each["schema"] for each in page}
    assert shapes["limit"] == {"type": "integer", "default": 100, "minimum": 1, "maximum": 500}
    assert shapes["offset"] == {"type": "integer", "default": 0, "minimum": 0}
    assert shapes["order"]["enum"] == ["asc", "desc"]
    schemas = document["components"]["schemas"]
    for name in ("Room", "User", "Message", "Reaction", "Attachment", "Ban"):
        assert schemas[name]["additionalProperties"] is True
    assert {"Error", "Health"} <= set(schemas)
    assert "/docs" not in document["paths"]
