"""One crawl of catalog tables: look into the objects under each, then write what is new."""

import zlib
from collections.abc import Generator, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from botocore.exceptions import ClientError

from local.services.glue.catalog_updates import (
    Behavior,
    Changes,
    CrawlFailed,
    Log,
    Partition,
    Target,
    written,
)
from local.services.glue.schema_inference import Type, columns, documents, joined

READ = 2**20  # bytes of each file that a classifier looks at
READ_FOR_A_RECORD = 10 * READ  # if no record ends within those
A_STEP = 50  # objects that are read in one step


def crawl(
    glue: Any, s3: Any, tables: Iterable[tuple[str, str]], behavior: Behavior, log: Log
) -> Generator[None, None, Changes]:
    """Read and then write the (database, table) pairs, in steps; return what was written."""
    targets = [Target(database, _table(glue, database, name)) for database, name in tables]
    for target in targets:
        yield from _read(s3, target, log)
    log(f"BENCHMARK : Classification complete, writing results to database {targets[0].database}")
    changes = Changes()
    for target in targets:
        changes += written(glue, target, behavior, log)
        yield
    log("BENCHMARK : Finished writing to Catalog")
    return changes


def _table(glue: Any, database: str, name: str) -> Mapping[str, Any]:
    try:
        glue.get_database(Name=database)
        table = glue.get_table(DatabaseName=database, Name=name)["Table"]
    except glue.exceptions.EntityNotFoundException:
        raise CrawlFailed(f"Table {name} in database {database} was not found") from None
    storage = {"Columns": [], **table.get("StorageDescriptor", {})}
    if not storage.get("Location", "").startswith("s3://"):
        raise CrawlFailed(f"Table {name} in database {database} has no location in S3")
    return {**table, "StorageDescriptor": storage}


def _read(s3: Any, target: Target, log: Log) -> Iterator[None]:
    """Find out the columns of each object; what cannot be read or understood is only logged."""
    bucket, prefix = target.location
    s3.get_bucket_location(Bucket=bucket)  # A crawler looks first where its data lies.
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    entries = (entry for page in pages for entry in page.get("Contents", ()) if entry["Size"])
    for number, entry in enumerate(entries, 1):
        _read_object(s3, target, entry["Key"], log)
        if number % A_STEP == 0:
            yield
    yield


def _read_object(s3: Any, target: Target, key: str, log: Log) -> None:
    bucket, prefix = target.location
    partition = _partition(key.removeprefix(prefix), target.keys)
    try:
        fields = _columns_of(s3, bucket, key)
    except ClientError as error:
        # A crawl whose role may not read an object succeeds on AWS; only its log tells.
        log(f"ERROR : {error.response['Error']['Message']} retrieving file at s3://{bucket}/{key}")
        return
    if partition is None or not fields:
        log(f"INFO : Some files do not match the schema detected: {bucket}/{key}")
        return
    target.found[partition] = joined(target.found.get(partition), fields)


def _columns_of(s3: Any, bucket: str, key: str) -> dict[str, Type]:
    """Return the columns of the beginning of an object; none if it is not JSON."""
    for most in (READ, READ_FOR_A_RECORD):
        answer = s3.get_object(Bucket=bucket, Key=key, Range=f"bytes=0-{most - 1}")
        text = unzipped(answer["Body"].read(), most).decode(errors="ignore")
        try:
            if found := columns(documents(text)):
                return found
        except RecursionError:  # JSON that is nested too deeply to be anybody's row.
            break
    return {}


def unzipped(body: bytes, most: int = READ) -> bytes:
    """Return the first bytes of a file as they are read, whether it is gzipped or not.

    A gzipped file may be several, one after the other, and its end may be cut off.
    """
    text = b""
    while body.startswith(b"\x1f\x8b") and len(text) < most:
        member = zlib.decompressobj(zlib.MAX_WBITS | 16)
        try:
            text += member.decompress(body, most - len(text))
        except zlib.error:
            break
        body = member.unused_data
    return text or body[:most]


def _partition(path: str, keys: list[str]) -> Partition | None:
    """Return the partition of a path such as `dt=2026-11-23/x.gz`; None if its folders differ."""
    folder = path.rpartition("/")[0] if keys else ""
    pairs = [unquote(each).partition("=") for each in folder.split("/") if each]
    if [name.lower() for name, _, _ in pairs] != keys:
        return None
    return Partition(tuple(value for _, _, value in pairs), f"{folder}/")
