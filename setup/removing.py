"""How each thing that setup makes is removed; what is not there needs no removal."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import boto3
import names
from crawl import crawler_state
from finding import existing
from names import PIPELINE, TAG_LIST, arn, place
from pipe import state
from waiting import Refusal, wait_until

Describe = Callable[..., dict[str, Any]]


def stop_pipe() -> str:
    """Stop the pipe; one that failed needs no stopping."""
    pipes, what = boto3.client("pipes"), f"pipe {names.PIPE}"

    def steady() -> str:
        now = state(pipes).partition(":")[0]
        return "failed" if "FAILED" in now else now

    found = wait_until(what, steady, "RUNNING", "STOPPED", "failed", "missing")
    if found == "RUNNING":
        pipes.stop_pipe(Name=names.PIPE)
        found = wait_until(what, steady, "STOPPED")
    return f"{what} is {found.lower()}"


def pipe() -> str:
    """Delete the pipe and the queue of its dead letters."""
    pipes, sqs = boto3.client("pipes"), boto3.client("sqs")
    if existing(pipes.describe_pipe, Name=names.PIPE):
        pipes.delete_pipe(Name=names.PIPE)
        wait_until_gone(f"pipe {names.PIPE}", pipes.describe_pipe, Name=names.PIPE)
    if queue := existing(sqs.get_queue_url, QueueName=names.DEAD_LETTERS):
        sqs.delete_queue(QueueUrl=queue["QueueUrl"])
    return f"pipe {names.PIPE} and queue {names.DEAD_LETTERS} are gone"


def athena() -> str:
    """Delete the workgroup with its named queries; the views are the catalog's."""
    client = boto3.client("athena")
    if existing(client.get_work_group, WorkGroup=names.WORKGROUP):
        client.delete_work_group(WorkGroup=names.WORKGROUP, RecursiveDeleteOption=True)
    return f"workgroup {names.WORKGROUP} is gone"


def glue() -> str:
    """Delete the crawler, and the database with its tables and views."""
    client = boto3.client("glue")
    if existing(client.get_crawler, Name=names.CRAWLER):
        if crawler_state(client) == "RUNNING":
            client.stop_crawler(Name=names.CRAWLER)
        wait_until(f"crawler {names.CRAWLER}", lambda: crawler_state(client), "READY")
        client.delete_crawler(Name=names.CRAWLER)
    if existing(client.get_database, Name=names.DATABASE):
        pages = client.get_paginator("get_tables").paginate(DatabaseName=names.DATABASE)
        for table in [table["Name"] for page in pages for table in page["TableList"]]:
            client.delete_table(DatabaseName=names.DATABASE, Name=table)
        client.delete_database(Name=names.DATABASE)
    return f"crawler {names.CRAWLER} and database {names.DATABASE} are gone"


def alarms() -> str:
    """Delete the alarms and the topic that they tell."""
    made = [f"{PIPELINE}-{alarm.name}" for alarm in import_module("09_alarms").ALARMS]
    boto3.client("cloudwatch").delete_alarms(AlarmNames=made)
    boto3.client("sns").delete_topic(TopicArn=arn("sns", names.ALARM_TOPIC))
    return f"alarms and topic {names.ALARM_TOPIC} are gone"


def firehose() -> str:
    """Delete the Firehose stream, which drops what it still holds, and its log."""
    client, which = boto3.client("firehose"), {"DeliveryStreamName": names.DELIVERY}
    if existing(client.describe_delivery_stream, **which):
        client.delete_delivery_stream(**which)
        wait_until_gone(f"Firehose {names.DELIVERY}", client.describe_delivery_stream, **which)
    delete_log(names.DELIVERY_LOGS)
    return f"Firehose stream {names.DELIVERY} is gone"


def function() -> str:
    """Delete the function and its log."""
    client = boto3.client("lambda")
    if existing(client.get_function, FunctionName=names.FUNCTION):
        client.delete_function(FunctionName=names.FUNCTION)
    delete_log(names.FUNCTION_LOGS)
    return f"function {names.FUNCTION} is gone"


def roles() -> str:
    """Delete the roles and whatever policies they have."""
    iam = boto3.client("iam")
    for service in ("pipe", "firehose", "lambda", "crawler"):
        role = place().role_name(service)
        if existing(iam.get_role, RoleName=role):
            for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
                iam.delete_role_policy(RoleName=role, PolicyName=name)
            for policy in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
                iam.detach_role_policy(RoleName=role, PolicyArn=policy["PolicyArn"])
            iam.delete_role(RoleName=role)
    return "roles are gone"


def kinesis() -> str:
    """Delete the stream between the pipe and Firehose."""
    client = boto3.client("kinesis")
    if existing(client.describe_stream_summary, StreamName=names.STREAM):
        client.delete_stream(StreamName=names.STREAM, EnforceConsumerDeletion=True)
        describe = client.describe_stream_summary
        wait_until_gone(f"stream {names.STREAM}", describe, StreamName=names.STREAM)
    return f"stream {names.STREAM} is gone"


def lake() -> str:
    """Delete the bucket with every version of every object."""
    s3, bucket = boto3.client("s3"), names.bucket()
    if existing(s3.head_bucket, Bucket=bucket):
        tagged = existing(s3.get_bucket_tagging, Bucket=bucket) or {}
        check_tag(f"bucket {bucket}", tagged.get("TagSet", []))
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            versions = page.get("Versions", []) + page.get("DeleteMarkers", [])
            doomed = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in versions]
            if doomed:
                s3.delete_objects(Bucket=bucket, Delete={"Objects": doomed, "Quiet": True})
        s3.delete_bucket(Bucket=bucket)
    return f"bucket {bucket} is gone"


def table() -> str:
    """Delete the table with all its orders, unless it is the user's own."""
    dynamodb, which = boto3.client("dynamodb"), {"TableName": names.TABLE}
    if names.ADOPTED:
        return f"table {names.TABLE} is yours and stays as it is"
    if found := existing(dynamodb.describe_table, **which):
        tags = dynamodb.list_tags_of_resource(ResourceArn=found["Table"]["TableArn"])["Tags"]
        check_tag(f"table {names.TABLE}", tags)
        dynamodb.update_table(**which, DeletionProtectionEnabled=False)
        status = lambda: dynamodb.describe_table(**which)["Table"]["TableStatus"]  # noqa: E731
        wait_until(f"table {names.TABLE}", status, "ACTIVE")
        dynamodb.delete_table(**which)
        wait_until_gone(f"table {names.TABLE}", dynamodb.describe_table, **which)
    return f"table {names.TABLE} is gone"


def check_tag(what: str, tags: list[dict[str, str]]) -> None:
    """Refuse to delete data that does not carry the pipeline's tag."""
    if TAG_LIST[0] not in tags:
        raise Refusal(
            f"{what} has no tag pipeline={PIPELINE}, so it is not the pipeline's to delete"
        )


def delete_log(group: str) -> None:
    """Delete a log group and what counts in it."""
    logs = boto3.client("logs")
    alike = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    if group in [found["logGroupName"] for found in alike]:
        for counted in logs.describe_metric_filters(logGroupName=group)["metricFilters"]:
            logs.delete_metric_filter(logGroupName=group, filterName=counted["filterName"])
        logs.delete_log_group(logGroupName=group)


def wait_until_gone(what: str, describe: Describe, **which: str) -> None:
    """Return once AWS no longer knows the thing."""
    wait_until(what, lambda: "present" if existing(describe, **which) else "gone", "gone")
