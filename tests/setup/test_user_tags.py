"""PIPELINE_TAGS: the user's tags are on every resource, and nothing else changes."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setup import deployer_policy, names, operator_policy
from setup.lib.tags import TAG_APIS, tag_mapping
from setup.names import Location
from setup.user_tags import parse_tags
from tests.support.fake_quicksight import QuickSight
from tests.support.setup_fixture import SetupSandbox, aws_client, setup_sandbox, tear_down

HERE = Location("aws", "eu-west-1", "111122223333")
TAGS = {"team": "data", "env": "prod"}
keys = st.from_regex(r"\A[A-Za-z0-9_.:/+@-]{1,128}\Z").filter(
    lambda key: key != "pipeline" and not key.lower().startswith("aws:")
)
values = st.from_regex(r"\A[A-Za-z0-9_.:/+@-]{0,256}\Z")


@given(st.dictionaries(keys, values, max_size=40))
def test_tags_are_parsed_as_they_are_written(tags: dict[str, str]) -> None:
    assert parse_tags(",".join(f"{key}={value}" for key, value in tags.items())) == tags


@pytest.mark.parametrize(
    "text", ["team", "=x", "pipeline=x", "aws:x=y", "AWS:x=y", "a=1,a=2", "a=<b>", "a=1,,b=2"]
)
def test_invalid_tags_are_rejected(text: str) -> None:
    with pytest.raises(ValueError, match="expected up to 40 different tags"):
        parse_tags(text)


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SetupSandbox]:
    monkeypatch.setenv("QUICKSIGHT_USER", "arn:aws:quicksight:us-east-1:1:user/default/analyst")
    monkeypatch.setenv("ALARM_EMAIL", "orders@example.com")
    with setup_sandbox(tmp_path, "us-east-1", QuickSight) as sandbox:
        yield sandbox


@pytest.mark.slow
def test_tags_are_added_kept_and_not_repeated(
    sandbox: SetupSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.run()
    sqs = aws_client("sqs")
    queue = sqs.get_queue_url(QueueName=names.DEAD_LETTERS)["QueueUrl"]
    sqs.tag_queue(QueueUrl=queue, Tags={"mine": "kept"})
    monkeypatch.setattr(names, "USER_TAGS", TAGS)
    sandbox.run()
    for service, resource in tagged_resources(queue):
        api = TAG_APIS[service]
        response = getattr(aws_client(service), api.list_call)(**{api.resource: resource})
        tags = tag_mapping(response[api.listed])
        assert {**TAGS, **names.PIPELINE_TAG}.items() <= tags.items(), (service, resource)
    tag_set = aws_client("s3").get_bucket_tagging(Bucket=names.bucket())["TagSet"]
    assert tag_mapping(tag_set) == {**names.PIPELINE_TAG, **TAGS}
    assert sqs.list_queue_tags(QueueUrl=queue)["Tags"]["mine"] == "kept"
    sandbox.calls.clear()
    sandbox.run()
    assert sandbox.writes() == []
    monkeypatch.setattr(names, "USER_TAGS", {"team": "other"})
    assert "deleted" in tear_down(delete_data=True)  # Only the pipeline's tag matters.


def tagged_resources(queue: str) -> list[tuple[str, str]]:
    """Return one resource of each service, and every kind of those that have several."""
    arn = names.arn
    return [
        ("dynamodb", arn("dynamodb", f"table/{names.TABLE}")),
        ("kinesis", names.STREAM),
        ("iam", names.location().role_name("pipe")),
        ("lambda", arn("lambda", f"function:{names.FUNCTION}")),
        *(("logs", arn("logs", f"log-group:{group}")) for group in operator_log_groups()),
        ("firehose", names.DELIVERY),
        ("pipes", arn("pipes", f"pipe/{names.PIPE}")),
        ("sqs", queue),
        ("cloudwatch", arn("cloudwatch", f"alarm:{names.PIPELINE}-pipe-silent")),
        ("cloudwatch", names.location().dashboard_arn()),
        ("sns", arn("sns", names.ALARM_TOPIC)),
        ("glue", arn("glue", f"database/{names.DATABASE}")),
        ("glue", arn("glue", f"crawler/{names.CRAWLER}")),
        ("athena", arn("athena", f"workgroup/{names.WORKGROUP}")),
        ("quicksight", arn("quicksight", f"datasource/{names.PIPELINE}")),
        ("quicksight", arn("quicksight", f"dataset/{names.PIPELINE}-{names.VIEWS[1]}")),
    ]


def operator_log_groups() -> tuple[str, ...]:
    return (names.FUNCTION_LOGS, names.DELIVERY_LOGS, names.PIPE_LOGS)


def test_policies_allow_the_calls_about_tags(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "USER_TAGS", TAGS)
    monkeypatch.setattr(names, "MASKED", {"note": "drop"})
    deployer = actions_of(deployer_policy.build_policy(HERE))
    operator = actions_of(operator_policy.build_policy(HERE, ["status"]))
    for service, api in TAG_APIS.items():
        list_action = f"{service}:{camel_case(api.list_call)}"
        assert {list_action, f"{service}:{camel_case(api.tag_call)}"} <= deployer
        assert list_action in operator or service == "quicksight"


# A policy's JSON.
def actions_of(policy: dict[str, list[dict[str, list[str]]]]) -> set[str]:
    return {action for statement in policy["Statement"] for action in statement["Action"]}


def camel_case(call: str) -> str:
    """Return a call's action.

    >>> camel_case("list_role_tags")
    'ListRoleTags'
    """
    return re.sub(r"(?:^|_)(\w)", lambda match: match[1].upper(), call)
