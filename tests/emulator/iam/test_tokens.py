"""Iterators and page tokens: a call with one is checked against the resource that it came from."""

import pytest

from local.services.iam.policy_evaluation import NotModelled
from local.services.iam.required_permissions import TokenRegistry
from tests.support.iam_client import (
    ACCOUNT,
    REGION,
    Connect,
    create_role,
    denial,
    put_permissions,
)
from tests.support.iam_roles import allow
from tests.support.laptop_cloud import aws

STREAM = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/changes"


def test_iterator_is_checked_against_its_stream(connect: Connect) -> None:
    kinesis = aws("kinesis")
    for name in ("changes", "secrets"):
        kinesis.create_stream(StreamName=name, ShardCount=1)
    any_stream = allow("kinesis:GetShardIterator", "*")
    client = connect("kinesis", create_role(any_stream, allow("kinesis:GetRecords", STREAM)))
    denials = {}
    for name in ("changes", "secrets"):
        shard = {"StreamName": name, "ShardId": "shardId-000000000000"}
        iterator = client.get_shard_iterator(**shard, ShardIteratorType="LATEST")["ShardIterator"]
        denials[name] = denial(client, "get_records", ShardIterator=iterator)
    assert denials["changes"] == ""
    assert f"{ACCOUNT}:stream/secrets" in denials["secrets"]


def test_later_iterators_keep_their_stream(connect: Connect) -> None:
    aws("kinesis").create_stream(StreamName="changes", ShardCount=1)
    client = connect("kinesis", create_role(allow("kinesis:Get*", STREAM)))
    shard = {"StreamName": "changes", "ShardId": "shardId-000000000000"}
    iterator = client.get_shard_iterator(**shard, ShardIteratorType="LATEST")["ShardIterator"]
    for _ in range(3):
        iterator = client.get_records(ShardIterator=iterator)["NextShardIterator"]
    put_permissions(allow("kinesis:GetShardIterator", STREAM))
    assert STREAM in denial(client, "get_records", ShardIterator=iterator)


def test_page_is_checked_by_its_query_id() -> None:
    tokens = TokenRegistry()
    for query in ("own", "foreign"):
        for token in (query, "1000"):
            tokens.remember(token, (query,))
    assert tokens.resources({"QueryExecutionId": "own", "NextToken": "1000"}) == ("own",)


def test_unknown_iterator_raises(connect: Connect) -> None:
    with pytest.raises(NotModelled, match="token"):
        connect("kinesis", create_role(allow("*", "*"))).get_records(ShardIterator="unknown")


def test_full_registry_keeps_tokens_in_use() -> None:
    refreshed_tokens = TokenRegistry(capacity=2)
    for token in ("iterator", "page", "iterator", "another page"):
        refreshed_tokens.remember(token, ("stream",))
    assert refreshed_tokens.resources({"NextToken": "iterator"}) == ("stream",)
    tokens = TokenRegistry(capacity=2)
    for token in ("iterator", "page", "another page"):
        tokens.remember(token, ("stream",))
        assert tokens.resources({"NextToken": "iterator"}) == ("stream",)
