"""Where the store is, and how to speak to it: the plugin's settings as one frozen value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

__all__ = ["Patience", "StoreConfig"]

_NEEDED: Final = ("endpoint", "bucket", "accessKeyId", "secretAccessKey")


@dataclass(frozen=True, slots=True)
class StoreConfig:
    """``folder`` is empty or ends with a slash. Keys are left out of its ``repr``."""

    endpoint: str
    region: str
    bucket: str
    folder: str
    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    path_style: bool
    presign: bool

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> StoreConfig:
        folder = settings["prefix"].strip("/")
        return cls(
            endpoint=settings["endpoint"].rstrip("/"),
            region=settings["region"],
            bucket=settings["bucket"],
            folder=folder + "/" if folder else "",
            access_key=settings["accessKeyId"],
            secret_key=settings["secretAccessKey"],
            path_style=settings["pathStyle"],
            presign=settings["presign"],
        )

    @staticmethod
    def missing(settings: Mapping[str, Any]) -> list[str]:
        """Names of settings that must have a value and have none."""
        return [name for name in _NEEDED if not settings[name]]

    @property
    def place(self) -> str:
        """For sentences: which store and bucket."""
        return f'the S3 store at {self.endpoint}, bucket "{self.bucket}"'


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, in seconds. A store that is away is to be known as such within ten: a
    late second try, a connection, botocore's second for "100 Continue" and a silence together
    take less. The name's look-up is the system's, and has its time-outs."""

    connect: float = 2.0
    """For an address; a name that has many of them shares three times that among them."""
    answer: float = 5.0
    upload: float = 60.0
    """For the answer to a part, which has to reach the store first."""
    retry_within: float = 1.0
    """Nothing is tried again later than this, so only what failed fast is."""
    attempts: int = 3
    pause: float = 0.1
    """Before the second attempt, at most; twice as long before each further one."""
    rest: float = 2.0
    """While a store is known to be away, it is asked again after this."""
