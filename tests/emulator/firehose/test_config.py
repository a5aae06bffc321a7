"""Creation and update of delivery streams: which configurations Firehose accepts."""

from collections.abc import Iterator
from typing import Any

import pytest

from local.core.request import AwsError
from local.core.server import Cloud
from local.services.aws_lambda.service import Lambda
from local.services.firehose.s3_prefix import check_prefixes
from local.services.firehose.service import Firehose
from local.services.iam.service import Iam
from tests.support.firehose_fixture import (
    ACCOUNT,
    ROLE,
    allow_only,
    create_stream,
    describe_destination,
    describe_stream,
    destination_config,
    firehose_environment,
    lake_objects,
    ok_entry,
    permissions_without,
    processing_config,
    put_records,
    record_for,
    update_destination,
)
from tests.support.laptop_cloud import aws, laptop, message_of

INVALID_DESTINATIONS: list[tuple[dict[str, Any], str]] = [
    (
        {"BufferingHints": {"SizeInMBs": 63, "IntervalInSeconds": 60}},
        "BufferingHints.SizeInMBs must be at least 64 when Dynamic Partitioning is enabled.",
    ),
    (
        {"BufferingHints": {"SizeInMBs": 64, "IntervalInSeconds": 59}},
        "BufferingHints.IntervalInSeconds must be at least 60 seconds when Dynamic Partitioning "
        "is enabled.",
    ),
    (
        {"BufferingHints": {"SizeInMBs": 129, "IntervalInSeconds": 60}},
        "1 validation error detected: Value '129' at "
        "'extendedS3DestinationConfiguration.bufferingHints.sizeInMBs' failed to satisfy "
        "constraint: Member must have value less than or equal to 128",
    ),
    (
        {"ProcessingConfiguration": None},
        "Processing Configuration is not enabled when DataPartitioning is enabled",
    ),
    (
        {"ProcessingConfiguration": processing_config(enabled=None)},
        "Processing Configuration is not enabled when DataPartitioning is enabled",
    ),
    (
        {"Prefix": "lake/"},
        "S3 Prefix should contain Dynamic Partitioning namespaces when Dynamic Partitioning is "
        "enabled",
    ),
    (
        {"Prefix": "lake/!{partitionKeyFromQuery:dt}/"},
        "MetadataExtraction processor should be present when S3 Prefix has partitionKeyFromQuery "
        "namespace.",
    ),
    (
        {"ProcessingConfiguration": {"Enabled": True, "Processors": []}},
        "A maximum of 5 and a minimum of 1 processor needs to be supplied when processing is "
        "enabled.",
    ),
    (
        {"ProcessingConfiguration": processing_config(NumberOfRetries="301")},
        "Number of retries for lambda must be between 0 and 300.",
    ),
    (
        {"ProcessingConfiguration": processing_config(BufferSizeInMBs="1")},
        "Both BufferSizeInMBs and BufferIntervalInSeconds are required to configure buffering "
        "for lambda processor.",
    ),
    (
        {
            "ProcessingConfiguration": processing_config(
                BufferSizeInMBs="3.1", BufferIntervalInSeconds="60"
            )
        },
        "BufferSizeInMBs for lambda processor must be between 0.2 and 3.",
    ),
    (
        {"CompressionFormat": "gzip"},
        "1 validation error detected: Value 'gzip' at "
        "'extendedS3DestinationConfiguration.compressionFormat' failed to satisfy constraint: "
        "Member must satisfy enum value set: [ZIP, HADOOP_SNAPPY, Snappy, GZIP, UNCOMPRESSED]",
    ),
    (
        {
            "DynamicPartitioningConfiguration": {
                "Enabled": True,
                "RetryOptions": {"DurationInSeconds": 7201},
            }
        },
        "1 validation error detected: Value '7201' at 'extendedS3DestinationConfiguration."
        "dynamicPartitioningConfiguration.retryOptions.durationInSeconds' failed to satisfy "
        "constraint: Member must have value less than or equal to 7200",
    ),
    ({"CompressionFormat": "ZIP"}, "CompressionFormat=ZIP is not modelled by the laptop cloud"),
    ({"S3BackupMode": "Enabled"}, "S3BackupMode=Enabled is not modelled by the laptop cloud"),
]


@pytest.fixture(scope="module")
def shared_cloud() -> Iterator[Cloud]:
    with laptop(Iam, Firehose, Lambda) as cloud:
        yield cloud


@pytest.fixture
def cloud(shared_cloud: Cloud) -> Iterator[Cloud]:
    """The cloud with a source, a lake, and a function that does what its records say."""
    with firehose_environment(shared_cloud):
        yield shared_cloud


def test_invalid_destinations_are_rejected(cloud: Cloud) -> None:
    for changes, message in INVALID_DESTINATIONS:
        assert message_of(create_stream, destination_config(**changes)) == message
    assert aws("firehose").list_delivery_streams()["DeliveryStreamNames"] == []


def test_invalid_streams_are_rejected(cloud: Cloud) -> None:
    second_destination = {"RoleARN": ROLE, "BucketARN": "arn:aws:s3:::lake"}
    message = "Exactly one destination configuration is supported for a Firehose"
    assert message_of(create_stream, S3DestinationConfiguration=second_destination) == message
    assert "KinesisSourceStreamConfig" in message_of(
        create_stream, KinesisStreamSourceConfiguration=None
    )
    assert "only applicable" in message_of(create_stream, DeliveryStreamType="DirectPut")
    assert "deliveryStreamName" in message_of(create_stream, DeliveryStreamName="a b")


INVALID_PREFIXES = [
    ("a/!{timestamp:yyyy}/", "", "ErrorOutputPrefix cannot be null or empty when Prefix contains"),
    ("a/!{timestamp:yyyy", "e/", "Invalid expression usage"),
    ("a/!{year:yyyy}/", "e/", "Namespace to the left of colon (year) is an invalid keyword!"),
    ("a/!{timestamp:yyyp}/", "e/", "Invalid conversion character used in the value"),
    ("a/!{firehose:random}/", "e/", "Invalid conversion character used in the value"),
    ("a/!{firehose:error-output-type}/", "e/", "Prefix must not contain any occurrence of"),
    ("a/", "e/!{timestamp:yyyy}/", "ErrorOutputPrefix must contain at least one occurrence of"),
    ("a/", "e/!{partitionKeyFromLambda:dt}/", "can't be part of an error prefix expression"),
    ("a" * 513, "", "Length of evaluated prefix cannot be greater than 512"),
]


@pytest.mark.parametrize(("prefix", "error_prefix", "message"), INVALID_PREFIXES)
def test_invalid_prefixes_are_rejected(prefix: str, error_prefix: str, message: str) -> None:
    with pytest.raises(AwsError) as raised:
        check_prefixes(prefix, error_prefix)
    assert message in raised.value.message


def test_role_must_trust_firehose_and_read_source(cloud: Cloud) -> None:
    other_role = f"arn:aws:iam::{ACCOUNT}:role/function"
    message = f"Firehose is unable to assume role {other_role}. Please check the role provided."
    assert message_of(create_stream, destination_config(RoleARN=other_role)) == message
    allow_only(permissions_without("kinesis:*"))
    assert "is not authorized to perform: kinesis:DescribeStream" in message_of(create_stream)


def test_direct_puts_are_rejected(cloud: Cloud) -> None:
    create_stream()
    message = "This operation is not permitted on KinesisStreamAsSource delivery stream type."
    firehose = aws("firehose")
    name = {"DeliveryStreamName": "delivery"}
    assert message_of(firehose.put_record, **name, Record={"Data": b"x"}) == message
    assert message_of(firehose.put_record_batch, **name, Records=[{"Data": b"x"}]) == message
    assert message_of(firehose.start_delivery_stream_encryption, **name) == message


def test_update_is_merged_and_increments_version(cloud: Cloud) -> None:
    create_stream()
    update_destination(BufferingHints={"SizeInMBs": 64, "IntervalInSeconds": 90})
    destination = describe_destination()
    assert destination["BufferingHints"]["IntervalInSeconds"] == 90
    assert destination["Prefix"] == destination_config()["Prefix"]
    assert describe_stream()["VersionId"] == "2"
    put_records(record_for(ok_entry()))
    cloud.run_until_idle()
    assert all("/delivery-2-" in key for key in lake_objects())


def test_processing_update_keeps_it_enabled(cloud: Cloud) -> None:
    create_stream()
    update_destination(ProcessingConfiguration=processing_config(enabled=None, NumberOfRetries="1"))
    destination = describe_destination()
    assert destination["ProcessingConfiguration"]["Enabled"] is True


def test_update_without_change_keeps_version(cloud: Cloud) -> None:
    create_stream()
    update_destination(**destination_config())
    assert describe_stream()["VersionId"] == "1"


def test_update_cannot_switch_partitioning(cloud: Cloud) -> None:
    create_stream()
    plain_destination = {"DynamicPartitioningConfiguration": {"Enabled": False}, "Prefix": "lake/"}
    assert "cannot be disabled" in message_of(update_destination, **plain_destination)
    assert "at least 64" in message_of(
        update_destination, BufferingHints={"SizeInMBs": 5, "IntervalInSeconds": 60}
    )
    assert "do not match" in message_of(
        update_destination, version="7", Prefix="l/!{partitionKeyFromLambda:dt}/"
    )
