"""Partition buffers of the laptop's Firehose, and the names of the objects they become."""

import json
import re
from base64 import b64decode
from collections.abc import Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from hypothesis import example, given
from hypothesis import strategies as st

from local.services.firehose.lambda_transform import Row
from local.services.firehose.partition_buffers import (
    MAX_ACTIVE_PARTITIONS,
    PartitionBuffers,
    S3Object,
    error_objects,
)
from local.services.firehose.s3_prefix import (
    PrefixContext,
    evaluate_error_prefix,
    evaluate_prefix,
    format_time,
)
from tests.support.firehose_fixture import partitioned_settings


@given(st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)))
@example(datetime(2026, 1, 2, 3, 4, 5))
def test_times_are_formatted_as_in_java(time: datetime) -> None:
    assert format_time("yyyy/MM/dd/HH-mm-ss", time) == f"{time:%Y/%m/%d/%H-%M-%S}"
    assert format_time("yy'year'd''", time) == f"{time:%y}year{time.day}'"


@given(st.text(min_size=1).filter(lambda text: "!{" not in text))
@example("\\1")
def test_partition_key_is_inserted_verbatim(value: str) -> None:
    context = PrefixContext(datetime(2026, 11, 23, 9, tzinfo=UTC), {"dt": value})
    assert evaluate_prefix("a/dt=!{partitionKeyFromLambda:dt}/", context) == f"a/dt={value}/"


def test_plain_prefix_gets_arrival_hour() -> None:
    context = PrefixContext(datetime(2026, 11, 23, 9, tzinfo=UTC), error_type="processing-failed")
    assert evaluate_prefix("lake", context) == "lake2026/11/23/09/"
    assert evaluate_error_prefix("", context) == "processing-failed/2026/11/23/09/"
    assert (
        evaluate_error_prefix("e/!{firehose:error-output-type}/", context) == "e/processing-failed/"
    )
    assert re.fullmatch(r"[a-z0-9]{11}", evaluate_prefix("!{firehose:random-string}", context))


rows = st.lists(
    st.builds(Row, st.binary(max_size=9), st.tuples(st.sampled_from("abc")), st.floats(1e9, 2e9)),
    max_size=30,
)


@given(rows, st.integers(1, 20))
def test_buffers_yield_every_row_once_in_order(all_rows: Sequence[Row], buffer_bytes: int) -> None:
    settings = partitioned_settings(buffer_bytes=buffer_bytes)
    buffers = PartitionBuffers()
    objects: list[S3Object] = []
    for row in all_rows:
        assert buffers.add(settings, row, 0.0) is None
        objects += buffers.close_due(settings, 0.0)
    objects += buffers.close_due(settings, settings.buffer_seconds)
    for partition in "abc":
        expected = [row.data for row in all_rows if row.partition == (partition,)]
        bodies = [obj.body for obj in objects if f"dt={partition}/" in obj.key]
        assert b"".join(bodies) == b"".join(expected)
    assert sum(obj.record_count for obj in objects) == len(all_rows)
    assert (len(buffers), buffers.total_bytes) == (0, 0)


def test_partitions_over_the_limit_are_errors() -> None:
    settings = partitioned_settings()
    buffers = PartitionBuffers()
    for number in range(MAX_ACTIVE_PARTITIONS):
        assert buffers.add(settings, Row(b"x", (str(number),), 1.0), 0.0) is None
    assert buffers.add(settings, Row(b"x", ("0",), 1.0), 0.0) is None
    failure = buffers.add(settings, Row(b"over\n", ("500",), 1.0), 0.0)
    assert failure is not None
    assert failure.code == "DynamicPartitioning.ActivePartitionsLimitExceeded"
    (error_object,) = error_objects(settings, [failure], 1, 2.0)
    assert error_object.key.startswith("errors/activePartitionExceeded/delivery-1-")
    assert b64decode(json.loads(error_object.body)["rawData"]) == b"over\n"


def test_overlong_evaluated_prefix_is_an_error() -> None:
    settings = partitioned_settings()
    assert PartitionBuffers().add(settings, Row(b"x", ("v" * 512,), 1.0), 0.0) is not None


def test_time_zone_applies_to_folder_and_name() -> None:
    settings = partitioned_settings(
        time_zone=ZoneInfo("Asia/Tokyo"), prefix="a", partition_keys=None
    )
    buffers = PartitionBuffers()
    buffers.add(settings, Row(b"x", (), 0.0), 0.0)
    (s3_object,) = buffers.close_due(settings, settings.buffer_seconds)
    assert s3_object.key.startswith("a1970/01/01/09/delivery-1-1970-01-01-09-00-00-")
