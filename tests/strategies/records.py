"""Generated input for the transform: numbers, values, items, changes and Firehose events.

The valid input covers everything that AWS allows.
"""

import base64
import json
from collections.abc import Mapping
from decimal import Context, Decimal
from functools import cache
from typing import Any

from hypothesis import strategies as st

Item = dict[str, Any]
WIDE_CONTEXT = Context(prec=50)
TYPE_TAGS = ("S", "N", "B", "BOOL", "NULL", "SS", "NS", "BS", "L", "M")


# Numbers.


NOTATIONS = ["{0}", "{0}E{1:+d}", "+{0}e{1}", "-{0}", "-{0}E{1:+d}", "-00{0}"]


def format_number(digits: int, exponent: int, point: int, notation: str) -> str:
    """Return a number whose first significant digit stands for a multiple of 10**exponent."""
    text = str(digits).strip("0") or "0"
    if "{1" not in notation:
        number = Decimal(text).scaleb(exponent + 1 - len(text), WIDE_CONTEXT)
        return notation.format(format(number, "f"))
    point = min(point, len(text))
    return notation.format(f"{text[:point] or '0'}.{text[point:]}00", exponent + 1 - point)


@cache
def numbers() -> st.SearchStrategy[str]:
    """Return numbers within DynamoDB's range, in every notation."""
    exponents = st.integers(-4, 6) | st.integers(-130, 125)
    digits = st.integers(0, 10**4) | st.integers(0, 10**38 - 1)
    return st.builds(
        format_number, digits, exponents, st.integers(0, 38), st.sampled_from(NOTATIONS)
    )


@cache
def invalid_numbers() -> st.SearchStrategy[str]:
    """Return strings that resemble numbers but that DynamoDB rejects."""
    malformed = [
        "",
        ".",
        "-",
        "1_0",
        " 1",
        "1\n",
        "\u0661",
        "NaN",
        "Infinity",
        "1E",
        "0x1",
        "1E999999999",
    ]
    out_of_range = [
        "1E126",
        "1E-131",
        "1" * 39,
        "9" * 38 + "E89",
        "1E99999999999",
        "1." + "0" * 37 + "1",
    ]
    return st.sampled_from(malformed + out_of_range)


# Values.


@cache
def texts(max_size: int = 12) -> st.SearchStrategy[str]:
    """Return strings of any characters, lone surrogates included."""
    tricky = st.text('abcXYZ 019_-."\\/{}[]:,\n\r\t\0\x7f\x85éß\u2028\u2029😀', max_size=max_size)
    arbitrary = st.text(st.characters(exclude_categories=()), max_size=max_size).map(
        _pair_surrogates
    )
    return tricky | arbitrary


def _pair_surrogates(text: str) -> str:
    """Return the text with each surrogate pair replaced by its character."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


@cache
def binaries() -> st.SearchStrategy[str]:
    """Return base64 of arbitrary bytes."""
    return st.binary(max_size=9).map(lambda raw: base64.b64encode(raw).decode())


def typed_sets(members: st.SearchStrategy[str]) -> st.SearchStrategy[list[str]]:
    """Return sets as in DynamoDB's JSON: lists in any order, here with duplicates too."""
    return st.lists(members, min_size=1, max_size=4)


@cache
def scalars() -> st.SearchStrategy[Item]:
    """Return typed values of the scalar types and sets."""
    return st.one_of(
        st.builds(lambda text: {"S": text}, texts()),
        st.builds(lambda number: {"N": number}, numbers()),
        st.builds(lambda raw: {"B": raw}, binaries()),
        st.builds(lambda truth: {"BOOL": truth}, st.booleans()),
        st.just({"NULL": True}),
        st.builds(lambda members: {"SS": members}, typed_sets(texts(4))),
        st.builds(lambda members: {"NS": members}, typed_sets(numbers())),
        st.builds(lambda members: {"BS": members}, typed_sets(binaries())),
    )


@cache
def names() -> st.SearchStrategy[str]:
    """Return attribute names: plain, reserved or ambiguous as columns, odd, and arbitrary."""
    plain = ["a", "b", "A", "order_id", "orderId", "orderid", "ORDER_ID", "status", "x1"]
    ambiguous = [
        "cdc_key",
        "CDC_Key",
        "cdc",
        "key",
        "dt",
        "DT",
        "a__b",
        "_a",
        "a_",
        "1a",
        "",
        "S",
        "M",
    ]
    odd = ["a b", "a.b", "a-b", "é", "😀", "%s", "a%", 'a"b', "L", "N", "x" * 260, "X" * 260]
    return st.sampled_from(plain + ambiguous + odd) | texts(6)


def maps(values: st.SearchStrategy[Item], max_size: int = 4) -> st.SearchStrategy[Item]:
    """Return the members of a map."""
    return st.dictionaries(names(), values, max_size=max_size)


@cache
def values() -> st.SearchStrategy[Item]:
    """Return typed values of all ten types."""
    return st.recursive(
        scalars(),
        lambda nested: st.one_of(
            st.lists(nested, max_size=3).map(lambda members: {"L": members}),
            maps(nested, max_size=3).map(lambda members: {"M": members}),
        ),
        max_leaves=4,
    )


# Items.


@cache
def keys() -> st.SearchStrategy[Item]:
    """Return keys of every type that a key may have."""
    return st.one_of(
        st.builds(lambda text: {"order_id": {"S": text}}, texts()),
        st.builds(lambda number: {"id": {"N": number}}, numbers()),
        st.builds(lambda raw, n: {"pk": {"B": raw}, "sk": {"N": n}}, binaries(), numbers()),
    )


@cache
def items() -> st.SearchStrategy[Item]:
    """Return items."""
    return maps(values(), max_size=4)


def shuffled(draw: st.DrawFn, value: Any) -> Any:
    """Return the same value with its attributes and the members of its sets in another order."""
    if isinstance(value, list):
        return [shuffled(draw, member) for member in value]
    if not isinstance(value, dict):
        return value
    return {
        name: draw(st.permutations(value[name]))
        if name in ("SS", "NS", "BS") and isinstance(value[name], list)
        else shuffled(draw, value[name])
        for name in draw(st.permutations(list(value)))
    }


# Changes.


def stream_arn(number: int) -> str:
    """Return the ARN of a stream; a later one belongs to a table whose name sorts earlier."""
    table = f"orders-{99 - number:02}"
    return (
        f"arn:aws:dynamodb:eu-west-1:111122223333:table/{table}/stream/"
        f"2026-01-{number:02}T00:00:00.000"
    )


def stream_record(
    operation: str, key: Item, old: Item | None, new: Item | None, number: int = 1, source: int = 1
) -> Item:
    """Return a stream record as the pipe delivers it."""
    images = {"OldImage": old, "NewImage": new}
    return {
        "eventID": f"{source:016x}{number:016x}",
        "eventName": operation,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "eu-west-1",
        "dynamodb": {
            "ApproximateCreationDateTime": 1767225600 + number,
            "Keys": key,
            **{name: image for name, image in images.items() if image is not None},
            "SequenceNumber": str(10**20 + number),
            "SizeBytes": 100,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
        "eventSourceARN": stream_arn(source),
    }


@st.composite
def stream_records(draw: st.DrawFn) -> Item:
    """Return stream records of every operation."""
    operation = draw(st.sampled_from(["INSERT", "MODIFY", "REMOVE"]))
    key = draw(keys())
    old = draw(items())
    new = draw(items())
    if draw(st.booleans()):
        new = {**old, **new}  # Some attributes stay the same.
    return stream_record(
        operation,
        key,
        None if operation == "INSERT" else {**old, **key},
        None if operation == "REMOVE" else {**new, **key},
        draw(st.integers(1, 10**9)),
    )


def firehose_record(payload: bytes | Mapping[str, Any], record_id: str = "1") -> Item:
    """Return a record of Firehose's event with this payload."""
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return {
        "recordId": record_id,
        "approximateArrivalTimestamp": 1767225600123,
        "data": base64.b64encode(raw).decode(),
    }


@cache
def json_values() -> st.SearchStrategy[Any]:
    """Return any JSON value."""
    return st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | texts(),
        lambda nested: st.lists(nested, max_size=3) | st.dictionaries(texts(6), nested, max_size=3),
        max_leaves=8,
    )


@st.composite
def corrupted(draw: st.DrawFn, value: Any) -> Any:
    """Return the value with one part, at any depth, removed or replaced."""
    if isinstance(value, dict) and value and draw(st.integers(0, 4)):
        name = draw(st.sampled_from(list(value)))
        if draw(st.integers(0, 9)) == 0:
            return {key: member for key, member in value.items() if key != name}
        return {**value, name: draw(corrupted(value[name]))}
    if isinstance(value, list) and value and draw(st.integers(0, 4)):
        index = draw(st.integers(0, len(value) - 1))
        return [*value[:index], draw(corrupted(value[index])), *value[index + 1 :]]
    return draw(
        json_values() | invalid_numbers() | st.sampled_from([*TYPE_TAGS, {"S": 5}, {"N": 5}])
    )


@st.composite
def payloads(draw: st.DrawFn) -> bytes:
    """Return payloads of Kinesis records: changes, corrupted changes, other JSON, any bytes."""
    record = draw(stream_records())
    choice = draw(st.integers(0, 5))
    if choice <= 2:
        return json.dumps(draw(corrupted(record)) if choice else record).encode()
    raw = json.dumps(record, ensure_ascii=choice == 3).encode("utf-8", "surrogatepass")
    if choice == 3:
        return raw[: draw(st.integers(0, len(raw)))]
    return draw(st.binary(max_size=40)) if choice == 4 else raw.replace(b'"S"', b'"N"', 1)


@st.composite
def firehose_events(draw: st.DrawFn) -> Item:
    """Return events of Firehose, with valid and corrupted records."""
    records = draw(st.lists(payloads(), max_size=4))
    event = {
        "invocationId": "i",
        "records": [firehose_record(raw, str(number)) for number, raw in enumerate(records)],
    }
    if draw(st.booleans()):
        event["records"] = [
            draw(corrupted(record)) if draw(st.booleans()) else record
            for record in event["records"]
        ]
    return event
