"""Taking settings from a bundle: everything is checked, then everything is written at once
(plugin contract, 7.3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final

from builtin_plugins.app_settings.archive import bad_bundle, read_archive
from builtin_plugins.app_settings.document import KEYS, SharedSettings, is_readable_folder
from builtin_plugins.app_settings.exporting import BUNDLE_SCHEMA
from builtin_plugins.app_settings.secret_values import with_masks
from plugin_sdk import Invalid, NotFound, Problem, parse_json
from plugin_sdk.management import SettingsManagement

__all__ = ["SettingsImport"]

_MAX_DEPTH: Final = 32
_CONFIG: Final = "config.json"
_MANIFEST: Final = "manifest.json"


@dataclass
class _Plan:
    """What is to be written (values by plugin), and what is said about it."""

    documents: dict[str, dict[str, Any]] = field(default_factory=dict)
    applied: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


class SettingsImport:
    """Takes bundles."""

    def __init__(self, settings: SettingsManagement, shared: SharedSettings) -> None:
        self._settings = settings
        self._shared = shared

    def take(self, file: BinaryIO) -> dict[str, Any]:
        """Applies a bundle and tells what was applied and what was not. Raises Invalid
        (INVALID_BUNDLE) with every problem; nothing is changed then."""
        objects, strangers = _parsed(read_archive(file))
        plan = _Plan(warnings=[f"{name} was skipped: no file of a bundle." for name in strangers])
        owner = self._shared.owner
        config = self._config(plan, owner, objects.pop(_CONFIG))
        plan.applied.append("config")
        for name, values in sorted(objects.items()):
            self._plugin(plan, owner, name, values)
        plan.documents[owner] = {**plan.documents.get(owner, self._others(owner)), **config}
        full = {id: self._complete(id, values) for id, values in plan.documents.items()}
        self._refuse_unfit(full, owner)
        self._settings.replace_all(full)
        return {"ok": True, "applied": plan.applied, "warnings": plan.warnings}

    def _config(self, plan: _Plan, owner: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """The five keys as they are to be stored."""
        taken = self._known(plan, _CONFIG, values, KEYS, self._settings.pinned(owner))
        folder = taken.get("dlcDir")
        if isinstance(folder, str) and folder and not is_readable_folder(folder):
            plan.warnings.append("config.json:dlcDir was skipped: no such directory here.")
            taken["dlcDir"] = self._settings.values(owner)["dlcDir"]
        return taken

    def _plugin(self, plan: _Plan, owner: str, name: str, values: Mapping[str, Any]) -> None:
        plugin_id = name.removeprefix("plugins/").removesuffix(".json")
        try:
            schema = self._settings.schema(plugin_id)
        except NotFound:
            schema = None
        if schema is None:
            plan.warnings.append(f"{name} was skipped: no such plugin with settings is installed.")
            return
        known = [
            key for key in schema.get("properties", {}) if plugin_id != owner or key not in KEYS
        ]
        pinned = self._settings.pinned(plugin_id)
        plan.documents[plugin_id] = self._known(plan, name, values, known, pinned)
        plan.applied.append(plugin_id)

    def _known(
        self,
        plan: _Plan,
        name: str,
        values: Mapping[str, Any],
        known: Any,
        pinned: frozenset[str],
    ) -> dict[str, Any]:
        taken: dict[str, Any] = {}
        for key, value in values.items():
            if key not in known:
                plan.warnings.append(f"{name}:{key} was skipped: no such setting.")
            elif key in pinned:
                plan.warnings.append(f"{name}:{key} was skipped: the operator's file decides it.")
            else:
                taken[key] = value
        return taken

    def _others(self, owner: str) -> dict[str, Any]:
        """What is stored of the owner beside the five keys, which no file speaks of."""
        schema = self._settings.schema(owner) or {}
        pinned = self._settings.pinned(owner)
        return {
            key: value
            for key, value in self._settings.values(owner).items()
            if key not in (*KEYS, *pinned)
            and value is not None
            and value != schema["properties"][key].get("default")
        }

    def _complete(self, plugin_id: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """With all secrets that the file does not give: they stay."""
        settings = self._settings
        return with_masks(values, settings.values(plugin_id), settings.shown(plugin_id))

    def _refuse_unfit(self, documents: Mapping[str, Mapping[str, Any]], owner: str) -> None:
        problems = [
            Problem(f"{_place(plugin_id, problem.path, owner)}:{problem.path}", problem.message)
            for plugin_id, values in documents.items()
            for problem in self._settings.problems(plugin_id, values)
        ]
        if problems:
            first = problems[0]
            raise Invalid(
                f"The bundle is not valid: {first.path} {first.message}.",
                code="INVALID_BUNDLE",
                details=problems,
            )


def _place(plugin_id: str, path: str, owner: str) -> str:
    from_config = plugin_id == owner and path.partition(".")[0] in KEYS
    return _CONFIG if from_config else f"plugins/{plugin_id}.json"


def _parsed(files: Mapping[str, bytes]) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """The objects of the files that a bundle has, and the names of all others."""
    if _CONFIG not in files:
        raise bad_bundle("The bundle holds no config.json.")
    wanted = {name: text for name, text in files.items() if _is_wanted(name)}
    objects: dict[str, dict[str, Any]] = {}
    problems: list[Problem] = []
    for name, text in wanted.items():
        try:
            value = parse_json(text, max_depth=_MAX_DEPTH, unique_keys=True)
            if not isinstance(value, dict):
                raise Invalid("must be a JSON object")
            objects[name] = value
        except Invalid as error:
            problems.append(Problem(name, error.message))
    if problems:
        sentence = f"The bundle is not valid: {problems[0].path}: {problems[0].message}"
        raise Invalid(sentence, code="INVALID_BUNDLE", details=problems)
    manifest = objects.pop(_MANIFEST, {"schema": BUNDLE_SCHEMA})
    if manifest.get("schema") != BUNDLE_SCHEMA:
        raise bad_bundle(f"The bundle is not one of {BUNDLE_SCHEMA}.")
    return objects, sorted(files.keys() - wanted.keys())


def _is_wanted(name: str) -> bool:
    if name in (_CONFIG, _MANIFEST):
        return True
    return name.startswith("plugins/") and name.count("/") == 1 and name.endswith(".json")
