"""What the operator configured; the front is `load_config`."""

from host.config.options import LOG_LEVELS, OPTIONS, Option, address
from host.config.sources import CONFIG_NAME, Config, load_config

__all__ = ["CONFIG_NAME", "LOG_LEVELS", "OPTIONS", "Config", "Option", "address", "load_config"]
