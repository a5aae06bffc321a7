"""The lake's objects on the laptop's disk, each fetched once for as long as S3 lists it."""

import gzip
import hashlib
import json
import os
import shutil
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from botocore.exceptions import ClientError

from local.services.athena.errors import QueryFailed
from local.services.athena.storage.partitions import Layout, Place, Values


@dataclass(frozen=True, slots=True)
class LakeObject:
    """One object of a table: where it lies, how large S3 says it is, and its partition's values."""

    bucket: str
    key: str
    etag: str
    size: int
    values: Values

    @property
    def digest(self) -> str:
        """A name of the object's very bytes."""
        return _digest(self.bucket, self.key, self.etag)


def _digest(*names: str) -> str:
    return hashlib.sha256("/".join(names).encode()).hexdigest()[:32]


class Objects:
    """A cache of objects, decompressed, with lower-case keys; only what S3 lists stays in it."""

    def __init__(self, s3: Any, folder: Path) -> None:
        self._s3 = s3
        self._folder = folder
        self._there: dict[Place, set[str]] = {}

    def listed(self, layout: Layout) -> list[LakeObject]:
        """Return the objects of a table, as S3 lists them now."""
        return [found for where in layout.places for found in self._listed(layout, where)]

    def _listed(self, layout: Layout, where: Place) -> Iterator[LakeObject]:
        everything = list(self._pages(where))
        self._forget(where, {_digest(where.bucket, one["Key"], one["ETag"]) for one in everything})
        for told in everything:
            values = layout.values_of(where, told["Key"])
            hidden = told["Key"].rpartition("/")[2].startswith((".", "_"))
            if values is not None and told["Size"] and not hidden:
                yield LakeObject(where.bucket, told["Key"], told["ETag"], told["Size"], values)

    def _pages(self, where: Place) -> Iterator[dict[str, Any]]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=where.bucket, Prefix=where.prefix
        )
        try:
            for page in pages:
                yield from page.get("Contents", [])
        except ClientError as error:
            message = error.response["Error"].get("Message", "")
            raise QueryFailed(
                "HIVE_FILESYSTEM_ERROR", f"Cannot list s3://{where.bucket}: {message}"
            ) from None

    def _forget(self, where: Place, there: set[str]) -> None:
        """Remove what was there and is no longer, whichever tables read it."""
        for digest in self._there.get(where, set()) - there:
            shutil.rmtree(self._folder / digest, ignore_errors=True)
        self._there[where] = there

    def fetched(self, names: list[str], found: list[LakeObject]) -> list[Path]:
        """Return the files of a table's objects, in their order.

        A partition's values are in the folder's name, where DuckDB reads and prunes by them.
        """
        files = [self._path(item, names) for item in found]
        for item, file in zip(found, files, strict=True):
            if not file.exists():
                self._fetch(item, file)
        return files

    def _path(self, item: LakeObject, names: list[str]) -> Path:
        pairs = zip(names, item.values, strict=True)
        folders = [f"{quote(name, '')}={_escaped(value)}" for name, value in pairs]
        return self._folder.joinpath(item.digest, *folders, "rows.json")

    def _fetch(self, item: LakeObject, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part")
        try:
            body = self._s3.get_object(Bucket=item.bucket, Key=item.key)["Body"]
            with closing(body), part.open("wb") as out:
                source = gzip.GzipFile(fileobj=body) if item.key.endswith(".gz") else body
                shutil.copyfileobj(source, out, 1 << 20)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise QueryFailed(
                "HIVE_CURSOR_ERROR", f"s3://{item.bucket}/{item.key}: {error}"
            ) from None
        except ClientError as error:
            message = error.response["Error"].get("Message", "")
            raise QueryFailed(
                "HIVE_CANNOT_OPEN_SPLIT", f"s3://{item.bucket}/{item.key}: {message}"
            ) from None
        os.replace(part, file)


def _escaped(value: str) -> str:
    """Return a partition's value as a folder's name that DuckDB reads as that value."""
    if value.lower() == "null":  # Which DuckDB would take for no value at all.
        return f"%{ord(value[0]):X}{value[1:]}"
    return quote(value, "")


def lower_keys(file: Path) -> None:
    """Rewrite a file of JSON lines so that every key is in lower case, as Hive's reader sees it."""
    part = file.with_suffix(".part")
    with file.open(encoding="utf-8", newline="\n") as rows, part.open("w", encoding="utf-8") as out:
        out.writelines(map(_lowered, rows))
    os.replace(part, file)


def _lowered(line: str) -> str:
    """Return a row with its own keys in lower case; what is no row stays, for its reader to judge.

    Keys that differ in nothing but their case are written twice: such a row cannot be read.
    """
    objects: list[list[tuple[str, Any]]] = []  # The row itself is the last that is complete.
    try:
        row = json.loads(line, object_pairs_hook=lambda pairs: objects.append(pairs) or dict(pairs))
    except ValueError:
        return line
    if not isinstance(row, dict):
        return line
    pairs = (f"{json.dumps(k.lower())}:{json.dumps(v, ensure_ascii=False)}" for k, v in objects[-1])
    return f"{{{','.join(pairs)}}}\n"
