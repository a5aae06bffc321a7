"""The function's code as a zip whose bytes depend on its sources alone."""

import io
import zipfile
from pathlib import Path

from setup.lib.waiters import SetupError

PROJECT = Path(__file__).resolve().parent.parent.parent


def build_zip() -> bytes:
    """Return a zip of lambda_function.py and transform/; equal sources give equal bytes."""
    sources = [PROJECT / "lambda_function.py", *sorted((PROJECT / "transform").glob("*.py"))]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for source in sources:
            archive.writestr(_zip_entry(source), source.read_bytes())
    return buffer.getvalue()


def _zip_entry(source: Path) -> zipfile.ZipInfo:
    # A fixed time, no owner, and no compression: compressors differ between their versions.
    entry = zipfile.ZipInfo(source.relative_to(PROJECT).as_posix(), (1980, 1, 1, 0, 0, 0))
    entry.create_system = 3  # Unix: only then does Lambda use the mode, wherever this runs.
    entry.external_attr = 0o100644 << 16  # Readable by all, since Lambda runs as its own user.
    return entry


def write_zip(path: Path) -> str:
    """Write the zip, creating its folders, and return a line about it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(build_zip())
    except OSError as error:
        raise SetupError(f"the zip cannot be written: {error}") from error
    return f"wrote {path}: the function's code, {path.stat().st_size} bytes"
