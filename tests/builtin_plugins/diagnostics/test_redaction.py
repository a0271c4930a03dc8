"""What a redacted bundle does not show (plugin contract, 8)."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builtin_plugins.diagnostics.redaction import COUNTS, AsItIs, Redactor
from builtin_plugins.diagnostics.sensitive import REDACTED, SecretMembers, is_sensitive

FOLDERS = [
    ("<DATA_DIR>", "/home/al/.stagebox"),
    ("<HOME>", "/home/al"),
    ("<DLC_DIR>", "/home/al/.stagebox/songs/"),
]


def counted(redactor: Redactor) -> dict[str, int]:
    return {name: count for name, count in redactor.counts.items() if count}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/home/al/.stagebox/songs/pack/a.txt", "<DLC_DIR>/pack/a.txt"),
        ("/home/al/.stagebox/songs", "<DLC_DIR>"),
        ("/home/al/.stagebox/host.db: locked", "<DATA_DIR>/host.db: locked"),
        ('{"path":"/home/al"}', '{"path":"<HOME>"}'),
        ("in /home/al.", "in <HOME>."),
        ("/home/alice/x", "/home/alice/x"),
        ("/backup/home/al/x", "/backup/home/al/x"),
        ("file:///home/al/x", "file://<HOME>/x"),
    ],
)
def test_folders(text: str, shown: str) -> None:
    assert Redactor(FOLDERS).text(text) == shown


def test_folders_of_windows_in_json() -> None:
    redactor = Redactor([("<HOME>", "C:\\Users\\al")])
    assert redactor.text('C:\\Users\\al\\x {"p": "C:\\\\Users\\\\al\\\\x"}') == (
        '<HOME>\\x {"p": "<HOME>\\\\x"}'
    )


def test_a_root_is_no_folder_of_interest() -> None:
    assert Redactor([("<HOME>", "/")]).text("/a/b") == "/a/b"


@pytest.mark.parametrize(
    "address",
    ["192.168.1.7", "8.8.8.8", "fe80::1", "2001:db8:0:0:0:0:0:1", "::ffff:10.0.0.1", "fe80::"],
)
@pytest.mark.parametrize(
    "around", ["%s", "from %s.", "[%s]:8085", '"%s"', "peer=%s,", "%s: refused"]
)
def test_addresses(address: str, around: str) -> None:
    redactor = Redactor()
    text = redactor.text(around % address)
    mark = re.search(r"<ip:[0-9a-f]{6}>", text)
    assert mark is not None
    assert text == around % mark.group()
    assert counted(redactor) == {"ips_replaced": 1}
    assert redactor.text(address) == mark.group()
    assert Redactor().text(address) != mark.group()


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1:8085",
        "[::1]",
        "0.0.0.0",
        "2026-11-21T19:25:48.439Z",
        "19:25:48",
        "std::vector",
        "1.2.3",
        "1.2.3.4.5",
        "999.1.1.1",
        "aa:bb:cc:dd:ee:ff",
        "a: b",
    ],
)
def test_what_is_no_address_to_hide(text: str) -> None:
    assert Redactor().text(text) == text


def test_songs_of_the_library() -> None:
    redactor = Redactor(songs=["Don't Stop.psarc", "Short.psarc", "Tabs.sloppak", "été 2020.psarc"])
    text = redactor.text("playing Don't Stop, then Don't Stop.psarc, Short, Tabs and été 2020!")
    marks = re.findall(r"<song:[0-9a-f]{8}>", text)
    assert len(marks) == 3
    assert re.sub(r"<song:\w+>", "S", text) == "playing S, then S, Short, Tabs and S!"
    assert redactor.text("Don't Stop") == marks[0]
    assert redactor.text("Don't Stopping xDon't Stop") == "Don't Stopping xDon't Stop"
    assert Redactor(songs=["Don't Stop.psarc"]).text("Don't Stop") != marks[0]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/music/My Song.psarc", "/music/S"),
        ('{"file":"My Song_p.PSARC"}', '{"file":"S"}'),
        ("C:\\music\\a.sloppak\\x", "C:\\music\\S\\x"),
        ("a.feedpak/b.feedpak", "S/S"),
        ("x.psarcs", "x.psarcs"),
        (".psarc", ".psarc"),
        ("/.psarc", "/.psarc"),
    ],
)
def test_components_that_end_like_songs(text: str, shown: str) -> None:
    assert re.sub(r"<song:[0-9a-f]{8}>", "S", Redactor().text(text)) == shown


def test_many_songs_cost_no_more_than_few() -> None:
    redactor = Redactor(songs=(f"Song number {n}.psarc" for n in range(80_000)))
    text = redactor.text("Song number 77 " * 20_000)
    assert "number" not in text
    assert redactor.counts["song_names_replaced"] == 20_000


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Authorization: Bearer abc.def-1", "Authorization: Bearer <redacted>"),
        ("token local_" + "0f" * 20 + " ok", "token <redacted> ok"),
        ("/ws?token=abc&x=1", "/ws?token=<redacted>&x=1"),
        ("api_key=1&Pin=2;phrase=3", "api_key=<redacted>&Pin=<redacted>;phrase=<redacted>"),
        ('{"password": "a \\"b\\" c", "n": 1}', '{"password": "<redacted>", "n": 1}'),
        ('{"recoveryPhrase":"x","pin":1234}', '{"recoveryPhrase":"<redacted>","pin":"<redacted>"}'),
        ('"message":"{\\"pin\\": \\"1234\\"}"', '"message":"{\\"pin\\": \\"<redacted>\\"}"'),
        ('x\\\\\\"pin\\\\\\": \\\\\\"1234\\\\\\"', 'x\\\\\\"pin\\\\\\": \\\\\\"<redacted>\\\\\\"'),
        ("monkey=1 spinning=2", "monkey=1 spinning=2"),
        ("local_0f0f", "local_0f0f"),
        ('{"keys": "x"}', '{"keys": "x"}'),
    ],
)
def test_secrets(text: str, shown: str) -> None:
    assert Redactor().text(text) == shown


def test_a_text_of_backslashes_takes_no_square_of_its_length() -> None:
    """Whoever is signed in may send megabytes of them; the interpreter does nothing else then."""
    text = "\\" * 2_000_000
    assert Redactor().text(text) == text


def test_values_of_all_depths_but_no_keys() -> None:
    redactor = Redactor(FOLDERS)
    value = {"/home/al": ["/home/al", {"x": "/home/al"}, 1, None, True]}
    assert redactor.value(value) == {"/home/al": ["<HOME>", {"x": "<HOME>"}, 1, None, True]}
    assert redactor.counts["paths_replaced"] == 2
    assert set(redactor.counts) == set(COUNTS)


@given(st.text(max_size=200) | st.text(alphabet='ab01.:/\\"{}=<>% \n', max_size=200))
def test_any_text_can_be_redacted(text: str) -> None:
    redactor = Redactor(FOLDERS, ["ab01.psarc", "a b0 1 song"])
    shown = redactor.text(text)
    if not any(redactor.counts.values()):
        assert shown == text
    assert AsItIs().text(text) == text


@pytest.mark.parametrize(
    "name",
    [
        "token",
        "accessToken",
        "API_KEY",
        "x-auth",
        "Bearer",
        "sessionId",
        "pin",
        "newPin",
        "pin_code",
        "PIN",
        "userPIN",
        "pin2",
        "passwd",
    ],
)
def test_sensitive_names(name: str) -> None:
    assert is_sensitive(name)


@pytest.mark.parametrize("name", ["spinner", "pinned", "opinion", "key", "name", "", "Pinball"])
def test_harmless_names(name: str) -> None:
    assert not is_sensitive(name)


def test_sensitive_members_go_whatever_they_hold() -> None:
    members = SecretMembers()
    value = {"a": [{"newPin": {"x": 1}}], "token": None, "session": [1], "ok": "token"}
    assert members.masked(value) == {
        "a": [{"newPin": REDACTED}],
        "token": REDACTED,
        "session": REDACTED,
        "ok": "token",
    }
    assert members.count == 3
