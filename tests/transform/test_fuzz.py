"""Fuzzing with damaged payloads: more than a million with HYPOTHESIS_PROFILE=thorough."""

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
# Fragments of JSON and of stream records that are inserted into payloads.
TOKENS = [
    *(b"{", b"}", b"[", b"]", b":", b",", b'"', b"\\", b"\\ud800", b"\\u0000", b"\n", b" ", b"\0"),
    *(b"null", b"true", b"-1e309", b"NaN", b"1" * 40, b'"S"', b'"N"', b'"B"', b'"M":{', b'"L":['),
    *(b'"NULL":true', b'"SS":[]', b'"dynamodb"', b'"eventName"', b"REMOVE", b"\xff", b"\xed\xa0"),
    b"[" * 200,
]


def valid_payloads() -> list[bytes]:
    """Return the stream records of the example events."""
    return [
        json.dumps(record, ensure_ascii=False).encode()
        for path in sorted(EVENTS.glob("stream_*.json"))
        for record in json.loads(path.read_text())
    ]


def damage(valid: list[bytes], rng: Random) -> bytes:
    """Return a valid payload in which up to four ranges were replaced, doubled or deleted."""
    payload = bytearray(rng.choice(valid))
    for _ in range(rng.choice([0, 1, 1, 2, 4])):
        start = rng.randrange(len(payload) + 1)
        end = min(len(payload), start + rng.choice([0, 1, 1, 2, 8, 64]))
        replacements = [
            bytes([rng.randrange(256)]),
            rng.choice(TOKENS),
            payload[start:end] * 2,
            rng.choice(valid)[start:end],
            b"",
        ]
        payload[start:end] = rng.choice(replacements)
    return bytes(payload)


def events(seed: int) -> Iterator[dict[str, Any]]:
    """Yield batches of damaged payloads; in some records the base64 is damaged too."""
    valid = valid_payloads()
    rng = Random(seed)
    for start in range(0, RECORDS, BATCH):
        records = []
        for number in range(start, start + BATCH):
            data = base64.b64encode(damage(valid, rng)).decode()
            if rng.random() < 0.05:
                index = rng.randrange(len(data))
                data = data[:index] + rng.choice(["", "=", "\n", "é", "-"]) + data[index + 1 :]
            records.append({"recordId": str(number), "data": data})
        yield {"records": records}


def test_damaged_payloads_never_break_the_batch() -> None:
    ok_count = 0
    for event in events(seed=1):
        results = transform_batch(event).records
        record_ids = [record["recordId"] for record in event["records"]]
        assert [result["recordId"] for result in results] == record_ids
        for record, result in zip(event["records"], results, strict=True):
            if result["result"] == "Ok":
                ok_count += 1
                check_line(result["data"])
            else:
                assert result == {**record, "result": "ProcessingFailed"}
    assert 0.1 < ok_count / RECORDS < 0.9


def check_line(data: str) -> None:
    """Assert that a row is one JSON object of strings on a line of its own."""
    line = base64.b64decode(data, validate=True)
    assert line.endswith(b"}\n")
    assert line.count(b"\n") == 1
    row = json.loads(line.decode())
    assert all(value is None or type(value) is str for value in row.values())
