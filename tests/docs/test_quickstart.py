"""The quickstart is followed word by word, with the packages of this installation as wheels."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.tags import sys_tags

from tests.docs.pages import ROOT, blocks_of
from tests.docs.quickstart import COLD_SECONDS, PAGE, follow
from tests.ports import free_ports

pytestmark = pytest.mark.one_engine
OWN = "stagebox"


@pytest.mark.timeout(300)
def test_a_stranger_has_a_route_that_answers(tmp_path):
    """This machine has other tests to run beside, so what counts is how long a processor worked.
    `python -m tests.docs.quickstart` measures what a stranger waits, cold and with wheels."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    for name in needed(OWN):
        pack(distribution(name), wheels)
    walk = follow(
        tmp_path / "work",
        {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), "PIP_NO_COMPILE": "1"},
        port=free_ports(1)[0],  # other tests may have the usual one meanwhile
    )
    assert 0 < walk.busy <= 2 * COLD_SECONDS, walk  # a slow processor works longer
    assert walk.live > 0


def test_the_page_needs_three_commands_and_one_file_of_six_lines():
    first = blocks_of(PAGE, "sh")[0]
    assert len(first.body.splitlines()) <= 3
    for code in blocks_of(PAGE, "python"):
        assert len([line for line in code.body.splitlines() if line.strip()]) <= 6


# Wheels of what is installed: nothing is asked of a package index


def needed(name: str) -> Iterator[str]:
    """A distribution and all that it needs, without extras."""
    ahead, seen = [name], set()
    while ahead:
        found = distribution(ahead.pop())
        if found.name.lower() in seen:
            continue
        seen.add(found.name.lower())
        yield found.name
        for line in found.requires or ():
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                ahead.append(requirement.name)


def pack(found: Distribution, into: Path) -> None:
    files = dict(sources() if found.name == OWN else contents(found))
    (information,) = {name.partition("/")[0] for name in files if name.endswith(".dist-info/WHEEL")}
    record = f"{information}/RECORD"
    here = {str(tag) for tag in sys_tags()}
    said = files[f"{information}/WHEEL"].decode().splitlines()
    tags = [line.partition(":")[2].strip() for line in said if line.startswith("Tag:")]
    tag = next(each for each in tags if each in here)
    files.pop(record, None)
    lines = [f"{name},sha256={hashed(body)},{len(body)}" for name, body in files.items()]
    files[record] = "\n".join([*lines, f"{record},,", ""]).encode()
    wheel = into / f"{information.removesuffix('.dist-info')}-{tag}.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, body in files.items():
            archive.writestr(name, body)


def contents(found: Distribution) -> Iterator[tuple[str, bytes]]:
    """Without scripts, which pip makes from the entry points, and what Python compiled."""
    for file in found.files or ():
        name = file.as_posix()
        if not name.startswith("..") and "__pycache__" not in name:
            yield name, Path(str(found.locate_file(file))).read_bytes()


def sources() -> Iterator[tuple[str, bytes]]:
    """What pyproject.toml puts into the wheel."""
    own = distribution(OWN)
    information = f"{OWN}-{own.version}.dist-info"
    for name in ("METADATA", "WHEEL", "entry_points.txt"):
        text = own.read_text(name)
        assert text is not None
        yield f"{information}/{name}", text.encode()
    for package in ("host", "plugin_sdk", "builtin_plugins"):
        for path in sorted((ROOT / package).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path.relative_to(ROOT).as_posix(), path.read_bytes()


def hashed(body: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(body).digest()).rstrip(b"=").decode()
