"""One crawl of catalog tables: read a sample of each table's objects, then update the catalog."""

from __future__ import annotations

import zlib
from collections.abc import Generator, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from botocore.exceptions import ClientError

from local.services.glue.catalog_updates import (
    Behavior,
    Changes,
    CrawlFailed,
    Log,
    Partition,
    Target,
    write_table,
)
from local.services.glue.schema_inference import Fields, infer_columns, parse_documents

if TYPE_CHECKING:
    from types_boto3_glue.client import GlueClient
    from types_boto3_s3.client import S3Client

SAMPLE_BYTES = 2**20  # A classifier looks at this much of each file,
LONG_SAMPLE_BYTES = 10 * SAMPLE_BYTES  # or at this much if no record ends within that.
OBJECTS_PER_TICK = 50


def crawl_tables(
    glue: GlueClient,
    s3: S3Client,
    tables: Iterable[tuple[str, str]],
    behavior: Behavior,
    log: Log,
) -> Generator[None, None, Changes]:
    """Read, then write the (database, table) pairs in bounded steps; return what was written."""
    targets = [Target(database, _get_table(glue, database, name)) for database, name in tables]
    for target in targets:
        yield from _read_objects(s3, target, log)
    log(f"BENCHMARK : Classification complete, writing results to database {targets[0].database}")
    changes = Changes()
    for target in targets:
        changes += write_table(glue, target, behavior, log)
        yield
    log("BENCHMARK : Finished writing to Catalog")
    return changes


def _get_table(glue: GlueClient, database: str, name: str) -> Mapping[str, Any]:
    try:
        glue.get_database(Name=database)
        table = glue.get_table(DatabaseName=database, Name=name)["Table"]
    except glue.exceptions.EntityNotFoundException:
        raise CrawlFailed(f"Table {name} in database {database} was not found") from None
    storage: dict[str, Any] = {"Columns": [], **table.get("StorageDescriptor", {})}
    if not storage.get("Location", "").startswith("s3://"):
        raise CrawlFailed(f"Table {name} in database {database} has no location in S3")
    return {**table, "StorageDescriptor": storage}


def _read_objects(s3: S3Client, target: Target, log: Log) -> Iterator[None]:
    """Infer the fields of each object; unreadable objects are only logged, as on AWS."""
    bucket, prefix = target.location
    s3.get_bucket_location(Bucket=bucket)  # A crawler makes this call first.
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    objects = (entry for page in pages for entry in page.get("Contents", ()) if entry["Size"])
    for number, entry in enumerate(objects, 1):
        _read_object(s3, target, entry["Key"], log)
        if number % OBJECTS_PER_TICK == 0:
            yield
    yield


def _read_object(s3: S3Client, target: Target, key: str, log: Log) -> None:
    bucket, prefix = target.location
    partition = _parse_partition(key.removeprefix(prefix), target.partition_keys)
    try:
        fields = _infer_fields(s3, bucket, key)
    except ClientError as error:
        # On AWS a crawl without access to an object succeeds; only its log shows the error.
        log(f"ERROR : {error.response['Error']['Message']} retrieving file at s3://{bucket}/{key}")
        return
    if partition is None or not fields:
        log(f"INFO : Some files do not match the schema detected: {bucket}/{key}")
        return
    target.add_fields(partition, fields)


def _infer_fields(s3: S3Client, bucket: str, key: str) -> Fields:
    """Return the fields at the beginning of an object; none if it is not JSON."""
    for sample_bytes in (SAMPLE_BYTES, LONG_SAMPLE_BYTES):
        response = s3.get_object(Bucket=bucket, Key=key, Range=f"bytes=0-{sample_bytes - 1}")
        sample = decompress_sample(response["Body"].read(), sample_bytes)
        try:
            fields = infer_columns(parse_documents(sample.decode(errors="ignore")))
        except RecursionError:  # The JSON is nested too deeply to be a row.
            break
        if fields:
            return fields
    return {}


def decompress_sample(body: bytes, max_bytes: int = SAMPLE_BYTES) -> bytes:
    """Return the first bytes of a file, decompressed if it is gzipped.

    A gzipped file may have several members, and its end may be cut off.
    """
    text = b""
    while body.startswith(b"\x1f\x8b") and len(text) < max_bytes:
        member = zlib.decompressobj(zlib.MAX_WBITS | 16)
        try:
            text += member.decompress(body, max_bytes - len(text))
        except zlib.error:
            break
        body = member.unused_data
    return text or body[:max_bytes]


def _parse_partition(path: str, keys: list[str]) -> Partition | None:
    """Return the partition of a path such as `dt=2026-11-23/x.gz`; None if its folders differ."""
    folder = path.rpartition("/")[0] if keys else ""
    pairs = [unquote(part).partition("=") for part in folder.split("/") if part]
    if [name.lower() for name, _, _ in pairs] != keys:
        return None
    return Partition(tuple(value for _, _, value in pairs), f"{folder}/")
