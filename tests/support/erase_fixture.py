"""Helpers for erase: an item that is gone, and whatever still holds texts of it."""

import gzip
import json
from base64 import b64decode
from collections.abc import Iterator
from tempfile import NamedTemporaryFile

import duckdb
import pytest

from operations.erase import command
from setup import names
from tests.support.commands import Document, run_json_command
from tests.support.laptop_cloud import aws
from tests.support.sabotage import order_key

EMAIL = "anna.meier@example.org"
NAME = "Anna Meier-Özgür"


def delete_versions(*prefixes: str) -> None:
    for key, version_id, _ in all_versions():
        if key.startswith(prefixes):
            aws("s3").delete_object(Bucket=names.bucket(), Key=key, VersionId=version_id)


def all_versions() -> Iterator[tuple[str, str, bool]]:
    pages = aws("s3").get_paginator("list_object_versions")
    for page in pages.paginate(Bucket=names.bucket()):
        for kind in ("Versions", "DeleteMarkers"):
            for entry in page.get(kind, ()):
                yield entry["Key"], entry["VersionId"], kind == "DeleteMarkers"


def holding_versions(text: str = EMAIL) -> list[str]:
    """Return the keys of all versions in which a text stands, also compressed or in base64."""
    keys = []
    for key, version_id, is_marker in all_versions():
        if is_marker:
            continue
        response = aws("s3").get_object(Bucket=names.bucket(), Key=key, VersionId=version_id)
        body = response["Body"].read()
        if key.startswith(names.TABLES):
            body = parquet_text(body)
        if body.startswith(b"\x1f\x8b"):
            body = gzip.decompress(body)
        records = [
            b64decode(json.loads(line)["rawData"])
            for line in body.splitlines()
            if b"rawData" in line
        ]
        if text.encode() in b"".join([body, *records]):
            keys.append(key)
    return keys


def parquet_text(body: bytes) -> bytes:
    with NamedTemporaryFile() as file:
        file.write(body)
        file.flush()
        return repr(duckdb.read_parquet(file.name).fetchall()).encode()


def run_erase(*options: str) -> tuple[int, Document]:
    return run_json_command(command.main, *(options or ("--key", order_key("anna"))))


def refusal(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    capsys.readouterr()
    assert command.main(options or ("--key", order_key("anna"))) == 1
    return capsys.readouterr().err


def read_body(key: str) -> bytes:
    body: bytes = aws("s3").get_object(Bucket=names.bucket(), Key=key)["Body"].read()
    return body


def put_body(key: str, body: bytes) -> None:
    aws("s3").put_object(Bucket=names.bucket(), Key=key, Body=body)
