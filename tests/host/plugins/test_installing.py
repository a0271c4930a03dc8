"""Python packages of plugins: conflicts are found first, and an environment changes all or not.

The commands run in an environment of their own that sees the packages of this one; pip finds wheels
in a folder, and no network."""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
import venv
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from packaging.requirements import Requirement

from host.plugins.discovery import Found
from host.plugins.distributions import refuse_taken
from host.plugins.environment import Package, Packages, applying, conflicts
from host.plugins.register import Record
from plugin_sdk import Conflict, Manifest

ROOT = Path(__file__).parents[3]
CODE = """
from plugin_sdk import Plugin, route

import x_lib

class plugin(Plugin):
    @route("GET", "/x", access="open")
    def x(self, request):
        return {"x": x_lib.VERSION}
"""


def wheel(folder: Path, name: str, version: str, *requires: str, files=(), entry: str = "") -> Path:
    """A package by hand: no build backend is needed."""
    folder.mkdir(parents=True, exist_ok=True)
    module = name.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {text}\n" for text in requires)
    content = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        **(dict(files) or {f"{module}.py": f"VERSION = {version!r}\n"}),
    }
    if entry:
        content[f"{info}/entry_points.txt"] = f"[stagebox.plugins]\n{entry} = {module}:plugin\n"
    content[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*content, f"{info}/RECORD"])
    path = folder / f"{module}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, text in content.items():
            archive.writestr(member, text)
    return path


def plugin_wheel(
    folder: Path, plugin_id: str, *requires: str, code: str = CODE, **manifest
) -> Path:
    name = plugin_id.replace(".", "-")
    module = name.replace("-", "_")
    document = {"id": plugin_id, "name": plugin_id, "version": "1.0.0", "sdk": "*", **manifest}
    files = {f"{module}/__init__.py": code, f"{module}/plugin.json": json.dumps(document)}
    return wheel(
        folder, name, document["version"], "stagebox", *requires, files=files, entry=plugin_id
    )


class Installation:
    """An environment with the command line in it, and a data directory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.links = folder / "links"
        self.links.mkdir()
        self.own = folder / "own"
        venv.create(self.own, with_pip=False, symlinks=True)
        (self.site / "shared.pth").write_text(f"{sysconfig.get_path('purelib')}\n{ROOT}\n")

    @property
    def site(self) -> Path:
        (found,) = self.own.glob("lib/python*/site-packages")
        return found

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        env = {
            **{key: value for key, value in os.environ.items() if not key.startswith("STAGEBOX")},
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.links),
            "PIP_CONFIG_FILE": os.devnull,
            "PYTHONDONTWRITEBYTECODE": "1",
            **environment,
        }
        command = [self.own / "bin" / "python", "-m", "host", "plugin", *arguments,
                   "--data-dir", str(self.folder / "data")]  # fmt: skip
        return subprocess.run(
            command,
            env=env,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    def state(self) -> dict[str, bytes]:
        """Every file that an installation could have touched."""
        folders = (self.folder / "data" / "plugins").glob("example.*")
        roots = (self.site, self.own / "bin", *folders)
        return {
            str(path): path.read_bytes()
            for root in roots
            for path in sorted(root.rglob("*"))
            if path.is_file() and path.name != "plugin.db" and "__pycache__" not in path.parts
        }


@pytest.fixture
def place(tmp_path):
    return Installation(tmp_path)


def test_conflicts_name_both_plugins_and_change_nothing(place):
    x1 = wheel(place.links, "x-lib", "1.0")
    wheel(place.links, "x-lib", "2.0")
    first = plugin_wheel(place.folder, "example.a", "x-lib<2")
    second = plugin_wheel(place.folder, "example.b", "x-lib>=2")
    plugin_wheel(place.links, "example.c", "y-lib")
    wheel(place.links, "y-lib", "1.0", "x-lib>=2")

    done = place.run("install", str(first), "--yes")
    assert done.returncode == 0, done.stderr
    assert "package       x-lib 1.0\n" in done.stdout
    assert (place.site / "x_lib.py").read_text() == "VERSION = '1.0'\n"
    assert x1.is_file()

    before = place.state()
    done = place.run("install", str(second), "--yes")
    assert (done.returncode, done.stderr) == (
        1, "example.a needs x-lib<2, example.b needs x-lib>=2.\n",
    )  # fmt: skip
    done = place.run("install", "example-c", "--yes")
    assert (done.returncode, done.stderr) == (
        1, "example.a needs x-lib<2, example.c needs x-lib>=2 (through y-lib).\n",
    )  # fmt: skip
    assert place.state() == before


def test_a_plugin_comes_by_name_and_a_failing_pip_leaves_nothing(place):
    wheel(place.links, "x-lib", "1.0")
    plugin_wheel(place.links, "example.d", "x-lib", "z-lib")
    broken = wheel(place.links, "z-lib", "1.0")
    before = place.state()
    with zipfile.ZipFile(broken, "a") as archive:  # pip takes it, and stumbles while it unpacks
        archive.writestr("../../../../outside.py", "")
    done = place.run("install", "example-d", "--yes")
    assert done.returncode == 1
    assert "Nothing was installed. pip said:" in done.stderr, "it failed when x-lib was there"
    assert place.state() == before

    wheel(place.links, "z-lib", "1.0")
    wheel(place.links, "no-plugin", "1.0")
    done = place.run("install", "no-plugin", "--yes")
    assert (done.returncode, "no plugin of Stagebox" in done.stderr) == (1, True)
    assert place.state() == before
    done = place.run("install", "example-d", "--yes")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("Switch it on with: stagebox plugin enable example.d\n")
    done = place.run("enable", "example.d")
    assert (done.returncode, done.stdout) == (0, "example.d is active.\n")
    plugin_wheel(place.links, "example.d", "x-lib", "z-lib", version="1.1.0", capabilities=["http"])
    done = place.run("install", "example-d")  # nobody is there to be asked
    assert "It asks for more than was confirmed" in done.stdout
    done = place.run("list")
    (line,) = (each for each in done.stdout.splitlines() if each.startswith("example.d "))
    assert line.split()[1:3] == ["1.1.0", "errored"]
    assert "CONFIRMATION_NEEDED: Version 1.1.0 asks for more than was confirmed: http." in line
    done = place.run("enable", "example.d")
    assert done.stdout.splitlines() == [
        "example.d asks for more than was confirmed: http.",
        "example.d is active.",
    ]
    done = place.run("uninstall", "example.d", "--purge")
    assert done.returncode == 0, done.stderr
    assert "Removed the package example-d; what it required stays installed." in done.stdout
    left = [path for path in place.state() if "example" in path]
    assert left == []


def test_a_package_is_itself_however_its_name_is_written():
    found = Found("ada.notes", "entry-point", None, distribution="Ada_Notes")
    register = SimpleNamespace(find=lambda plugin_id: Record(found))
    manifest = Manifest("ada.notes", "Notes", "1.0.0", "*")
    for name in ("ada-notes", "ada.notes", "ADA_notes"):
        refuse_taken(manifest, name, register)
    with pytest.raises(Conflict, match="comes with the package Ada_Notes"):
        refuse_taken(manifest, "bob-notes", register)


# Who is hurt, told from metadata alone


def needs(**texts: str) -> dict[str, list[Requirement]]:
    return {key: list(applying(value.split(";;"))) for key, value in texts.items()}


def package(name: str, version: str, *requires: str) -> Package:
    return Package(name, version, tuple(applying(requires, extras=None)))


@pytest.mark.parametrize(
    ("others", "own", "change", "said"),
    [
        ("x<2", "x>=2", ["x 2"], ["a needs x<2, new needs x>=2."]),
        ("X_y<2", "x-Y>=2", ["x.y 2"], ["a needs X_y<2, new needs x-Y>=2."]),
        ("mid", "x>=2", ["x 2"], ["a needs x<2 (through mid), new needs x>=2."]),
        ("x<2", "far", ["far 1", "x 2"], ["a needs x<2, new needs x>=2 (through far)."]),
        ("x<3", "x>=2", ["x 2"], []),
        ("x<2; python_version<'3'", "x>=2", ["x 2"], []),
        ("x<1", "x>=2", ["x 2"], []),  # that was broken before
        ("x<2;;x>=1", "x", ["x 2"], ["a needs x<2, new needs x 2."]),
    ],
    ids=["plain", "names", "through", "newcomer-through", "fits", "marker", "already", "any"],
)
def test_a_sentence_names_both(others, own, change, said):
    before = Packages(
        [package("x", "1.5"), package("x-y", "1"), package("mid", "1", "x<2", "z>1; extra == 'e'")]
    )
    known = {"far 1": package("far", "1", "x>=2")}
    after = before.after(known.get(each) or package(*each.split()) for each in change)
    assert conflicts("new", needs(a=others, new=own), before, after) == said


def test_extras_and_circles_are_followed():
    packages = Packages(
        [package("one", "1", "two; extra == 'more'"), package("two", "1", "one[more]", "x>=2")]
    )
    edges = [str(each) for each in packages.unmet(applying(["one"]))]
    assert edges == []
    edges = [str(each) for each in packages.unmet(applying(["one[more]"]))]
    assert edges == ["x>=2 (through two)"]
