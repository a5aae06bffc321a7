"""The lake's objects: whether any was deleted, or will be. The bucket is versioned, so it shows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3

from operations.status.check_result import CheckResult, Status
from operations.status.metrics import MetricHistory
from setup.lib.resources import describe_or_none
from setup.lib.text import count
from setup.names import LAKE, bucket

if TYPE_CHECKING:
    from types_boto3_s3.type_defs import ObjectVersionTypeDef

RESTORE = "python -m operations.verify --gaps, then --repair"


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
    object_count = 0
    latest_key = latest_id = ""
    deleted = []
    is_changed: dict[str, bool] = {}
    pages = boto3.client("s3").get_paginator("list_object_versions")
    for page in pages.paginate(Bucket=bucket(), Prefix=LAKE):
        deleted += [marker["Key"] for marker in page.get("DeleteMarkers", ()) if marker["IsLatest"]]
        for version in page.get("Versions", ()):  # Of a key the latest comes first.
            if version["IsLatest"]:
                latest_key, latest_id = version["Key"], _content_id(version)
                object_count += 1
            elif version["Key"] == latest_key:
                is_changed[latest_key] = _content_id(version) != latest_id
    overwritten = [key for key in is_changed if is_changed[key]]
    for keys, verb in ((deleted, "deleted"), (overwritten, "overwritten")):
        if keys:
            message = f"{count(len(keys), 'object')} {verb}, such as {keys[0]}"
            return CheckResult("lake objects", message, Status.PROBLEM, RESTORE)
    message = f"{count(object_count, 'object')}, none deleted or overwritten"
    return CheckResult("lake objects", message)


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
