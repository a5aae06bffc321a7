"""The laptop's Firehose keeps rows by partition, and names objects as AWS does."""

import json
import re
from base64 import b64decode
from collections.abc import Sequence
from datetime import datetime, timezone
from zoneinfo import ZoneInfo

from hypothesis import example, given
from hypothesis import strategies as st

from local.services.firehose.lambda_transform import Row
from local.services.firehose.partition_buffers import ACTIVE_PARTITIONS, Buffers, error_objects
from local.services.firehose.s3_prefix import Scope, evaluated, evaluated_error, formatted
from tests.support.firehose_fixture import settled


@given(st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)))
@example(datetime(2026, 1, 2, 3, 4, 5))
def test_times_are_written_as_java_writes_them(at: datetime) -> None:
    assert formatted("yyyy/MM/dd/HH-mm-ss", at) == f"{at:%Y/%m/%d/%H-%M-%S}"
    assert formatted("yy'year'd''", at) == f"{at:%y}year{at.day}'"


@given(st.text(min_size=1).filter(lambda text: "!{" not in text))
@example("\\1")
def test_a_partition_key_comes_through_as_it_is(value: str) -> None:
    scope = Scope(datetime(2026, 11, 23, 9, tzinfo=timezone.utc), {"dt": value})
    assert evaluated("a/dt=!{partitionKeyFromLambda:dt}/", scope) == f"a/dt={value}/"


def test_a_prefix_without_expression_gets_the_hour_of_arrival() -> None:
    scope = Scope(datetime(2026, 11, 23, 9, tzinfo=timezone.utc), error_type="processing-failed")
    assert evaluated("lake", scope) == "lake2026/11/23/09/"
    assert evaluated_error("", scope) == "processing-failed/2026/11/23/09/"
    assert evaluated_error("e/!{firehose:error-output-type}/", scope) == "e/processing-failed/"
    assert re.fullmatch(r"[a-z0-9]{11}", evaluated("!{firehose:random-string}", scope))


rows = st.lists(
    st.builds(Row, st.binary(max_size=9), st.tuples(st.sampled_from("abc")), st.floats(1e9, 2e9)),
    max_size=30,
)


@given(rows, st.integers(1, 20))
def test_buffers_give_out_every_row_once_and_in_order(given_rows: Sequence[Row], size: int) -> None:
    of, buffers, sealed = settled(size=size), Buffers(), []
    for row in given_rows:
        assert buffers.add(of, row, 0.0) is None
        sealed += buffers.sealed(of, 0.0)
    sealed += buffers.sealed(of, of.interval)
    for partition in "abc":
        expected = [row.data for row in given_rows if row.partition == (partition,)]
        found = [each.body for each in sealed if f"dt={partition}/" in each.key]
        assert b"".join(found) == b"".join(expected)
    assert sum(each.records for each in sealed) == len(given_rows)
    assert (len(buffers), buffers.size) == (0, 0)


def test_partitions_beyond_the_limit_overflow_into_errors() -> None:
    of, buffers = settled(), Buffers()
    for number in range(ACTIVE_PARTITIONS):
        assert buffers.add(of, Row(b"x", (str(number),), 1.0), 0.0) is None
    assert buffers.add(of, Row(b"x", ("0",), 1.0), 0.0) is None
    refused_row = buffers.add(of, Row(b"over\n", ("500",), 1.0), 0.0)
    assert refused_row is not None
    assert refused_row.code == "DynamicPartitioning.ActivePartitionsLimitExceeded"
    (kept,) = error_objects(of, [refused_row], 1, 2.0)
    assert kept.key.startswith("errors/activePartitionExceeded/delivery-1-")
    assert b64decode(json.loads(kept.body)["rawData"]) == b"over\n"


def test_a_prefix_that_comes_out_too_long_is_an_error_and_not_a_key() -> None:
    of = settled()
    assert Buffers().add(of, Row(b"x", ("v" * 512,), 1.0), 0.0) is not None


def test_a_time_zone_decides_folder_and_name() -> None:
    of = settled(zone=ZoneInfo("Asia/Tokyo"), prefix="a", partition_keys=None)
    buffers = Buffers()
    buffers.add(of, Row(b"x", (), 0.0), 0.0)
    (sealed,) = buffers.sealed(of, of.interval)
    assert sealed.key.startswith("a1970/01/01/09/delivery-1-1970-01-01-09-00-00-")
