"""Which permission each call of a managed service needs, and on which resources."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from local.services.iam.policy_evaluation import NotModelled

Params = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a call is made, as the ARNs of its resources spell it."""

    partition: str
    region: str
    account: str

    def arn(self, service: str, resource: str) -> str:
        """Return the ARN of something that lives in this region and account."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"


@dataclass(frozen=True, slots=True)
class Need:
    """The action that a call performs; every one of its resources must be allowed."""

    action: str
    resources: Callable[[Params, Place], tuple[str, ...]]


class Tokens:
    """What each shard iterator, page token and query's id is about: calls by it do not say so."""

    def __init__(self, most: int = 10_000) -> None:
        self._resources: dict[str, tuple[str, ...]] = {}
        self._lock = threading.Lock()
        self._most = most

    def remember(self, token: str, resources: tuple[str, ...]) -> None:
        """Note what a token was given out for; when full, forget the one not seen for longest."""
        with self._lock:
            self._resources.pop(token, None)  # The same place in a shard has the same token again.
            self._resources[token] = resources
            if len(self._resources) > self._most:
                del self._resources[next(iter(self._resources))]

    def resources(self, token: str) -> tuple[str, ...]:
        """Return what a token was given out for."""
        with self._lock:
            if (resources := self._resources.pop(token, None)) is None:
                raise NotModelled(f"no guarded client was given the token {token[:40]}…")
            self._resources[token] = resources
            return resources


TOKENS = Tokens()
# A query's id before its page: two queries have pages of the same number.
TOKEN_MEMBERS = ("ShardIterator", "NextShardIterator", "QueryExecutionId", "NextToken")


def needed(service: str, operation: str) -> tuple[Need, ...]:
    """Return the permissions that a call needs."""
    if (service, operation) not in _NEEDS:
        raise NotModelled(f"no entry in {__name__} says what {service}:{operation} needs")
    return (_NEEDS[service, operation], *_BESIDES.get((service, operation), ()))


def request_keys(service: str, params: Params) -> dict[str, str]:
    """Return the condition keys that only this call's own parameters give."""
    if service != "s3":
        return {}
    keys = {"s3:prefix": "Prefix", "s3:delimiter": "Delimiter"}
    return {key: params[member] for key, member in keys.items() if member in params}


def _by_token(params: Params) -> tuple[str, ...]:
    token = next((params[member] for member in TOKEN_MEMBERS if member in params), "")
    return TOKENS.resources(token)


def _kinesis_stream(params: Params, place: Place) -> tuple[str, ...]:
    if "StreamARN" in params:
        return (params["StreamARN"],)
    if "StreamName" in params:
        return (place.arn("kinesis", f"stream/{params['StreamName']}"),)
    return _by_token(params)


def _table_stream(params: Params, _: Place) -> tuple[str, ...]:
    return (params["StreamArn"],) if "StreamArn" in params else _by_token(params)


def _table_streams(params: Params, place: Place) -> tuple[str, ...]:
    return (place.arn("dynamodb", f"table/{params.get('TableName', '*')}/stream/*"),)


def _dynamodb_table(params: Params, place: Place) -> tuple[str, ...]:
    return (place.arn("dynamodb", f"table/{params['TableName']}"),)


def _dynamodb_tables(params: Params, place: Place) -> tuple[str, ...]:
    return tuple(place.arn("dynamodb", f"table/{name}") for name in params["RequestItems"])


def _queue(params: Params, place: Place) -> tuple[str, ...]:
    if "QueueName" in params:
        return (place.arn("sqs", params["QueueName"]),)
    _, account, name = urlsplit(params["QueueUrl"]).path.rsplit("/", 2)
    return (f"arn:{place.partition}:sqs:{place.region}:{account}:{name}",)


def _named(service: str, form: str, member: str) -> Callable[[Params, Place], tuple[str, ...]]:
    """Return what finds the one resource that a member of the parameters names."""
    return lambda params, place: (place.arn(service, form.format(params.get(member, "*"))),)


def _any(_: Params, __: Place) -> tuple[str, ...]:
    return ("*",)


def _function(params: Params, place: Place) -> tuple[str, ...]:
    """Return the function as it is called: `NAME` and `NAME:$LATEST` are two resources."""
    name = params["FunctionName"]
    base = name if name.startswith("arn:") else place.arn("lambda", f"function:{name}")
    return (f"{base}:{params['Qualifier']}" if "Qualifier" in params else base,)


def _bucket(params: Params, place: Place) -> tuple[str, ...]:
    return (f"arn:{place.partition}:s3:::{params['Bucket']}",)


def _object(params: Params, place: Place) -> tuple[str, ...]:
    return (f"arn:{place.partition}:s3:::{params['Bucket']}/{params['Key']}",)


def _copied(params: Params, place: Place) -> tuple[str, ...]:
    """Return what is copied; boto3 has made `bucket/key` of it by now, as a URL spells that."""
    bucket, _, key = unquote(params["CopySource"]).partition("/")
    return _object({"Bucket": bucket, "Key": key}, place)


def _workgroup(params: Params, place: Place) -> tuple[str, ...]:
    if "WorkGroup" in params:
        return (place.arn("athena", f"workgroup/{params['WorkGroup']}"),)
    return _by_token(params)


def _log_stream(params: Params, place: Place) -> tuple[str, ...]:
    """Return the log stream; a group as such is the stream without a name, as AWS spells it."""
    stream = params.get("logStreamName", "")
    return (place.arn("logs", f"log-group:{params['logGroupName']}:log-stream:{stream}"),)


def _database(params: Params, place: Place) -> tuple[str, ...]:
    name = params.get("DatabaseName", params.get("Name", "")).lower()
    return (place.arn("glue", "catalog"), place.arn("glue", f"database/{name}"))


def _table(params: Params, place: Place) -> tuple[str, ...]:
    """Return the table and all that it lies in: Glue asks for each of the three."""
    named = params.get("TableName") or params.get("Name") or params["TableInput"]["Name"]
    table = f"table/{params['DatabaseName']}/{named}".lower()
    return (*_database({"Name": params["DatabaseName"]}, place), place.arn("glue", table))


def _named_alike(
    service: str,
    prefix: str,
    resources: Callable[[Params, Place], tuple[str, ...]],
    operations: str,
) -> dict[tuple[str, str], Need]:
    """Return the needs of operations whose actions bear their names."""
    return {(service, name): Need(f"{prefix}:{name}", resources) for name in operations.split()}


_NEEDS: Mapping[tuple[str, str], Need] = {
    **_named_alike(
        "kinesis",
        "kinesis",
        _kinesis_stream,
        "DescribeStream DescribeStreamSummary ListShards GetShardIterator GetRecords PutRecord "
        "PutRecords",
    ),
    **_named_alike(
        "dynamodbstreams", "dynamodb", _table_stream, "DescribeStream GetShardIterator GetRecords"
    ),
    **_named_alike("dynamodb", "dynamodb", _dynamodb_table, "DescribeTable Scan"),
    ("dynamodb", "BatchGetItem"): Need("dynamodb:BatchGetItem", _dynamodb_tables),
    ("dynamodbstreams", "ListStreams"): Need("dynamodb:ListStreams", _table_streams),
    ("sqs", "SendMessage"): Need("sqs:SendMessage", _queue),
    **_named_alike(
        "sqs",
        "sqs",
        _queue,
        "GetQueueUrl GetQueueAttributes ReceiveMessage DeleteMessage ChangeMessageVisibility",
    ),
    ("sqs", "SendMessageBatch"): Need("sqs:SendMessage", _queue),
    ("lambda", "Invoke"): Need("lambda:InvokeFunction", _function),
    ("lambda", "GetFunctionConfiguration"): Need("lambda:GetFunctionConfiguration", _function),
    ("s3", "GetObject"): Need("s3:GetObject", _object),
    ("s3", "DeleteObject"): Need("s3:DeleteObject", _object),
    ("s3", "CopyObject"): Need("s3:PutObject", _object),
    ("s3", "HeadObject"): Need("s3:GetObject", _object),
    ("s3", "PutObject"): Need("s3:PutObject", _object),
    ("s3", "CreateMultipartUpload"): Need("s3:PutObject", _object),
    ("s3", "UploadPart"): Need("s3:PutObject", _object),
    ("s3", "CompleteMultipartUpload"): Need("s3:PutObject", _object),
    ("s3", "AbortMultipartUpload"): Need("s3:AbortMultipartUpload", _object),
    ("s3", "ListObjectsV2"): Need("s3:ListBucket", _bucket),
    ("s3", "HeadBucket"): Need("s3:ListBucket", _bucket),
    ("s3", "GetBucketLocation"): Need("s3:GetBucketLocation", _bucket),
    ("s3", "ListMultipartUploads"): Need("s3:ListBucketMultipartUploads", _bucket),
    **_named_alike("logs", "logs", _log_stream, "CreateLogGroup CreateLogStream PutLogEvents"),
    ("glue", "GetDatabase"): Need("glue:GetDatabase", _database),
    **_named_alike(
        "glue",
        "glue",
        _table,
        "GetTable UpdateTable GetPartition GetPartitions BatchGetPartition CreatePartition "
        "BatchCreatePartition UpdatePartition",
    ),
    ("glue", "BatchUpdatePartition"): Need("glue:UpdatePartition", _table),  # As AWS checks it.
    ("glue", "GetCrawler"): Need("glue:GetCrawler", _named("glue", "crawler/{}", "Name")),
    ("pipes", "DescribePipe"): Need("pipes:DescribePipe", _named("pipes", "pipe/{}", "Name")),
    ("firehose", "DescribeDeliveryStream"): Need(
        "firehose:DescribeDeliveryStream",
        _named("firehose", "deliverystream/{}", "DeliveryStreamName"),
    ),
    ("cloudwatch", "GetMetricData"): Need("cloudwatch:GetMetricData", _any),
    ("cloudwatch", "DescribeAlarms"): Need(
        "cloudwatch:DescribeAlarms", _named("cloudwatch", "alarm:{}*", "AlarmNamePrefix")
    ),
    ("athena", "GetWorkGroup"): Need("athena:GetWorkGroup", _workgroup),
    **_named_alike(
        "athena",
        "athena",
        _workgroup,
        "StartQueryExecution GetQueryExecution GetQueryResults StopQueryExecution",
    ),
}
_BESIDES: Mapping[tuple[str, str], tuple[Need, ...]] = {
    ("s3", "CopyObject"): (Need("s3:GetObject", _copied),),
}
