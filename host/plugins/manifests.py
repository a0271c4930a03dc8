"""Reading and checking ``plugin.json``: everything that can be refused before any code runs."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from host.schemas import Validator, check_schema, compile_schema, problems
from host.suggestions import suggestion_suffix
from plugin_sdk import CAPABILITIES, Invalid, Manifest, Problem, manifest_schema, parse_json
from plugin_sdk.manifest import MAX_MANIFEST_BYTES, SDK_VERSION

__all__ = [
    "MANIFEST_NAME",
    "ManifestInvalid",
    "ManifestReader",
    "check_manifest",
    "requirement_of",
    "sdk_fits",
]

MANIFEST_NAME: Final = "plugin.json"
_CLAIMED_PATH: Final = "^(/|(/[a-z0-9][a-z0-9_.-]*)+)$"


class ManifestInvalid(Invalid):
    """plugin.json cannot be used; ``raw`` holds the object as far as it could be read."""

    default_code = "MANIFEST_INVALID"

    def __init__(self, found: list[Problem], raw: Mapping[str, Any] | None = None) -> None:
        first = found[0]
        where = f"{first.path}: " if first.path else ""
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        super().__init__(f"plugin.json: {where}{first.message}{more}", details=found)
        self.raw = dict(raw or {})


@cache
def _validator(bundled: bool) -> Validator:
    schema = copy.deepcopy(dict(manifest_schema()))
    if bundled:
        # Bundled plugins serve contracts with several paths; strangers claim one prefix.
        schema["properties"]["routes"]["properties"]["paths"] = {
            "type": "array",
            "minItems": 1,
            "uniqueItems": True,
            "items": {"type": "string", "pattern": _CLAIMED_PATH, "maxLength": 100},
        }
        schema["properties"]["bundled"] = {
            "type": "object",
            "additionalProperties": False,
            "properties": {"protected": {"type": "boolean"}, "startsOff": {"type": "boolean"}},
        }
    return compile_schema(schema)


def requirement_of(text: str) -> tuple[str, SpecifierSet]:
    """``songs>=1.0`` as plugin id and specifier set; raises Invalid."""
    for index, char in enumerate(text):
        if char in "<>=!~ ":
            name, rest = text[:index], text[index:].strip()
            break
    else:
        name, rest = text, ""
    try:
        return name, SpecifierSet(rest, prereleases=True)
    except InvalidSpecifier:
        raise Invalid(f'"{rest}" is no PEP 440 specifier set') from None


def sdk_fits(specifier: str, version: str = SDK_VERSION) -> bool:
    """Whether an SDK version lies in a manifest's ``sdk`` (``*`` is any)."""
    if specifier.strip() == "*":
        return True
    return Version(version) in SpecifierSet(specifier, prereleases=True)


def check_manifest(document: Any, *, bundled: bool, folder: Path | None) -> Manifest:
    """The manifest, or ManifestInvalid with every problem.

    Without a folder the files that it names are not looked for."""
    if not isinstance(document, dict):
        raise ManifestInvalid([Problem("", "the top level must be an object")])
    found = problems(_validator(bundled), document)
    if found:
        raise ManifestInvalid(found, document)
    manifest = Manifest.from_json(document)
    found = list(_further_problems(manifest, folder))
    if found:
        raise ManifestInvalid(found, document)
    return manifest


def _further_problems(manifest: Manifest, folder: Path | None) -> Iterator[Problem]:
    """What section 11.2 of the contract asks beyond the schema."""
    if manifest.id == "host":
        yield Problem("id", '"host" is the host itself')
    if manifest.sdk.strip() != "*":
        try:
            SpecifierSet(manifest.sdk)
        except InvalidSpecifier:
            yield Problem("sdk", f'"{manifest.sdk}" is no PEP 440 specifier set')
    for index, text in enumerate(manifest.requires):
        try:
            requirement_of(text)
        except Invalid as error:
            yield Problem(f"requires.{index}", error.message)
    yield from _permission_problems(manifest)
    providers = [(each.type, each.name) for each in manifest.providers]
    for index, key in enumerate(providers):
        if key in providers[:index]:
            yield Problem(f"providers.{index}", f"{key[0]} {key[1]} occurs twice")
    for index, name in enumerate(manifest.capabilities):
        if name not in CAPABILITIES:
            text = f'"{name}" is no capability;{suggestion_suffix(name, CAPABILITIES)}'
            yield Problem(f"capabilities.{index}", text.rstrip(";"))
    if manifest.settings is not None:
        yield from _settings_problems(manifest.settings)
    if folder is not None:
        yield from _file_problems(manifest, folder)


def _permission_problems(manifest: Manifest) -> Iterator[Problem]:
    names = [permission.name for permission in manifest.permissions]
    for index, name in enumerate(names):
        path = f"permissions.{index}.name"
        if not name.startswith(manifest.id + ":"):
            yield Problem(path, f'"{name}" must begin with "{manifest.id}:"')
        if name in names[:index]:
            yield Problem(path, f'"{name}" occurs twice')


def _settings_problems(schema: Mapping[str, Any]) -> Iterator[Problem]:
    try:
        check_schema(schema)
    except Invalid as error:
        yield Problem("settings", error.message)
        return
    for name, definition in schema.get("properties", {}).items():
        if isinstance(definition, Mapping) and "default" in definition:
            whole = {key: value for key, value in schema.items() if key.startswith("$")}
            validator = compile_schema({**whole, **definition})
            for problem in problems(validator, definition["default"]):
                path = f"settings.properties.{name}.default"
                yield Problem(path, f"the default does not fit: {problem.message}")


def _file_problems(manifest: Manifest, folder: Path) -> Iterator[Problem]:
    named = [("frontend.scripts", path) for path in manifest.scripts]
    named += [("frontend.styles", path) for path in manifest.styles]
    named += [("frontend.pages", page.path) for page in manifest.pages]
    if manifest.settings_html is not None:
        named.append(("settingsHtml", manifest.settings_html))
    for where, path in named:
        if not _is_plain_file(folder, path):
            yield Problem(where, f'the file "{path}" is not in the plugin\'s folder')


def _is_plain_file(folder: Path, path: str) -> bool:
    """Whether it is a regular file inside the folder that no symbolic link leads to."""
    current = folder
    for part in path.split("/"):
        current = current / part
        if current.is_symlink():
            return False
    return current.is_file()


class ManifestReader:
    """Reads manifests. A good one is read again only when the file's time or size has changed; a
    bad one each time, as what it lacks may lie beside it by now."""

    def __init__(self) -> None:
        self._good: dict[Path, tuple[tuple[int, int], Manifest]] = {}

    def read(self, folder: Path, *, bundled: bool) -> Manifest:
        """Raises ManifestInvalid."""
        path = folder / MANIFEST_NAME
        try:
            status = path.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            known = self._good.get(path)
            if known is not None and known[0] == stamp:
                return known[1]
            with path.open("rb") as file:
                content = file.read(MAX_MANIFEST_BYTES + 1)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise ManifestInvalid([Problem("", f"cannot be read: {reason}")]) from None
        manifest = check_manifest(_document(content), bundled=bundled, folder=folder)
        self._good[path] = (stamp, manifest)
        return manifest


def _document(content: bytes) -> Any:
    if len(content) > MAX_MANIFEST_BYTES:
        raise ManifestInvalid([Problem("", f"is larger than {MAX_MANIFEST_BYTES} bytes")])
    try:
        return parse_json(content, unique_keys=True)
    except Invalid as error:
        raise ManifestInvalid([Problem("", error.message)]) from None
