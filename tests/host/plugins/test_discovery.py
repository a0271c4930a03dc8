"""Looking for plugins again and again: cheap while nothing changed, right when something did."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from pathlib import Path

import pytest

from host.plugins import discovery
from host.plugins.discovery import InstalledPlugins, find_folders, find_installed, ranked
from host.plugins.manifests import ManifestInvalid, ManifestReader


def install(site: Path, plugin_id: str, module: str = "miniature") -> Path:
    (site / f"{module}.py").write_text("")
    info = site / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[stagebox.plugins]\n{plugin_id} = {module}:plugin\n")
    return info


def test_packages_are_looked_for_when_one_came_or_went(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    site.mkdir()
    # Not the folder of this project and the like, which other tests may be changing.
    stable = [each for each in sys.path if each.startswith(sys.base_prefix)]
    monkeypatch.setattr(sys, "path", [str(site), str(tmp_path / "nowhere"), *stable])
    looked = []
    find = discovery.find_installed

    def counted(warnings: list[str]) -> list[discovery.Found]:
        looked.append(1)
        return find(warnings)

    monkeypatch.setattr(discovery, "find_installed", counted)
    packages = InstalledPlugins()
    assert "miniature" not in {each.id for each in packages.find([])}
    packages.find([])
    assert len(looked) == 1
    info = install(site, "miniature")
    os.utime(site, ns=(1, 1))  # a clock that ticks slowly must not matter here
    assert "miniature" in {each.id for each in packages.find([])}
    warnings: list[str] = []
    install(site, "No-Id", "other")
    os.utime(site, ns=(2, 2))
    packages.find(warnings)
    packages.find(warnings)
    assert [each for each in warnings if "No-Id" in each] == [
        'The package other names a plugin "No-Id", which is no plugin id.'
    ] * 2
    shutil.rmtree(info)
    os.utime(site, ns=(3, 3))
    assert "miniature" not in {each.id for each in packages.find([])}
    assert len(looked) == 4


def test_folders_are_those_with_a_manifest_and_an_id(tmp_path: Path) -> None:
    assert find_folders(tmp_path / "nowhere", []) == []
    for name in ("b-plugin", "a-plugin", ".hidden", "_own", "No Id", "data-only"):
        (tmp_path / name).mkdir()
        if name != "data-only":
            (tmp_path / name / "plugin.json").write_text("{}")
    (tmp_path / "file").write_text("")
    warnings: list[str] = []
    found = find_folders(tmp_path, warnings)
    assert [(each.id, each.source, each.folder) for each in found] == [
        (name, "folder", tmp_path / name) for name in ("a-plugin", "b-plugin")
    ]
    assert warnings == ['The folder "No Id" holds a plugin.json, but its name is no plugin id.']


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("METADATA", None, 'names the plugin "broken", but not itself'),
        ("METADATA", b"Summary: neither name nor version\n", 'names the plugin "broken"'),
        ("entry_points.txt", b"[stagebox.plugins]\nno value\n", "package broken cannot be read"),
        ("entry_points.txt", b"[stagebox.plugins]\n\xff = x:y\n", "package broken cannot be read"),
    ],
    ids=["gone", "nameless", "no-value", "no-text"],
)
def test_a_package_that_is_there_by_half_takes_nobody_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, content: bytes | None, said: str
) -> None:
    for name in ("broken", "whole"):
        info = install(tmp_path, name, name)
        if name == "broken":
            (info / file).unlink() if content is None else (info / file).write_bytes(content)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    warnings: list[str] = []
    found = ranked(find_installed(warnings)).found
    assert "broken" not in found
    assert found["whole"].distribution == "whole"
    assert found["accounts"].bundled
    assert [said in each for each in warnings] == [True]


def test_an_entry_that_cannot_be_looked_into_takes_nobody_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "loop").symlink_to("loop")
    for name in ("closed", "whole"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "plugin.json").write_text("{}")
    exists = Path.exists

    def looked(path: Path) -> bool:
        if path.parent.name == "closed":  # a test may run as root, who may read everything
            raise PermissionError(errno.EACCES, "Permission denied")
        return exists(path)

    monkeypatch.setattr(Path, "exists", looked)
    warnings: list[str] = []
    assert [each.id for each in find_folders(tmp_path, warnings)] == ["whole"]
    assert warnings == ['The folder "closed" cannot be looked into: Permission denied.']


def test_a_manifest_is_good_once_what_it_names_is_there(tmp_path: Path) -> None:
    """Whoever forgot a file puts that there, and does not touch plugin.json."""
    manifest = tmp_path / "plugin.json"
    manifest.write_text(
        '{"id": "ada.page", "name": "Page", "version": "1.0.0", "sdk": "*",'
        ' "frontend": {"scripts": ["page.js"]}}'
    )
    reader = ManifestReader()
    with pytest.raises(ManifestInvalid, match=r'"page\.js" is not in the plugin'):
        reader.read(tmp_path, bundled=False)
    (tmp_path / "page.js").write_text("")
    assert reader.read(tmp_path, bundled=False) is reader.read(tmp_path, bundled=False)
