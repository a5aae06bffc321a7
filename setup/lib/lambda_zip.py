"""The function's code as a zip whose bytes depend on the sources alone."""

import io
import zipfile
from pathlib import Path

from setup.lib.waiters import SetupError

PROJECT = Path(__file__).resolve().parent.parent.parent


def build_zip() -> bytes:
    """Return the zip of lambda_function.py and transform/: the same sources give the same bytes."""
    sources = [PROJECT / "lambda_function.py", *sorted((PROJECT / "transform").glob("*.py"))]
    write_zip = io.BytesIO()
    with zipfile.ZipFile(write_zip, "w") as code:
        for source in sources:
            code.writestr(entry(source), source.read_bytes())
    return write_zip.getvalue()


def entry(source: Path) -> zipfile.ZipInfo:
    """Return a file's entry: no time, no owner, readable by all, as Lambda's own user must be.

    It is stored as it is: what a compressor makes of it differs between its versions.
    """
    named = zipfile.ZipInfo(source.relative_to(PROJECT).as_posix(), (1980, 1, 1, 0, 0, 0))
    named.create_system = 3  # Unix, whatever it is built on: only then the mode counts.
    named.external_attr = 0o100644 << 16
    return named


def write_zip(path: Path) -> str:
    """Write the zip and say where it is."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(build_zip())
    except OSError as error:
        raise SetupError(f"the zip cannot be written: {error}") from error
    return f"{path} holds the function's code, {path.stat().st_size} bytes"
