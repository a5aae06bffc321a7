"""Error objects: read whole, archived with their audit, and never lost to another replay."""

import gzip
import io
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from operations.object_content import Content, ObjectChanged, UnreadableObject
from operations.replay import error_objects
from operations.replay.error_objects import ErrorObject, ErrorObjects
from operations.tempfiles import SpooledFiles
from setup.names import ERRORS, REPLAYED
from tests.support.laptop_cloud import laptop

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

BUCKET = "lake"
KEY = f"{ERRORS}processing-failed/2026/11/29/x"


@pytest.fixture(scope="module")
def s3() -> Iterator["S3Client"]:
    with laptop():
        client = boto3.client("s3")
        client.create_bucket(Bucket=BUCKET)
        yield client


@pytest.fixture
def objects(s3: "S3Client") -> ErrorObjects:
    """The error objects of an empty bucket."""
    for entry in s3.list_objects_v2(Bucket=BUCKET).get("Contents", ()):
        s3.delete_object(Bucket=BUCKET, Key=entry["Key"])
    return ErrorObjects(s3, BUCKET)


def put(s3: "S3Client", body: bytes = b"{}", key: str = KEY, **params: Any) -> ErrorObject:
    response = s3.put_object(Bucket=BUCKET, Key=key, Body=body, **params)
    return ErrorObject(key, response["ETag"])


def bodies(s3: "S3Client") -> dict[str, bytes]:
    """Return the content of every object."""
    return {
        entry["Key"]: s3.get_object(Bucket=BUCKET, Key=entry["Key"])["Body"].read()
        for entry in s3.list_objects_v2(Bucket=BUCKET).get("Contents", ())
    }


def read(objects: ErrorObjects, error_object: ErrorObject) -> bytes:
    with SpooledFiles() as files:
        file = objects.download(error_object, files).file
        file.seek(0)
        return file.read()


def test_objects_that_are_empty_or_elsewhere_are_left(
    s3: "S3Client", objects: ErrorObjects
) -> None:
    error_object = put(s3)
    put(s3, b"", f"{ERRORS}folder/")
    put(s3, key="lake/x")
    put(s3, key=f"{REPLAYED}x")
    assert list(objects.list_objects()) == [error_object]
    assert objects.uri(KEY) == f"s3://{BUCKET}/{KEY}"


def test_objects_of_the_same_replay_are_left(
    s3: "S3Client", objects: ErrorObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records that fail again are for the next replay: this one would never end."""
    put(s3)
    response_time = error_objects.response_time
    monkeypatch.setattr(
        error_objects, "response_time", lambda page: response_time(page) - timedelta(minutes=1)
    )
    assert list(objects.list_objects()) == []


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(min_size=1, max_size=20), st.booleans())
def test_content_is_read_and_written_as_it_was(
    s3: "S3Client", objects: ErrorObjects, content: bytes, is_compressed: bool
) -> None:
    if content.startswith(b"\x1f\x8b"):
        return
    error_object = put(s3, gzip.compress(content) if is_compressed else content)
    with SpooledFiles() as files:
        downloaded = objects.download(error_object, files)
        assert downloaded.is_compressed == is_compressed
        objects.write(f"{REPLAYED}copy", downloaded)
    body = bodies(s3)[f"{REPLAYED}copy"]
    assert (gzip.decompress(body) if is_compressed else body) == content


@pytest.mark.parametrize(
    "content", [b"\x1f\x8b", gzip.compress(b"x" * 99, mtime=0)[:-9], b"\x1f\x8bxxxx"]
)
def test_broken_gzip_is_unreadable(s3: "S3Client", objects: ErrorObjects, content: bytes) -> None:
    with pytest.raises(UnreadableObject, match="invalid gzip: "):
        read(objects, put(s3, content))


def test_headers_are_kept(s3: "S3Client", objects: ErrorObjects) -> None:
    headers: dict[str, Any] = {
        "ContentEncoding": "gzip",
        "ContentType": "text/x",
        "Metadata": {"a": "b"},
    }
    error_object = put(s3, gzip.compress(b"{}"), **headers)
    with SpooledFiles() as files:
        objects.write(KEY, objects.download(error_object, files))
    response = s3.head_object(Bucket=BUCKET, Key=KEY)
    assert headers.items() <= response.items()
    assert gzip.decompress(bodies(s3)[KEY]) == b"{}"


def test_an_object_that_changed_is_not_read(s3: "S3Client", objects: ErrorObjects) -> None:
    error_object = put(s3, b"old")
    put(s3, b"new")
    with pytest.raises(ObjectChanged):
        read(objects, error_object)
    s3.delete_object(Bucket=BUCKET, Key=KEY)
    with pytest.raises(ObjectChanged):
        read(objects, error_object)
    with pytest.raises(ObjectChanged):
        objects.archive(error_object, io.BytesIO(b"audit"), None)
    assert bodies(s3) == {}


def test_other_errors_are_not_changes(s3: "S3Client") -> None:
    with pytest.raises(ClientError, match="NoSuchBucket"):
        read(ErrorObjects(s3, "absent"), ErrorObject(KEY, '"x"'))


@pytest.mark.parametrize("remaining", [None, b"rest"])
def test_an_archived_object_is_kept_with_its_audit(
    s3: "S3Client", objects: ErrorObjects, remaining: bytes | None
) -> None:
    error_object = put(s3, b"content")
    rest = None if remaining is None else Content(io.BytesIO(remaining))
    objects.archive(error_object, io.BytesIO(b"audit"), rest)
    copy = f"{REPLAYED}{KEY.removeprefix(ERRORS)}.{error_object.etag.strip(chr(34))[:8]}"
    expected = {copy: b"content", f"{copy}.audit.jsonl": b"audit"}
    assert bodies(s3) == (expected | {KEY: remaining} if remaining else expected)


@pytest.mark.parametrize("remaining", [None, b"rest"])
@pytest.mark.parametrize("is_deleted", [False, True])
def test_an_object_that_changed_is_not_replaced(
    s3: "S3Client",
    objects: ErrorObjects,
    monkeypatch: pytest.MonkeyPatch,
    remaining: bytes | None,
    is_deleted: bool,
) -> None:
    """An erase may rewrite it after it is copied."""
    error_object = put(s3, b"content")
    write = objects.write

    def write_and_change(key: str, content: Content) -> None:
        write(key, content)
        if is_deleted:
            s3.delete_object(Bucket=BUCKET, Key=KEY)
        else:
            put(s3, b"erased")

    monkeypatch.setattr(objects, "write", write_and_change)
    rest = None if remaining is None else Content(io.BytesIO(remaining))
    with pytest.raises(ObjectChanged):
        objects.archive(error_object, io.BytesIO(b"audit"), rest)
    assert bodies(s3).get(KEY) == (None if is_deleted else b"erased")
