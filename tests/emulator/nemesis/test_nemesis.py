"""Fault injection: the chain loses nothing, and the outcome of each run is checked correctly."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from itertools import pairwise
from random import Random
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import patch

import boto3
import pytest
from botocore.exceptions import BotoCoreError, ClientError
from botocore.hooks import HierarchicalEmitter
from hypothesis import given
from hypothesis import strategies as st

from local.__main__ import main
from local.core.clock import Clock
from local.core.hop_counts import HopCount
from local.core.server import Cloud
from local.core.service import Service
from local.demo import Outcome, verify_lake, write_orders
from local.nemesis import FaultyCloud, Nemesis
from local.nemesis.faults import (
    CallContext,
    Fault,
    Killed,
    duplicated,
    partly_rejected,
    reordered,
)
from local.nemesis.injector import MAX_FAULTS_PER_BATCH
from local.nemesis.poison import CORRUPTIONS, Poison, record_key
from local.nemesis.run import FaultOutcome, inject_and_check
from local.services.registry import SERVICES
from operations import in_flight
from operations.erase import command as erase_command
from operations.table import Table
from setup import names
from tests.support.lake_operations import copy_all_days, items_as_of
from tests.support.laptop_cloud import laptop
from tests.support.profile import IS_THOROUGH
from tests.support.scripts import call_script
from tests.support.whole_chain import create_pipeline
from transform import BadRecord, parse_change

SEED_COUNT = 100 if IS_THOROUGH else 1
POISONED_SEED_COUNT = 100 if IS_THOROUGH else 1
ORDER_COUNT = 40 if IS_THOROUGH else 10
FAULT_RATE = 0.3
POISON_RATE = 0.05

KILL_POINTS = [
    (call, event)
    for call in ("kinesis.PutRecords", "lambda.Invoke", "s3.PutObject")
    for event in ("before-parameter-build", "after-call")
]


# The whole chain.


@pytest.fixture(scope="module")
def chain() -> Iterator[FaultyCloud]:
    """A complete chain whose nemesis is inactive."""
    with laptop(
        *SERVICES,
        create_cloud=lambda services: FaultyCloud(services, Nemesis(0, FAULT_RATE, 0)),
    ) as cloud:
        create_pipeline()
        with patch("local.demo.call_script", call_script):
            yield cloud


@pytest.mark.slow
def test_killed_services_lose_nothing(chain: FaultyCloud) -> None:
    write_orders(chain, 5, seed=1)
    chain.run_until_idle()  # Now each service has its clients.
    kills = [kill_once(chain, call, event) for call, event in KILL_POINTS]
    write_orders(chain, ORDER_COUNT, seed=2)
    chain.run_until_idle()
    assert all(kills)
    hops = [hop for service in chain.services for hop in service.counts()]
    assert [hop.is_balanced for hop in hops] == [True] * 4
    assert all(hop.lost_on_restart for hop in hops[1:])
    assert verify_lake(chain)["equal"]


def kill_once(cloud: FaultyCloud, call: str, event: str) -> list[str]:
    """Kill the service that next reaches an event of a call; return a list that records it."""
    kills: list[str] = []

    def kill(**_: Any) -> None:
        if not kills:
            kills.append(call)
            raise Killed

    for (service, role, *_), client in cloud._clients.items():
        if role and call.startswith(f"{service}."):
            client.meta.events.register(f"{event}.{call}", kill)
    return kills


@pytest.mark.parametrize("seed", range(SEED_COUNT))
def test_lake_equals_table_despite_faults(chain: FaultyCloud, seed: int) -> None:
    chain.nemesis.reseed(seed, poison_rate=0)
    result = inject_and_check(chain, ORDER_COUNT, 100 + seed)
    assert list(result.unexpected()) == []
    assert result.outcome.is_equal


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(SEED_COUNT))
def test_operations_withstand_faults(chain: FaultyCloud, seed: int) -> None:
    """An order is erased, the lake copied and restored while faults delay what is delivered."""
    chain.nemesis.reseed(seed, poison_rate=0)
    table = Table.describe(boto3.client("dynamodb"), names.TABLE)
    with chain.nemesis.active(), patch.object(in_flight, "sleep", lambda _: chain.run_until_idle()):
        write_orders(chain, ORDER_COUNT, 300 + seed)
        copy_all_days(chain)
        key = min(key for key, _ in table.scan_items())
        boto3.client("dynamodb").delete_item(TableName=names.TABLE, Key=json.loads(key))
        chain.run_until_idle()
        copy_all_days(chain)
        assert erase_command.main(["--key", key]) == 0
        chain.run_until_idle()
    chain.run_until_idle()
    for _ in range(2):
        assert copy_all_days(chain).changed_days == []
    assert verify_lake(chain)["equal"]
    assert erase_command.main(["--check"]) == 0
    now = datetime.fromtimestamp(chain.clock.now(), UTC)
    assert items_as_of(now) == dict(table.scan_items())


# Last, since it leaves items that differ, and records that no command knows the item of.
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(POISONED_SEED_COUNT))
def test_only_poisoned_and_inflated_items_differ(chain: FaultyCloud, seed: int) -> None:
    chain.nemesis.reseed(seed, POISON_RATE)
    result = inject_and_check(chain, ORDER_COUNT, 200 + seed)
    assert list(result.unexpected()) == []
    assert result.as_expected
    assert result.poisoned
    assert result.inflated or seed > 0  # Few items are inflated; seed 0 is known to inflate some.


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--nemesis", "many"], "expected a whole number"),
        (["--nemesis", "1", "--nemesis-rate", "0.9"], "expected a number from 0 to 0.5"),
        (["--nemesis", "1", "--poison-rate", "much"], "expected a number from 0 to 0.5"),
        (["--nemesis", "1", "--empty"], "cannot be combined"),
    ],
)
def test_invalid_options_are_rejected(
    options: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["local", *options])
    with pytest.raises(SystemExit, match="2"):
        main()
    assert message in capsys.readouterr().err


# The check of an outcome.

EXPECTED_SETS: dict[str, Any] = {
    "poisoned": frozenset("a"),
    "unretained": frozenset(),
    "inflated": frozenset("b"),
    "in_error_store": frozenset("a"),
    "in_dead_letters": frozenset("b"),
}


def unexpected(
    hops: tuple[HopCount, ...] = (), differing: str = "", **changes: frozenset[str]
) -> list[str]:
    """Return the messages about a run in which `a` was poisoned and `b` inflated."""
    outcome = Outcome(9, 1.0, hops, {"counts": {"different": 1}, "different": list(differing)})
    return list(FaultOutcome(outcome, {}, **(EXPECTED_SETS | changes)).unexpected())


@pytest.mark.parametrize("differing", ["", "a", "ab"])
def test_poisoned_and_inflated_items_may_differ(differing: str) -> None:
    assert unexpected(differing=differing) == []


@pytest.mark.parametrize(
    ("messages", "start"),
    [
        (unexpected(differing="c"), "c differs, but"),
        (unexpected(unretained=frozenset("a")), "a was poisoned, but"),
        (unexpected(in_dead_letters=frozenset()), "b was inflated, but"),
        (unexpected(in_error_store=frozenset("ac")), "c is in the error store, but"),
        (unexpected(in_dead_letters=frozenset("bc")), "c is in a dead letter, but"),
        (unexpected((HopCount("pipe", 3, 1, 1),)), "pipe: received is not the sum"),
        (
            unexpected((HopCount("pipe", 3, 3, 0), HopCount("lake", 2, 2, 0))),
            "lake received less than pipe",
        ),
    ],
)
def test_other_outcomes_are_unexpected(messages: list[str], start: str) -> None:
    assert len(messages) == 1
    assert messages[0].startswith(start)


# Single faults.

KINESIS: Any = boto3.client("kinesis", region_name="us-east-1")
LAMBDA: Any = boto3.client("lambda", region_name="us-east-1")
RECORD_COUNTS = st.integers(1, 30) | st.sampled_from([499, 500])
RECORD = {
    "eventID": "1",
    "eventName": "MODIFY",
    "eventSourceARN": "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/2026",
    "dynamodb": {
        "ApproximateCreationDateTime": 1_800_000_000,
        "Keys": {"id": {"S": "ä7"}},
        "NewImage": {"id": {"S": "ä7"}, "note": {"S": 'Keys":'}},
        "OldImage": {"id": {"S": "ä7"}},
        "SequenceNumber": "1" * 21,
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    },
}


def record_bytes(event_id: str = "1") -> bytes:
    """Return a stream record as the pipe sends it."""
    record = {**RECORD, "eventID": event_id}
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()


def put_records_call(records: list[dict[str, Any]], rng: Random) -> CallContext:
    params = {"Records": records}
    return CallContext(KINESIS, "kinesis", "PutRecords", params, rng, cast("Cloud", None))


@pytest.mark.parametrize("corruption", CORRUPTIONS)
@given(st.randoms(use_true_random=False))
def test_corrupt_records_are_bad_but_keep_keys(
    corruption: Callable[[bytes, Random], bytes], rng: Random
) -> None:
    assert parse_change(record_bytes()).key == record_key(record_bytes())
    corrupt_record = corruption(record_bytes(), rng)
    with pytest.raises(BadRecord):
        parse_change(corrupt_record)
    assert record_key(corrupt_record) == record_key(record_bytes())


def call_kinesis(fault: Fault, call: CallContext) -> dict[str, Any]:
    """Return the caller's response from a Kinesis that accepts every record."""
    is_applied = next(fault, fault) is None
    record_count = len(call.params["Records"])
    response = {"Records": [{"SequenceNumber": str(index)} for index in range(record_count)]}
    with suppress(StopIteration):
        if is_applied:
            fault.send(response)
    return response


@pytest.mark.parametrize("fault", [partly_rejected, reordered, duplicated])
@given(RECORD_COUNTS, st.randoms(use_true_random=False))
def test_response_entries_match_the_records_sent(
    fault: Callable[[CallContext], Fault], count: int, rng: Random
) -> None:
    records = [{"Data": b"%d" % number, "PartitionKey": "k"} for number in range(count)]
    call = put_records_call(records, rng)
    entries = call_kinesis(fault(call), call)["Records"]
    accepted_records = call.params["Records"]
    assert len(entries) == count
    assert 1 <= len(accepted_records) <= 500
    for record, entry in zip(records, entries, strict=True):
        if "ErrorCode" in entry:
            assert record not in accepted_records
        else:
            assert accepted_records[int(entry["SequenceNumber"])] == record


@given(st.integers(1, 50), st.floats(0, 1), st.randoms(use_true_random=False))
def test_accepted_poison_records_are_remembered(count: int, rate: float, rng: Random) -> None:
    records = [{"Data": record_bytes(str(number)), "PartitionKey": "k"} for number in range(count)]
    call = put_records_call(records, rng)
    poison = Poison()
    poison.rate = rate
    call_kinesis(poison.corrupt(call), call)
    corrupt_data = [record["Data"] for record in call.params["Records"] if record not in records]
    assert poison.accepted == dict.fromkeys(corrupt_data, record_key(record_bytes()))


# Drawing faults, for calls that are never sent.


def new_service() -> Service:
    return Service(cast("Cloud", None))


def watched_client(nemesis: Nemesis, real_client: Any) -> Any:
    """Return a stand-in for a client, whose calls the nemesis watches."""
    meta = SimpleNamespace(
        events=HierarchicalEmitter(),
        service_model=real_client.meta.service_model,
        endpoint_url="http://nowhere",
    )
    client = SimpleNamespace(meta=meta, exceptions=real_client.exceptions)
    cloud = SimpleNamespace(clock=Clock(), service=lambda _: new_service())
    nemesis.watch(client, cast("Cloud", cloud))
    return client


def call_result(client: Any, operation: str, params: dict[str, Any]) -> str:
    """Return the caller's result of one call: an error's name, or `ok`."""
    model = client.meta.service_model
    call_name = f"{model.service_id.hyphenize()}.{operation}"
    event = {"model": model.operation_model(operation), "context": {}}
    http_response = SimpleNamespace(status_code=200)
    response: dict[str, Any] = {}
    emit = client.meta.events.emit
    try:
        emit(f"before-parameter-build.{call_name}", params=params, **event)
        response["Records"] = [{"SequenceNumber": "1"} for _ in params.get("Records", ())]
        emit(f"after-call.{call_name}", http_response=http_response, parsed=response, **event)
    except (ClientError, BotoCoreError, Killed) as error:
        return type(error).__name__
    return str(response.get("FunctionError", "ok"))


def put_record(client: Any) -> str:
    """Return the result of a batch of one record."""
    records = [{"Data": record_bytes(), "PartitionKey": "k"}]
    return call_result(client, "PutRecords", {"Records": records})


def list_shards(client: Any) -> str:
    return call_result(client, "ListShards", {"StreamName": "changes"})


@given(st.integers(0), st.lists(st.integers(0, 3), max_size=30))
def test_faults_depend_on_seed_and_kind_of_call(seed: int, read_counts: list[int]) -> None:
    results_with_reads = put_results(seed, read_counts)
    assert put_results(seed, [0] * len(read_counts)) == results_with_reads


def put_results(seed: int, read_counts: list[int]) -> list[str]:
    """Return the results of writes, before each of which another service reads so often."""
    nemesis = Nemesis(seed, 0.5, 0.1)
    client = watched_client(nemesis, KINESIS)
    results = []
    with nemesis.active():
        for read_count in read_counts:
            with nemesis.calls_by(new_service()):
                for _ in range(read_count):
                    list_shards(client)
            with nemesis.calls_by(new_service()):  # A new service is not spared from kills.
                results.append(put_record(client))
    return results


@given(st.integers(0))
def test_time_between_kills_never_shrinks(seed: int) -> None:
    nemesis = Nemesis(seed, 0.5, 0)
    client = watched_client(nemesis, KINESIS)
    with nemesis.active(), nemesis.calls_by(new_service()):
        results = [put_record(client) for _ in range(300)]  # Without a kill for 1 in 10^15 seeds.
    kills = [number for number, result in enumerate(results, start=1) if result == "Killed"]
    calls_between_kills = [end - start for start, end in pairwise([0, *kills])]
    assert kills
    assert calls_between_kills == sorted(calls_between_kills)


@given(st.integers(0))
def test_faults_per_lambda_batch_are_limited(seed: int) -> None:
    nemesis = Nemesis(seed, 0.5, 0)
    client = watched_client(nemesis, LAMBDA)
    with nemesis.active(), nemesis.calls_by(new_service()):
        payloads = [b'{"invocationId":"%d","records":[]}' % number for number in range(50)]
        results = [call_result(client, "Invoke", {"Payload": payload}) for payload in payloads]
    failures = [result for result in results if result not in ("ok", "Killed")]
    assert len(failures) <= MAX_FAULTS_PER_BATCH


def test_faults_need_active_nemesis_and_service() -> None:
    nemesis = Nemesis(1, 0.5, 0.5)
    client = watched_client(nemesis, KINESIS)
    with nemesis.calls_by(new_service()):
        results = {put_record(client) for _ in range(50)}
    with nemesis.active():
        results |= {put_record(client) for _ in range(50)}
    assert results == {"ok"}
    assert nemesis.poison.accepted == {}
