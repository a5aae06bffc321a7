"""The lake's objects: whether any was deleted, or will be. The bucket is versioned, so it shows."""

from __future__ import annotations

from collections.abc import Iterator

import boto3

from operations.status.check_result import CheckResult, Status
from operations.status.metrics import MetricHistory
from setup.lib.resources import describe_or_none
from setup.lib.text import count
from setup.names import LAKE, bucket

MAX_OBJECTS = 100_000  # more are not checked


def check(_: MetricHistory | None) -> CheckResult:
    """Check that no object of the lake was deleted, and that no rule will delete one."""
    rules = list(_deleting_rules())
    if rules:
        message = f"lifecycle rule {rules[0]} deletes objects of {LAKE}"
        remedy = f"remove it: aws s3api get-bucket-lifecycle-configuration --bucket {bucket()}"
        return CheckResult("lake objects", message, Status.PROBLEM, remedy)
    return _check_delete_markers()


def _check_delete_markers() -> CheckResult:
    entry_count = 0
    deleted: list[str] = []
    pages = boto3.client("s3").get_paginator("list_object_versions")
    for page in pages.paginate(Bucket=bucket(), Prefix=LAKE):
        markers = page.get("DeleteMarkers", [])
        entry_count += len(page.get("Versions", [])) + len(markers)
        deleted += [marker["Key"] for marker in markers if marker["IsLatest"]]
        if entry_count > MAX_OBJECTS:
            break
    if deleted:
        message = f"{count(len(deleted), 'object')} deleted, such as {deleted[0]}"
        remedy = "python -m operations.verify --gaps, then --repair"
        return CheckResult("lake objects", message, Status.PROBLEM, remedy)
    if entry_count > MAX_OBJECTS:
        return CheckResult("lake objects", f"of the first {entry_count} none was deleted")
    return CheckResult("lake objects", f"{count(entry_count, 'object')}, none deleted")


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
