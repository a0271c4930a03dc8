"""``stagebox plugin install``: from a file, a folder, or by the name of a package."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from host.app import Host
from host.cli.operator import OPERATOR
from host.cli.plugin_texts import show_manifest
from host.cli.session import SERVER_SECONDS, configured, fail, is_terminal, managed_host, wait_for
from host.plugins.distributions import plugins_in, refuse_taken
from host.plugins.environment import Packages, applying, needs_of_plugins
from host.plugins.resolution import Change, Fetched, fetched, resolve
from plugin_sdk import Conflict, Invalid, Manifest, NotFound
from plugin_sdk.management import InstallPlan

__all__ = ["install"]

_FILES = (".whl", ".zip")


@click.command(short_help="Install a plugin: a wheel, ZIP or folder, or by name.")
@click.argument("source", metavar="FILE|DIR|NAME")
@click.option("--yes", is_flag=True, help="Accept what the plugin asks for.")
@click.option("--dry-run", is_flag=True, help="Only say what would be installed.")
@configured
def install(source: str, yes: bool, dry_run: bool) -> None:
    """Install a plugin from a wheel or ZIP, from a folder, or by the NAME of its package, which
    pip looks up where it is configured to.

    Python packages that the plugin requires are installed with it. First pip is asked for versions
    that go together with what every installed plugin, and Stagebox itself, requires; when there
    are none, both sides are named and nothing is changed. When anything fails later, the
    environment is put back as it was.

    The plugin stays off until it is enabled; one from a file or folder that is active already is
    upgraded live.
    """
    with managed_host(plugins=True) as host:
        path = Path(source)
        if path.exists():
            _from_path(host, path, yes, dry_run)
        elif os.sep in source or source.endswith(_FILES):
            raise NotFound(f'"{source}" does not exist.')
        else:
            _by_name(host, source, yes, dry_run)


# From a file or folder: into the data directory


def _from_path(host: Host, source: Path, yes: bool, dry_run: bool) -> None:
    plan = host.plugins.inspect(source)
    present = Packages.present()
    change = _change_for(host, plan, present)
    show_manifest(plan.manifest, plan.replaces)
    yes = _agreed(change, present, yes, dry_run)
    if dry_run:
        return
    with _saying_how(), fetched(change) as ready, ready.installed():
        if host.presence.others():
            _install_in_server(host, source, yes)
        else:
            host.plugins.install(source, accept_additions=yes)
    _done(host, plan.manifest)


@contextmanager
def _saying_how() -> Iterator[None]:
    """To what waits for a word, how it is given here."""
    try:
        yield
    except Conflict as error:
        if error.code != "CONFIRMATION_NEEDED":
            raise
        raise Conflict(f"{error.message} --yes confirms it.", code=error.code) from None


def _change_for(host: Host, plan: InstallPlan, present: Packages) -> Change:
    """The packages that the plugin lacks."""
    if not plan.problems:
        return Change()
    plugin_id = plan.manifest.id
    own = list(applying(plan.packages))
    host_too = [each for each in own if canonicalize_name(each.name) == "stagebox"]
    for edge in present.unmet(host_too):
        raise Conflict(
            f"{plugin_id} needs {edge}; this is {edge.present}. Nothing was changed.",
            code="DEPENDENCY_CONFLICT",
        )
    needs = {**needs_of_plugins(host.manager.register, present), plugin_id: own}
    return resolve(plugin_id, [str(each) for each in own if each not in host_too], needs, present)


def _install_in_server(host: Host, source: Path, accept: bool) -> None:
    answer = host.installer.leave(source, accept_additions=accept)
    if not wait_for(answer.is_file, SERVER_SECONDS):
        if host.installer.withdraw(answer):
            fail("The running server did not take the plugin over in time; look at its log.")
        if not wait_for(answer.is_file, SERVER_SECONDS):  # it has begun
            fail("The running server did not end the installation in time; look at its log.")
    document = json.loads(answer.read_text(encoding="utf-8"))
    answer.unlink()
    if document:
        raise Conflict(document["message"], code=document["code"])


# By name: as a Python package


def _by_name(host: Host, source: str, yes: bool, dry_run: bool) -> None:
    try:
        wanted = Requirement(source)
    except InvalidRequirement:
        raise NotFound(f'"{source}" does not exist, and is no name of a package.') from None
    register, present = host.manager.register, Packages.present()
    needs = needs_of_plugins(register, present)
    same = [key for key in needs if _package_of(host, key) == canonicalize_name(wanted.name)]
    others = {key: each for key, each in needs.items() if key not in same}
    change = resolve(
        wanted.name,
        [source],
        others,
        present,
        upgrade=True,
        named=lambda each: _ids(wanted, each),
    )
    if not change.packages:
        there = present.find(wanted.name)
        click.echo(f"{wanted.name} {there.version if there else ''} is installed already.")
        return
    with fetched(change) as ready:
        manifests = _manifests(wanted, ready)
        for manifest in manifests:
            refuse_taken(manifest, wanted.name, register)
            before = register.find(manifest.id)
            replaces = before.manifest.version if before and before.manifest else None
            show_manifest(manifest, replaces)
        agreed = _agreed(change, present, yes, dry_run)
        if dry_run:
            return
        with ready.installed():
            register.look(packages=True)
            _refuse_broken(host, manifests)
    for manifest in manifests if agreed else ():
        host.manager.wishes.confirm(manifest.id, manifest.declared)
    host.manager.wishes.bump()  # a running server looks which packages there are
    for manifest in manifests:
        _done(host, manifest)


def _package_of(host: Host, plugin_id: str) -> str:
    record = host.manager.register.find(plugin_id)
    return canonicalize_name(record.found.distribution) if record else ""


def _ids(wanted: Requirement, change: Change) -> str:
    """What the plugins of a package are called."""
    name = canonicalize_name(wanted.name)
    pairs = zip(change.packages, change.sources, strict=True)
    own = [pair for pair in pairs if canonicalize_name(pair[0].name) == name]
    if not own:
        return wanted.name
    packages, sources = zip(*own, strict=True)
    with fetched(Change(packages, sources)) as ready:
        return " and ".join(each.id for each in _manifests(wanted, ready))


def _manifests(wanted: Requirement, ready: Fetched) -> list[Manifest]:
    wheel = ready.wheels.get(canonicalize_name(wanted.name))
    if wheel is None:
        raise Invalid(f"pip found no package {wanted.name} to install, only what it requires.")
    return plugins_in(wheel)


def _refuse_broken(host: Host, manifests: list[Manifest]) -> None:
    """Before it is final: is the plugin there, as its wheel promised?"""
    for manifest in manifests:
        record = host.manager.register.find(manifest.id)
        if record is None or record.manifest is None:
            why = record.fault.message if record and record.fault else "it was not found"
            raise Invalid(f"{manifest.id} was taken back, because it cannot be used: {why}")


# Both


def _agreed(change: Change, present: Packages, yes: bool, dry_run: bool) -> bool:
    """Shows which packages come; whether a person agreed. Leaves when one did not."""
    for line in change.lines(present):
        click.echo(f"  package       {line}")
    if yes or dry_run or not is_terminal():
        return yes
    click.confirm("Install it?", abort=True)
    return True


def _done(host: Host, manifest: Manifest) -> None:
    host.audit.note(f"stagebox plugin install {manifest.id}", principal=OPERATOR)
    entry = host.plugins.entry(manifest.id)
    click.echo(f"Installed {manifest.id} {manifest.version}.")
    if entry.state != "active":
        click.echo(f"Switch it on with: stagebox plugin enable {manifest.id}")
    elif entry.source == "entry-point":
        click.echo("It is active: the new version runs after disable and enable, or a restart.")
        if entry.confirmed is not None and manifest.declared - entry.confirmed:
            click.echo("It asks for more than was confirmed, and waits for `plugin enable` then.")
