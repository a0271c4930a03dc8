"""Multipart forms (RFC 7578): fields in memory, files beside it."""

from __future__ import annotations

from tempfile import SpooledTemporaryFile
from typing import BinaryIO, Final, cast

import falcon
from falcon.media.multipart import BodyPart, MultipartFormHandler, MultipartParseOptions

from host.web.requests import BodyReader
from plugin_sdk import Form, Invalid, TooLarge, Upload

__all__ = ["MAX_FIELD_BYTES", "MAX_PARTS", "UploadedFile", "read_form"]

MAX_PARTS: Final = 1000
MAX_FIELD_BYTES: Final = 1024 * 1024

_SPOOL_BYTES: Final = 512 * 1024
_CHUNK_BYTES: Final = 64 * 1024


class UploadedFile:
    """A file part. Up to 512 KiB stay in memory, more goes to a temporary file."""

    __slots__ = ("content_type", "file", "filename", "name", "size")

    def __init__(self, name: str, filename: str, content_type: str) -> None:
        self.name = name
        self.filename = filename
        self.content_type = content_type
        self.size = 0
        # Closed by the host when the request is over: it must outlive this function.
        spooled = SpooledTemporaryFile(max_size=_SPOOL_BYTES)  # noqa: SIM115
        self.file = cast("BinaryIO", spooled)

    def close(self) -> None:
        """Gives memory and disk back."""
        self.file.close()


def read_form(content_type: str, reader: BodyReader, files: list[UploadedFile]) -> Form:
    """Reads the whole form, each part in its turn. Of fields with the same name the last counts.

    ``files`` gets every upload as soon as it exists, so that the caller can close them whatever
    happens. Raises Invalid and TooLarge."""
    stream, length = reader.stream()
    counted = _Counted(stream, reader)
    fields: dict[str, str] = {}
    try:
        handler = MultipartFormHandler(_options())
        for part in handler.deserialize(counted, content_type, length):
            _read_part(part, fields, files)
    except falcon.HTTPInvalidHeader:
        raise Invalid(
            "The form is not valid: Content-Type must name the boundary of its parts, "
            "of 1 to 70 characters (RFC 2046, 5.1.1)."
        ) from None
    except falcon.HTTPError as error:
        text = error.description or error.title or "it cannot be read"
        raise Invalid(f"The form is not valid: {text.rstrip('.')}.") from None
    except (UnicodeError, ValueError):
        raise Invalid("The form is not valid: a part's headers cannot be read.") from None
    return Form(fields, cast("list[Upload]", list(files)))


def _options() -> MultipartParseOptions:
    options = MultipartParseOptions()
    options.max_body_part_count = MAX_PARTS
    options.max_body_part_buffer_size = MAX_FIELD_BYTES
    return options


def _read_part(part: BodyPart, fields: dict[str, str], files: list[UploadedFile]) -> None:
    name = part.name
    if name is None:
        raise Invalid("The form is not valid: a part has no name.")
    if part.filename is None:
        fields[name] = _read_field(part, name)
        return
    upload = UploadedFile(name, part.filename, part.content_type)
    files.append(upload)
    while chunk := part.stream.read(_CHUNK_BYTES):
        upload.file.write(chunk)
        upload.size += len(chunk)
    upload.file.seek(0)


def _read_field(part: BodyPart, name: str) -> str:
    content = part.stream.read(MAX_FIELD_BYTES + 1)
    if len(content) > MAX_FIELD_BYTES:
        raise TooLarge(f"The field {name[:80]} may have at most {MAX_FIELD_BYTES} bytes.")
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise Invalid(f"The form is not valid: the field {name[:80]} is not UTF-8.") from None


class _Counted:
    """The raw body; refuses to give more than the reader's limit."""

    def __init__(self, stream: BinaryIO, reader: BodyReader) -> None:
        self._stream = stream
        self._reader = reader
        self._seen = 0

    def read(self, size: int | None = -1, /) -> bytes:
        chunk = self._stream.read(-1 if size is None else size)
        self._seen += len(chunk)
        if self._seen > self._reader.limit:
            raise self._reader.too_large()
        return chunk
