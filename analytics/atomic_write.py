"""A small file that is always whole: whoever reads it, and whenever the writer was killed."""

import os
from pathlib import Path


def replace(file: Path, text: str) -> None:
    """Write a file in one step: until then its old content stands, after it the new one."""
    file = file.resolve()  # Of a link, it is the file that is replaced.
    file.parent.mkdir(exist_ok=True)
    new = file.with_name(f".{file.name}.{os.getpid()}")
    with new.open("w", encoding="utf-8") as opened:
        opened.write(text)
        opened.flush()
        os.fsync(opened.fileno())
    new.replace(file)
