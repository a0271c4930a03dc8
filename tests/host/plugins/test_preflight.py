"""Deprecated calls are counted where they happen, and an upgrade of the host is foreseen."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner
from packaging.specifiers import SpecifierSet

import plugin_sdk
from host.app.build import version
from host.cli.main import main
from host.plugins.ranges import have_one_in_common
from host.plugins.releases import release_in
from plugin_sdk import HOOK_NAMES, SDK_VERSION, Invalid

ROOT = Path(plugin_sdk.__file__).parent

CODE = """
    import plugin_sdk
    from plugin_sdk import Plugin, Response, __version__, job, route
    from plugin_sdk.errors import Conflict
    from plugin_sdk.management import PluginEntry

    class plugin(Plugin):
        @route("GET", "/version", access="open")
        def version(self, request):
            return Response({"version": plugin_sdk.__version__})

        @job("look")
        def look(self, run):
            return plugin_sdk.__version__

        def diagnostics(self):
            return "fine"
"""
QUIET = """
    from plugin_sdk import Plugin

    class plugin(Plugin):
        pass
"""


def wheel(
    folder: Path,
    version: str,
    *,
    sdk: str = "",
    old: str = "",
    new: str = "",
    requires: Sequence[str] = (),
    **plugins: str,
):
    """Stagebox as a wheel, with this SDK but for a word that is another one in it."""
    path = folder / f"stagebox-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        needs = "".join(f"Requires-Dist: {each}\n" for each in requires)
        archive.writestr(
            f"stagebox-{version}.dist-info/METADATA",
            f"Name: stagebox\nVersion: {version}\n{needs}",
        )
        for source in sorted(ROOT.rglob("*.py")):
            code = source.read_text().replace(f'"{SDK_VERSION}"', f'"{sdk or version}"')
            code = code.replace(old, new) if old else code
            archive.writestr(f"plugin_sdk/{source.relative_to(ROOT)}", code)
        for plugin_id, number in plugins.items():
            document = json.dumps({"id": plugin_id, "version": number})
            archive.writestr(f"builtin_plugins/{plugin_id}/plugin.json", document)
    return path


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Writes a plugin as pip would have installed it."""

    def write(plugin_id: str, *requires: str, code: str = QUIET, **manifest: str) -> None:
        site = tmp_path / "site"
        name = plugin_id.replace(".", "_")
        info = site / f"{name}-1.0.0.dist-info"
        info.mkdir(parents=True)
        needs = "".join(f"Requires-Dist: {text}\n" for text in requires)
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: 1.0.0\n{needs}"
        )
        (info / "entry_points.txt").write_text(f"[stagebox.plugins]\n{plugin_id} = {name}:plugin\n")
        (site / name).mkdir()
        (site / name / "__init__.py").write_text(code)
        document = {"id": plugin_id, "name": name, "version": "1.0.0", "sdk": "*", **manifest}
        (site / name / "plugin.json").write_text(json.dumps(document))
        monkeypatch.syspath_prepend(str(site))

    return write


def foresee(data: Path, *arguments: str, database: str = ""):
    options = ["--data-dir", str(data), "--json", *(["--database", database] if database else [])]
    done = CliRunner().invoke(main, ["preflight", *arguments, *options])
    assert done.exit_code in (0, 1), done.output
    document = json.loads(done.output)
    own = [each for each in document["plugins"] if not each["id"].startswith("example.")]
    document["plugins"] = own  # the environment of the tests may have examples installed
    concerns = {
        each["id"]: [concern["code"] for concern in each["concerns"]]
        for each in document["plugins"]
    }
    return done.exit_code, document, concerns


def test_host_and_sdk_carry_one_version():
    """What `stagebox preflight VERSION` concludes from, when it has no package to look into."""
    assert version() == SDK_VERSION


def test_deprecated_calls_are_counted_and_told_before_the_upgrade(
    make_host, write_plugin, wait_until, tmp_path
):
    host = make_host(write_plugin("ada.old", CODE, sdk=">=1,<3"), write_plugin("bob.new", QUIET))
    for _ in range(3):
        assert host.get("/api/plugins/ada.old/version").json() == {"version": SDK_VERSION}
    job = host.plugin("ada.old").context.jobs.start("look")
    wait_until(lambda: host.host.jobs.get(job.id).state == "succeeded")
    # Those that the host is storing at this moment are seen a moment later.
    wait_until(lambda: [each.count for each in host.host.plugins.deprecations()] == [5])
    (use,) = host.host.plugins.deprecations()
    assert (use.plugin_id, use.plugin_version, use.count) == ("ada.old", "1.0.0", 5)
    assert (use.name, use.removed_in, use.instead) == (
        "plugin_sdk.__version__", "2.0", "SDK_VERSION",
    )  # fmt: skip
    assert use.place.startswith("ada.old/__init__.py:")
    assert use.first_seen <= use.last_seen
    told = [line for line in host.log_lines() if "plugin_sdk.__version__" in str(line)]
    assert len(told) == 1, "the log hears of it once"
    assert host.get("/api/plugins/ada.old/version").status == 200
    host.restart()
    (after,) = host.host.plugins.deprecations("ada.old")
    assert after.count == 7, "what was counted last is kept, and the restart imports it again"
    assert host.host.plugins.deprecations("bob.new") == []

    data, database = tmp_path / "data", host.host.config.database
    status, document, concerns = foresee(data, "1.1.0", database=database)
    assert (status, concerns) == (0, {"ada.old": ["DEPRECATED_CALL"], "bob.new": []})
    verdicts = {each["id"]: each["verdict"] for each in document["plugins"]}
    assert verdicts == {"ada.old": "warns", "bob.new": "works"}
    status, document, concerns = foresee(data, "2.0.0", database=database)
    assert status == 1
    assert concerns == {"ada.old": ["DEPRECATED_CALL"], "bob.new": ["SDK_RANGE"]}
    assert document["target"] == {"version": "2.0.0", "sdk": "2.0.0", "knownBy": "rule"}
    assert document["breaking"] >= 2

    newer = write_plugin("ada.old", QUIET, into=tmp_path / "v2", version="1.1.0", sdk="*")
    host.host.plugins.install(newer, accept_additions=True)
    assert foresee(data, "2.0.0", database=database)[2]["ada.old"] == [], "its new version does not"
    host.host.plugins.purge("ada.old")
    host.disable("ada.old")
    host.host.plugins.purge("ada.old", "all")
    assert host.host.plugins.deprecations() == []


def test_the_package_of_the_new_version_is_looked_into(package, tmp_path):
    code = "\n".join(line[4:] for line in CODE.splitlines())
    package("eve.notes", "stagebox>=1,<1.5", code=code, requires=["songs>=1,<2"])
    data = tmp_path / "data"
    new = wheel(tmp_path, "2.0.0", sdk="1.4.0", old='    "diagnostics",\n', songs="2.1.0")
    status, document, concerns = foresee(data, "--wheel", str(new))
    assert status == 1
    assert document["target"] == {"version": "2.0.0", "sdk": "1.4.0", "knownBy": "package"}
    assert concerns == {"eve.notes": ["PACKAGE_RANGE", "PLUGIN_RANGE", "HOOK_REMOVED"]}
    (entry,) = document["plugins"]
    said = "\n".join(each["message"] for each in entry["concerns"])
    assert "eve-notes 1.0.0 requires stagebox<1.5,>=1" in said
    assert "requires songs>=1,<2, but the new version brings songs 2.1.0" in said
    assert "hook diagnostics, which nobody asks any more. (eve_notes/__init__.py:16)" in said

    lacking = wheel(tmp_path, "1.2.0", old="import", new="imports")
    with pytest.raises(Invalid, match="cannot be read as a wheel"):
        release_in(lacking)
    lacking = wheel(tmp_path, "1.2.0", old="PluginEntry", new="PluginRow")
    _, document, concerns = foresee(data, "1.2.0", "--wheel", str(lacking))
    assert concerns == {"eve.notes": ["NAME_REMOVED"]}
    message = document["plugins"][0]["concerns"][0]["message"]
    assert "plugin_sdk.management.PluginEntry" in message
    assert message.endswith("(eve_notes/__init__.py:5)")
    taken = wheel(tmp_path, "1.3.0", **{"eve.notes": "1.0.0"})
    assert foresee(data, "--wheel", str(taken))[2] == {"eve.notes": ["ID_TAKEN"]}


def test_an_unchanged_release_breaks_nothing(package, tmp_path):
    code = "\n".join(line[4:] for line in CODE.splitlines())
    package("eve.notes", "stagebox", "stagebox>=9; extra == 'far'", code=code)
    same = wheel(tmp_path, "1.0.1")
    assert release_in(same).hooks == set(HOOK_NAMES)
    for arguments in (["1.0.1"], ["--wheel", str(same)]):
        assert foresee(tmp_path / "data", *arguments)[::2] == (0, {"eve.notes": []})


def test_people_are_told_in_sentences(tmp_path):
    (tmp_path / "data" / "plugins" / "broken").mkdir(parents=True)
    (tmp_path / "data" / "plugins" / "broken" / "plugin.json").write_text("{")
    run = CliRunner().invoke
    at = ["--data-dir", str(tmp_path / "data")]
    done = run(main, ["preflight", "0.9", *at])
    assert done.exit_code == 1
    assert done.output.startswith("From Stagebox 1.0.0 to 0.9, with SDK 0.9 (by the rule")
    assert "older than what runs" in done.output
    assert "broken : cannot be judged\n    It cannot be judged, and does not" in done.output
    for arguments, text in (
        (["new"], "is no version, as 1.2.0 is one"),
        ([], "Give the VERSION"),
    ):
        done = run(main, ["preflight", *arguments, *at])
        assert done.exit_code == 2
        assert text in done.output
    other = tmp_path / "other.whl"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("other-1.dist-info/METADATA", "Name: other\nVersion: 1\n")
    for path, text in ((other, "no wheel of Stagebox"), (tmp_path / "no.whl", "does not exist")):
        done = run(main, ["preflight", "--wheel", str(path), *at])
        assert (done.exit_code, text in done.output) == (1, True)
    good = wheel(tmp_path, "2.0.0")
    done = run(main, ["preflight", "2.1.0", "--wheel", str(good), *at])
    assert done.output == "stagebox-2.0.0-py3-none-any.whl is version 2.0.0, not 2.1.0.\n"


@pytest.mark.parametrize(
    ("needs", "requires", "said"),
    [
        ("x-lib<2", "X_lib>=2", "Its package needs x-lib<2; the new version needs X_lib>=2."),
        ("x-lib<2", "x-lib>=1.5", None),
        ("x-lib<2", "x-lib>=2; extra == 'more'", None),
        ("x-lib", "x-lib>=2", None),
        ("click<5", "click>=8", "Its package needs click<5; the new version needs click>=8."),
    ],
    ids=["apart", "together", "extra", "any", "installed"],
)
def test_packages_that_do_not_go_together_are_foreseen(package, tmp_path, needs, requires, said):
    package("ada.notes", "stagebox", needs)
    target = wheel(tmp_path, "1.9.0", requires=[requires])
    status, document, _ = foresee(tmp_path / "data", "--wheel", str(target))
    (plugin,) = document["plugins"]
    found = {each["code"]: each["message"] for each in plugin["concerns"]}
    assert found.get("DEPENDENCY_CONFLICT") == said
    assert (plugin["verdict"], status) == (("breaks", 1) if said else ("works", 0))


@pytest.mark.parametrize(
    ("one", "other", "common"),
    [
        ("<2", ">=2", False),
        ("<=2", ">=2", True),
        ("<2.3", ">2.2", True),
        (">=1,<2", ">=1.5,<3", True),
        ("==1.4.*", ">=1.5", False),
        ("==1.4.*", "<1.4.9", True),
        ("!=3.0.*", ">=3.0", True),
        ("!=0.1,!=1.2.*", ">1.2", True),
        ("!=3.0.*", "~=3.0.1", False),
        ("~=1.4", "<1.4", False),
        (">3", "<4", True),
        ("!=2", "==2", False),
        ("", ">=9", True),
        ("", "", True),
        ("==1!1.0", "<9", False),
    ],
)
def test_ranges_have_a_version_in_common_or_not(one, other, common):
    assert have_one_in_common(SpecifierSet(one), SpecifierSet(other)) is common
    assert have_one_in_common(SpecifierSet(other), SpecifierSet(one)) is common
