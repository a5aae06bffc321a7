"""Object cache: the lake's objects on disk, each fetched once and kept while S3 lists it."""

import gzip
import hashlib
import json
import shutil
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from botocore.exceptions import ClientError

from local.services.athena.errors import QueryFailed
from local.services.athena.storage.partitions import Layout, PartitionValues, S3Prefix

PARQUET_SUFFIX = ".parquet"
"""The suffix of each Parquet file in the cache, whatever its object is called."""


@dataclass(frozen=True, slots=True)
class LakeObject:
    """One object of a table, its size in S3 and the values of its partition."""

    bucket: str
    key: str
    etag: str
    size: int
    values: PartitionValues

    @property
    def location(self) -> str:
        """The object's s3:// address."""
        return f"s3://{self.bucket}/{self.key}"

    @property
    def digest(self) -> str:
        """The name of the object's folder in the cache, which its ETag makes unique."""
        return _digest(self.bucket, self.key, self.etag)


def _digest(*names: str) -> str:
    return hashlib.sha256("/".join(names).encode()).hexdigest()[:32]


class ObjectCache:
    """Cache of decompressed objects, shared by all queries.

    Those that S3 no longer lists are deleted when no query is running that may read them.
    """

    def __init__(self, s3_client: Callable[[], Any], folder: Path) -> None:
        self._s3_client = s3_client
        self._folder = folder
        self._digests: dict[S3Prefix, set[str]] = {}
        self._stale_digests: set[str] = set()
        self._fetch_lock = threading.Lock()
        self._users_lock = threading.Lock()
        self._users = 0

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Keep all objects for a query; the last one to end deletes those that are stale."""
        with self._users_lock:
            self._users += 1
        try:
            yield
        finally:
            with self._users_lock:
                self._users -= 1
                if not self._users:
                    self._evict()

    def list_objects(self, layout: Layout) -> list[LakeObject]:
        """Return the objects of a table, as S3 lists them now."""
        return [
            lake_object
            for prefix in layout.prefixes
            for lake_object in self._list_prefix(layout, prefix)
        ]

    def _list_prefix(self, layout: Layout, prefix: S3Prefix) -> Iterator[LakeObject]:
        bucket = prefix.bucket
        listing = list(self._pages(prefix))
        digests = {_digest(bucket, entry["Key"], entry["ETag"]) for entry in listing}
        self._record_listing(prefix, digests)
        for entry in listing:
            key = entry["Key"]
            values = layout.values_of(prefix, key)
            is_hidden = key.rpartition("/")[2].startswith((".", "_"))
            if values is not None and entry["Size"] and not is_hidden:
                yield LakeObject(bucket, key, entry["ETag"], entry["Size"], values)

    def _pages(self, prefix: S3Prefix) -> Iterator[dict[str, Any]]:
        pages = (
            self._s3_client()
            .get_paginator("list_objects_v2")
            .paginate(Bucket=prefix.bucket, Prefix=prefix.key_prefix)
        )
        try:
            for page in pages:
                yield from page.get("Contents", [])
        except ClientError as error:
            message = error.response["Error"].get("Message", "")
            raise QueryFailed(
                "HIVE_FILESYSTEM_ERROR", f"Cannot list s3://{prefix.bucket}: {message}"
            ) from None

    def _record_listing(self, prefix: S3Prefix, listed_digests: set[str]) -> None:
        with self._users_lock:
            self._stale_digests |= self._digests.get(prefix, set()) - listed_digests
            self._stale_digests -= listed_digests
            self._digests[prefix] = listed_digests

    def _evict(self) -> None:
        for digest in self._stale_digests:
            shutil.rmtree(self._folder / digest, ignore_errors=True)
        self._stale_digests = set()

    def fetch(
        self,
        key_names: list[str],
        objects: list[LakeObject],
        has_uppercase_keys: Callable[[Path], bool] | None,
    ) -> list[Path]:
        """Return the file of each object, fetched if it is not in the cache.

        The partition values are part of the path, from which DuckDB reads them to prune files.
        Without `has_uppercase_keys` the objects are Parquet files, and not decompressed.
        """
        name = "rows.json" if has_uppercase_keys else f"rows{PARQUET_SUFFIX}"
        files = [self._path(lake_object, key_names) / name for lake_object in objects]
        for lake_object, file in zip(objects, files, strict=True):
            if not file.exists():
                with self._fetch_lock:
                    if not file.exists():  # Another query may have fetched it.
                        part = self._fetch_object(lake_object, file.with_name(f"{name}.part"))
                        if has_uppercase_keys and has_uppercase_keys(part):
                            lowercase_keys(part)
                        part.replace(file)
        return files

    def _path(self, lake_object: LakeObject, key_names: list[str]) -> Path:
        pairs = zip(key_names, lake_object.values, strict=True)
        folders = [f"{quote(name, '')}={_quote_value(value)}" for name, value in pairs]
        return self._folder.joinpath(lake_object.digest, *folders)

    def _fetch_object(self, lake_object: LakeObject, part: Path) -> Path:
        bucket, key = lake_object.bucket, lake_object.key
        part.parent.mkdir(parents=True, exist_ok=True)
        try:
            body = self._s3_client().get_object(Bucket=bucket, Key=key)["Body"]
            with closing(body), part.open("wb") as out:
                is_compressed = key.endswith(".gz") and not part.match(f"*{PARQUET_SUFFIX}.part")
                source = gzip.GzipFile(fileobj=body) if is_compressed else body
                shutil.copyfileobj(source, out, 1 << 20)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise QueryFailed("HIVE_CURSOR_ERROR", f"s3://{bucket}/{key}: {error}") from None
        except ClientError as error:
            message = error.response["Error"].get("Message", "")
            raise QueryFailed("HIVE_CANNOT_OPEN_SPLIT", f"s3://{bucket}/{key}: {message}") from None
        return part


def _quote_value(value: str) -> str:
    """Return a partition value as a folder name that DuckDB reads as that value."""
    if value.lower() == "null":  # DuckDB reads a folder name of null as NULL.
        return f"%{ord(value[0]):X}{value[1:]}"
    return quote(value, "")


def lowercase_keys(file: Path) -> None:
    """Rewrite a file of JSON lines with the keys of each row in lower case."""
    part = file.with_suffix(".lowercase")
    with file.open(encoding="utf-8", newline="\n") as rows, part.open("w", encoding="utf-8") as out:
        out.writelines(map(_lowercase_row, rows))
    part.replace(file)


def _lowercase_row(line: str) -> str:
    """Return a row with its top-level keys in lower case; an invalid row is left to its reader.

    Keys that differ only by case are written twice: such a row cannot be read.
    """
    objects: list[list[tuple[str, Any]]] = []  # The outermost object is completed last.

    def record_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        objects.append(pairs)
        return dict(pairs)

    try:
        row = json.loads(line, object_pairs_hook=record_pairs)
    except ValueError:
        return line
    if not isinstance(row, dict):
        return line
    pairs = (f"{json.dumps(k.lower())}:{json.dumps(v, ensure_ascii=False)}" for k, v in objects[-1])
    return f"{{{','.join(pairs)}}}\n"
