"""The objects of a folder in the order of their keys, page by page as the store gives them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any, Final

from builtin_plugins.s3_storage.client import Client
from builtin_plugins.s3_storage.config import StoreConfig
from builtin_plugins.s3_storage.names import is_cut, key_of, prefix_name, start_name, stem_of
from plugin_sdk import BlobInfo, Invalid, check_blob_key

__all__ = ["blobs_of"]

_PAGE: Final = 1000  # S3 gives no more at a time
_AT_ONCE: Final = 8

Stat = Callable[[str], BlobInfo | None]
"""What is known of the object with that name in the folder; None when it is no blob of ours."""


def blobs_of(
    client: Client, config: StoreConfig, stat: Stat, prefix: str, after: str | None, limit: int
) -> list[BlobInfo]:
    """Blobs whose keys begin with ``prefix``, from behind ``after``, at most ``limit``.

    S3's listing knows no content types, so each object that is answered costs a HEAD as well;
    eight are asked at a time."""
    found: list[BlobInfo] = []
    if limit < 1 or (after is not None and after > prefix and not after.startswith(prefix)):
        return found
    start = start_name(after) if after is not None and after.startswith(prefix) else None
    names = _names(client, config, prefix_name(prefix), start, limit)
    groups = _groups(name for name in names if _may_be(name, prefix, after))
    while len(found) < limit:
        batch = list(islice(groups, limit - len(found)))
        if not batch:
            break
        infos = iter(_all(stat, [name for group in batch for name in group]))
        for group in batch:
            blobs = [info for info in islice(infos, len(group)) if info is not None]
            blobs.sort(key=lambda info: info.key)
            found += [each for each in blobs if _is_asked_for(each.key, prefix, after)]
    return found[:limit]


def _names(
    client: Client, config: StoreConfig, prefix: str, start: str | None, limit: int
) -> Iterator[str]:
    """Names in the folder, in the store's order. Pages are fetched as they are needed."""
    folder = config.folder
    asked: dict[str, Any] = {"Prefix": folder + prefix, "MaxKeys": min(limit, _PAGE)}
    if start:
        asked["StartAfter"] = folder + start
    while True:
        page = client.call("list_objects_v2", asked, gives="IsTruncated")
        for each in page.get("Contents", ()):
            yield each["Key"].removeprefix(folder)
        following = page.get("NextContinuationToken")
        if not page["IsTruncated"] or not following:
            return
        asked = {"Prefix": folder + prefix, "MaxKeys": _PAGE, "ContinuationToken": following}


def _may_be(name: str, prefix: str, after: str | None) -> bool:
    """Leaves out what others put into the folder, without asking for it."""
    if is_cut(name):
        return True
    key = key_of(name)
    if key is None or not _is_asked_for(key, prefix, after):
        return False
    try:
        check_blob_key(key)
    except Invalid:
        return False
    return True


def _is_asked_for(key: str, prefix: str, after: str | None) -> bool:
    return key.startswith(prefix) and (after is None or key > after)


def _groups(names: Iterator[str]) -> Iterator[Sequence[str]]:
    """Single names, and together those whose order only their keys can tell."""
    together: list[str] = []
    for name in names:
        if together and (not is_cut(name) or stem_of(name) != stem_of(together[0])):
            yield together
            together = []
        if is_cut(name):
            together.append(name)
        else:
            yield [name]
    if together:
        yield together


def _all(stat: Stat, names: Sequence[str]) -> list[BlobInfo | None]:
    if len(names) < 2:
        return [stat(name) for name in names]
    with ThreadPoolExecutor(min(_AT_ONCE, len(names)), "s3_storage-list") as pool:
        return list(pool.map(stat, names))
