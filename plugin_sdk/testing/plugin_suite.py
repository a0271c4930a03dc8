"""What the host asks of every plugin, as tests."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, Final

import pluggy
import pytest

from plugin_sdk import hookspecs
from plugin_sdk.access import CORE_PERMISSIONS
from plugin_sdk.errors import Conflict, Invalid
from plugin_sdk.hookspecs import PROJECT
from plugin_sdk.manifest import CAPABILITIES, DEFAULT_PREFIX, Manifest
from plugin_sdk.plugin import Plugin
from plugin_sdk.routes import Route, WebSocketRoute
from plugin_sdk.strict_json import check_json
from plugin_sdk.testing.context import FakeContext
from plugin_sdk.testing.hosts import PluginSource, RunningHost, installed
from plugin_sdk.testing.import_check import import_effects
from plugin_sdk.testing.leaks import leak_check
from plugin_sdk.testing.manifest_check import read_manifest

__all__ = ["PluginSuite"]

_FIELD: Final = r"\{[A-Za-z_][A-Za-z0-9_]*\}"
_SEGMENT: Final = rf"/([A-Za-z0-9._~!$&'()*+,;=:@-]|{_FIELD})+"
_PATH: Final = re.compile(rf"({_SEGMENT})*(/\{{[A-Za-z_][A-Za-z0-9_]*:path\}})?")
_PATTERN: Final = re.compile(r"[a-z][a-z0-9_-]*(\.[a-z0-9_-]+)+|[a-z][a-z0-9_.-]*\*|\*")
_ENOUGH: Final = frozenset({"accounts", "local_storage", "plugin_admin"})
"""Built-ins without which a host is none: identities, storage, its administration."""

_FIELDS: Final = re.compile(r"\{([^}:]*)[^}]*\}")


class PluginSuite:
    """Subclass it beside your tests, and say which plugin is meant::

        from plugin_sdk.testing import PluginSuite

        class TestSoundboardIsSound(PluginSuite):
            plugin = "soundboard:plugin"          # or the class itself

    It checks what the host would refuse and what people would miss: the manifest, routes, their
    permissions, summaries and schemas, hooks, providers, migrations, commands; that importing the
    module does nothing, that switching off leaves nothing; and that the plugin starts and stops
    in a real host.

    * ``folder`` holds plugin.json; by default the folder of the plugin's module. Give it for a
      plugin that is installed as a folder: the real host then loads that.
    * ``settings`` are stored values with which the plugin can start.
    * ``with_plugins`` are other plugins that it requires, for the real host.
    * ``other_hookspecs`` are hook specifications of other plugins that it answers.
    * ``import_allows``: parts of what `import_effects` may report, for libraries that cannot do
      without: ``("ldconfig",)``.
    * Override `prepare` to fill the fake context with what ``enable`` needs.
    """

    plugin: ClassVar[str | type[Plugin]]
    folder: ClassVar[Path | None] = None
    settings: ClassVar[Mapping[str, Any]] = {}
    with_plugins: ClassVar[Sequence[PluginSource]] = ()
    other_hookspecs: ClassVar[Sequence[ModuleType | type]] = ()
    import_allows: ClassVar[Sequence[str]] = ()

    def prepare(self, context: FakeContext) -> None:
        """Called before the plugin starts in a fake context: add services and providers of other
        plugins, lay out answers of other servers."""

    # Fixtures

    @pytest.fixture
    def plugin_class(self) -> type[Plugin]:
        """The class that the host would make an instance of."""
        found = _class_of(self.plugin)
        assert isinstance(found, type), f"{found!r} must be a class"
        assert issubclass(found, Plugin), f"{found!r} must be a subclass of plugin_sdk.Plugin"
        return found

    @pytest.fixture
    def plugin_folder(self, plugin_class: type[Plugin]) -> Path:
        """The folder that holds plugin.json: that of the module, or of a package around it."""
        folder = self.folder or self._module_file(plugin_class).parent
        while not (folder / "plugin.json").exists() and (folder / "__init__.py").exists():
            folder = folder.parent
        return folder

    @pytest.fixture
    def manifest(self, plugin_folder: Path) -> Manifest:
        """The plugin.json as far as it can be read."""
        return read_manifest(plugin_folder)

    @pytest.fixture
    def context(self, plugin_folder: Path, manifest: Manifest) -> Iterator[FakeContext]:
        """A fake context that knows what the manifest declares, and no more."""
        assert manifest is not None
        with FakeContext.for_folder(plugin_folder, settings=self.settings) as context:
            self.prepare(context)
            yield context

    @pytest.fixture
    def started(self, context: FakeContext, plugin_class: type[Plugin]) -> Iterator[Plugin]:
        """The plugin at work in that context."""
        instance = context.start(plugin_class)
        yield instance
        context.stop(instance)

    # The manifest and the module

    def test_the_manifest_can_be_read(self, plugin_folder: Path) -> None:
        assert read_manifest(plugin_folder).id

    def test_importing_it_does_nothing(self, plugin_class: type[Plugin]) -> None:
        module = self._module_name(plugin_class)
        found = import_effects(module, self._module_file(plugin_class))
        kept = [
            each for each in found if not any(allowed in each for allowed in self.import_allows)
        ]
        assert kept == [], f"importing {module} " + "; ".join(kept)

    def test_its_hooks_fit_their_specifications(self, context: FakeContext) -> None:
        instance = _class_of(self.plugin)(context)
        manager = pluggy.PluginManager(PROJECT)
        for specifications in (hookspecs, *instance.hookspecs, *self.other_hookspecs):
            manager.add_hookspecs(specifications)
        manager.register(instance)  # arguments that a specification does not have are refused
        manager.check_pending()  # so are hooks without one, unless marked optionalhook
        for name in hookspecs.HOOK_NAMES:
            answering = [each.plugin for each in getattr(manager.hook, name).get_hookimpls()]
            assert instance in answering, f"{name} lost its @hookimpl, so the host never asks it"

    def test_what_it_uses_is_declared(
        self, plugin_folder: Path, plugin_class: type[Plugin], manifest: Manifest
    ) -> None:
        package = (plugin_folder / "__init__.py").exists()
        files = plugin_folder.rglob("*.py") if package else [self._module_file(plugin_class)]
        missing = {
            f"{name} ({path.name}, line {line})"
            for path in files
            if not _is_test(path, plugin_folder)
            for name, line in _capabilities_used(path)
            if not _declares(manifest, name)
        }
        assert missing == set(), "add to capabilities in plugin.json: " + ", ".join(sorted(missing))

    # Contributions

    def test_contributions_need_declared_capabilities(
        self, started: Plugin, manifest: Manifest
    ) -> None:
        needed = {
            "websocket": any(isinstance(each, WebSocketRoute) for each in started.routes()),
            "commands": bool(started.commands()),
            "db": bool(started.migrations()),
        }
        missing = [name for name, used in needed.items() if used and not _declares(manifest, name)]
        assert missing == [], f"add to capabilities in plugin.json: {', '.join(missing)}"

    def test_route_paths_are_well_formed(self, started: Plugin, manifest: Manifest) -> None:
        for route in started.routes():
            claimed = route.path == "/" and "/" in manifest.claims
            assert claimed or _PATH.fullmatch(route.path), f'"{route.path}" is no route path'
            names = _FIELDS.findall(route.path)
            assert len(names) == len(set(names)), f'"{route.path}" names a field twice'
            if isinstance(route, WebSocketRoute):
                assert not names, f'the WebSocket path "{route.path}" must not have fields'

    def test_routes_occur_once(self, started: Plugin) -> None:
        _assert_unique(
            f"{route.method if isinstance(route, Route) else 'WEBSOCKET'} "
            + _FIELDS.sub("{}", route.path)
            for route in started.routes()
        )

    def test_routes_have_summaries(self, started: Plugin) -> None:
        for route in started.routes():
            hidden = isinstance(route, Route) and not route.documented
            assert hidden or route.summary.strip(), (
                f"{route.path} has no summary: give its handler a docstring, or summary=..."
            )

    def test_route_handlers_take_one_argument(self, started: Plugin) -> None:
        for route in started.routes():
            assert _takes(route.handler, 1), f"the handler of {route.path} takes one argument"

    def test_route_permissions_exist(self, started: Plugin, manifest: Manifest) -> None:
        known = {each.name for each in (*CORE_PERMISSIONS, *manifest.permissions)}
        for route in started.routes():
            assert route.permission is None or route.permission in known, (
                f'{route.path} needs the permission "{route.permission}", which neither the host '
                "nor plugin.json knows"
            )
            assert route.permission is None or route.access != "open", (
                f"{route.path} is open and needs a permission: one of the two is wrong"
            )

    def test_route_schemas_are_schemas(self, started: Plugin) -> None:
        for route in started.routes():
            if isinstance(route, Route):
                for word in ("body", "query", "returns"):
                    _check_schema(getattr(route, word), f"{word} of {route.method} {route.path}")
                kind = (route.query or {}).get("type", "object")
                assert kind == "object", f"query of {route.path} is an object schema"

    def test_providers_are_those_of_the_manifest(self, started: Plugin, manifest: Manifest) -> None:
        contributed = [(each.type, each.name) for each in started.providers()]
        _assert_unique(map(str, contributed))
        assert set(contributed) == {(each.type, each.name) for each in manifest.providers}
        for each in started.providers():
            own_name = getattr(each.implementation, "name", each.name)
            assert own_name == each.name, f"the {each.type} provider calls itself {own_name}"

    def test_migrations_have_names_of_their_own(self, started: Plugin) -> None:
        names = [step.name for step in started.migrations()]
        _assert_unique(names)
        assert all(name.strip() for name in names)

    def test_jobs_have_names_of_their_own(self, started: Plugin) -> None:
        _assert_unique(each.name for each in started.jobs())
        for each in started.jobs():
            assert _takes(each.handler, 1), f"the job {each.name} takes one argument"
            assert each.attempts >= 1
            assert each.concurrency >= 1
            assert each.every is None or each.every > 0

    def test_subscriptions_name_events(self, started: Plugin) -> None:
        for each in started.subscriptions():
            assert _PATTERN.fullmatch(each.event), (
                f'"{each.event}" is no event: write "rooms.message_posted", or "rooms.*"'
            )
            assert _takes(each.handler, 1), f"the handler of {each.event} takes one argument"

    def test_commands_have_help(self, started: Plugin) -> None:
        _assert_unique(f"{each.group} {each.name}" for each in started.commands())
        for each in started.commands():
            assert each.help.strip(), f"the command {each.name} has no help"
            for argument in each.arguments:
                assert argument.help.strip(), f"{argument.name} of {each.name} has no help"

    def test_pages_are_routes(self, started: Plugin) -> None:
        answered = {
            route.path
            for route in started.routes()
            if isinstance(route, Route) and route.method == "GET"
        }
        for page in started.pages():
            assert page.path in answered, f"no GET route answers the page {page.path}"
            assert "{" not in page.path, f"the page {page.path} must not have fields"
            assert page.title.strip()

    # Its life

    def test_switching_off_leaves_nothing(
        self, context: FakeContext, plugin_class: type[Plugin]
    ) -> None:
        with leak_check():
            context.stop(context.start(plugin_class))

    def test_it_can_be_switched_on_again(
        self, context: FakeContext, plugin_class: type[Plugin]
    ) -> None:
        for _ in range(2):
            context.stop(context.start(plugin_class))

    def test_it_starts_and_stops_in_a_real_host(
        self, tmp_path: Path, manifest: Manifest, started_paths: Sequence[tuple[str, str]]
    ) -> None:
        source: PluginSource = self.plugin if self.folder is None else self.folder
        with (
            leak_check(),
            installed("host")(
                tmp_path / "data",
                plugins=[*self.with_plugins, source],
                settings={manifest.id: dict(self.settings)} if self.settings else None,
                **self._few_built_ins(manifest),
            ) as host,
        ):
            _enable(host, manifest.id)
            for method, path in started_paths:
                answer = host.options(manifest.prefix + path)
                assert answer.status == 200, f"{path} answers {answer.status}"
                assert method in answer.headers["allow"], f"{method} {path} is not answered"
            if _was_disabled(host, manifest.id):
                for method, path in started_paths:
                    status = host.request(method, manifest.prefix + path).status
                    assert status == 404, f"{method} {path} answers {status} after disable"
                _enable(host, manifest.id)

    def _few_built_ins(self, manifest: Manifest) -> dict[str, Any]:
        """A plugin that stands for itself, at the usual address, needs no more of them in its host
        than a host needs; which starts in a fraction of the time then."""
        apart = manifest.prefix == DEFAULT_PREFIX + manifest.id and not manifest.requires
        return {"bundled": {*_ENOUGH, manifest.id}} if apart and not self.with_plugins else {}

    def _module_name(self, plugin_class: type[Plugin]) -> str:
        if isinstance(self.plugin, str):
            return self.plugin.partition(":")[0]
        return plugin_class.__module__

    def _module_file(self, plugin_class: type[Plugin]) -> Path:
        return Path(inspect.getfile(sys.modules[self._module_name(plugin_class)]))

    @pytest.fixture
    def started_paths(self, started: Plugin) -> Sequence[tuple[str, str]]:
        """Method and path of each HTTP route, fields filled in."""
        return [
            (route.method, _FIELDS.sub("x", route.path))
            for route in started.routes()
            if isinstance(route, Route)
        ]


def _class_of(plugin: str | type[Plugin]) -> type[Plugin]:
    if isinstance(plugin, type):
        return plugin
    module, _, attribute = plugin.partition(":")
    found: type[Plugin] = getattr(importlib.import_module(module), attribute)
    return found


def _declares(manifest: Manifest, capability: str) -> bool:
    return capability in manifest.capabilities or (
        capability == "http" and "http.private" in manifest.capabilities
    )


def _is_test(path: Path, folder: Path) -> bool:
    inside = path.relative_to(folder).parts if path.is_relative_to(folder) else path.parts[-1:]
    return inside[-1].startswith(("test_", "conftest")) or "tests" in inside


def _capabilities_used(path: Path) -> Iterator[tuple[str, int]]:
    """Members of a context that need a capability, and where the source reads them."""
    for node in ast.walk(ast.parse(path.read_bytes(), str(path))):
        if isinstance(node, ast.Attribute) and node.attr in CAPABILITIES:
            owner = node.value
            if getattr(owner, "attr", getattr(owner, "id", "")) == "context":
                yield node.attr, node.lineno


def _takes(function: Callable[..., Any], count: int) -> bool:
    try:
        inspect.signature(function).bind(*range(count))
    except TypeError:
        return False
    return True


def _check_schema(schema: Any, where: str) -> None:
    if schema is None:
        return
    assert isinstance(schema, Mapping), f"the schema of the {where} is a JSON object"
    try:
        check_json(dict(schema))
    except Invalid as error:
        pytest.fail(f"the schema of the {where}: {error.message}")


def _assert_unique(names: Iterable[str]) -> None:
    listed = list(names)
    twice = sorted({name for name in listed if listed.count(name) > 1})
    assert twice == [], f"declared twice: {', '.join(twice)}"


def _enable(host: RunningHost, plugin_id: str) -> None:
    entry = host.enable(plugin_id)
    assert entry.state == "active", f"{entry.state}: {entry.fault}"


def _was_disabled(host: RunningHost, plugin_id: str) -> bool:
    """False for a plugin that others, or everybody, cannot do without."""
    try:
        entry = host.disable(plugin_id)
    except Conflict as refused:
        if refused.code in ("PROTECTED_PLUGIN", "HAS_DEPENDENTS", "PROVIDER_IN_USE"):
            return False
        raise
    assert entry.state == "disabled", f"{entry.state}: {entry.fault}"
    return True
