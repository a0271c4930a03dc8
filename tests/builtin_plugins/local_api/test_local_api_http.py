"""Health through a real host."""

from __future__ import annotations

from plugin_sdk.testing.plugin import StartHost


def test_health_answers_anybody(stagebox: StartHost) -> None:
    host = stagebox()
    for token in (None, "wrong"):
        answer = host.get("/api/health", token=token)
        assert answer.status == 200
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        body = answer.json()
        assert sorted(body) == ["exposeOnLan", "status", "timestamp", "version"]
        assert (body["status"], body["exposeOnLan"]) == ("ok", False)
        assert isinstance(body["timestamp"], int)
        assert body["version"] == host.get("/api/version").json()["version"]


def test_a_wish_without_a_listener_exposes_nothing(stagebox: StartHost) -> None:
    host = stagebox(settings={"local_api": {"exposeOnLan": True}})
    assert host.get("/api/health").json()["exposeOnLan"] is False


def test_other_methods_and_paths(stagebox: StartHost) -> None:
    host = stagebox()
    answer = host.post("/api/health")
    assert answer.status == 405
    assert {each.strip() for each in answer.headers["allow"].split(",")} == {
        "GET",
        "HEAD",
        "OPTIONS",
    }
    assert host.get("/api/health/").status == 404
    host.disable("local_api")
    assert host.get("/api/health").status == 404
