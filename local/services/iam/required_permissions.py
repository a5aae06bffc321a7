"""Permissions that each call of a managed service needs, and the resources it needs them on."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from local.services.iam.policy_evaluation import NotModelled

Params = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Location:
    """The partition, region and account of a call, as ARNs spell them."""

    partition: str
    region: str
    account: str

    def arn(self, service: str, resource: str) -> str:
        """Return the ARN of a resource in this region and account."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"


ResourceFinder = Callable[[Params, Location], tuple[str, ...] | None]


@dataclass(frozen=True, slots=True)
class Permission:
    """An action and the resources on which a call needs it.

    `resources` returns None if only a token in the parameters names them: see `TokenRegistry`.
    """

    action: str
    resources: ResourceFinder


# QueryExecutionId comes before NextToken: two queries can have pages with the same token.
TOKEN_MEMBERS = (
    "ShardIterator",
    "NextShardIterator",
    "QueryExecutionId",
    "NamedQueryId",
    "NextToken",
)
LIST_MEMBERS = ("NamedQueryIds", "QueryExecutionIds")  # Lists of tokens.


class TokenRegistry:
    """The resources of calls that name only a shard iterator, a page token or a query id."""

    def __init__(self, capacity: int = 10_000) -> None:
        self._resources: dict[str, tuple[str, ...]] = {}
        self._lock = threading.Lock()
        self._capacity = capacity

    def remember(self, token: str, resources: tuple[str, ...]) -> None:
        """Store a token's resources; when full, drop the least recently used token."""
        with self._lock:
            self._resources.pop(token, None)  # The same position in a shard has the same token.
            self._resources[token] = resources
            if len(self._resources) > self._capacity:
                del self._resources[next(iter(self._resources))]

    def resources(self, params: Params) -> tuple[str, ...]:
        """Return the resources of the token, or the tokens, in a call's parameters."""
        tokens = [params[member] for member in TOKEN_MEMBERS if member in params][:1] or [
            token for member in LIST_MEMBERS for token in params.get(member, ())
        ]
        if not tokens:
            raise NotModelled("a call without a token")
        return tuple({name: None for token in tokens for name in self._of_token(token)})

    def _of_token(self, token: str) -> tuple[str, ...]:
        with self._lock:
            resources = self._resources.pop(token, None)
            if resources is None:
                raise NotModelled(f"a token that no guarded client received, {token[:40]}…,")
            self._resources[token] = resources
            return resources


def required_permissions(service: str, operation: str) -> tuple[Permission, ...]:
    """Return the permissions that a call needs, its main one first."""
    if (service, operation) not in _PERMISSIONS:
        raise NotModelled(f"the permission for {service}:{operation}")
    main = _PERMISSIONS[service, operation]
    return (main, *_ADDITIONAL.get((service, operation), ()))


def request_keys(service: str, params: Params) -> dict[str, str]:
    """Return the condition keys that come from the parameters of a call."""
    if service != "s3":
        return {}
    keys = {"s3:prefix": "Prefix", "s3:delimiter": "Delimiter"}
    return {key: params[member] for key, member in keys.items() if member in params}


def _kinesis_stream(params: Params, location: Location) -> tuple[str, ...] | None:
    if "StreamARN" in params:
        return (params["StreamARN"],)
    if "StreamName" in params:
        return (location.arn("kinesis", f"stream/{params['StreamName']}"),)
    return None


def _table_stream(params: Params, _: Location) -> tuple[str, ...] | None:
    return (params["StreamArn"],) if "StreamArn" in params else None


def _table_streams(params: Params, location: Location) -> tuple[str, ...]:
    return (location.arn("dynamodb", f"table/{params.get('TableName', '*')}/stream/*"),)


def _dynamodb_table(params: Params, location: Location) -> tuple[str, ...]:
    return (location.arn("dynamodb", f"table/{params['TableName']}"),)


def _dynamodb_tables(params: Params, location: Location) -> tuple[str, ...]:
    return tuple(location.arn("dynamodb", f"table/{name}") for name in params["RequestItems"])


def _secret(params: Params, location: Location) -> tuple[str, ...]:
    """Return the ARN of a secret, given by its ARN or by its name without the characters of AWS."""
    secret = str(params["SecretId"])
    is_arn = secret.startswith("arn:")
    return (secret if is_arn else location.arn("secretsmanager", f"secret:{secret}-AbCdEf"),)


def _queue(params: Params, location: Location) -> tuple[str, ...]:
    if "QueueName" in params:
        return (location.arn("sqs", params["QueueName"]),)
    _, account, name = urlsplit(params["QueueUrl"]).path.rsplit("/", 2)
    return (f"arn:{location.partition}:sqs:{location.region}:{account}:{name}",)


def _named_by(service: str, template: str, member: str) -> ResourceFinder:
    """Return a finder of the one resource that a member of the parameters names."""

    def find(params: Params, location: Location) -> tuple[str, ...]:
        return (location.arn(service, template.format(params.get(member, "*"))),)

    return find


def _every_resource(_: Params, __: Location) -> tuple[str, ...]:
    return ("*",)


def _function(params: Params, location: Location) -> tuple[str, ...]:
    """Return the function's ARN, qualified if the call is: `NAME` and `NAME:$LATEST` differ."""
    name = params["FunctionName"]
    base = name if name.startswith("arn:") else location.arn("lambda", f"function:{name}")
    return (f"{base}:{params['Qualifier']}" if "Qualifier" in params else base,)


def _bucket(params: Params, location: Location) -> tuple[str, ...]:
    return (f"arn:{location.partition}:s3:::{params['Bucket']}",)


def _object(params: Params, location: Location) -> tuple[str, ...]:
    return (f"arn:{location.partition}:s3:::{params['Bucket']}/{params['Key']}",)


# A call that names a version needs another action, in place of that for the current object.


def _current_object(params: Params, location: Location) -> tuple[str, ...]:
    return () if "VersionId" in params else _object(params, location)


def _object_version(params: Params, location: Location) -> tuple[str, ...]:
    return _object(params, location) if "VersionId" in params else ()


def _current_source(params: Params, location: Location) -> tuple[str, ...]:
    return _current_object(_copy_source(params), location)


def _source_version(params: Params, location: Location) -> tuple[str, ...]:
    return _object_version(_copy_source(params), location)


def _copy_source(params: Params) -> Params:
    """Return the source of a copy, which boto3 has formatted as `bucket/key?versionId=version`."""
    path, _, version = params["CopySource"].partition("?versionId=")
    bucket, _, key = unquote(path).partition("/")
    source = {"Bucket": bucket, "Key": key}
    return {**source, "VersionId": version} if version else source


def _workgroup(params: Params, location: Location) -> tuple[str, ...] | None:
    if "WorkGroup" in params:
        return (location.arn("athena", f"workgroup/{params['WorkGroup']}"),)
    return None


def _role(params: Params, location: Location) -> tuple[str, ...]:
    return (f"arn:{location.partition}:iam::{location.account}:role/{params['RoleName']}",)


def _topic(params: Params, _: Location) -> tuple[str, ...]:
    return (params["TopicArn"],)


def _resource_arn(params: Params, _: Location) -> tuple[str, ...]:
    return (params["ResourceARN"],)


def _alarms(params: Params, location: Location) -> tuple[str, ...]:
    """Return the alarms that a call names; without names it concerns every alarm."""
    alarm_names = params.get("AlarmNames") or ["*"]
    return tuple(location.arn("cloudwatch", f"alarm:{name}") for name in alarm_names)


def _dashboard(params: Params, location: Location) -> tuple[str, ...]:
    """Return the dashboard, which belongs to no region."""
    name = params["DashboardName"]
    prefix = f"arn:{location.partition}:cloudwatch::{location.account}"
    return (f"{prefix}:dashboard/{name}",)


def _log_stream(params: Params, location: Location) -> tuple[str, ...]:
    """Return the log stream; AWS spells a log group as its stream without a name."""
    stream = params.get("logStreamName", "")
    return (location.arn("logs", f"log-group:{params['logGroupName']}:log-stream:{stream}"),)


def _database(params: Params, location: Location) -> tuple[str, ...]:
    name = params.get("DatabaseName", params.get("Name", "")).lower()
    return (location.arn("glue", "catalog"), location.arn("glue", f"database/{name}"))


def _table(params: Params, location: Location) -> tuple[str, ...]:
    """Return the table, its database and the catalog: Glue checks each of the three."""
    name = params.get("TableName") or params.get("Name") or params["TableInput"]["Name"]
    table = f"table/{params['DatabaseName']}/{name}".lower()
    return (*_database({"Name": params["DatabaseName"]}, location), location.arn("glue", table))


def _permissions(
    service: str,
    prefix: str,
    resources: ResourceFinder,
    operations: str,
) -> dict[tuple[str, str], Permission]:
    """Return permissions for operations, each with the action of the same name."""
    return {
        (service, name): Permission(f"{prefix}:{name}", resources) for name in operations.split()
    }


_PERMISSIONS: Mapping[tuple[str, str], Permission] = {
    **_permissions(
        "kinesis",
        "kinesis",
        _kinesis_stream,
        "DescribeStream DescribeStreamSummary ListShards GetShardIterator GetRecords PutRecord "
        "PutRecords ListTagsForStream",
    ),
    ("kinesis", "GetResourcePolicy"): Permission("kinesis:GetResourcePolicy", _resource_arn),
    **_permissions(
        "dynamodbstreams", "dynamodb", _table_stream, "DescribeStream GetShardIterator GetRecords"
    ),
    **_permissions(
        "dynamodb",
        "dynamodb",
        _dynamodb_table,
        "DescribeTable DescribeContinuousBackups DescribeTimeToLive Scan",
    ),
    ("dynamodb", "BatchGetItem"): Permission("dynamodb:BatchGetItem", _dynamodb_tables),
    ("dynamodb", "BatchWriteItem"): Permission("dynamodb:BatchWriteItem", _dynamodb_tables),
    ("dynamodbstreams", "ListStreams"): Permission("dynamodb:ListStreams", _table_streams),
    **_permissions("secretsmanager", "secretsmanager", _secret, "GetSecretValue DescribeSecret"),
    ("sqs", "SendMessage"): Permission("sqs:SendMessage", _queue),
    **_permissions(
        "sqs",
        "sqs",
        _queue,
        "GetQueueUrl GetQueueAttributes ReceiveMessage DeleteMessage ChangeMessageVisibility",
    ),
    ("sqs", "SendMessageBatch"): Permission("sqs:SendMessage", _queue),
    ("lambda", "Invoke"): Permission("lambda:InvokeFunction", _function),
    **_permissions(
        "lambda", "lambda", _function, "GetFunction GetFunctionConcurrency GetFunctionConfiguration"
    ),
    ("s3", "GetObject"): Permission("s3:GetObject", _current_object),
    ("s3", "DeleteObject"): Permission("s3:DeleteObject", _current_object),
    ("s3", "CopyObject"): Permission("s3:PutObject", _object),
    ("s3", "HeadObject"): Permission("s3:GetObject", _object),
    ("s3", "PutObject"): Permission("s3:PutObject", _object),
    ("s3", "CreateMultipartUpload"): Permission("s3:PutObject", _object),
    ("s3", "UploadPart"): Permission("s3:PutObject", _object),
    ("s3", "CompleteMultipartUpload"): Permission("s3:PutObject", _object),
    ("s3", "AbortMultipartUpload"): Permission("s3:AbortMultipartUpload", _object),
    ("s3", "ListObjectsV2"): Permission("s3:ListBucket", _bucket),
    ("s3", "ListObjectVersions"): Permission("s3:ListBucketVersions", _bucket),
    ("s3", "HeadBucket"): Permission("s3:ListBucket", _bucket),
    ("s3", "GetBucketLocation"): Permission("s3:GetBucketLocation", _bucket),
    ("s3", "ListMultipartUploads"): Permission("s3:ListBucketMultipartUploads", _bucket),
    **_permissions("s3", "s3", _bucket, "GetBucketPolicy GetBucketTagging GetBucketVersioning"),
    ("s3", "GetBucketEncryption"): Permission("s3:GetEncryptionConfiguration", _bucket),
    ("s3", "GetBucketLifecycleConfiguration"): Permission("s3:GetLifecycleConfiguration", _bucket),
    ("s3", "GetPublicAccessBlock"): Permission("s3:GetBucketPublicAccessBlock", _bucket),
    **_permissions(
        "iam", "iam", _role, "GetRole GetRolePolicy ListRolePolicies ListAttachedRolePolicies"
    ),
    ("sns", "GetTopicAttributes"): Permission("sns:GetTopicAttributes", _topic),
    **_permissions("logs", "logs", _log_stream, "CreateLogGroup CreateLogStream PutLogEvents"),
    **_permissions(
        "logs", "logs", _log_stream, "DescribeLogStreams GetLogEvents DescribeMetricFilters"
    ),
    ("logs", "DescribeLogGroups"): Permission("logs:DescribeLogGroups", _every_resource),
    **_permissions("glue", "glue", _database, "GetDatabase GetTables DeleteDatabase"),
    **_permissions(
        "glue",
        "glue",
        _table,
        "GetTable CreateTable UpdateTable DeleteTable GetPartition GetPartitions "
        "BatchGetPartition CreatePartition BatchCreatePartition UpdatePartition DeletePartition",
    ),
    # AWS checks the action of the single update for the batch, too.
    ("glue", "BatchUpdatePartition"): Permission("glue:UpdatePartition", _table),
    ("glue", "GetCrawler"): Permission("glue:GetCrawler", _named_by("glue", "crawler/{}", "Name")),
    **_permissions("pipes", "pipes", _named_by("pipes", "pipe/{}", "Name"), "DescribePipe"),
    ("firehose", "DescribeDeliveryStream"): Permission(
        "firehose:DescribeDeliveryStream",
        _named_by("firehose", "deliverystream/{}", "DeliveryStreamName"),
    ),
    ("cloudwatch", "GetMetricData"): Permission("cloudwatch:GetMetricData", _every_resource),
    ("cloudwatch", "GetDashboard"): Permission("cloudwatch:GetDashboard", _dashboard),
    ("cloudwatch", "DescribeAlarms"): Permission("cloudwatch:DescribeAlarms", _alarms),
    ("athena", "GetWorkGroup"): Permission("athena:GetWorkGroup", _workgroup),
    **_permissions("athena", "athena", _workgroup, "ListNamedQueries GetNamedQuery"),
    **_permissions(
        "athena",
        "athena",
        _workgroup,
        "StartQueryExecution GetQueryExecution GetQueryResults StopQueryExecution "
        "ListQueryExecutions BatchGetQueryExecution",
    ),
}
_ADDITIONAL: Mapping[tuple[str, str], tuple[Permission, ...]] = {
    ("s3", "GetObject"): (Permission("s3:GetObjectVersion", _object_version),),
    ("s3", "DeleteObject"): (Permission("s3:DeleteObjectVersion", _object_version),),
    ("s3", "CopyObject"): (
        Permission("s3:GetObject", _current_source),
        Permission("s3:GetObjectVersion", _source_version),
    ),
}
