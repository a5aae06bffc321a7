"""Temporary files for content that may be too large for memory."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from tempfile import SpooledTemporaryFile
from typing import IO

MAX_MEMORY_BYTES = 8 * 1024 * 1024  # per file; larger ones move to disk
CHUNK_BYTES = 256 * 1024


class SpooledFiles(ExitStack):
    """Creates temporary files, each in memory while it is small, and deletes them on exit."""

    def create(self) -> IO[bytes]:
        """Return a new, empty file."""
        return self.enter_context(SpooledTemporaryFile(MAX_MEMORY_BYTES))

    def store(self, chunks: Iterable[bytes]) -> IO[bytes]:
        """Return a new file with these bytes."""
        file = self.create()
        for chunk in chunks:  # Not writelines: it holds all of them in memory.
            file.write(chunk)
        return file


def read_chunks(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the content of a file from its beginning."""
    file.seek(0)
    return iter(lambda: file.read(CHUNK_BYTES), b"")
