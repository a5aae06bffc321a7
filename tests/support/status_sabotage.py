"""Sabotage of a chain: each breaks one part of it, names the part, and restores it afterwards."""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import patch

from local.core.server import Cloud
from local.services.pipes.service import Pipes
from operations.status.checks import backfill
from setup import names
from setup.lib.iam_policies import role_policies, trust_policy
from setup.lib.lambda_zip import build_zip
from setup.lib.views import TABLE_MEMBERS
from tests.support.iam_roles import allow, policy
from tests.support.laptop_cloud import aws, zip_code
from tests.support.operator_fixture import HERE

# Yields a text that status must show.
Sabotage = Callable[[Cloud], AbstractContextManager[str]]
BUCKET = HERE.bucket()
DESTINATION_DIFFERS = f"destination of Firehose stream {names.DELIVERY} differs"
HANDLER = "def lambda_handler(event, context):\n    return {}\n"


def recreate(*scripts: str) -> None:
    """Run scripts of setup in this process."""
    for script in scripts:
        import_module(f"setup.{script}").create()


def lose_permission(role: str, action: str) -> Sabotage:
    """Return the sabotage that removes an action from a role's policy."""

    @contextmanager
    def sabotage(_: Cloud) -> Iterator[str]:
        statements = role_policies(HERE)[role]["Statement"]
        kept = [
            statement | {"Action": [name for name in statement["Action"] if name != action]}
            for statement in statements
            if statement["Action"] != [action]
        ]
        put_role_policy(role, kept)
        yield f"role policy {HERE.role_name(role)} differs"
        put_role_policy(role, statements)

    sabotage.__name__ = f"{role}_loses_{action}"
    return sabotage


def put_role_policy(role: str, statements: Iterable[dict[str, Any]]) -> None:
    """Set the policy that setup gives a role."""
    aws("iam").put_role_policy(
        RoleName=HERE.role_name(role), PolicyName=names.PIPELINE, PolicyDocument=policy(*statements)
    )


@contextmanager
def trust_changed(_: Cloud) -> Iterator[str]:
    role = HERE.role_name("firehose")
    document = aws("iam").get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
    trust = json.dumps(trust_policy("ec2"))
    aws("iam").update_assume_role_policy(RoleName=role, PolicyDocument=trust)
    yield role
    aws("iam").update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(document))


@contextmanager
def role_denied(_: Cloud) -> Iterator[str]:
    role = HERE.role_name("firehose")
    deny = allow("s3:Put*", "*") | {"Effect": "Deny"}
    aws("iam").put_role_policy(RoleName=role, PolicyName="other", PolicyDocument=policy(deny))
    yield "policy other of role"
    aws("iam").delete_role_policy(RoleName=role, PolicyName="other")


@contextmanager
def role_denied_by_managed_policy(_: Cloud) -> Iterator[str]:
    role = HERE.role_name("pipe")
    deny = allow("dynamodb:GetRecords", "*") | {"Effect": "Deny"}
    created = aws("iam").create_policy(PolicyName="managed", PolicyDocument=policy(deny))["Policy"]
    aws("iam").attach_role_policy(RoleName=role, PolicyArn=created["Arn"])
    yield "denies dynamodb:GetRecords"
    aws("iam").detach_role_policy(RoleName=role, PolicyArn=created["Arn"])
    aws("iam").delete_policy(PolicyArn=created["Arn"])


@contextmanager
def bucket_policy_denies(_: Cloud) -> Iterator[str]:
    s3 = aws("s3")
    before = s3.get_bucket_policy(Bucket=BUCKET)["Policy"]
    document = json.loads(before)
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject"}
    document["Statement"].append({**deny, "Resource": HERE.bucket_arn("lake/*")})
    s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(document))
    yield f"policy of bucket {BUCKET} denies s3:PutObject"
    s3.put_bucket_policy(Bucket=BUCKET, Policy=before)


@contextmanager
def stream_policy_denies(_: Cloud) -> Iterator[str]:
    stream = HERE.arn("kinesis", f"stream/{names.STREAM}")
    principal = {"AWS": HERE.role_arn("firehose")}
    deny = {"Effect": "Deny", "Principal": principal, "Action": "kinesis:*", "Resource": stream}
    aws("kinesis").put_resource_policy(ResourceARN=stream, Policy=policy(deny))
    yield f"policy of stream {names.STREAM} denies kinesis:DescribeStream"
    aws("kinesis").delete_resource_policy(ResourceARN=stream)


@contextmanager
def queue_policy_denies(_: Cloud) -> Iterator[str]:
    url = aws("sqs").get_queue_url(QueueName=names.DEAD_LETTERS)["QueueUrl"]
    queue = HERE.arn("sqs", names.DEAD_LETTERS)
    condition = {"Condition": {"StringEquals": {"aws:PrincipalAccount": HERE.account}}}
    deny = {"Effect": "Deny", "Principal": "*", "Action": "sqs:SendMessage", "Resource": queue}
    document = policy(deny | condition)
    aws("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": document})
    yield f"policy of queue {names.DEAD_LETTERS} denies under a condition sqs:SendMessage"
    aws("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": ""})


@contextmanager
def role_bounded(_: Cloud) -> Iterator[str]:
    role = HERE.role_name("lambda")
    boundary = "arn:aws:iam::aws:policy/ReadOnlyAccess"
    aws("iam").put_role_permissions_boundary(RoleName=role, PermissionsBoundary=boundary)
    yield f"role {role} has a permissions boundary"
    aws("iam").delete_role_permissions_boundary(RoleName=role)


@contextmanager
def key_replaced(_: Cloud) -> Iterator[str]:
    key = aws("kms").create_key()["KeyMetadata"]["KeyId"]
    encryption = {"StreamName": names.STREAM, "EncryptionType": "KMS"}
    aws("kinesis").start_stream_encryption(**encryption, KeyId=key)
    yield f"its key {key} is not known"
    aws("kinesis").start_stream_encryption(**encryption, KeyId="alias/aws/kinesis")


@contextmanager
def key_disabled(_: Cloud) -> Iterator[str]:
    key = aws("kms").create_key()["KeyMetadata"]["KeyId"]
    encryption = {"StreamName": names.STREAM, "EncryptionType": "KMS"}
    aws("kinesis").start_stream_encryption(**encryption, KeyId=key)
    aws("kms").disable_key(KeyId=key)
    yield "is Disabled"
    aws("kinesis").start_stream_encryption(**encryption, KeyId="alias/aws/kinesis")


@contextmanager
def pipe_stopped(_: Cloud) -> Iterator[str]:
    aws("pipes").stop_pipe(Name=names.PIPE)
    yield "STOPPED"
    aws("pipes").start_pipe(Name=names.PIPE)


@contextmanager
def pipe_filtered(cloud: Cloud) -> Iterator[str]:
    # The laptop's pipes reject filters, so the configuration is changed behind their API.
    source = cloud.service(Pipes)._pipes[names.PIPE].params["SourceParameters"]
    source["FilterCriteria"] = {"Filters": [{"Pattern": '{"eventName": ["REMOVE"]}'}]}
    yield f"pipe {names.PIPE} differs"
    del source["FilterCriteria"]


@contextmanager
def pipe_deleted(_: Cloud) -> Iterator[str]:
    aws("pipes").delete_pipe(Name=names.PIPE)
    yield "pipe"
    recreate("07_pipe", "08_start_pipe")


@contextmanager
def queue_deleted(_: Cloud) -> Iterator[str]:
    url = aws("sqs").get_queue_url(QueueName=names.DEAD_LETTERS)["QueueUrl"]
    aws("sqs").delete_queue(QueueUrl=url)
    yield "dead letters: missing"
    recreate("07_pipe")


def destination_changed(name: str, expected_text: str, **changes: Any) -> Sabotage:
    """Return the sabotage that changes the destination of the Firehose stream."""

    @contextmanager
    def sabotage(_: Cloud) -> Iterator[str]:
        update_destination(**changes)
        yield expected_text
        role, bucket = HERE.role_arn("firehose"), HERE.bucket_arn()
        desired = import_module("setup.06_firehose").destination(role, bucket)
        update_destination(**{**dict.fromkeys(changes, ""), **desired})

    sabotage.__name__ = name
    return sabotage


def update_destination(**changes: Any) -> None:
    """Update the destination of the Firehose stream."""
    response = aws("firehose").describe_delivery_stream(DeliveryStreamName=names.DELIVERY)
    stream = response["DeliveryStreamDescription"]
    aws("firehose").update_destination(
        DeliveryStreamName=names.DELIVERY,
        CurrentDeliveryStreamVersionId=stream["VersionId"],
        DestinationId=stream["Destinations"][0]["DestinationId"],
        ExtendedS3DestinationUpdate=changes,
    )


def deploy(code: bytes) -> None:
    """Deploy a zip archive as the function's code."""
    aws("lambda").update_function_code(FunctionName=names.FUNCTION, ZipFile=code)


@contextmanager
def function_replaced(_: Cloud) -> Iterator[str]:
    deploy(zip_code(HANDLER, "lambda_function.py"))
    yield f"function code {names.FUNCTION} differs"
    deploy(build_zip())


@contextmanager
def function_deleted(_: Cloud) -> Iterator[str]:
    aws("lambda").delete_function(FunctionName=names.FUNCTION)
    yield "function: missing"
    recreate("05_lambda")


@contextmanager
def delivery_deleted(_: Cloud) -> Iterator[str]:
    aws("firehose").delete_delivery_stream(DeliveryStreamName=names.DELIVERY)
    yield "Firehose: missing"
    recreate("06_firehose")


@contextmanager
def function_without_concurrency(_: Cloud) -> Iterator[str]:
    function = {"FunctionName": names.FUNCTION}
    aws("lambda").put_function_concurrency(**function, ReservedConcurrentExecutions=0)
    yield "reserved concurrency is 0"
    aws("lambda").delete_function_concurrency(**function)


@contextmanager
def function_with_variable(_: Cloud) -> Iterator[str]:
    def put(**variables: str) -> None:
        aws("lambda").update_function_configuration(
            FunctionName=names.FUNCTION, Environment={"Variables": variables}
        )

    put(PYTHONPATH="/opt/other")
    yield "variable PYTHONPATH"
    put()


@contextmanager
def function_log_deleted(_: Cloud) -> Iterator[str]:
    aws("logs").delete_log_group(logGroupName=names.FUNCTION_LOGS)
    yield f"log group {names.FUNCTION_LOGS} is missing"
    recreate("05_lambda")


@contextmanager
def delivery_log_deleted(_: Cloud) -> Iterator[str]:
    aws("logs").delete_log_group(logGroupName=names.DELIVERY_LOGS)
    yield f"log group {names.DELIVERY_LOGS} is missing"
    recreate("06_firehose")


@contextmanager
def metric_filter_deleted(_: Cloud) -> Iterator[str]:
    aws("logs").delete_metric_filter(
        logGroupName=names.FUNCTION_LOGS, filterName=names.FAILED_RECORDS
    )
    yield f"metric filter {names.FUNCTION_LOGS} differs"
    recreate("05_lambda")


@contextmanager
def alarm_deleted(_: Cloud) -> Iterator[str]:
    alarm = f"{names.PIPELINE}-kinesis-late"
    aws("cloudwatch").delete_alarms(AlarmNames=[alarm])
    yield f"alarm {alarm} differs"
    recreate("09_alarms")


@contextmanager
def alarm_actions_disabled(_: Cloud) -> Iterator[str]:
    alarm = f"{names.PIPELINE}-dead-letters"
    aws("cloudwatch").disable_alarm_actions(AlarmNames=[alarm])
    yield f"the actions of {alarm} are disabled"
    aws("cloudwatch").enable_alarm_actions(AlarmNames=[alarm])


@contextmanager
def alarm_threshold_raised(_: Cloud) -> Iterator[str]:
    alarm = f"{names.PIPELINE}-function-failed"
    [current] = aws("cloudwatch").describe_alarms(AlarmNames=[alarm])["MetricAlarms"]
    members = ("AlarmName", "Namespace", "MetricName", "Dimensions", "Statistic", "Period")
    kept = {member: current[member] for member in (*members, "EvaluationPeriods")}
    comparison = current["ComparisonOperator"]
    aws("cloudwatch").put_metric_alarm(**kept, Threshold=9, ComparisonOperator=comparison)
    yield f"alarm {alarm} differs"
    recreate("09_alarms")


@contextmanager
def view_dropped(_: Cloud) -> Iterator[str]:
    view = names.VIEWS[2]
    restore = catalog_table(view)
    aws("glue").delete_table(DatabaseName=names.DATABASE, Name=view)
    yield f"view {view} differs"
    aws("glue").create_table(DatabaseName=names.DATABASE, TableInput=restore)


@contextmanager
def view_altered(_: Cloud) -> Iterator[str]:
    view = catalog_table(names.VIEWS[3])
    text = catalog_table(names.VIEWS[0])["ViewOriginalText"]
    update_catalog_table(view | {"ViewOriginalText": text})
    yield f"view {names.VIEWS[3]} differs"
    update_catalog_table(view)


@contextmanager
def projection_removed(_: Cloud) -> Iterator[str]:
    table = catalog_table(names.CHANGES)
    parameters = {
        name: value
        for name, value in table["Parameters"].items()
        if not name.startswith("projection.")
    }
    update_catalog_table(table | {"Parameters": parameters})
    yield names.CHANGES
    update_catalog_table(table)


@contextmanager
def serde_replaced(_: Cloud) -> Iterator[str]:
    table = catalog_table(names.CHANGES)
    serde = {"SerializationLibrary": "org.openx.data.jsonserde.JsonSerDe"}
    storage = table["StorageDescriptor"] | {"SerdeInfo": serde}
    update_catalog_table(table | {"StorageDescriptor": storage})
    yield f"table {names.CHANGES} differs"
    update_catalog_table(table)


@contextmanager
def table_moved(_: Cloud) -> Iterator[str]:
    table = catalog_table(names.CHANGES)
    storage = table["StorageDescriptor"] | {"Location": f"s3://{BUCKET}/elsewhere/"}
    update_catalog_table(table | {"StorageDescriptor": storage})
    yield f"table {names.CHANGES} differs"
    update_catalog_table(table)


# A table of the catalog, which has the members that CreateTable accepts.
def catalog_table(name: str) -> dict[str, Any]:
    """Return the definition of a table or view."""
    table = aws("glue").get_table(DatabaseName=names.DATABASE, Name=name)["Table"]
    return {member: table[member] for member in TABLE_MEMBERS if member in table}


def update_catalog_table(definition: dict[str, Any]) -> None:
    """Replace a table of the catalog."""
    aws("glue").update_table(DatabaseName=names.DATABASE, TableInput=definition)


@contextmanager
def workgroup_disabled(_: Cloud) -> Iterator[str]:
    aws("athena").update_work_group(WorkGroup=names.WORKGROUP, State="DISABLED")
    yield f"workgroup {names.WORKGROUP} is DISABLED"
    aws("athena").update_work_group(WorkGroup=names.WORKGROUP, State="ENABLED")


@contextmanager
def versioning_suspended(_: Cloud) -> Iterator[str]:
    def put(status: str) -> None:
        aws("s3").put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": status})

    put("Suspended")
    yield f"bucket versioning {BUCKET} differs"
    put("Enabled")


@contextmanager
def object_deleted(_: Cloud) -> Iterator[str]:
    [*_others, entry] = aws("s3").list_objects_v2(Bucket=BUCKET, Prefix=names.LAKE)["Contents"]
    marker = aws("s3").delete_object(Bucket=BUCKET, Key=entry["Key"])["VersionId"]
    yield f"1 object deleted, such as {entry['Key']}"
    aws("s3").delete_object(Bucket=BUCKET, Key=entry["Key"], VersionId=marker)


@contextmanager
def object_overwritten(_: Cloud) -> Iterator[str]:
    [*_others, entry] = aws("s3").list_objects_v2(Bucket=BUCKET, Prefix=names.LAKE)["Contents"]
    version = aws("s3").put_object(Bucket=BUCKET, Key=entry["Key"], Body=b"damaged")["VersionId"]
    yield f"1 object overwritten, such as {entry['Key']}"
    aws("s3").delete_object(Bucket=BUCKET, Key=entry["Key"], VersionId=version)


@contextmanager
def bucket_emptied(_: Cloud) -> Iterator[str]:
    s3 = aws("s3")
    keys = [
        entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET, Prefix=names.LAKE)["Contents"]
    ]
    markers = {key: s3.delete_object(Bucket=BUCKET, Key=key)["VersionId"] for key in keys}
    yield "deleted, such as"
    for key, version in markers.items():
        s3.delete_object(Bucket=BUCKET, Key=key, VersionId=version)


@contextmanager
def rows_expire(_: Cloud) -> Iterator[str]:
    s3 = aws("s3")
    rules = s3.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]
    rule = {"ID": "save money", "Status": "Enabled", "Filter": {"Prefix": ""}}
    expiry = {**rule, "Expiration": {"Days": 1}}
    s3.put_bucket_lifecycle_configuration(
        Bucket=BUCKET, LifecycleConfiguration={"Rules": [*rules, expiry]}
    )
    yield "lifecycle rule 'save money' deletes objects"
    s3.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={"Rules": rules})


@contextmanager
def error_object(_: Cloud) -> Iterator[str]:
    key = f"{names.ERRORS}processing-failed/x"
    aws("s3").put_object(Bucket=BUCKET, Key=key, Body=b"{}")
    yield "error objects: 1;"
    aws("s3").delete_object(Bucket=BUCKET, Key=key)


@contextmanager
def foreign_object(_: Cloud) -> Iterator[str]:
    key = f"{names.LAKE}dt=2026-01-01/notes.txt"
    version = aws("s3").put_object(Bucket=BUCKET, Key=key, Body=b"{}\n")["VersionId"]
    yield f"1 object not written by Firehose, such as {key}"
    aws("s3").delete_object(Bucket=BUCKET, Key=key, VersionId=version)


@contextmanager
def folder_out_of_range(_: Cloud) -> Iterator[str]:
    key = f"{names.LAKE}dt=2999-01-01/x.gz"
    version = aws("s3").put_object(Bucket=BUCKET, Key=key, Body=b"")["VersionId"]
    yield "Athena does not read lake/dt=2999-01-01/"
    aws("s3").delete_object(Bucket=BUCKET, Key=key, VersionId=version)


@contextmanager
def backfill_killed(_: Cloud) -> Iterator[str]:
    # A path of this process: other tests ask for the status meanwhile.
    with patch.object(backfill, "DEFAULT_CHECKPOINT", Path(__file__)):
        yield "unfinished"


SABOTAGES: tuple[Sabotage, ...] = (
    lose_permission("pipe", "kinesis:PutRecords"),
    lose_permission("firehose", "kinesis:GetRecords"),
    trust_changed,
    role_denied,
    bucket_policy_denies,
    key_replaced,
    pipe_stopped,
    pipe_filtered,
    queue_deleted,
    destination_changed(
        "prefix_changed", DESTINATION_DIFFERS, Prefix="x/!{partitionKeyFromLambda:dt}/"
    ),
    destination_changed(
        "error_prefix_changed",
        DESTINATION_DIFFERS,
        ErrorOutputPrefix="lost/!{firehose:error-output-type}/",
    ),
    function_replaced,
    function_without_concurrency,
    function_log_deleted,
    alarm_deleted,
    alarm_actions_disabled,
    view_dropped,
    projection_removed,
    workgroup_disabled,
    object_deleted,
    rows_expire,
    folder_out_of_range,
    backfill_killed,
)
OTHER_PERMISSIONS = tuple(
    lose_permission(role, action)
    for role, document in role_policies(HERE).items()
    for statement in document["Statement"]
    for action in statement["Action"]
)
# More of the same kinds, for HYPOTHESIS_PROFILE=thorough.
OTHER_SABOTAGES: tuple[Sabotage, ...] = (
    role_denied_by_managed_policy,
    role_bounded,
    stream_policy_denies,
    queue_policy_denies,
    key_disabled,
    pipe_deleted,
    delivery_deleted,
    function_deleted,
    destination_changed("extension_changed", "end with .json", FileExtension=".json"),
    function_with_variable,
    delivery_log_deleted,
    alarm_threshold_raised,
    view_altered,
    table_moved,
    serde_replaced,
    versioning_suspended,
    bucket_emptied,
    object_overwritten,
    foreign_object,
    metric_filter_deleted,
    error_object,
    *OTHER_PERMISSIONS,
)
