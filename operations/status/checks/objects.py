"""The lake's objects: whether any was deleted, or will be. The bucket is versioned, so it shows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3

from operations.lake_objects import FIREHOSE_NAME
from operations.status.check_result import CheckResult, Status
from operations.status.metrics import MetricHistory
from setup.lib.resources import describe_or_none
from setup.names import LAKE, bucket
from terminal.text import count

if TYPE_CHECKING:
    from types_boto3_s3.type_defs import ListObjectVersionsOutputTypeDef, ObjectVersionTypeDef

RESTORE = "python -m operations.restore --dry-run, then python -m operations.restore"


def check(_: MetricHistory | None) -> CheckResult:
    """Check that no object of the lake was deleted, and that no rule will delete one."""
    rules = list(_deleting_rules())
    if rules:
        message = f"lifecycle rule {rules[0]} deletes objects of {LAKE}"
        remedy = f"remove it: aws s3api get-bucket-lifecycle-configuration --bucket {bucket()}"
        return CheckResult("lake objects", message, Status.PROBLEM, remedy)
    return _check_versions()


def _check_versions() -> CheckResult:
    """Check every version of every object: Firehose writes an object once, and deletes none."""
    versions = ObjectVersions()
    pages = boto3.client("s3").get_paginator("list_object_versions")
    for page in pages.paginate(Bucket=bucket(), Prefix=LAKE):
        versions.add_page(page)
    overwritten = [key for key, is_changed in versions.is_changed.items() if is_changed]
    for keys, verb in ((versions.deleted, "deleted"), (overwritten, "overwritten")):
        if keys:
            message = f"{count(len(keys), 'object')} {verb}, such as {keys[0]}"
            return CheckResult("lake objects", message, Status.PROBLEM, RESTORE)
    if versions.foreign:
        number = count(len(versions.foreign), "object")
        message = f"{number} not written by Firehose, such as {versions.foreign[0]}"
        remedy = "python -m operations.restore --dry-run tells whether queries can read them"
        return CheckResult("lake objects", message, Status.UNKNOWN, remedy)
    message = f"{count(versions.object_count, 'object')}, none deleted or overwritten"
    return CheckResult("lake objects", message)


class ObjectVersions:
    """What the versions of the lake's objects show, page by page.

    `is_changed` tells for each object with several versions whether the latest differs from the
    oldest: that of a restored object does not.
    """

    def __init__(self) -> None:
        self.object_count = 0
        self.deleted: list[str] = []
        self.foreign: list[str] = []
        self.is_changed: dict[str, bool] = {}
        self._latest_key = ""
        self._latest_content = ""

    def add_page(self, page: ListObjectVersionsOutputTypeDef) -> None:
        """Add a page of versions; of an object the latest comes first."""
        markers = page.get("DeleteMarkers", ())
        self.deleted += [marker["Key"] for marker in markers if marker["IsLatest"]]
        for version in page.get("Versions", ()):
            if version["IsLatest"]:
                self._add_object(version)
            elif version["Key"] == self._latest_key:
                self.is_changed[self._latest_key] = _content_id(version) != self._latest_content

    def _add_object(self, version: ObjectVersionTypeDef) -> None:
        key = version["Key"]
        self.object_count += 1
        self._latest_key = key
        self._latest_content = _content_id(version)
        name = key.rpartition("/")[2]
        is_ignored = not name or name.startswith((".", "_"))  # By Athena.
        if not (is_ignored or FIREHOSE_NAME.fullmatch(name)):
            self.foreign.append(key)


def _content_id(version: ObjectVersionTypeDef) -> str:
    """Return a text that differs for other content.

    The ETag of an object that was written in parts depends on the parts: a copy has another one.
    """
    etag = version["ETag"]
    return f"size {version['Size']}" if "-" in etag else etag


def _deleting_rules() -> Iterator[str]:
    """Yield the names of enabled lifecycle rules that let current objects of the lake expire."""
    describe = boto3.client("s3").get_bucket_lifecycle_configuration
    response = describe_or_none(describe, Bucket=bucket())
    for rule in response["Rules"] if response else ():
        rule_filter = rule.get("Filter", {})
        prefix = rule_filter.get("Prefix") or rule_filter.get("And", {}).get("Prefix", "")
        prefix = prefix or rule.get("Prefix", "")
        expires = "Days" in rule.get("Expiration", {}) or "Date" in rule.get("Expiration", {})
        overlaps = LAKE.startswith(prefix) or prefix.startswith(LAKE)
        if rule["Status"] == "Enabled" and expires and overlaps:
            yield repr(rule.get("ID", "without a name"))
