"""Atomic file writes: a reader sees the old file or the new one, never a part of it."""

import os
from pathlib import Path


def write_atomically(path: Path, text: str) -> None:
    """Write text to a file in one step; its parent folder is created if it is missing."""
    target = path.resolve()  # A symbolic link stays, and the file it points to is replaced.
    target.parent.mkdir(exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:  # An interrupt must not leave the temporary file behind either.
        temporary.unlink(missing_ok=True)
        raise
