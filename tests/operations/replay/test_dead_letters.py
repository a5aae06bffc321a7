"""Replay of dead letters: their changes are sent, and a letter keeps what is not."""

import json
from collections.abc import Iterator
from dataclasses import replace

import boto3
import pytest

from local.core.server import Cloud
from local.services.registry import SERVICES
from operations.replay.dead_letters import (
    DeadLetter,
    SequenceRange,
    TableStreams,
    parse_letter,
)
from operations.replay.replayer import EXPIRED, LOCKED, NO_SEQUENCE_RANGE
from operations.replay.validation import RECORD_TOO_LARGE
from setup import names
from tests.support.laptop_cloud import laptop
from tests.support.profile import sampled
from tests.support.replay_fixture import (
    delete_failed_records,
    lake_rows,
    object_keys,
    queue_url,
    read_object,
    reasons,
    run_replay,
    visible_letter_count,
    write_orders,
)
from tests.support.whole_chain import (
    create_pipeline,
    run_setup,
    run_verify,
)

HOUR = 3600


@pytest.fixture(scope="module")
def chain() -> Iterator[Cloud]:
    """A laptop cloud on which the setup scripts have created the chain."""
    with laptop(*SERVICES) as cloud:
        create_pipeline()
        yield cloud


@pytest.fixture(autouse=True)
def no_failed_records(chain: Cloud) -> None:
    """Start each test without failed records."""
    delete_failed_records(chain)


def deny_kinesis(cloud: Cloud) -> None:
    """Remove the pipe's permission to write to Kinesis, and limit its retries."""
    pipes = cloud.client("pipes")
    pipe = pipes.describe_pipe(Name=names.PIPE)
    stream_parameters = dict(pipe["SourceParameters"]["DynamoDBStreamParameters"])
    stream_parameters["MaximumRetryAttempts"] = 2
    del stream_parameters["StartingPosition"]
    pipes.update_pipe(
        Name=names.PIPE,
        RoleArn=pipe["RoleArn"],
        SourceParameters={"DynamoDBStreamParameters": stream_parameters},
    )
    iam = cloud.client("iam")
    role = names.location().role_name("pipe")
    [policy] = iam.list_role_policies(RoleName=role)["PolicyNames"]
    statements = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"][
        "Statement"
    ]
    remaining = [
        statement for statement in statements if "kinesis:" not in str(statement["Action"])
    ]
    assert len(remaining) < len(statements)
    document = json.dumps({"Version": "2012-10-17", "Statement": remaining})
    iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=document)


@pytest.mark.slow
def test_dead_letters_are_replayed_from_the_stream(
    chain: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    deny_kinesis(chain)
    write_orders(chain, "letter", 30)
    chain.run_until_idle()
    run_setup("04_iam", "07_pipe")
    letter_count = visible_letter_count(chain)
    assert letter_count > 0
    assert lake_rows(chain, "letter") == []

    status, document = run_replay(capsys, "--dry-run")
    assert (status, document["replayed"]) == (0, 30)
    assert visible_letter_count(chain) == letter_count

    status, document = run_replay(capsys)
    assert (status, document["archived"], visible_letter_count(chain)) == (0, letter_count, 0)
    assert document["codes"] == {"RetryAttemptsExhausted": {"found": 30, "replayed": 30, "left": 0}}
    chain.run_until_idle()
    assert run_verify()[0] == 0
    audits = [
        json.loads(read_object(chain, key).splitlines()[0])
        for key in object_keys(chain, names.REPLAYED)
    ]
    batches = [json.loads(audit["letter"])["DDBStreamBatchInfo"] for audit in audits]
    assert sum(batch["batchSize"] for batch in batches) == 30
    assert run_replay(capsys)[1]["found"] == 0


@pytest.mark.slow
def test_letters_of_another_consumer_are_counted(
    chain: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    sqs = chain.client("sqs")
    url = queue_url(chain)
    sqs.send_message(QueueUrl=url, MessageBody="not a letter")
    [message] = sqs.receive_message(QueueUrl=url, VisibilityTimeout=HOUR)["Messages"]
    status, document = run_replay(capsys)
    assert (status, document["found"], document["left"], document["unrecoverable"]) == (1, 1, 1, [])
    assert reasons(document) == [LOCKED]
    sqs.change_message_visibility(
        QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
    )
    assert reasons(run_replay(capsys)[1]) == [NO_SEQUENCE_RANGE]


def put_large_order(cloud: Cloud, order_id: str) -> tuple[DeadLetter, SequenceRange]:
    """Write an order too large for Kinesis, and return the pipe's letter about its change."""
    item = {"order_id": {"S": order_id}, "blob": {"S": "\1" * 200_000}}
    cloud.client("dynamodb").put_item(TableName=names.TABLE, Item=item)
    cloud.run_until_idle()
    [letter] = receive_letters(cloud)
    assert letter.range
    return letter, letter.range


def receive_letters(cloud: Cloud) -> list[DeadLetter]:
    """Return the letters of the queue without hiding them."""
    sqs = cloud.client("sqs")
    response = sqs.receive_message(QueueUrl=queue_url(cloud), VisibilityTimeout=0)
    return [parse_letter(message) for message in response["Messages"]]


def replace_letter(cloud: Cloud, letter: DeadLetter, sequence_range: SequenceRange) -> None:
    """Replace a letter by one about another range."""
    sqs = cloud.client("sqs")
    url = queue_url(cloud)
    sqs.delete_message(QueueUrl=url, ReceiptHandle=letter.receipt)
    sqs.send_message(QueueUrl=url, MessageBody=letter.body_for(sequence_range))


def read_stream(sequence_range: SequenceRange) -> list[str]:
    """Return the sequence numbers of the changes in a range of the table's stream."""
    streams = TableStreams(boto3.client("dynamodbstreams"))
    return [record["dynamodb"]["SequenceNumber"] for record in streams.read_range(sequence_range)]


def test_a_letter_keeps_its_rejected_changes(
    chain: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    write_orders(chain, "before", 3)
    letter, large_change = put_large_order(chain, "big")
    first = read_stream(replace(large_change, first=f"{1:021}"))[-4]
    replace_letter(chain, letter, replace(large_change, first=first, count=4))
    status, document = run_replay(capsys)
    assert (status, document["replayed"]) == (1, 3)
    assert (document["left"], document["archived"]) == (1, 1)
    unrecoverable = {"key": '{"order_id":{"S":"big"}}', "reason": RECORD_TOO_LARGE}
    assert document["unrecoverable"] == [unrecoverable]
    status, document = run_replay(capsys)
    assert (status, document["replayed"]) == (1, 0)
    assert (document["left"], document["archived"]) == (1, 0)
    [remaining] = receive_letters(chain)
    assert remaining.range == large_change
    status, document = run_replay(capsys, "--repaired")
    assert (status, document["repaired"], visible_letter_count(chain)) == (0, 1, 0)


@pytest.mark.slow
def test_a_letter_keeps_changes_beyond_the_stream(
    chain: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    letter, large_change = put_large_order(chain, "last")
    write_orders(chain, "small", 1)
    beyond = replace(large_change, last="9" * 40)
    small_change = read_stream(beyond)[-1]
    replace_letter(chain, letter, replace(beyond, first=small_change, count=3))
    status, document = run_replay(capsys)
    assert (status, document["replayed"], document["left"]) == (1, 1, 2)
    assert reasons(document) == [EXPIRED]
    status, document = run_replay(capsys)
    assert (status, document["replayed"], document["left"]) == (1, 0, 2)
    assert visible_letter_count(chain) == 1


@pytest.mark.parametrize("count", sampled([0, 1, 2, 3], step=2))
def test_a_letter_without_a_count_keeps_what_expired(
    chain: Cloud, capsys: pytest.CaptureFixture[str], count: int
) -> None:
    """Regression: a letter whose count was missing or too small was deleted with its changes."""
    letter, large_change = put_large_order(chain, f"uncounted-{count}")
    write_orders(chain, f"after-{count}", 1)
    present = read_stream(replace(large_change, last="9" * 40))
    early = f"{int(read_stream(replace(large_change, first=f'{1:021}'))[0]) - 1:021}"
    replace_letter(chain, letter, replace(large_change, first=early, last=present[-1], count=count))
    status, document = run_replay(capsys)
    assert (status, visible_letter_count(chain) >= 1) == (1, True)
    assert EXPIRED in reasons(document)
    status, document = run_replay(capsys)
    assert (status, EXPIRED in reasons(document)) == (1, True)
    assert run_replay(capsys, "--repaired")[0] == 0
    assert visible_letter_count(chain) == 0


@pytest.mark.slow
def test_a_letter_with_expired_changes_stays(
    chain: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    letter, _ = put_large_order(chain, "expired")
    chain.client("sqs").send_message(QueueUrl=queue_url(chain), MessageBody="not a letter")
    chain.clock.advance(25 * HOUR)
    chain.run_until_idle()
    status, document = run_replay(capsys)
    assert (status, document["replayed"], document["left"]) == (1, 0, 2)
    assert visible_letter_count(chain) == 2
    assert {(reason["code"], reason["reason"]) for reason in document["reasons"]} == {
        (letter.code, EXPIRED),
        ("unknown", NO_SEQUENCE_RANGE),
    }
    assert all("dead letter" in reason["first_location"] for reason in document["reasons"])
    assert run_replay(capsys, "--dry-run", "--repaired")[1]["repaired"] == 2
    assert visible_letter_count(chain) == 2
