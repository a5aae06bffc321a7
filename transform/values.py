"""Values as JSON: typed (canonical DynamoDB JSON) and plain (without types)."""

from binascii import b2a_base64
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any

from transform.cache import BoundedCache
from transform.digits import plain_digits
from transform.errors import BadRecord, kind
from transform.parsing import decode_base64, members

# json.dumps of a string, without its overhead.
quote_json: Callable[[str], str] = encode_basestring


def _quoted_digits(value: object) -> str:
    return f'"{plain_digits(value)}"'


# Quantities and prices recur in both images and from change to change.
_number: Callable[[object], str] = BoundedCache(_quoted_digits).__getitem__


def _binary(value: object) -> str:
    return _base64(_bytes(value))


def _base64(raw: bytes) -> str:
    return f'"{b2a_base64(raw, newline=False).decode()}"'


def _bytes(value: object) -> bytes:
    return bytes(value) if isinstance(value, (bytes, bytearray)) else decode_base64(value)


def _boolean(value: object) -> str:
    if type(value) is not bool:
        raise BadRecord("true or false", kind(value))
    return "true" if value else "false"


def _text_set(value: object) -> str:
    return _json_list(quote_json, sorted(set(_elements(value))))


def _number_set(value: object) -> str:
    return _json_list(_number, sorted(set(map(plain_digits, _elements(value))), key=Decimal))


def _binary_set(value: object) -> str:
    return _json_list(_base64, sorted(set(map(_bytes, _elements(value)))))


def _json_list(encode: Callable[[Any], str], values: Iterable[Any]) -> str:
    return f"[{','.join(map(encode, values))}]"


def _elements(value: object) -> list[Any]:
    if type(value) is not list:
        raise BadRecord("a list", kind(value))
    return value


# Scalar types and sets: typed and plain JSON share one encoding, which is a string for the types of
# TEXT_ENCODERS. The encoders raise TypeError or BadRecord for invalid content.
TEXT_ENCODERS: dict[str, Callable[[Any], str]] = {"S": quote_json, "N": _number, "B": _binary}
SCALAR_ENCODERS = TEXT_ENCODERS | {
    "BOOL": _boolean,
    "SS": _text_set,
    "NS": _number_set,
    "BS": _binary_set,
}


def typed_and_plain(value: object) -> tuple[str, str]:
    """Return the typed and the plain JSON of a typed value; TypeError if it is not one."""
    if type(value) is not tuple:
        raise TypeError
    ((tag, content),) = value
    if encode := SCALAR_ENCODERS.get(tag):
        plain = encode(content)
        return f'{{"{tag}":{plain}}}', plain
    if tag == "L":
        return _list(_elements(content))
    if tag == "M":
        return _map(members(content))
    if tag == "NULL" and content is True:
        return '{"NULL":true}', "null"
    raise TypeError


def _json_labels(names: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return the names of a map, sorted, with their JSON labels."""
    return [(name, f"{quote_json(name)}:") for name in sorted(names)]


json_labels = BoundedCache(_json_labels)  # The maps of a table have few sets of names.


def _list(values: list[Any]) -> tuple[str, str]:
    typed = []
    plain = []
    for value in values:
        typed_value, plain_value = typed_and_plain(value)
        typed.append(typed_value)
        plain.append(plain_value)
    return f'{{"L":[{",".join(typed)}]}}', f"[{','.join(plain)}]"


def _map(values: Mapping[str, Any]) -> tuple[str, str]:
    typed = []
    plain = []
    for name, label in json_labels[tuple(values)]:
        typed_value, plain_value = typed_and_plain(values[name])
        typed.append(label + typed_value)
        plain.append(label + plain_value)
    return f'{{"M":{{{",".join(typed)}}}}}', f"{{{','.join(plain)}}}"
