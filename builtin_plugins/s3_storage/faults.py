"""What went wrong, in sentences that name the store and say what to do about it.

Only the store's error code goes into a sentence, never its message: some stores repeat there
what was sent.
"""

from __future__ import annotations

import re
from typing import Any, Final

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
    SSLError,
)

from builtin_plugins.s3_storage.config import StoreConfig
from plugin_sdk import ProviderUnavailable

__all__ = ["Refused", "lost", "no_store", "refused", "status_of", "transient"]

_SETTINGS: Final = "in the settings of s3_storage"
_ADVICE: Final = {
    "NoSuchBucket": (
        "there is no such bucket",
        f'Create it there, or correct "bucket" {_SETTINGS}.',
    ),
    "InvalidBucketName": (
        "that is no name of a bucket",
        f'Correct "bucket" {_SETTINGS}.',
    ),
    "InvalidAccessKeyId": (
        "the access key ID is not known there",
        f'Correct "accessKeyId" {_SETTINGS}.',
    ),
    "SignatureDoesNotMatch": (
        "the request is signed with another key than the store expects",
        f'Correct "secretAccessKey" {_SETTINGS}, and "region" if that is right.',
    ),
    "AccessDenied": (
        "the access key may not do this",
        "Allow it to get, put, delete and list objects, and to list and abort uploads, in that "
        f'bucket; or correct the keys and "bucket" {_SETTINGS}.',
    ),
    "RequestTimeTooSkewed": (
        "its clock and the one of this machine differ too much",
        "Put both clocks right.",
    ),
}
_REGION_CODES: Final = frozenset(
    {"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"}
)
_FULL_CODES: Final = frozenset({"QuotaExceeded", "XMinioStorageFull", "InsufficientStorage"})
_ABOUT_OBJECTS: Final = frozenset(
    {"NoSuchKey", "NoSuchUpload", "InvalidRange", "PreconditionFailed"}
)
_TRANSIENT_CODES: Final = frozenset({"SlowDown", "RequestTimeout", "Throttling", "InternalError"})
_CODE: Final = re.compile(r"[A-Za-z]{1,60}")


class Refused(Exception):
    """The store answered, and what it says is about one object: ``code`` is S3's word for it."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def status_of(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def transient(error: ClientError) -> bool:
    """Whether asking again may help."""
    status = status_of(error)
    return status >= 500 or status == 429 or _code(error) in _TRANSIENT_CODES


def refused(error: ClientError, config: StoreConfig) -> Refused | ProviderUnavailable:
    """What an error answer of the store means."""
    code = _code(error)
    if code in _ABOUT_OBJECTS:
        return Refused(code)
    return ProviderUnavailable(_sentence(error, code, config))


def no_store(config: StoreConfig, what: str) -> ProviderUnavailable:
    """For answers that no S3 store gives."""
    return ProviderUnavailable(
        f"{_begin(config)} does not answer like an S3 store ({what}). "
        f'Check "endpoint" and "pathStyle" {_SETTINGS}.'
    )


def lost(error: BotoCoreError, config: StoreConfig) -> str:
    """The sentence for a request without an answer."""
    return (
        f"{_begin(config)} cannot be reached: {_reason(error)}. See that it is running, or "
        f'correct "endpoint" {_SETTINGS}.'
    )


def _sentence(error: ClientError, code: str, config: StoreConfig) -> str:
    status = status_of(error)
    known = _ADVICE.get(code)
    if known is not None:
        reason, advice = known
        return f"{_begin(config)} refuses {error.operation_name}: {reason} ({code}). {advice}"
    if code in _REGION_CODES or (status in (301, 307) and code):
        return (
            f"{_begin(config)} refuses {error.operation_name}: the bucket lies in "
            f'{_region(error)} ({code}). Correct "region" and "endpoint" {_SETTINGS}.'
        )
    if code in _FULL_CODES or status == 507:
        return f"{_begin(config)} is full ({code or status}). Make room there."
    if not code and _is_page(error):
        return no_store(config, "a web page").message
    if transient(error):
        return (
            f"{_begin(config)} fails or has too much to do (HTTP {status}"
            f"{' ' + code if code else ''}). Try again later, or look into its log."
        )
    if not code:
        return no_store(config, f"HTTP {status} without an S3 error").message
    return (
        f"{_begin(config)} refuses {error.operation_name} (HTTP {status} {code}). "
        f"Check the settings of s3_storage, and the store's log."
    )


def _begin(config: StoreConfig) -> str:
    return config.place[0].upper() + config.place[1:] + ","


def _code(error: ClientError) -> str:
    """S3's word for what is wrong; empty where the answer has none (a HEAD, or no S3 at all)."""
    code = str(error.response.get("Error", {}).get("Code", ""))
    return code if _CODE.fullmatch(code) else ""


def _is_page(error: ClientError) -> bool:
    """Whether a web page came. botocore makes a 500 of one that came as success; what proxies say
    while the store behind them is away (502 to 504) is left to its status."""
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return status_of(error) <= 500 and "html" in headers.get("content-type", "")


def _region(error: ClientError) -> str:
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    name = error.response.get("Error", {}).get("Region") or headers.get("x-amz-bucket-region", "")
    fits = re.fullmatch(r"[A-Za-z0-9-]{1,64}", str(name))
    return f"the region {name}" if fits else "another region"


def _reason(error: BotoCoreError) -> str:
    cause: Any = error.kwargs.get("error") if hasattr(error, "kwargs") else None
    if isinstance(error, ReadTimeoutError):
        return "it took the connection, but did not answer in time"
    if isinstance(error, ConnectTimeoutError):
        return "nobody answers at that address in time"
    if isinstance(error, SSLError):
        if "CERTIFICATE_VERIFY_FAILED" in str(cause):
            return "its certificate cannot be trusted"
        return "it does not speak TLS as it should (is it http rather than https?)"
    if isinstance(error, EndpointConnectionError):
        if type(cause).__name__ == "NameResolutionError":
            return "the name of the host is not known"
        return "it does not take connections there"
    return "it broke the connection off"
