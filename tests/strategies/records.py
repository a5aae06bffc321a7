"""Generated input, in layers: numbers, values, items, changes, histories; all that AWS allows."""

import base64
import json
from collections.abc import Mapping
from decimal import Context, Decimal
from functools import cache
from typing import Any

from hypothesis import strategies as st

Item = dict[str, Any]
ARN = "arn:aws:dynamodb:eu-west-1:111122223333:table/orders/stream/2026-01-{:02}T00:00:00.000"
WIDE = Context(prec=50)
TAGS = ("S", "N", "B", "BOOL", "NULL", "SS", "NS", "BS", "L", "M")


# Numbers.


NOTATIONS = ["{0}", "{0}E{1:+d}", "+{0}e{1}", "-{0}", "-{0}E{1:+d}", "-00{0}"]


def number(digits: int, leading: int, point: int, notation: str) -> str:
    """Return a number whose first significant digit counts ten to the power `leading`."""
    text = str(digits).strip("0") or "0"
    if not notation.count("1"):
        return notation.format(format(Decimal(text).scaleb(leading + 1 - len(text), WIDE), "f"))
    point = min(point, len(text))
    return notation.format(f"{text[:point] or '0'}.{text[point:]}00", leading + 1 - point)


@cache
def numbers() -> st.SearchStrategy[str]:
    """Return numbers that DynamoDB can hold, in any of the notations that mean them."""
    leading = st.integers(-4, 6) | st.integers(-130, 125)
    digits = st.integers(0, 10**4) | st.integers(0, 10**38 - 1)
    return st.builds(number, digits, leading, st.integers(0, 38), st.sampled_from(NOTATIONS))


@cache
def no_numbers() -> st.SearchStrategy[str]:
    """Return texts that look like numbers and are none that DynamoDB can hold."""
    tricks = [
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
    beyond = ["1E126", "1E-131", "1" * 39, "9" * 38 + "E89", "1E99999999999", "1." + "0" * 37 + "1"]
    return st.sampled_from(tricks + beyond)


# Values.


@cache
def texts(max_size: int = 12) -> st.SearchStrategy[str]:
    """Return any text, surrogates that stand alone among it."""
    usual = st.text('abcXYZ 019_-."\\/{}[]:,\n\r\t\0\x7f\x85éß\u2028\u2029😀', max_size=max_size)
    anything = st.text(st.characters(exclude_categories=()), max_size=max_size).map(_paired)
    return usual | anything


def _paired(text: str) -> str:
    """Return a text in which two surrogates that make a character are that character."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


@cache
def binaries() -> st.SearchStrategy[str]:
    """Return the base64 of any bytes."""
    return st.binary(max_size=9).map(lambda raw: base64.b64encode(raw).decode())


def sets_of(members: st.SearchStrategy[str]) -> st.SearchStrategy[list[str]]:
    """Return sets as DynamoDB's JSON has them: lists, in any order, here with repeats too."""
    return st.lists(members, min_size=1, max_size=4)


@cache
def scalars() -> st.SearchStrategy[Item]:
    """Return typed values that do not nest."""
    return st.one_of(
        st.builds(lambda text: {"S": text}, texts()),
        st.builds(lambda number: {"N": number}, numbers()),
        st.builds(lambda raw: {"B": raw}, binaries()),
        st.builds(lambda truth: {"BOOL": truth}, st.booleans()),
        st.just({"NULL": True}),
        st.builds(lambda members: {"SS": members}, sets_of(texts(4))),
        st.builds(lambda members: {"NS": members}, sets_of(numbers())),
        st.builds(lambda members: {"BS": members}, sets_of(binaries())),
    )


@cache
def names() -> st.SearchStrategy[str]:
    """Return attribute names: plain, hostile to columns, and any."""
    plain = ["a", "b", "A", "order_id", "orderId", "orderid", "ORDER_ID", "status", "x1"]
    hostile = [
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
    return st.sampled_from(plain + hostile + odd) | texts(6)


def maps(values: st.SearchStrategy[Item], max_size: int = 4) -> st.SearchStrategy[Item]:
    """Return what a map holds."""
    return st.dictionaries(names(), values, max_size=max_size)


@cache
def values() -> st.SearchStrategy[Item]:
    """Return typed values of all ten types."""
    return st.recursive(
        scalars(),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3).map(lambda members: {"L": members}),
            maps(inner, max_size=3).map(lambda members: {"M": members}),
        ),
        max_leaves=4,
    )


# Items.


@cache
def keys() -> st.SearchStrategy[Item]:
    """Return keys of all the types that a key may have."""
    return st.one_of(
        st.builds(lambda text: {"order_id": {"S": text}}, texts()),
        st.builds(lambda number: {"id": {"N": number}}, numbers()),
        st.builds(lambda raw, n: {"pk": {"B": raw}, "sk": {"N": n}}, binaries(), numbers()),
    )


@cache
def items() -> st.SearchStrategy[Item]:
    """Return images."""
    return maps(values(), max_size=4)


def shuffled(draw: st.DrawFn, value: Any) -> Any:
    """Return the same value in another order: of attributes, and of what sets hold."""
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


def stream_record(
    operation: str, key: Item, old: Item | None, new: Item | None, number: int = 1, source: int = 1
) -> Item:
    """Return a record as a pipe delivers it."""
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
        "eventSourceARN": ARN.format(source),
    }


@st.composite
def stream_records(draw: st.DrawFn) -> Item:
    """Return a record of any operation."""
    operation = draw(st.sampled_from(["INSERT", "MODIFY", "REMOVE"]))
    key, old, new = draw(keys()), draw(items()), draw(items())
    if draw(st.booleans()):
        new = {**old, **new}  # So that some attributes stay the same.
    return stream_record(
        operation,
        key,
        None if operation == "INSERT" else {**old, **key},
        None if operation == "REMOVE" else {**new, **key},
        draw(st.integers(1, 10**9)),
    )


def firehose_record(payload: bytes | Mapping[str, Any], record_id: str = "1") -> Item:
    """Return a payload as Firehose hands it over."""
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return {
        "recordId": record_id,
        "approximateArrivalTimestamp": 1767225600123,
        "data": base64.b64encode(raw).decode(),
    }


@cache
def json_values() -> st.SearchStrategy[Any]:
    """Return anything that JSON can say."""
    return st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | texts(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts(6), inner, max_size=3),
        max_leaves=8,
    )


@st.composite
def spoilt(draw: st.DrawFn, value: Any) -> Any:
    """Return a value in which something, somewhere, became something else."""
    if isinstance(value, dict) and value and draw(st.integers(0, 4)):
        name = draw(st.sampled_from(list(value)))
        if draw(st.integers(0, 9)) == 0:
            return {other: value[other] for other in value if other != name}
        return {**value, name: draw(spoilt(value[name]))}
    if isinstance(value, list) and value and draw(st.integers(0, 4)):
        index = draw(st.integers(0, len(value) - 1))
        return [*value[:index], draw(spoilt(value[index])), *value[index + 1 :]]
    return draw(json_values() | no_numbers() | st.sampled_from([*TAGS, {"S": 5}, {"N": 5}]))


@st.composite
def payloads(draw: st.DrawFn) -> bytes:
    """Return what a Kinesis record may hold: changes, spoilt changes, other JSON, any bytes."""
    record = draw(stream_records())
    choice = draw(st.integers(0, 5))
    if choice <= 2:
        return json.dumps(draw(spoilt(record)) if choice else record).encode()
    raw = json.dumps(record, ensure_ascii=choice == 3).encode("utf-8", "surrogatepass")
    if choice == 3:
        return raw[: draw(st.integers(0, len(raw)))]
    return draw(st.binary(max_size=40)) if choice == 4 else raw.replace(b'"S"', b'"N"', 1)


@st.composite
def firehose_events(draw: st.DrawFn) -> Item:
    """Return what Firehose may call with, and what nobody would."""
    records = draw(st.lists(payloads(), max_size=4))
    event = {
        "invocationId": "i",
        "records": [firehose_record(raw, str(number)) for number, raw in enumerate(records)],
    }
    if draw(st.booleans()):
        event["records"] = [
            draw(spoilt(record)) if draw(st.booleans()) else record for record in event["records"]
        ]
    return event
