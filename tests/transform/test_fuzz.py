"""A long rain of damaged payloads: HYPOTHESIS_PROFILE=thorough sends more than a million."""

import base64
import json
from collections.abc import Iterator
from random import Random
from typing import Any

from hypothesis import settings

from tests.support.paths import EVENTS
from transform import transform_batch

RECORDS = 60 * settings().max_examples
BATCH = 60
# What a damaged payload may hold of JSON's and DynamoDB's own.
TOKENS = [
    *(b"{", b"}", b"[", b"]", b":", b",", b'"', b"\\", b"\\ud800", b"\\u0000", b"\n", b" ", b"\0"),
    *(b"null", b"true", b"-1e309", b"NaN", b"1" * 40, b'"S"', b'"N"', b'"B"', b'"M":{', b'"L":['),
    *(b'"NULL":true', b'"SS":[]', b'"dynamodb"', b'"eventName"', b"REMOVE", b"\xff", b"\xed\xa0"),
    b"[" * 200,
]


def payloads() -> list[bytes]:
    """Return whole stream records, of every shape that the tests know."""
    return [
        json.dumps(record, ensure_ascii=False).encode()
        for path in sorted(EVENTS.glob("stream_*.json"))
        for record in json.loads(path.read_text())
    ]


def damaged(whole: list[bytes], chance: Random) -> bytes:
    """Return a payload in which something was changed, cut, doubled, or put in."""
    raw = bytearray(chance.choice(whole))
    for _ in range(chance.choice([0, 1, 1, 2, 4])):
        start = chance.randrange(len(raw) + 1)
        end = min(len(raw), start + chance.choice([0, 1, 1, 2, 8, 64]))
        choices = [
            bytes([chance.randrange(256)]),
            chance.choice(TOKENS),
            raw[start:end] * 2,
            chance.choice(whole)[start:end],
            b"",
        ]
        raw[start:end] = chance.choice(choices)
    return bytes(raw)


def events(seed: int) -> Iterator[dict[str, Any]]:
    """Yield batches, of which some records are no base64 either."""
    whole, chance = payloads(), Random(seed)
    for start in range(0, RECORDS, BATCH):
        records = []
        for number in range(start, start + BATCH):
            data = base64.b64encode(damaged(whole, chance)).decode()
            if chance.random() < 0.05:
                at = chance.randrange(len(data))
                data = data[:at] + chance.choice(["", "=", "\n", "é", "-"]) + data[at + 1 :]
            records.append({"recordId": str(number), "data": data})
        yield {"records": records}


def test_no_damage_raises_loses_a_record_or_breaks_a_line() -> None:
    ok = 0
    for event in events(seed=1):
        found = transform_batch(event)
        asked = [record["recordId"] for record in event["records"]]
        assert [result["recordId"] for result in found.records] == asked
        for record, result in zip(event["records"], found.records, strict=True):
            if result["result"] == "Ok":
                ok += 1
                check_line(result["data"])
            else:
                assert result == {**record, "result": "ProcessingFailed"}
    assert 0.1 < ok / RECORDS < 0.9


def check_line(data: str) -> None:
    """Assert that a row is one JSON object of texts, on a line of its own."""
    line = base64.b64decode(data, validate=True)
    assert line.endswith(b"}\n")
    assert line.count(b"\n") == 1
    row = json.loads(line.decode())
    assert all(value is None or type(value) is str for value in row.values())
