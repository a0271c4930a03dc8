"""Manifests: what is needed, what is tolerated, what is refused."""

from __future__ import annotations

from contextlib import suppress

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from builtin_plugins.song_formats.manifest import parse_manifest
from builtin_plugins.song_formats.sloppak import SloppakFormat
from builtin_plugins.song_formats.yaml_text import parse_yaml
from plugin_sdk import SongChart, UnreadableSong
from plugin_sdk.strict_json import check_json

FORMAT = SloppakFormat()

GOOD = """
title: T
artist: A
duration: 10
arrangements: [{id: lead, file: lead.json}]
stems: [{id: full, file: full.ogg}]
"""


def manifest(more: str = "", without: str = ""):
    lines = [line for line in GOOD.splitlines() if not without or not line.startswith(without)]
    return parse_manifest(("\n".join(lines) + "\n" + more).encode())


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("Yes", "Yes"),
        ("no", "no"),
        ("On", "On"),
        ("12:34", "12:34"),
        ("1979-05-04", "1979-05-04"),
        ("1_000", "1_000"),
        ("0777", 777),
        ("0o17", 15),
        ("0x1F", 31),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        (".nan", None),
        ("'true'", "true"),
        ("!!str 12", "12"),
        ("!!float '3.5'", 3.5),
        ("!!int 7", 7),
        ("!!bool true", True),
        ("!!timestamp 2001-01-01", "2001-01-01"),
        ("!!python/object/apply:os.system [x]", ["x"]),
        ("<<", "<<"),
    ],
    ids=str,
)
def test_yaml_is_read_by_the_core_schema(word, value):
    assert parse_yaml(f"key: {word}".encode()) == {"key": value}


def test_of_equal_keys_the_last_one_wins():
    assert parse_yaml(b"a: 1\nb: 2\na: 3") == {"a": 3, "b": 2}


def test_keys_are_texts():
    assert parse_yaml(b"1: a\ntrue: b\n? [x]\n: c") == {"1": "a", "true": "b"}


def bomb(width: int = 10, depth: int = 10) -> bytes:
    lines = ["a0: &a0 [" + ", ".join(["x"] * width) + "]"]
    for i in range(1, depth):
        lines.append(f"a{i}: &a{i} [" + ", ".join([f"*a{i - 1}"] * width) + "]")
    return "\n".join(lines).encode()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (bomb(), "100000 nodes"),
        (b"[" * 40 + b"]" * 40, "deeper than 32"),
        (b"[" * 400_000, "deeper than 32"),
        (b"a: &a [*a]", "alias"),
        (b"a: *nobody", "alias"),
        (b"a: [1", "no YAML"),
        (b"\xff\xfe\xfa", "UTF-8"),
        (b"a: \x01", "no YAML"),
        (b"- x\n" * 100_001, "100000 nodes"),
    ],
    ids=["bomb", "deep", "endless", "circle", "unknown", "open", "bytes", "control", "wide"],
)
def test_yaml_that_would_do_harm_is_refused(content, message):
    with pytest.raises(UnreadableSong, match=message):
        parse_yaml(content)


def test_an_alias_is_as_deep_as_what_it_names():
    nested = "[" * 20 + "]" * 20
    with pytest.raises(UnreadableSong, match="deeper"):
        parse_yaml(f"a: &a {nested}\nb: {'[' * 20}*a{']' * 20}".encode())


def test_a_byte_order_mark_is_tolerated():
    assert parse_manifest(b"\xef\xbb\xbf" + GOOD.encode()).title == "T"


@pytest.mark.parametrize("key", ["title", "artist", "duration", "arrangements", "stems"])
def test_what_is_needed_and_missing_is_named(key):
    with pytest.raises(UnreadableSong, match=key):
        manifest(without=key)


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ("title: [x]", "title"),
        ("artist: true", "artist"),
        ("duration: -1", "duration"),
        ("duration: '10'", "duration"),
        ("duration: .inf", "duration"),
        ("duration: true", "duration"),
        ("arrangements: []", "arrangements"),
        ("arrangements: {id: x}", "arrangements"),
        ("arrangements: [x]", r"arrangements\[0\]"),
        ("arrangements: [{file: x.json}]", r"arrangements\[0\].id"),
        ("arrangements: [{id: x}]", "neither file nor notation"),
        ("stems: []", "stems"),
        ("stems: [{id: x, file: a.ogg}, {id: y}]", r"stems\[1\].file"),
        ("feedpak_version: '2.0.0'", "newer"),
        ("feedpak_version: 1.0", "feedpak_version"),
        ("feedpak_version: one", "feedpak_version"),
        ("feedpak_version: null", "feedpak_version"),
        ("feedpak_version: 1.0.0-01", "feedpak_version"),
        ("feedpak_version: 1.0.0-a..b", "feedpak_version"),
        ("feedpak_version: 1.0.0+", "feedpak_version"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_is_needed_and_wrong_is_named(more, named):
    with pytest.raises(UnreadableSong, match=named):
        manifest(more)


@pytest.mark.parametrize(
    "version", ["1.0.0", "1.99.3", "0.9.0", "1.2.3-beta.1+5", "1.0.0-0.0a.-+01"]
)
def test_versions_of_this_major_are_read(version):
    assert manifest(f"feedpak_version: '{version}'").title == "T"


@pytest.mark.parametrize(
    "pointer",
    ["/etc/passwd", "../x", "a/../../x", "a//b", "C:x", "a\\\\b", "a/", "x/..", "http://x/y"],
)
@pytest.mark.parametrize(
    "where",
    [
        'cover: "{}"',
        'preview: "{}"',
        'drum_tab: "{}"',
        'lyric_tracks: [{{file: "{}"}}]',
        'stems: [{{id: full, file: "{}"}}]',
        'arrangements: [{{id: a, file: ok.json, notation: "{}"}}]',
    ],
    ids=["cover", "preview", "drums", "lyrics", "stem", "notation"],
)
def test_an_unsafe_pointer_refuses_the_whole_manifest(where, pointer):
    with pytest.raises(UnreadableSong, match="not inside the pack"):
        manifest(where.format(pointer))


@pytest.mark.parametrize("pointer", ["a..b", "...", "a b/ü.json", "x/.hidden"])
def test_a_strange_but_safe_pointer_is_taken(pointer):
    assert manifest(f'cover: "{pointer}"').cover == pointer


def test_numbers_are_taken_as_they_are_written():
    found = manifest("title: 0042\nartist: 1e3")
    assert (found.title, found.artist) == ("0042", "1e3")


@pytest.mark.parametrize(
    ("more", "year"),
    [
        ("year: 1999", 1999),
        ("year: '1999'", 1999),
        ("year: 1999.5", None),
        ("year: 1999-05-04", None),
        ("year: true", None),
        ("year: 123456789012345678901234567890", None),
        ("year: -5", None),
        ("", None),
    ],
    ids=str,
)
def test_years(more, year):
    assert manifest(more).year == year


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("true", True), ("on", True), ("'YES'", True), ("'off'", False),
        ("no", False), ("1", False), ("null", False), ("maybe", False),
    ],
)  # fmt: skip
def test_a_stem_s_default_is_a_word(word, value):
    found = manifest(f"stems: [{{id: a, file: a.ogg, default: {word}}}]")
    assert found.stems[0].default is value


def test_lyrics_are_those_of_the_original_track_if_no_others():
    tracks = "lyric_tracks: [{file: t.json, kind: translation}, {file: o.json, kind: original}]"
    assert manifest(tracks).lyrics == "o.json"
    assert manifest(tracks + "\nlyrics: l.json").lyrics == "l.json"


def test_other_keys_are_kept_or_ignored():
    found = manifest("genres: [Rock, 1]\nscore: 12\nlanguage: no\nauthors: [{name: N}]")
    assert found.extra == {"genres": ["Rock", 1], "language": "no", "authors": [{"name": "N"}]}


def test_a_name_defaults_to_the_id():
    found = manifest("arrangements: [{id: lead, file: a.json}, {id: b, name: '', file: b.json}]")
    assert [each.name for each in found.arrangements] == ["lead", "b"]


TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=20)
JSONISH = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
KEYS = st.sampled_from(
    [
        "feedpak_version",
        "version",
        "title",
        "artist",
        "album",
        "year",
        "duration",
        "arrangements",
        "stems",
        "lyrics",
        "cover",
        "lyric_tracks",
        "song_timeline",
        "authors",
        "genres",
        "keys",
    ]
)


@given(st.dictionaries(KEYS, JSONISH))
def test_any_manifest_is_read_or_refused_with_a_sentence(document):
    good = parse_yaml(GOOD.encode())
    for whole in (document, {**good, **document}):
        text = yaml.safe_dump(yaml.safe_load(yaml.safe_dump(_plain(whole))))
        with suppress(UnreadableSong):
            found = parse_manifest(text.encode())
            assert found.duration >= 0
            assert found.arrangements
            check_json(dict(found.extra))


def _plain(value):
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, bool | str) or value is None:
        return value
    return float(value) if isinstance(value, float) else int(value)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(content):
    with suppress(UnreadableSong):
        parse_manifest(content)


def test_the_second_name_of_the_manifest(packs):
    pack = packs.of()
    pack.manifest_name = "manifest.yml"
    assert FORMAT.metadata(packs.source(pack)).title == "Title"


def test_a_pack_without_a_manifest(packs):
    pack = packs.of()
    pack.manifest_name = "index.yaml"
    with pytest.raises(UnreadableSong, match=r"no manifest\.yaml"):
        FORMAT.metadata(packs.source(pack))


def test_a_manifest_that_is_too_large(packs):
    pack = packs.of()
    pack.manifest_bytes = b"# " + b"x" * 1024 * 1024
    with pytest.raises(UnreadableSong, match="larger"):
        FORMAT.metadata(packs.source(pack, broken=True))


def test_old_packs_may_have_a_cover_at_the_root(packs):
    pack = packs.of(feedpak_version=None, version=1)
    pack.files["cover.jpg"] = b"\xff\xd8\xff" + bytes(20)
    assert FORMAT.cover(packs.source(pack)).media_type == "image/jpeg"
    pack.manifest["feedpak_version"] = "1.0.0"
    assert FORMAT.cover(packs.source(pack, "two.sloppak")) is None


@pytest.mark.parametrize(
    ("names", "tuning"),
    [
        ({"Bass": (-2, 0, 0, 0), "Combo": (-1,) * 6}, (-1,) * 6),
        ({"Bass": (-2, 0, 0, 0), "Extra": (1,) * 6}, (-2, 0, 0, 0)),
    ],
    ids=["guitar first", "else the first"],
)
def test_the_song_s_tuning_is_that_of_a_guitar(packs, names, tuning):
    pack = packs.of({name: SongChart(tuning=each) for name, each in names.items()})
    assert FORMAT.metadata(packs.source(pack)).tuning == tuning


def test_the_manifest_s_tuning_overrides_the_file_s(packs):
    pack = packs.of({"Lead": SongChart(tuning=(0,) * 6, capo=1, cent_offset=3.5)})
    pack.manifest["arrangements"][0] |= {"tuning": [-2, 0, 0, 0, 0, 0], "capo": 2}
    source = packs.source(pack)
    assert FORMAT.metadata(source).tuning == (-2, 0, 0, 0, 0, 0)
    chart = FORMAT.chart(source, 0)
    assert (chart.tuning[0], chart.capo, chart.cent_offset) == (-2, 2, 3.5)
