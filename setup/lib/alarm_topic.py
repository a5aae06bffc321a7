"""The topic that the alarms notify: created once there is an address, and kept from then on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import boto3

from setup import names
from setup.lib.resources import describe_or_none
from setup.lib.tags import ensure_tags
from setup.names import arn

if TYPE_CHECKING:
    from types_boto3_sns.client import SNSClient


def ensure_topic(email: str | None) -> str | None:
    """Return the topic's ARN, with the address subscribed; None without topic and address."""
    sns = boto3.client("sns")
    topic = arn("sns", names.ALARM_TOPIC)
    if describe_or_none(sns.get_topic_attributes, TopicArn=topic) is None:
        if not email:
            return None
        sns.create_topic(Name=names.ALARM_TOPIC, Tags=names.TAG_LIST)
    encrypt_topic(sns, topic)
    ensure_tags("sns", topic)
    if email and email not in subscribed_addresses(sns, topic):
        sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=email)
    return topic


def encrypt_topic(sns: SNSClient, topic: str) -> None:
    """Encrypt the topic with the user's key, if there is one."""
    attributes = sns.get_topic_attributes(TopicArn=topic)["Attributes"]
    if names.KMS_KEY and attributes.get("KmsMasterKeyId") != names.KMS_KEY:
        sns.set_topic_attributes(
            TopicArn=topic, AttributeName="KmsMasterKeyId", AttributeValue=names.KMS_KEY
        )


def subscribed_addresses(sns: SNSClient, topic: str) -> list[str]:
    """Return the topic's addresses, including those that have not confirmed yet."""
    pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
    return [subscription["Endpoint"] for page in pages for subscription in page["Subscriptions"]]
