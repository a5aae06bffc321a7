"""Tags: adds the user's to a resource that lacks them, and keeps all others.

Setup creates everything with its tags. Later changes of PIPELINE_TAGS are made here; without
PIPELINE_TAGS nothing is read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import boto3

from setup import names
from setup.lib.comparison import matches_desired
from setup.lib.resources import describe_or_none

# Some APIs have tags as a mapping, others as a list of Key/Value pairs of a type of their own.
Tags = Mapping[str, str] | Sequence[Any]


@dataclass(frozen=True, slots=True)
class TagApi:
    """How a service's API spells the calls about tags, and the resource in them."""

    list_call: str
    tag_call: str
    resource: str
    listed: str = "Tags"
    added: str = "Tags"
    is_list: bool = True


TAG_APIS = {
    "athena": TagApi("list_tags_for_resource", "tag_resource", "ResourceARN"),
    "cloudwatch": TagApi("list_tags_for_resource", "tag_resource", "ResourceARN"),
    "dynamodb": TagApi("list_tags_of_resource", "tag_resource", "ResourceArn"),
    "firehose": TagApi(
        "list_tags_for_delivery_stream", "tag_delivery_stream", "DeliveryStreamName"
    ),
    "glue": TagApi("get_tags", "tag_resource", "ResourceArn", added="TagsToAdd", is_list=False),
    "iam": TagApi("list_role_tags", "tag_role", "RoleName"),
    "kinesis": TagApi("list_tags_for_stream", "add_tags_to_stream", "StreamName", is_list=False),
    "lambda": TagApi("list_tags", "tag_resource", "Resource", is_list=False),
    "logs": TagApi(
        "list_tags_for_resource", "tag_resource", "resourceArn", "tags", "tags", is_list=False
    ),
    "pipes": TagApi(
        "list_tags_for_resource", "tag_resource", "resourceArn", "tags", "tags", is_list=False
    ),
    "quicksight": TagApi("list_tags_for_resource", "tag_resource", "ResourceArn"),
    "secretsmanager": TagApi("describe_secret", "tag_resource", "SecretId"),
    "sns": TagApi("list_tags_for_resource", "tag_resource", "ResourceArn"),
    "sqs": TagApi("list_queue_tags", "tag_queue", "QueueUrl", is_list=False),
}


def ensure_tags(service: str, resource: str) -> None:
    """Add the user's tags to a resource, given as its service's API names it."""
    if not names.USER_TAGS:
        return
    api = TAG_APIS[service]
    create_client: Any = boto3.client  # One overload for each service.
    client = create_client(service)
    response = describe_or_none(getattr(client, api.list_call), **{api.resource: resource})
    if response is None:  # A server without tags, or a resource that --check found missing.
        return
    current = tag_mapping(response.get(api.listed, {}))
    missing = dict(names.USER_TAGS.items() - current.items())
    if not matches_desired(names.USER_TAGS, current):
        tags: Tags = tag_list(missing) if api.is_list else missing
        getattr(client, api.tag_call)(**{api.resource: resource, api.added: tags})


def tag_mapping(tags: Tags) -> Mapping[str, str]:
    """Return tags as a mapping."""
    return tags if isinstance(tags, Mapping) else {tag["Key"]: tag["Value"] for tag in tags}


def tag_list(tags: Mapping[str, str]) -> list[Any]:
    """Return tags as a list of pairs."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]
