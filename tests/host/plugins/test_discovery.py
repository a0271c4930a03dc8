"""Looking for plugins again and again: cheap while nothing changed, right when something did."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from host.plugins import discovery
from host.plugins.discovery import InstalledPlugins, find_folders


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
    monkeypatch.setattr(sys, "path", [str(site), str(tmp_path / "nowhere"), *sys.path])
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
