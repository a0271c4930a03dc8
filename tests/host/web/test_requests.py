"""`ServedRequest`: made in parts, when somebody looks, and no different from a plain one."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from plugin_sdk import Principal, Request, Route

PATH = "/api/plugins/x/do"


@pytest.fixture
def quiet(make_site: Any) -> Any:
    """Without an administrator."""
    site = make_site()
    site.access.governed = False
    return site


def add(site: Any, handler: Any, method: Any = "GET", **more: Any) -> None:
    more.setdefault("access", "open")
    site.add("x", Route(method, "/do", handler, **more))


class Counted:
    """Counts who is looked up."""

    def __init__(self, site: Any) -> None:
        self._identify = site.access.identify
        self.calls = 0
        site.access.identify = self

    def __call__(self, *args: Any, **options: Any) -> Any:
        self.calls += 1
        return self._identify(*args, **options)


def test_nobody_is_looked_up_for_a_handler_that_does_not_ask(quiet):
    add(quiet, lambda request: {"path": request.path})
    counted = Counted(quiet)
    assert quiet.get(PATH).json == {"path": PATH}
    assert quiet.ask("HEAD", PATH).status == 200
    assert counted.calls == 0


def test_who_asks_is_there_once_it_is_looked_at(quiet):
    seen: list[Any] = []
    add(quiet, lambda request: seen.extend([request.principal.id, request.principal.id]))
    counted = Counted(quiet)
    quiet.get(PATH, peer="127.0.0.1")
    assert seen == ["local", "local"]
    assert counted.calls == 1
    quiet.get(PATH, peer="192.0.2.7")
    quiet.get(PATH, peer="127.0.0.1", X_Forwarded_For="192.0.2.7")
    quiet.access.governed = True
    quiet.get(PATH, peer="127.0.0.1")
    assert seen[2:] == [""] * 6


@pytest.mark.parametrize("headers", [{"token": "alice"}, {"Cookie": "stagebox_session=alice"}])
def test_a_token_is_looked_up_before_the_handler(quiet, headers):
    counted = Counted(quiet)
    seen: list[Any] = []

    def handler(request: Request) -> None:
        seen.append(counted.calls)
        seen.extend([request.principal.id, request.token])

    add(quiet, handler)
    quiet.get(PATH, **headers)
    assert seen == [1, "profile-1", "alice"]


@pytest.mark.parametrize("more", [{"method": "POST"}, {"audit": True}, {"access": "signed-in"}])
def test_what_may_depend_on_who_asks_is_judged_before(quiet, more):
    counted = Counted(quiet)
    seen: list[int] = []
    add(quiet, lambda _request: seen.append(counted.calls), **more)
    quiet.ask(more.get("method", "GET"), PATH, peer="127.0.0.1")
    assert seen == [1]


def test_a_copy_is_whole(quiet):
    seen: list[Request] = []
    add(quiet, lambda request: seen.append(request))
    quiet.get(f"{PATH}?a=1", X_Room="fish")
    (request,) = seen
    copy = replace(request, principal=Principal(id="me"))
    assert copy.principal.id == "me"
    parts = [each.name for each in fields(Request) if each.name != "principal"]
    assert [getattr(copy, name) for name in parts] == [getattr(request, name) for name in parts]
    assert (copy.query["a"], copy.headers["x-room"], copy.target) == ("1", "fish", f"{PATH}?a=1")
    assert isinstance(copy, Request)
    assert "path='/api/plugins/x/do'" in repr(request)


def test_it_is_frozen_and_has_no_further_parts(quiet):
    seen: list[Any] = []
    add(quiet, lambda request: seen.append(request))
    quiet.get(PATH)
    with pytest.raises(AttributeError):
        seen[0].path = "/"
    with pytest.raises(AttributeError, match="user"):
        _ = seen[0].user
    assert not hasattr(Request.__new__(type(seen[0])), "_environ")


def test_all_parts_have_their_place():
    from host.web import requests

    known = {*requests._ABSENT, *requests._PARTS}
    assert known == {each.name for each in fields(Request)}
