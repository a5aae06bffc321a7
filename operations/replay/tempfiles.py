"""Files for a while: bytes that may be more than memory should hold."""

from collections.abc import Iterator
from contextlib import ExitStack
from tempfile import SpooledTemporaryFile
from typing import IO

MEMORY = 8 * 1024 * 1024  # bytes of each that are held; more lies in a temporary file
CHUNK = 256 * 1024


class Spools(ExitStack):
    """Gives out files, each in memory while it is small; all are gone when it ends."""

    def new(self) -> IO[bytes]:
        """Return an empty file."""
        return self.enter_context(SpooledTemporaryFile(MEMORY))


def chunks(file: IO[bytes]) -> Iterator[bytes]:
    """Return the content of a file from its beginning."""
    file.seek(0)
    return iter(lambda: file.read(CHUNK), b"")
