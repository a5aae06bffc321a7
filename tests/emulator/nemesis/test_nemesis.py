"""The nemesis: what can go wrong does, the chain loses nothing, and tells the truth about it."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import pairwise
from random import Random
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import BotoCoreError, ClientError
from botocore.hooks import HierarchicalEmitter
from hypothesis import given
from hypothesis import strategies as st

from local.__main__ import main
from local.core.clock import Clock
from local.core.hop_counts import HopCount
from local.core.service import Service
from local.demo import Outcome, run_script, verify_lake, write_orders
from local.nemesis import Nemesis, UnkindCloud
from local.nemesis.faults import Fault, Killed, Moment, partly_refused, reordered, taken_twice
from local.nemesis.injector import TRIALS
from local.nemesis.poison import WAYS, Poison, key_in
from local.nemesis.run import Ordeal, trial
from local.services.registry import SERVICES
from tests.support.laptop_cloud import laptop
from transform import BadRecord, parse_change

THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
SEEDS, POISONED_SEEDS, ORDERS = (100, 100, 40) if THOROUGH else (2, 1, 10)
RATE, POISON = 0.3, 0.05


# The whole chain.


@pytest.fixture(scope="module")
def chain() -> Iterator[UnkindCloud]:
    """A chain that stands, and in which the nemesis sleeps."""
    with laptop(
        *SERVICES, create_cloud=lambda services: UnkindCloud(services, Nemesis(0, RATE, 0))
    ) as cloud:
        run_script(cloud, "setup")
        yield cloud


def test_a_part_that_is_killed_around_what_it_does_loses_nothing(chain: UnkindCloud) -> None:
    write_orders(chain, 5, seed=1)
    chain.run_until_idle()  # By now each part has its clients.
    kills = [kill_once(chain, call, moment) for call in DEEDS for moment in MOMENTS]
    write_orders(chain, ORDERS, seed=2)
    chain.run_until_idle()
    assert all(kills)
    hops = [hop for service in chain.services for hop in service.counts()]
    assert [hop.is_balanced for hop in hops] == [True] * 4
    assert all(hop.lost_on_restart for hop in hops[1:])
    assert verify_lake(chain)["equal"]


DEEDS = ("kinesis.PutRecords", "lambda.Invoke", "s3.PutObject")
MOMENTS = ("before-parameter-build", "after-call")


def kill_once(cloud: UnkindCloud, call: str, moment: str) -> list[str]:
    """Let the part die that makes a call next, before or after it; return where that is noted."""
    noted: list[str] = []

    def kill(**_: Any) -> None:
        if not noted:
            noted.append(call)
            raise Killed

    for (service, role, *_), client in cloud._clients.items():
        if role and call.startswith(f"{service}."):
            client.meta.events.register(f"{moment}.{call}", kill)
    return noted


@pytest.mark.parametrize("seed", range(SEEDS))
def test_without_poison_the_lake_equals_the_table_whatever_goes_wrong(
    chain: UnkindCloud, seed: int
) -> None:
    chain.nemesis.reseed(seed, poison_rate=0)
    found = trial(chain, ORDERS, 100 + seed)
    assert list(found.surprises()) == []
    assert found.outcome.is_equal


@pytest.mark.parametrize("seed", range(POISONED_SEEDS))
def test_with_poison_just_what_was_spoilt_is_kept_and_nothing_else_differs(
    chain: UnkindCloud, seed: int
) -> None:
    chain.nemesis.reseed(seed, POISON)
    found = trial(chain, ORDERS, 200 + seed)
    assert list(found.surprises()) == []
    assert found.foretold
    assert found.poisoned
    assert found.grown or seed > 0  # Few items grow: chance may spare them, but not those of 0.


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--nemesis", "many"], "expected a whole number"),
        (["--nemesis", "1", "--nemesis-rate", "0.9"], "expected a number from 0 to 0.5"),
        (["--nemesis", "1", "--poison-rate", "much"], "expected a number from 0 to 0.5"),
        (["--nemesis", "1", "--empty"], "cannot be combined"),
    ],
)
def test_a_nemesis_that_cannot_be_is_refused(
    options: list[str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["local", *options])
    with pytest.raises(SystemExit, match="2"):
        main()
    assert said in capsys.readouterr().err


# Judgement.

FINE: dict[str, Any] = {
    "poisoned": frozenset("a"),
    "unkept": frozenset(),
    "grown": frozenset("b"),
    "in_errors": frozenset("a"),
    "buried": frozenset("b"),
}


def judged(hops: tuple[HopCount, ...] = (), different: str = "", **kept: Any) -> list[str]:
    """Return what surprises in a run in which `a` was poisoned and `b` grew, but for `kept`."""
    outcome = Outcome(9, 1.0, hops, {"counts": {"different": 1}, "different": list(different)})
    return list(Ordeal(outcome, {}, **{**FINE, **kept}).surprises())


@pytest.mark.parametrize("different", ["", "a", "ab"])
def test_what_was_spoilt_may_differ(different: str) -> None:
    assert judged(different=different) == []


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (judged(different="c"), "c differs, but neither"),
        (judged(unkept=frozenset("a")), "a was poisoned, but"),
        (judged(buried=frozenset()), "b grew too large, but"),
        (judged(in_errors=frozenset("ac")), "c lies in the error store, but"),
        (judged(buried=frozenset("bc")), "c is told of by a dead letter, but"),
        (judged((HopCount("pipe", 3, 1, 1),)), "pipe received other than"),
        (judged((HopCount("pipe", 3, 3, 0), HopCount("lake", 2, 2, 0))), "lake received less"),
    ],
)
def test_whatever_else_happens_is_a_surprise(found: list[str], said: str) -> None:
    assert len(found) == 1
    assert found[0].startswith(said)


# Single faults.

CLIENTS = {
    service: boto3.client(service, region_name="us-east-1") for service in ("kinesis", "lambda")
}
COUNTS = st.integers(1, 30) | st.sampled_from([499, 500])
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


def record(event_id: str = "1") -> bytes:
    """Return a stream record as the pipe sends it."""
    changed = {**RECORD, "eventID": event_id}
    return json.dumps(changed, ensure_ascii=False, separators=(",", ":")).encode()


@pytest.mark.parametrize("way", WAYS)
@given(st.randoms(use_true_random=False))
def test_poison_is_refused_by_the_transform_and_keeps_its_key(
    way: Callable[[bytes, Random], bytes], dice: Random
) -> None:
    assert parse_change(record()).key == key_in(record())
    spoilt = way(record(), dice)
    with pytest.raises(BadRecord):
        parse_change(spoilt)
    assert key_in(spoilt) == key_in(record())


def answered(fault: Fault, moment: Moment) -> dict[str, Any]:
    """Return the answer that the caller gets, of a Kinesis that takes all that it is sent."""
    happens = next(fault, fault) is None
    taken = moment.params["Records"]
    answer = {"Records": [{"SequenceNumber": str(n)} for n in range(len(taken))]}
    with suppress(StopIteration):
        if happens:
            fault.send(answer)
    return answer


@pytest.mark.parametrize("fault", [partly_refused, reordered, taken_twice])
@given(COUNTS, st.randoms(use_true_random=False))
def test_a_batch_is_answered_record_by_record_whatever_became_of_it(
    fault: Callable[[Moment], Fault], count: int, dice: Random
) -> None:
    sent = [{"Data": b"%d" % number, "PartitionKey": "k"} for number in range(count)]
    moment = Moment(CLIENTS["kinesis"], "kinesis", "PutRecords", {"Records": sent}, dice, None)
    results = answered(fault(moment), moment)["Records"]
    taken = moment.params["Records"]
    assert len(results) == count
    assert 1 <= len(taken) <= 500
    for each, result in zip(sent, results, strict=True):
        if "ErrorCode" in result:
            assert each not in taken
        else:
            assert taken[int(result["SequenceNumber"])] == each


@given(st.integers(1, 50), st.floats(0, 1), st.randoms(use_true_random=False))
def test_poison_is_noted_as_it_was_taken(count: int, rate: float, dice: Random) -> None:
    sent = [{"Data": record(str(number)), "PartitionKey": "k"} for number in range(count)]
    moment = Moment(CLIENTS["kinesis"], "kinesis", "PutRecords", {"Records": sent}, dice, None)
    poison = Poison()
    poison.rate = rate
    answered(poison.spoil(moment), moment)
    changed = [each["Data"] for each in moment.params["Records"] if each not in sent]
    assert poison.taken == dict.fromkeys(changed, key_in(record()))


# The drawing of faults, at calls that are never sent.


def watched(nemesis: Nemesis, service: str) -> Any:
    """Return a client whose calls the nemesis sees."""
    known, events = CLIENTS[service], HierarchicalEmitter()
    meta = SimpleNamespace(
        events=events, service_model=known.meta.service_model, endpoint_url="http://nowhere"
    )
    client = SimpleNamespace(meta=meta, exceptions=known.exceptions)
    nemesis.watch(client, SimpleNamespace(clock=Clock(), service=lambda _: Service(None)))
    return client


def fate(client: Any, operation: str, params: dict[str, Any]) -> str:
    """Return what its caller gets of one call: an error's name, or `done`."""
    model = client.meta.service_model
    place, emit = f"{model.service_id.hyphenize()}.{operation}", client.meta.events.emit
    given = {"model": model.operation_model(operation), "context": {}}
    sent, answer = SimpleNamespace(status_code=200), {}
    try:
        emit(f"before-parameter-build.{place}", params=params, **given)
        answer["Records"] = [{"SequenceNumber": "1"} for _ in params.get("Records", ())]
        emit(f"after-call.{place}", http_response=sent, parsed=answer, **given)
    except (ClientError, BotoCoreError, Killed) as error:
        return type(error).__name__
    return answer.get("FunctionError", "done")


def put(client: Any) -> str:
    """Return what becomes of a batch of one record."""
    return fate(client, "PutRecords", {"Records": [{"Data": record(), "PartitionKey": "k"}]})


def look(client: Any) -> str:
    """Return what becomes of a look for shards."""
    return fate(client, "ListShards", {"StreamName": "changes"})


@given(st.integers(0), st.lists(st.integers(0, 3), max_size=30))
def test_the_fate_of_a_call_depends_on_the_seed_and_on_calls_of_its_kind(
    seed: int, looks_before: list[int]
) -> None:
    fates = []
    for looks in (looks_before, [0] * len(looks_before)):
        nemesis = Nemesis(seed, 0.5, 0.1)
        client = watched(nemesis, "kinesis")
        with nemesis.awake():
            for count in looks:
                with nemesis.at(Service(None)):
                    for _ in range(count):
                        look(client)
                with nemesis.at(Service(None)):  # Another: none that was killed is spared.
                    fates.append(put(client))
    assert fates[: len(looks_before)] == fates[len(looks_before) :]


@given(st.integers(0))
def test_no_life_of_a_part_is_shorter_than_the_one_before(seed: int) -> None:
    nemesis = Nemesis(seed, 0.5, 0)
    client = watched(nemesis, "kinesis")
    with nemesis.awake(), nemesis.at(Service(None)):
        fates = [put(client) for _ in range(300)]  # One seed in 10^15 spares all of them.
    deaths = [number for number, each in enumerate(fates, start=1) if each == "Killed"]
    lives = [end - start for start, end in pairwise([0, *deaths])]
    assert deaths
    assert lives == sorted(lives)


@given(st.integers(0))
def test_a_batch_fails_in_the_function_less_often_than_firehose_tries(seed: int) -> None:
    nemesis = Nemesis(seed, 0.5, 0)
    client = watched(nemesis, "lambda")
    with nemesis.awake(), nemesis.at(Service(None)):
        payloads = [b'{"invocationId":"%d","records":[]}' % number for number in range(50)]
        fates = [fate(client, "Invoke", {"Payload": payload}) for payload in payloads]
    assert len([each for each in fates if each not in ("done", "Killed")]) <= TRIALS


def test_a_nemesis_that_sleeps_or_sees_no_part_at_work_spoils_nothing() -> None:
    nemesis = Nemesis(1, 0.5, 0.5)
    client = watched(nemesis, "kinesis")
    with nemesis.at(Service(None)):
        fates = {put(client) for _ in range(50)}
    with nemesis.awake():
        fates |= {put(client) for _ in range(50)}
    assert fates == {"done"}
    assert nemesis.poison.taken == {}
