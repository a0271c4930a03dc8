"""``stagebox preflight``: which plugins will break when Stagebox is upgraded."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from packaging.version import InvalidVersion, Version

from host.cli.session import configured, echo_json, fail, managed_host
from host.plugins.preflight import Forecast, forecasts
from host.plugins.releases import Release, release_in, release_of
from plugin_sdk import SDK_VERSION

__all__ = ["preflight"]

_SAID = {
    "works": "works on",
    "warns": "works on, with a warning",
    "breaks": "breaks",
    "unknown": "cannot be judged",
}


def _version(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    try:
        return None if value is None else str(Version(value))
    except InvalidVersion:
        raise click.BadParameter(f'"{value}" is no version, as 1.2.0 is one.') from None


@click.command(short_help="Say which plugins will break with another version.")
@click.argument("version", metavar="[VERSION]", required=False, callback=_version)
@click.option(
    "--wheel",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The package of the new version: then names, hooks and built-in plugins that it lacks "
    "are found, too.",
)
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
@configured
def preflight(version: str | None, wheel: Path | None, as_json: bool) -> None:
    """Say which installed plugins will break when Stagebox is upgraded to VERSION. Nothing is
    changed, and no plugin is run.

    \b
    Looked at are, of each plugin that does not come with Stagebox:
      * the range of SDK versions in its manifest
      * what its Python package requires of the package stagebox
      * deprecated calls that it made while it ran here
      * with --wheel also each name and hook of the SDK that its code uses, the versions of
        built-in plugins that it requires, and whether the Python packages that the new version
        needs go together with those that the plugin needs

    Host and SDK are one package and carry one version, so the SDK of VERSION is taken to be
    VERSION itself; with --wheel it is read there, and VERSION may be left out. To get the package:
    pip download --no-deps stagebox==VERSION

    The status is 0 when nothing breaks (there may be warnings), 1 when something does or cannot
    be judged, 2 for a wrong command line.
    """
    if version is None and wheel is None:
        raise click.UsageError("Give the VERSION that you would upgrade to, or its --wheel FILE.")
    release = release_in(wheel) if wheel else release_of(version or "")
    if version is not None and Version(release.version) != Version(version):
        fail(f"{wheel.name if wheel else ''} is version {release.version}, not {version}.")
    with managed_host() as host:
        found = forecasts(host.manager.register, release, host.plugins.deprecations())
        present = host.version
    if as_json:
        echo_json(_document(present, release, found))
    else:
        _tell(present, release, found)
    sys.exit(1 if any(each.verdict in ("breaks", "unknown") for each in found) else 0)


def _document(present: str, release: Release, found: list[Forecast]) -> dict[str, object]:
    return {
        "present": {"version": present, "sdk": SDK_VERSION},
        "target": {"version": release.version, "sdk": release.sdk, "knownBy": release.known_by},
        "breaking": sum(each.verdict == "breaks" for each in found),
        "plugins": [each.as_json() for each in found],
    }


def _tell(present: str, release: Release, found: list[Forecast]) -> None:
    how = "as its package says" if release.known_by == "package" else "by the rule; see --help"
    click.echo(f"From Stagebox {present} to {release.version}, with SDK {release.sdk} ({how}).")
    if Version(release.version) < Version(present):
        click.echo("That is older than what runs: data may not fit it. Take a backup first.")
    for each in found:
        click.echo(f"{each.plugin_id} {each.version}: {_SAID[each.verdict]}")
        for concern in each.concerns:
            click.echo(f"    {concern.message}")
    broken = sum(each.verdict == "breaks" for each in found)
    if not found:
        click.echo("There is no plugin beside those that come with Stagebox.")
    elif broken:
        click.echo(f"{broken} of {len(found)} plugins will break.")
    elif any(each.verdict == "unknown" for each in found):
        click.echo("None of those that can be judged will break.")
    else:
        click.echo("No plugin will break, as far as can be told.")
