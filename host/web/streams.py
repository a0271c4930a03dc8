"""Bodies that are sent piece by piece: a part of a file, and bytes made on the way."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, BinaryIO, Final

from host.web.leases import Lease
from plugin_sdk import Logger

__all__ = [
    "CHUNK_BYTES",
    "Chunks",
    "FileChunks",
    "FileSlice",
    "PlainFile",
    "read_at",
    "read_chunks",
]

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

CHUNK_BYTES: Final = 64 * 1024


def read_at(descriptor: int, buffer: memoryview, offset: int) -> int:
    """Fills the buffer from that place of a file; how many bytes there were, 0 at its end."""
    if hasattr(os, "preadv"):
        return os.preadv(descriptor, [buffer], offset)
    os.lseek(descriptor, offset, os.SEEK_SET)
    data = os.read(descriptor, len(buffer))
    buffer[: len(data)] = data
    return len(data)


class PlainFile(io.RawIOBase):
    """A file of the disk by its descriptor, read at places (pread) where the system can: no call
    but those that move bytes. ``descriptor`` is for a server that does the reading itself."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self.descriptor = descriptor
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        got = read_at(self.descriptor, memoryview(buffer), self._position)
        self._position += got
        return got

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        if whence == os.SEEK_CUR:
            offset += self._position
        elif whence == os.SEEK_END:
            offset += os.fstat(self.descriptor).st_size
        self._position = max(0, offset)
        return self._position

    def tell(self) -> int:
        return self._position

    def fileno(self) -> int:
        return self.descriptor

    def close(self) -> None:
        if not self.closed:
            super().close()
            os.close(self.descriptor)


class FileSlice:
    """``length`` bytes of a file from where it stands, as a file of their own.

    Made for ``wsgi.file_wrapper``: waitress asks for the size by seeking to the end, reads ahead,
    seeks back, and closes the file when the last byte is sent or the client is gone. The lease is
    given back then. ``descriptor`` and ``offset`` say where a server may read the bytes itself;
    the first is None where it may not."""

    def __init__(self, file: BinaryIO, length: int, lease: Lease) -> None:
        self._file = file
        self._base = file.tell()
        self._length = length
        self._position = 0
        self._moved = False
        self._lease = lease
        self.descriptor = file.descriptor if isinstance(file, PlainFile) else None

    @property
    def offset(self) -> int:
        """The place in the whole file of the byte that is next."""
        return self._base + self._position

    def read(self, size: int | None = -1, /) -> bytes:
        left = self._length - self._position
        wanted = left if size is None or size < 0 or size > left else size
        if wanted <= 0:
            return b""
        if self._moved:
            self._file.seek(self.offset)
            self._moved = False
        chunk = self._file.read(wanted)
        if not chunk:
            # waitress would ask again and again; an error makes it close the connection.
            raise OSError("The file became shorter while it was being sent.")
        self._position += len(chunk)
        return chunk

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._length}[whence]
        self._position = max(0, origin + offset)
        self._moved = True  # not before it is read: a size is asked for by seeking
        return self._position

    def tell(self) -> int:
        return self._position

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        try:
            self._file.close()
        finally:
            self._lease.release()


class FileChunks:
    """``wsgi.file_wrapper`` for servers that have none (PEP 3333)."""

    def __init__(self, file: FileSlice, block_size: int) -> None:
        self._file = file
        self._block_size = block_size

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        chunk = self._file.read(self._block_size)
        if not chunk:
            raise StopIteration
        return chunk

    def close(self) -> None:
        self._file.close()


def read_chunks(stream: BinaryIO, length: int) -> Iterator[bytes]:
    """Exactly ``length`` bytes of a stream that cannot seek; closes it. Raises OSError when the
    stream ends early."""
    try:
        while length > 0:
            chunk = stream.read(min(CHUNK_BYTES, length))
            if not chunk:
                raise OSError("The blob ended before its length was reached.")
            length -= len(chunk)
            yield chunk
    finally:
        stream.close()


class Chunks:
    """A body made on the way. What its maker raises is logged against the plugin, and the
    connection is closed so that the client sees that the answer is not whole."""

    def __init__(
        self, chunks: Iterable[bytes], lease: Lease, log: Logger, extra: Mapping[str, str]
    ) -> None:
        self._iterator = iter(chunks)
        self._sources: list[object] = [self._iterator]
        if chunks is not self._iterator:
            self._sources.append(chunks)
        self._lease = lease
        self._log = log
        self._extra = extra
        self._first: bytes | None = None

    def start(self) -> None:
        """Makes the first piece, so that what fails at once can still become a proper error."""
        try:
            self._first = self._next()
        except StopIteration:
            pass
        except BaseException:
            self.discard()
            raise

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._first is not None:
            first, self._first = self._first, None
            return first
        try:
            return self._next()
        except StopIteration:
            raise
        except (Exception, SystemExit):
            self._lease.fail()
            self._log.exception("The body of an answer failed on its way.", extra=self._extra)
            raise OSError("The body of an answer failed on its way.") from None

    def close(self) -> None:
        try:
            self.discard()
        finally:
            self._lease.release()

    def discard(self) -> None:
        """Closes what makes the pieces; the lease stays with its owner."""
        sources, self._sources = self._sources, []
        for each in sources:
            close = getattr(each, "close", None)
            if callable(close):
                try:
                    close()
                except (Exception, SystemExit):
                    self._lease.fail()
                    self._log.exception("Closing a body failed.", extra=self._extra)

    def _next(self) -> bytes:
        chunk = next(self._iterator)
        if not isinstance(chunk, bytes | bytearray | memoryview):
            raise TypeError(f"A stream gives bytes, not {type(chunk).__name__}.")
        return bytes(chunk)
