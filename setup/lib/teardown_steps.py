"""Teardown steps: each deletes one kind of resource, if it carries the pipeline's tag.

A step yields a line for each resource that it finds, and none for one that does not exist. AWS
refuses to delete what it is still creating, changing or deleting, so a step waits for that first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

import boto3

from setup import names
from setup.lib.resources import (
    crawler_state,
    delivery_state,
    describe_or_none,
    is_stream_enabled,
    pipe_state,
    state_at,
    stream_state,
)
from setup.lib.tags import Tags, tag_mapping
from setup.lib.waiters import SetupError, wait_until, wait_until_stable
from setup.names import PIPELINE, PIPELINE_TAG, arn, location

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client
    from types_boto3_s3.type_defs import DeleteTypeDef, ObjectIdentifierTypeDef


def remove_if_tagged(label: str, tags: Tags, delete: Callable[[], object]) -> str:
    """Delete the resource if it carries the pipeline's tag, and return a line about it."""
    if not has_pipeline_tag(tags):
        return f"kept {label} (not tagged pipeline={PIPELINE})"
    delete()
    return f"deleted {label}"


def has_pipeline_tag(tags: Tags) -> bool:
    """Return whether the pipeline's tag is one of the tags."""
    return PIPELINE_TAG.items() <= tag_mapping(tags).items()


def stop_pipe() -> Iterator[str]:
    """Stop the pipe if it is running."""
    pipes = boto3.client("pipes")
    label = f"pipe {names.PIPE}"
    pipe = describe_or_none(pipes.describe_pipe, Name=names.PIPE)
    if pipe is None or not has_pipeline_tag(pipe.get("Tags", {})):
        return
    # AWS refuses to stop a pipe whose source is a disabled stream.
    if wait_until_stable(label, pipe_state) == "RUNNING" and is_stream_enabled(pipe["Source"]):
        pipes.stop_pipe(Name=names.PIPE)
        wait_until(label, pipe_state, "STOPPED")
        yield f"stopped {label}"


def delete_quicksight() -> Iterator[str]:
    """Delete the data sets and their data source, if the account has QuickSight at all."""
    quicksight = boto3.client("quicksight")
    if not import_module("setup.12_quicksight").is_subscribed(quicksight):
        return
    account = names.account()
    for view in names.VIEWS:
        dataset_id = f"{PIPELINE}-{view}"
        response = describe_or_none(
            quicksight.describe_data_set, AwsAccountId=account, DataSetId=dataset_id
        )
        if response is not None:
            dataset_arn = response["DataSet"]["Arn"]
            tags = quicksight.list_tags_for_resource(ResourceArn=dataset_arn)["Tags"]
            delete_set = partial(
                quicksight.delete_data_set, AwsAccountId=account, DataSetId=dataset_id
            )
            yield remove_if_tagged(f"QuickSight data set {dataset_id}", tags, delete_set)
    source = describe_or_none(
        quicksight.describe_data_source, AwsAccountId=account, DataSourceId=PIPELINE
    )
    if source is not None:
        source_arn = source["DataSource"]["Arn"]
        tags = quicksight.list_tags_for_resource(ResourceArn=source_arn)["Tags"]
        delete = partial(quicksight.delete_data_source, AwsAccountId=account, DataSourceId=PIPELINE)
        yield remove_if_tagged(f"QuickSight data source {PIPELINE}", tags, delete)


def delete_workgroup() -> Iterator[str]:
    """Delete the workgroup with its named queries; the views belong to the catalog's database."""
    athena = boto3.client("athena")
    workgroup = names.WORKGROUP
    if describe_or_none(athena.get_work_group, WorkGroup=workgroup) is not None:
        workgroup_arn = arn("athena", f"workgroup/{workgroup}")
        tags = athena.list_tags_for_resource(ResourceARN=workgroup_arn)["Tags"]
        delete = partial(athena.delete_work_group, WorkGroup=workgroup, RecursiveDeleteOption=True)
        yield remove_if_tagged(f"workgroup {workgroup}", tags, delete)


def delete_crawler() -> Iterator[str]:
    """Delete the crawler, after stopping it."""
    glue = boto3.client("glue")
    name = names.CRAWLER

    def delete() -> None:
        if crawler_state() == "RUNNING":
            glue.stop_crawler(Name=name)
        wait_until(f"crawler {name}", crawler_state, "READY")
        glue.delete_crawler(Name=name)

    if describe_or_none(glue.get_crawler, Name=name) is not None:
        tags = glue.get_tags(ResourceArn=arn("glue", f"crawler/{name}"))["Tags"]
        yield remove_if_tagged(f"crawler {name}", tags, delete)


def delete_database() -> Iterator[str]:
    """Delete the catalog's database with its tables and views; the data stays in S3."""
    glue = boto3.client("glue")
    name = names.DATABASE

    def delete() -> None:
        pages = glue.get_paginator("get_tables").paginate(DatabaseName=name)
        tables = [table["Name"] for page in pages for table in page["TableList"]]
        for table in tables:
            glue.delete_table(DatabaseName=name, Name=table)
        glue.delete_database(Name=name)

    if describe_or_none(glue.get_database, Name=name) is not None:
        tags = glue.get_tags(ResourceArn=arn("glue", f"database/{name}"))["Tags"]
        yield remove_if_tagged(f"database {name}", tags, delete)


def delete_alarms() -> Iterator[str]:
    """Delete the alarms."""
    cloudwatch = boto3.client("cloudwatch")
    alarm_names = import_module("setup.09_alarms").ALARM_NAMES
    for alarm in cloudwatch.describe_alarms(AlarmNames=alarm_names)["MetricAlarms"]:
        tags = cloudwatch.list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"]
        delete_alarm = partial(cloudwatch.delete_alarms, AlarmNames=[alarm["AlarmName"]])
        yield remove_if_tagged(f"alarm {alarm['AlarmName']}", tags, delete_alarm)


def delete_alarm_dashboard() -> Iterator[str]:
    """Delete the dashboard."""
    cloudwatch = boto3.client("cloudwatch")
    dashboard = location().dashboard()
    if describe_or_none(cloudwatch.get_dashboard, DashboardName=dashboard) is not None:
        dashboard_arn = location().dashboard_arn()
        tags = cloudwatch.list_tags_for_resource(ResourceARN=dashboard_arn)["Tags"]
        delete = partial(cloudwatch.delete_dashboards, DashboardNames=[dashboard])
        yield remove_if_tagged(f"dashboard {dashboard}", tags, delete)


def delete_topic() -> Iterator[str]:
    """Delete the topic that the alarms notify."""
    sns = boto3.client("sns")
    topic = arn("sns", names.ALARM_TOPIC)
    if describe_or_none(sns.get_topic_attributes, TopicArn=topic) is not None:
        topic_tags = sns.list_tags_for_resource(ResourceArn=topic)["Tags"]
        delete = partial(sns.delete_topic, TopicArn=topic)
        yield remove_if_tagged(f"topic {names.ALARM_TOPIC}", topic_tags, delete)


def delete_pipe() -> Iterator[str]:
    """Delete the pipe."""
    pipes = boto3.client("pipes")
    label = f"pipe {names.PIPE}"

    def delete() -> None:
        pipes.delete_pipe(Name=names.PIPE)
        wait_until_deleted(label, partial(pipes.describe_pipe, Name=names.PIPE))

    pipe = describe_or_none(pipes.describe_pipe, Name=names.PIPE)
    if pipe is not None:
        yield remove_if_tagged(label, pipe.get("Tags", {}), delete)


def delete_queue() -> Iterator[str]:
    """Delete the dead-letter queue."""
    sqs = boto3.client("sqs")
    queue = describe_or_none(sqs.get_queue_url, QueueName=names.DEAD_LETTERS)
    if queue is not None:
        url = queue["QueueUrl"]
        # AWS may still return the URL of a queue that was deleted less than a minute ago.
        response = describe_or_none(sqs.list_queue_tags, QueueUrl=url)
        if response is not None:
            delete = partial(sqs.delete_queue, QueueUrl=url)
            tags = response.get("Tags", {})
            yield remove_if_tagged(f"queue {names.DEAD_LETTERS}", tags, delete)


def delete_firehose() -> Iterator[str]:
    """Delete the Firehose stream, which discards its buffers."""
    firehose = boto3.client("firehose")
    label = f"Firehose stream {names.DELIVERY}"
    describe = partial(firehose.describe_delivery_stream, DeliveryStreamName=names.DELIVERY)

    def delete() -> None:
        firehose.delete_delivery_stream(DeliveryStreamName=names.DELIVERY)
        wait_until_deleted(label, describe)

    if wait_until_stable(label, delivery_state) != "missing":
        response = firehose.list_tags_for_delivery_stream(DeliveryStreamName=names.DELIVERY)
        yield remove_if_tagged(label, response["Tags"], delete)


def delete_function() -> Iterator[str]:
    """Delete the function."""
    functions = boto3.client("lambda")
    config = describe_or_none(functions.get_function_configuration, FunctionName=names.FUNCTION)
    if config is not None:
        # GetFunction leaves the tags out, without an error, if they may not be listed.
        tags = functions.list_tags(Resource=config["FunctionArn"])["Tags"]
        delete = partial(functions.delete_function, FunctionName=names.FUNCTION)
        yield remove_if_tagged(f"function {names.FUNCTION}", tags, delete)


def delete_log_group(group: str) -> Iterator[str]:
    """Delete a log group and its metric filters."""
    logs = boto3.client("logs")

    def delete() -> None:
        filters = logs.describe_metric_filters(logGroupName=group)["metricFilters"]
        for metric_filter in filters:
            name = metric_filter["filterName"]
            logs.delete_metric_filter(logGroupName=group, filterName=name)
        logs.delete_log_group(logGroupName=group)

    matches = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    if group in [match["logGroupName"] for match in matches]:
        tags = logs.list_tags_for_resource(resourceArn=arn("logs", f"log-group:{group}"))["tags"]
        yield remove_if_tagged(f"log group {group}", tags, delete)


def delete_role(service: str) -> Iterator[str]:
    """Delete a service's role with all its policies."""
    iam = boto3.client("iam")
    name = location().role_name(service)
    response = describe_or_none(iam.get_role, RoleName=name)
    if response is not None:
        tags = response["Role"].get("Tags", [])
        yield remove_if_tagged(f"role {name}", tags, partial(delete_role_with_policies, name))


def delete_role_with_policies(name: str) -> None:
    """Delete a role with its inline policies, after detaching its managed ones."""
    iam = boto3.client("iam")
    for policy_name in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        iam.delete_role_policy(RoleName=name, PolicyName=policy_name)
    for policy in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
        iam.detach_role_policy(RoleName=name, PolicyArn=policy["PolicyArn"])
    iam.delete_role(RoleName=name)


def delete_stream() -> Iterator[str]:
    """Delete the Kinesis stream."""
    kinesis = boto3.client("kinesis")
    label = f"stream {names.STREAM}"

    def delete() -> None:
        kinesis.delete_stream(StreamName=names.STREAM, EnforceConsumerDeletion=True)
        wait_until_deleted(label, partial(kinesis.describe_stream_summary, StreamName=names.STREAM))

    if wait_until_stable(label, stream_state) != "missing":
        tags = kinesis.list_tags_for_stream(StreamName=names.STREAM)["Tags"]
        yield remove_if_tagged(label, tags, delete)


def delete_masking_key() -> Iterator[str]:
    """Delete the secret of the masking at once: the lake with its tokens is deleted as well."""
    manager = boto3.client("secretsmanager")
    secret = describe_or_none(manager.describe_secret, SecretId=names.MASKING_KEY)
    if secret is not None:
        delete = partial(
            manager.delete_secret, SecretId=names.MASKING_KEY, ForceDeleteWithoutRecovery=True
        )
        yield remove_if_tagged(f"secret {names.MASKING_KEY}", secret.get("Tags", []), delete)


def delete_bucket() -> Iterator[str]:
    """Delete the lake's bucket with every version of every object."""
    s3 = boto3.client("s3")
    bucket = names.bucket()

    def delete() -> None:
        while versions := list_versions(s3, bucket):
            batch: DeleteTypeDef = {"Objects": versions, "Quiet": True}
            errors = s3.delete_objects(Bucket=bucket, Delete=batch).get("Errors", [])
            if errors:
                error = errors[0]
                raise SetupError(
                    f"cannot delete {error['Key']} in bucket {bucket}: {error['Message']}"
                )
        s3.delete_bucket(Bucket=bucket)

    if describe_or_none(s3.head_bucket, Bucket=bucket) is not None:
        response = describe_or_none(s3.get_bucket_tagging, Bucket=bucket)
        tags = response["TagSet"] if response else []
        yield remove_if_tagged(f"bucket {bucket}", tags, delete)


def list_versions(s3: S3Client, bucket: str) -> list[ObjectIdentifierTypeDef]:
    """Return up to a thousand object versions and delete markers, as DeleteObjects takes them."""
    page = s3.list_object_versions(Bucket=bucket)
    versions = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
    return [{"Key": version["Key"], "VersionId": version["VersionId"]} for version in versions]


def delete_table() -> Iterator[str]:
    """Delete the table with all its orders, unless it is an adopted one."""
    dynamodb = boto3.client("dynamodb")
    label = f"table {names.TABLE}"
    describe = partial(dynamodb.describe_table, TableName=names.TABLE)

    def table_state() -> str:
        return state_at(("Table", "TableStatus"), describe)

    def delete() -> None:
        if describe()["Table"].get("DeletionProtectionEnabled"):
            dynamodb.update_table(TableName=names.TABLE, DeletionProtectionEnabled=False)
            wait_until(label, table_state, "ACTIVE")
        dynamodb.delete_table(TableName=names.TABLE)
        wait_until_deleted(label, describe)

    if names.TABLE_IS_ADOPTED:
        yield f"kept {label} (an existing table, set by TABLE_NAME)"
    elif wait_until_stable(label, table_state) != "missing":
        table_arn = describe()["Table"]["TableArn"]
        response = describe_or_none(dynamodb.list_tags_of_resource, ResourceArn=table_arn)
        tags = response["Tags"] if response else []
        yield remove_if_tagged(label, tags, delete)


def wait_until_deleted(label: str, describe: Callable[[], object]) -> None:
    """Return once AWS no longer describes the resource."""

    def existence() -> str:
        return "missing" if describe_or_none(describe) is None else "present"

    wait_until(label, existence, "missing")
