"""Values as JSON: canonical, with DynamoDB's types, and plain, without them."""

from binascii import b2a_base64
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from functools import lru_cache
from json.encoder import encode_basestring as quoted  # What json.dumps makes of a text, at once.
from typing import Any

from transform.digits import plain_digits
from transform.errors import BadRecord, kind
from transform.parsing import decoded, members


@lru_cache(maxsize=4096)  # Quantities and prices recur, in both images and from change to change.
def _number(value: object) -> str:
    return f'"{plain_digits(value)}"'


def _binary(value: object) -> str:
    return _base64(_bytes(value))


def _base64(raw: bytes) -> str:
    return f'"{b2a_base64(raw, newline=False).decode()}"'


def _bytes(value: object) -> bytes:
    return bytes(value) if isinstance(value, (bytes, bytearray)) else decoded(value)


def _truth(value: object) -> str:
    if type(value) is not bool:
        raise BadRecord("true or false", kind(value))
    return "true" if value else "false"


def _text_set(value: object) -> str:
    return _listed(quoted, sorted(set(_elements(value))))


def _number_set(value: object) -> str:
    return _listed(_number, sorted(set(map(plain_digits, _elements(value))), key=Decimal))


def _binary_set(value: object) -> str:
    return _listed(_base64, sorted(set(map(_bytes, _elements(value)))))


def _listed(written: Callable[[Any], str], values: Iterable[Any]) -> str:
    return f"[{','.join(map(written, values))}]"


def _elements(value: object) -> list[Any]:
    if type(value) is not list:
        raise BadRecord("a list", kind(value))
    return value


# What does not nest: its JSON is the same with a type and without, and that of TEXTS is a text. Of
# content that is not even a text some raise TypeError, all else BadRecord.
TEXTS: dict[str, Callable[[Any], str]] = {"S": quoted, "N": _number, "B": _binary}
SIMPLE = TEXTS | {
    "BOOL": _truth,
    "SS": _text_set,
    "NS": _number_set,
    "BS": _binary_set,
}


def in_one(value: object) -> tuple[str, str]:
    """Return the JSON of a typed value, with its types and without; of what is none, TypeError."""
    if type(value) is not tuple:
        raise TypeError
    ((tag, content),) = value
    if write := SIMPLE.get(tag):
        plain = write(content)
        return f'{{"{tag}":{plain}}}', plain
    if tag == "L":
        return _list(_elements(content))
    if tag == "M":
        return _map(members(content))
    if tag == "NULL" and content is True:
        return '{"NULL":true}', "null"
    raise TypeError


@lru_cache(maxsize=1024)  # A table's maps have few sets of names: each is sorted once.
def labels(names: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return a map's names, sorted, with their labels in JSON."""
    return [(name, f"{quoted(name)}:") for name in sorted(names)]


def _list(values: list[Any]) -> tuple[str, str]:
    typed, plain = [], []
    for value in values:
        with_type, without = in_one(value)
        typed.append(with_type)
        plain.append(without)
    return f'{{"L":[{",".join(typed)}]}}', f"[{','.join(plain)}]"


def _map(named: Mapping[str, Any]) -> tuple[str, str]:
    typed, plain = [], []
    for name, label in labels(tuple(named)):
        with_type, without = in_one(named[name])
        typed.append(label + with_type)
        plain.append(label + without)
    return f'{{"M":{{{",".join(typed)}}}}}', f"{{{','.join(plain)}}}"
