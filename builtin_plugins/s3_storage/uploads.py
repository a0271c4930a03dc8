"""Contents on their way to the store: in one request, or in parts when they are large."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO, Final

from builtin_plugins.s3_storage.client import Client
from builtin_plugins.s3_storage.faults import Refused
from builtin_plugins.s3_storage.names import is_cut, key_of
from plugin_sdk import Logger, ProviderUnavailable, StageboxError, TooLarge

__all__ = ["abort_leftovers", "upload"]

_PART: Final = 8 * 1024 * 1024
_SMALL: Final = 256 * 1024
"""What a slow line carries well within the time for an answer."""
_MAX_PARTS: Final = 10_000  # S3's own limit
_CHUNK: Final = 256 * 1024


def upload(
    client: Client,
    name: str,
    content: BinaryIO,
    content_type: str,
    metadata: Mapping[str, str],
    log: Logger,
) -> tuple[int, str]:
    """Stores a stream to its end, all or nothing; never more than a part of it is held. Returns
    its size and quoted ETag. What reading the stream raises comes through. Raises TooLarge."""
    head = {"Key": name, "ContentType": content_type, "Metadata": dict(metadata)}
    part = io.BytesIO()
    length = _fill(part, content)
    if length <= _SMALL:
        stored = client.call("put_object", {**head, "Body": part}, gives="ETag")
        return length, stored["ETag"]
    with _started(client, head, log) as identity:
        parts: list[dict[str, Any]] = []
        size = 0
        while length:
            if len(parts) == _MAX_PARTS:
                raise TooLarge(f"A blob has {_MAX_PARTS * _PART} bytes at most in this store.")
            number = len(parts) + 1
            sent = {**identity, "PartNumber": number, "Body": part}
            stored = client.call("upload_part", sent, gives="ETag", patient=True)
            parts.append({"PartNumber": number, "ETag": stored["ETag"]})
            size += length
            length = _fill(part, content)
        whole = {**identity, "MultipartUpload": {"Parts": parts}}
        done = client.call(
            "complete_multipart_upload", whole, gives="ETag", patient=True, once=True
        )
    return size, done["ETag"]


def abort_leftovers(
    client: Client, folder: str, before: float, go_on: Callable[[], bool], log: Logger
) -> int:
    """Aborts uploads of ours that were begun before that moment (seconds since the epoch): a
    crash left them, and the store keeps their parts, and counts them. Returns how many."""
    aborted = 0
    for found in _pending(client, folder):
        name = found["Key"].removeprefix(folder)
        if not go_on():
            break
        if found["Initiated"].timestamp() >= before or not (is_cut(name) or key_of(name)):
            continue
        if _abort(client, {"Key": found["Key"], "UploadId": found["UploadId"]}, log):
            aborted += 1
    return aborted


def _fill(part: io.BytesIO, content: BinaryIO) -> int:
    """Replaces what the part holds by the stream's next bytes, and returns how many: a full part,
    or the rest. A file, and not bytes: those would have to go out within one time-out."""
    part.seek(0)
    part.truncate()
    length = 0
    while length < _PART:
        chunk = content.read(min(_CHUNK, _PART - length))
        if not chunk:
            break
        length += part.write(chunk)
    return length


@contextmanager
def _started(client: Client, head: dict[str, Any], log: Logger) -> Iterator[dict[str, Any]]:
    """An upload in parts, identified by what is yielded; aborted when the block raises."""
    begun = client.call("create_multipart_upload", head, gives="UploadId")
    identity = {"Key": head["Key"], "UploadId": begun["UploadId"]}
    try:
        yield identity
    except BaseException as error:
        _abort(client, identity, log)
        if isinstance(error, Refused):
            raise ProviderUnavailable(
                f"The store dropped an upload that was under way ({error.code}). Try again."
            ) from error
        raise


def _abort(client: Client, identity: dict[str, str], log: Logger) -> bool:
    try:
        client.call("abort_multipart_upload", identity, begun=True)
    except Refused:  # it is over already
        return False
    except StageboxError as error:
        log.warning("An unfinished upload stays until it is tidied away later: %s", error)
        return False
    return True


def _pending(client: Client, folder: str) -> Iterator[dict[str, Any]]:
    """All uploads in the folder that are under way."""
    marker: dict[str, str] = {}
    while True:
        asked = {"Prefix": folder, **marker}
        page = client.call("list_multipart_uploads", asked, gives="IsTruncated")
        yield from page.get("Uploads", ())
        following = page.get("NextKeyMarker")
        if not page.get("IsTruncated") or not following:
            return
        marker = {"KeyMarker": following, "UploadIdMarker": page.get("NextUploadIdMarker", "")}
