"""How each thing that setup makes is removed: what carries the pipeline's tag, and nothing else.

Each step yields a line for whatever it found; what is not there needs neither. What AWS is still
making, changing or deleting it does not delete: that is waited for.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from importlib import import_module
from typing import Any

import boto3

from setup import names
from setup.lib.resources import (
    Describe,
    crawler_state,
    delivery_state,
    describe_or_none,
    pipe_state,
    state_at,
    stream_state,
)
from setup.lib.waiters import SetupError, wait_until, wait_until_stable
from setup.names import PIPELINE, TAGS, arn, location

Tags = Mapping[str, str] | Iterable[Mapping[str, str]]  # Half of AWS has them as a list.


def remove_if_tagged(what: str, tags: Tags, remove: Callable[[], object]) -> str:
    """Remove the thing if it is the pipeline's, and return what became of it."""
    if not is_ours(tags):
        return f"{what} stays: it has no tag pipeline={PIPELINE}, so it is not the pipeline's"
    remove()
    return f"{what} is gone"


def is_ours(tags: Tags) -> bool:
    """Return whether the pipeline's tag is among them."""
    if not isinstance(tags, Mapping):
        tags = {tag["Key"]: tag["Value"] for tag in tags}
    return TAGS.items() <= tags.items()


def stop_pipe() -> Iterator[str]:
    """Stop the pipe; one that failed needs no stopping."""
    pipes, what = boto3.client("pipes"), f"pipe {names.PIPE}"
    found = describe_or_none(pipes.describe_pipe, Name=names.PIPE)
    if not found or not is_ours(found.get("Tags", {})):
        return
    if wait_until_stable(what, pipe_state) == "RUNNING" and is_enabled(found["Source"]):
        pipes.stop_pipe(Name=names.PIPE)
        wait_until(what, pipe_state, "STOPPED")
        yield f"{what} is stopped"


def is_enabled(stream: str) -> bool:
    """Return whether a table's stream tells changes; on another one AWS stops no pipe."""
    describe, path = boto3.client("dynamodbstreams").describe_stream, ("StreamDescription",)
    return state_at(describe, *path, "StreamStatus", StreamArn=stream) in ("ENABLING", "ENABLED")


def quicksight() -> Iterator[str]:
    """Delete the data sets and their source, where the account has QuickSight at all."""
    client, which = boto3.client("quicksight"), {"AwsAccountId": names.account()}
    script = import_module("setup.12_quicksight")
    if not script.is_subscribed(client):
        return
    things = [("data_set", "DataSet", f"{PIPELINE}-{view}") for view in names.VIEWS]
    for kind, member, name in [*things, ("data_source", "DataSource", PIPELINE)]:
        identity = which | {f"{member}Id": name}
        if found := describe_or_none(getattr(client, f"describe_{kind}"), **identity):
            tags = client.list_tags_for_resource(ResourceArn=found[member]["Arn"])["Tags"]
            delete = getattr(client, f"delete_{kind}")
            yield remove_if_tagged(f"QuickSight {name}", tags, partial(delete, **identity))


def athena() -> Iterator[str]:
    """Delete the workgroup with its named queries; the views are the catalog's."""
    client, group = boto3.client("athena"), names.WORKGROUP
    if describe_or_none(client.get_work_group, WorkGroup=group):
        where = arn("athena", f"workgroup/{group}")
        tags = client.list_tags_for_resource(ResourceARN=where)["Tags"]
        whole = {"WorkGroup": group, "RecursiveDeleteOption": True}
        yield remove_if_tagged(
            f"workgroup {group}", tags, partial(client.delete_work_group, **whole)
        )


def crawler() -> Iterator[str]:
    """Delete the crawler once it does not run."""
    glue, name = boto3.client("glue"), names.CRAWLER

    def delete() -> None:
        if crawler_state() == "RUNNING":
            glue.stop_crawler(Name=name)
        wait_until(f"crawler {name}", crawler_state, "READY")
        glue.delete_crawler(Name=name)

    if describe_or_none(glue.get_crawler, Name=name):
        tags = glue.get_tags(ResourceArn=arn("glue", f"crawler/{name}"))["Tags"]
        yield remove_if_tagged(f"crawler {name}", tags, delete)


def database() -> Iterator[str]:
    """Delete the catalog's database with its tables and views; it holds no data."""
    glue, name = boto3.client("glue"), names.DATABASE

    def delete() -> None:
        pages = glue.get_paginator("get_tables").paginate(DatabaseName=name)
        for table in [table["Name"] for page in pages for table in page["TableList"]]:
            glue.delete_table(DatabaseName=name, Name=table)
        glue.delete_database(Name=name)

    if describe_or_none(glue.get_database, Name=name):
        tags = glue.get_tags(ResourceArn=arn("glue", f"database/{name}"))["Tags"]
        yield remove_if_tagged(f"database {name}", tags, delete)


def alarms() -> Iterator[str]:
    """Delete the alarms and the topic that they tell."""
    cloudwatch, sns = boto3.client("cloudwatch"), boto3.client("sns")
    made = [f"{PIPELINE}-{alarm[0]}" for alarm in import_module("setup.09_alarms").ALARMS]
    for alarm in cloudwatch.describe_alarms(AlarmNames=made)["MetricAlarms"]:
        tags = cloudwatch.list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"]
        name = alarm["AlarmName"]
        delete = partial(cloudwatch.delete_alarms, AlarmNames=[name])
        yield remove_if_tagged(f"alarm {name}", tags, delete)
    topic = arn("sns", names.ALARM_TOPIC)
    if describe_or_none(sns.get_topic_attributes, TopicArn=topic):
        tags = sns.list_tags_for_resource(ResourceArn=topic)["Tags"]
        yield remove_if_tagged(
            f"topic {names.ALARM_TOPIC}", tags, partial(sns.delete_topic, TopicArn=topic)
        )


def pipe() -> Iterator[str]:
    """Delete the pipe and the queue of its dead letters."""
    pipes, sqs = boto3.client("pipes"), boto3.client("sqs")

    def delete() -> None:
        pipes.delete_pipe(Name=names.PIPE)
        wait_until_gone(f"pipe {names.PIPE}", pipes.describe_pipe, Name=names.PIPE)

    if found := describe_or_none(pipes.describe_pipe, Name=names.PIPE):
        yield remove_if_tagged(f"pipe {names.PIPE}", found.get("Tags", {}), delete)
    if found := describe_or_none(sqs.get_queue_url, QueueName=names.DEAD_LETTERS):
        queue = {"QueueUrl": found["QueueUrl"]}
        # For a minute AWS may still tell the address of a queue that is gone.
        if (tags := describe_or_none(sqs.list_queue_tags, **queue)) is not None:
            remove = partial(sqs.delete_queue, **queue)
            yield remove_if_tagged(f"queue {names.DEAD_LETTERS}", tags.get("Tags", {}), remove)


def firehose() -> Iterator[str]:
    """Delete the Firehose stream, which drops what it still holds, and its log."""
    client, which = boto3.client("firehose"), {"DeliveryStreamName": names.DELIVERY}
    what = f"Firehose stream {names.DELIVERY}"

    def delete() -> None:
        client.delete_delivery_stream(**which)
        wait_until_gone(what, client.describe_delivery_stream, **which)

    if wait_until_stable(what, delivery_state) != "missing":
        yield remove_if_tagged(what, client.list_tags_for_delivery_stream(**which)["Tags"], delete)
    yield from log(names.DELIVERY_LOGS)


def function() -> Iterator[str]:
    """Delete the function and its log."""
    client, which = boto3.client("lambda"), {"FunctionName": names.FUNCTION}
    if found := describe_or_none(client.get_function_configuration, **which):
        tags = client.list_tags(Resource=found["FunctionArn"])["Tags"]
        delete = partial(client.delete_function, **which)
        yield remove_if_tagged(f"function {names.FUNCTION}", tags, delete)
    yield from log(names.FUNCTION_LOGS)


def log(group: str) -> Iterator[str]:
    """Delete a log group and what counts in it."""
    logs, where = boto3.client("logs"), arn("logs", f"log-group:{group}")

    def delete() -> None:
        for counted in logs.describe_metric_filters(logGroupName=group)["metricFilters"]:
            logs.delete_metric_filter(logGroupName=group, filterName=counted["filterName"])
        logs.delete_log_group(logGroupName=group)

    alike = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    if group in [found["logGroupName"] for found in alike]:
        tags = logs.list_tags_for_resource(resourceArn=where)["tags"]
        yield remove_if_tagged(f"log {group}", tags, delete)


def roles() -> Iterator[str]:
    """Delete the roles and whatever policies they have."""
    for service in ("pipe", "firehose", "lambda", "crawler"):
        name = location().role_name(service)
        if found := describe_or_none(boto3.client("iam").get_role, RoleName=name):
            tags = found["Role"].get("Tags", [])
            yield remove_if_tagged(f"role {name}", tags, partial(delete_role, name))


def delete_role(role: str) -> None:
    """Delete a role with its policies, its own and those attached to it."""
    iam = boto3.client("iam")
    for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        iam.delete_role_policy(RoleName=role, PolicyName=name)
    for policy in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
        iam.detach_role_policy(RoleName=role, PolicyArn=policy["PolicyArn"])
    iam.delete_role(RoleName=role)


def kinesis() -> Iterator[str]:
    """Delete the stream between the pipe and Firehose."""
    client, which = boto3.client("kinesis"), {"StreamName": names.STREAM}
    what = f"stream {names.STREAM}"

    def delete() -> None:
        client.delete_stream(**which, EnforceConsumerDeletion=True)
        wait_until_gone(what, client.describe_stream_summary, **which)

    if wait_until_stable(what, stream_state) != "missing":
        yield remove_if_tagged(what, client.list_tags_for_stream(**which)["Tags"], delete)


def lake() -> Iterator[str]:
    """Delete the bucket with every version of every object."""
    s3, bucket = boto3.client("s3"), names.bucket()

    def delete() -> None:
        while doomed := versions(s3, bucket):
            told = s3.delete_objects(Bucket=bucket, Delete={"Objects": doomed, "Quiet": True})
            for failed in told.get("Errors", []):
                raise SetupError(f"{failed['Key']} in bucket {bucket} stays: {failed['Message']}")
        s3.delete_bucket(Bucket=bucket)

    if describe_or_none(s3.head_bucket, Bucket=bucket):
        tagged = describe_or_none(s3.get_bucket_tagging, Bucket=bucket) or {}
        yield remove_if_tagged(f"bucket {bucket}", tagged.get("TagSet", []), delete)


def versions(s3: Any, bucket: str) -> list[dict[str, str]]:
    """Return the first thousand versions and delete markers, as AWS wants them to delete them."""
    page = s3.list_object_versions(Bucket=bucket)
    found = page.get("Versions", []) + page.get("DeleteMarkers", [])
    return [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in found]


def table() -> Iterator[str]:
    """Delete the table with all its orders, unless it is the user's own."""
    dynamodb, which = boto3.client("dynamodb"), {"TableName": names.TABLE}
    what, describe = f"table {names.TABLE}", dynamodb.describe_table
    state = partial(state_at, describe, "Table", "TableStatus", **which)

    def delete() -> None:
        if describe(**which)["Table"].get("DeletionProtectionEnabled"):
            dynamodb.update_table(**which, DeletionProtectionEnabled=False)
            wait_until(what, state, "ACTIVE")
        dynamodb.delete_table(**which)
        wait_until_gone(what, describe, **which)

    if names.TABLE_IS_ADOPTED:
        yield f"{what} is yours and stays as it is"
    elif wait_until_stable(what, state) != "missing":
        where = arn("dynamodb", f"table/{names.TABLE}")
        tags = dynamodb.list_tags_of_resource(ResourceArn=where)["Tags"]
        yield remove_if_tagged(what, tags, delete)


def wait_until_gone(what: str, describe: Describe, **which: str) -> None:
    """Return once AWS no longer knows the thing."""
    wait_until(what, lambda: "present" if describe_or_none(describe, **which) else "gone", "gone")
