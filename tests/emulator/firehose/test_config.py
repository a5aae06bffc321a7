"""What the laptop's Firehose takes and refuses, when a stream is made and when it is changed."""

from collections.abc import Iterator

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
    create,
    described,
    destination,
    furnished,
    objects,
    ok,
    order,
    permit,
    processing,
    put,
    update,
    without,
)
from tests.support.laptop_cloud import aws, laptop, message_of

REFUSED_DESTINATIONS = [
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
        {"ProcessingConfiguration": processing(enabled=None)},
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
        {"ProcessingConfiguration": processing(NumberOfRetries="301")},
        "Number of retries for lambda must be between 0 and 300.",
    ),
    (
        {"ProcessingConfiguration": processing(BufferSizeInMBs="1")},
        "Both BufferSizeInMBs and BufferIntervalInSeconds are required to configure buffering "
        "for lambda processor.",
    ),
    (
        {
            "ProcessingConfiguration": processing(
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
def running() -> Iterator[Cloud]:
    """A laptop cloud with nothing in it."""
    with laptop(Iam, Firehose, Lambda) as cloud:
        yield cloud


@pytest.fixture
def cloud(running: Cloud) -> Iterator[Cloud]:
    """The cloud with a source, a lake, and a function that answers as its records say."""
    with furnished(running):
        yield running


def test_destinations_that_aws_refuses_are_refused_in_its_words(cloud: Cloud) -> None:
    for changes, text in REFUSED_DESTINATIONS:
        assert message_of(create, destination(**changes)) == text
    assert aws("firehose").list_delivery_streams()["DeliveryStreamNames"] == []


def test_streams_without_source_or_with_two_destinations_are_refused(cloud: Cloud) -> None:
    second = {"RoleARN": ROLE, "BucketARN": "arn:aws:s3:::lake"}
    one = "Exactly one destination configuration is supported for a Firehose"
    assert message_of(create, S3DestinationConfiguration=second) == one
    assert "KinesisSourceStreamConfig" in message_of(create, KinesisStreamSourceConfiguration=None)
    assert "only applicable" in message_of(create, DeliveryStreamType="DirectPut")
    assert "deliveryStreamName" in message_of(create, DeliveryStreamName="a b")


REFUSED_PREFIXES = [
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


@pytest.mark.parametrize(("prefix", "error_prefix", "text"), REFUSED_PREFIXES)
def test_prefixes_outside_the_grammar_are_refused(
    prefix: str, error_prefix: str, text: str
) -> None:
    with pytest.raises(AwsError) as caught:
        check_prefixes(prefix, error_prefix)
    assert text in caught.value.message


def test_a_role_must_trust_firehose_and_may_read_the_source(cloud: Cloud) -> None:
    other = f"arn:aws:iam::{ACCOUNT}:role/function"
    text = f"Firehose is unable to assume role {other}. Please check the role provided."
    assert message_of(create, destination(RoleARN=other)) == text
    permit(without("kinesis:*"))
    assert "is not authorized to perform: kinesis:DescribeStream" in message_of(create)


def test_direct_puts_are_refused_on_a_kinesis_source(cloud: Cloud) -> None:
    create()
    text = "This operation is not permitted on KinesisStreamAsSource delivery stream type."
    firehose, name = aws("firehose"), {"DeliveryStreamName": "delivery"}
    assert message_of(firehose.put_record, **name, Record={"Data": b"x"}) == text
    assert message_of(firehose.put_record_batch, **name, Records=[{"Data": b"x"}]) == text
    assert message_of(firehose.start_delivery_stream_encryption, **name) == text


def test_an_update_is_merged_and_counts_the_version(cloud: Cloud) -> None:
    create()
    update(BufferingHints={"SizeInMBs": 64, "IntervalInSeconds": 90})
    target = described()["Destinations"][0]["ExtendedS3DestinationDescription"]
    assert target["BufferingHints"]["IntervalInSeconds"] == 90
    assert target["Prefix"] == destination()["Prefix"]
    assert described()["VersionId"] == "2"
    put(order(ok()))
    cloud.run_until_idle()
    assert all("/delivery-2-" in key for key in objects())


def test_an_update_of_processing_keeps_it_enabled(cloud: Cloud) -> None:
    create()
    update(ProcessingConfiguration=processing(enabled=None, NumberOfRetries="1"))
    target = described()["Destinations"][0]["ExtendedS3DestinationDescription"]
    assert target["ProcessingConfiguration"]["Enabled"] is True


def test_an_update_that_changes_nothing_is_no_new_version(cloud: Cloud) -> None:
    create()
    update(**destination())
    assert described()["VersionId"] == "1"


def test_dynamic_partitioning_is_decided_at_creation(cloud: Cloud) -> None:
    create()
    switched_off = {"DynamicPartitioningConfiguration": {"Enabled": False}, "Prefix": "lake/"}
    assert "cannot be disabled" in message_of(update, **switched_off)
    assert "at least 64" in message_of(
        update, BufferingHints={"SizeInMBs": 5, "IntervalInSeconds": 60}
    )
    assert "do not match" in message_of(
        update, version="7", Prefix="l/!{partitionKeyFromLambda:dt}/"
    )
