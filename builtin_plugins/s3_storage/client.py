"""Requests to one bucket: bounded in time, tried again where that helps, explained when lost.

The client underneath is botocore, with nothing taken from the environment of the process: no
profile, no credentials, no proxy, no endpoint but what the settings say. Importing this module
loads botocore (a third of a second, 37 MB): do it when a store is configured and needed.
"""

from __future__ import annotations

import math
import os
import random
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import botocore.session
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    ReadTimeoutError,
)
from botocore.parsers import ResponseParserError

from builtin_plugins.s3_storage.config import Patience, StoreConfig
from builtin_plugins.s3_storage.faults import lost, no_store, refused, status_of, transient
from builtin_plugins.s3_storage.outage import Outage
from plugin_sdk import ProviderUnavailable

__all__ = ["Client"]

_CONNECTIONS: Final = 32
_SHORTEST: Final = 0.75  # reaches the other side of the world
_SILENCE: Final = (ConnectTimeoutError, ReadTimeoutError)
_ELSEWHERE: Final = {
    name: (None, None, default, None)
    for name, default in {
        "profile": None,
        "config_file": os.devnull,
        "credentials_file": os.devnull,
        "data_path": None,
        "ca_bundle": None,
    }.items()
}
"""What botocore would read from the environment and the user's files otherwise."""


class Client:
    """Thread-safe. Raises ProviderUnavailable for everything that keeps the store from doing its
    work, `faults.Refused` for what it says about one object."""

    def __init__(self, config: StoreConfig, patience: Patience) -> None:
        self._config = config
        self._patience = patience
        longest = patience.retry_within + patience.connect + 1 + patience.answer
        self.outage = Outage(patience.rest, longest, time.monotonic)
        self._lock = threading.Lock()
        self._clients: dict[float, Any] = {}
        self._session = botocore.session.Session(session_vars=_ELSEWHERE)

    def call(
        self,
        operation: str,
        parameters: Mapping[str, Any],
        *,
        gives: str = "",
        begun: bool = False,
        patient: bool = False,
        once: bool = False,
    ) -> dict[str, Any]:
        """One of botocore's operations on the bucket.

        ``gives``: what the answer of every S3 store has. ``begun``: it belongs to an upload that
        is under way, which is not given up because others have waited in vain. ``patient``: that
        as well, and the answer may take as long as an upload. ``once``: a lost answer must not
        lead to a second try."""
        if not (begun or patient):
            self.outage.enter()
        try:
            answer = self._sent(operation, parameters, patient, once)
        except ClientError as error:
            raise refused(error, self._config) from error
        return self._checked(answer, gives)

    def get(self, parameters: Mapping[str, Any], *, gives: str = "") -> dict[str, Any]:
        """An object, or just the bytes of it that ``Range`` asks for: a store may pass over that
        header and send the whole (RFC 9110, 14.2)."""
        answer = self.call("get_object", parameters, gives=gives)
        whole = answer["ResponseMetadata"]["HTTPStatusCode"] != 206
        if whole and "Range" in parameters and answer["ContentLength"]:
            answer["Body"].close()
            raise no_store(self._config, "the whole object in place of a part")
        return answer

    def head(self, name: str) -> dict[str, Any]:
        """An object's head. An error answer to HEAD has no body that could say why (RFC 9110,
        9.3.2): then GET is asked, which tells a missing object from a missing bucket."""
        self.outage.enter()
        try:
            answer = self._sent("head_object", {"Key": name})
        except ClientError as error:
            if status_of(error) >= 500:
                raise refused(error, self._config) from error
            answer = self.call("get_object", {"Key": name})
            answer["Body"].close()
        return self._checked(answer, "ETag")

    def signed_url(self, name: str, seconds: int) -> str:
        """An address that is good for a GET of the object, for so long. Asks nobody."""
        parameters = {"Bucket": self._config.bucket, "Key": name}
        client = self._client(self._patience.answer)
        url: str = client.generate_presigned_url(
            "get_object", Params=parameters, ExpiresIn=seconds, HttpMethod="GET"
        )
        return url

    def close(self) -> None:
        """Closes idle connections; those in use are closed by whoever uses them."""
        with self._lock:
            clients = list(self._clients.values())
        for client in clients:
            client.close()

    def _checked(self, answer: dict[str, Any], gives: str) -> dict[str, Any]:
        if gives and gives not in answer:
            if "Body" in answer:
                answer["Body"].close()
            raise no_store(self._config, f"an answer without {gives}")
        return answer

    def _sent(
        self,
        operation: str,
        parameters: Mapping[str, Any],
        patient: bool = False,
        once: bool = False,
    ) -> dict[str, Any]:
        """Raises ClientError for an error answer, ProviderUnavailable for none."""
        patience = self._patience
        client = self._client(patience.upload if patient else patience.answer)
        last_start = math.inf if patient else time.monotonic() + patience.retry_within
        for attempt in range(1, patience.attempts + 1):
            if "Body" in parameters:
                parameters["Body"].seek(0)
            try:
                answer: dict[str, Any] = getattr(client, operation)(
                    Bucket=self._config.bucket, **parameters
                )
            except ClientError as error:
                self.outage.over()
                if not transient(error) or not self._pause(attempt, last_start):
                    raise
            except (ResponseParserError, ValueError) as error:
                self.outage.over()
                raise no_store(self._config, "an answer that cannot be read") from error
            except BotoCoreError as error:
                over = once or (patient and isinstance(error, _SILENCE))
                if over or not self._pause(attempt, last_start):
                    raise self.outage.begin(lost(error, self._config)) from error
            else:
                self.outage.over()
                return answer
        raise AssertionError("the last attempt returns or raises")

    def _pause(self, attempt: int, last_start: float) -> bool:
        """Waits before the next attempt; False when there is to be none."""
        if attempt >= self._patience.attempts:
            return False
        seconds = self._patience.pause * 2 ** (attempt - 1) * random.uniform(0.5, 1)  # noqa: S311  # spreads load, keeps no secret
        if time.monotonic() + seconds > last_start:
            return False
        time.sleep(seconds)
        return True

    def _client(self, answer: float) -> Any:
        """The client that waits so long for answers; they are made when first needed."""
        with self._lock:
            client = self._clients.get(answer)
            if client is None:
                client = self._clients[answer] = self._new_client(answer)
            return client

    def _new_client(self, answer: float) -> Any:
        config = self._config
        try:
            client = self._session.create_client(
                "s3",
                region_name=config.region,
                endpoint_url=config.endpoint,
                aws_access_key_id=config.access_key,
                aws_secret_access_key=config.secret_key,
                verify=ssl.get_default_verify_paths().cafile or True,
                config=_client_config(config, self._connect_seconds(), answer),
            )
        except (BotoCoreError, ValueError) as error:
            raise ProviderUnavailable(
                f"No client can be made for {config.place}: {type(error).__name__}. "
                "Check the settings of s3_storage."
            ) from error
        client.meta.events.register_last("before-parameter-build.s3", _stay)
        return client

    def _connect_seconds(self) -> float:
        """For one address. They are tried one after the other, and a firewall may swallow what is
        sent to each of them: AWS has eight."""
        seconds = self._patience.connect
        parts = urlsplit(self._config.endpoint)
        try:
            found = socket.getaddrinfo(parts.hostname, parts.port or 0, type=socket.SOCK_STREAM)
        except OSError:  # the request itself tells it, in a sentence
            return seconds
        return max(_SHORTEST, min(seconds, 3 * seconds / max(1, len(found))))


def _stay(context: dict[str, Any], **_: Any) -> None:
    """Keeps botocore from following redirects to other regions by itself: with a server that is
    no S3 store and redirects every request it would ask for the region without end."""
    context.setdefault("s3_redirect", {})["redirected"] = True


def _client_config(config: StoreConfig, connect: float, answer: float) -> Any:
    return Config(
        signature_version="s3v4",
        connect_timeout=connect,
        read_timeout=answer,
        retries={"total_max_attempts": 1, "mode": "standard"},  # `Client` does it, within bounds
        max_pool_connections=_CONNECTIONS,
        proxies={},
        s3={"addressing_style": "path" if config.path_style else "virtual"},
        # Many stores do not know the checksums that newer clients would send by themselves.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        ignore_configured_endpoint_urls=True,
        defaults_mode="legacy",
        user_agent="stagebox",
    )
