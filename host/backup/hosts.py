"""A host that is opened for its data alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from host.app import Host
from host.config import Config
from plugin_sdk import ProviderUnavailable

__all__ = ["quiet_host"]


@contextmanager
def quiet_host(config: Config, env: Mapping[str, str]) -> Iterator[Host]:
    """A host whose active storage provider is there. Only bundled plugins are started, if one of
    them is that provider; else all that are on. Raises ProviderUnavailable."""
    host = _started(replace(config, safe_mode=True), env)
    try:
        if not _has_storage(host) and not config.safe_mode:
            host.stop()
            host = _started(config, env)
        host.registry.active("storage")
        yield host
    finally:
        host.stop()


def _started(config: Config, env: Mapping[str, str]) -> Host:
    host = Host(config, env=env, log_file=False, log_stream=None)
    try:
        host.start_for_command()
    except BaseException:
        host.stop()
        raise
    return host


def _has_storage(host: Host) -> bool:
    try:
        host.registry.active("storage")
    except ProviderUnavailable:
        return False
    return True
