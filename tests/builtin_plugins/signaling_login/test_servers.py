"""Which server is meant (local REST contract, 4.1)."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builtin_plugins.signaling_login.servers import PATTERN, AllowedServers, normalised
from plugin_sdk import Forbidden
from plugin_sdk.testing import FakeSettings

from .conftest import FOLDER


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("https://signal.example.com", "https://signal.example.com"),
        ("  https://signal.example.com/ \n", "https://signal.example.com"),
        ("signal.example.com", "https://signal.example.com"),
        ("localhost:3000", "https://localhost:3000"),
        ("ws://signal.example.com", "http://signal.example.com"),
        ("WSS://Signal.Example.COM/", "https://signal.example.com"),
        ("HTTP://Signal.Example.com:80/", "http://signal.example.com"),
        ("https://signal.example.com:0443", "https://signal.example.com"),
        ("https://signal.example.com:80", "https://signal.example.com:80"),
        ("http://signal.example.com:65535", "http://signal.example.com:65535"),
        ("https://signal.example.com/Path//?q=1#x", "https://signal.example.com/Path"),
        ("https://signal.example.com?to=https://other.example.com", "https://signal.example.com"),
        ("https://signal.example.com#/path", "https://signal.example.com"),
        ("http://[::1]:3000/a", "http://[::1]:3000/a"),
        ("http://[2001:DB8::1]", "http://[2001:db8::1]"),
        ("https://Bücher.example", "https://bücher.example"),
    ],
)
def test_the_one_spelling(text: str, meant: str) -> None:
    assert normalised(text) == meant
    assert normalised(meant) == meant


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "https://",
        "https:///path",
        "//signal.example.com",
        "ftp://signal.example.com",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "mailto:a@example.com",
        "https://alice@signal.example.com",
        "https://alice:secret@signal.example.com",
        "https://signal.example.com@evil.example.com",
        "https://signal.example.com:0",
        "https://signal.example.com:65536",
        "https://signal.example.com:99999999999999999999",
        "https://signal.example.com:",
        "https://signal.example.com:+80",
        "https://signal.example.com:８０",  # digits, but not those of a port
        "https://signal.example.com:80:80",
        "https://signal example.com",
        "https://signal.example.com/a b",
        "https://signal.example.com/a\tb",
        "https://signal.example.com/a\0",
        "https://signal.example.com/?a b",
        "https://signal.example.com/#a\nb",
        "https://signal.example.com\\@evil.example.com",
        "https://signal.example.com/\\evil",
        "https://[::1",
        "https://::1",
        "https://%65vil.example.com",
        "https:/signal.example.com",
        "http://https://signal.example.com",
    ],
)
def test_what_cannot_be_normalised(text: str) -> None:
    assert normalised(text) is None


def test_the_setting_refuses_exactly_what_cannot_be_normalised() -> None:
    document = json.loads((FOLDER / "plugin.json").read_text())
    entries = document["settings"]["properties"]["allowedSignalingServers"]
    assert entries["items"]["pattern"] == PATTERN
    assert entries["maxItems"] == 64


_ODD = st.text(alphabet="htpws:/?#@[]\\.%0689aB \t\n\x00ü", max_size=40)


@given(_ODD | st.text(max_size=20) | _ODD.map(lambda rest: f"https://{rest}"))
def test_normalising_twice_changes_nothing(text: str) -> None:
    once = normalised(text)
    if once is not None:
        assert normalised(once) == once
        assert once.startswith(("http://", "https://"))
        assert "@" not in once.split("/")[2]
        assert not any(c.isspace() or c < " " for c in once)


@pytest.mark.parametrize(
    ("entry", "asked"),
    [
        ("https://signal.example.com", "http://signal.example.com"),
        ("https://example.com", "https://signal.example.com"),
        ("https://signal.example.com", "https://signal.example.com/deeper"),
        ("https://signal.example.com/a", "https://signal.example.com/A"),
        ("https://signal.example.com", "https://signal.example.com:8443"),
        ("https://signal.example.com", "https://signal.example.com.evil.example"),
        ("https://signal.example.com", "not a server"),
    ],
)
def test_another_server_is_not_allowed(entry: str, asked: str) -> None:
    servers = AllowedServers(FakeSettings({"allowedSignalingServers": [entry]}))
    with pytest.raises(Forbidden) as caught:
        servers.match(asked)
    assert caught.value.code == "SERVER_NOT_ALLOWED"


def test_the_entry_is_what_is_asked() -> None:
    settings = FakeSettings({"allowedSignalingServers": ["Signal.Example.com/", "http://b:3000"]})
    servers = AllowedServers(settings)
    assert servers.match(" wss://SIGNAL.example.com:443/?x#y ") == "https://signal.example.com"
    assert servers.match("ws://b:3000") == "http://b:3000"
    settings.update({"allowedSignalingServers": []})
    with pytest.raises(Forbidden) as caught:
        servers.match("ws://b:3000")
    assert caught.value.code == "NO_ALLOWED_SERVERS"
