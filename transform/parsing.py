"""Parsing of base64 and JSON: strict and lossless.

A JSON object is parsed as a tuple of (name, value) pairs and a JSON number as its text, so that
neither a duplicate name nor a digit is lost. Everything else is parsed as usual.
"""

from binascii import a2b_base64
from collections.abc import Mapping
from json import JSONDecoder
from typing import Any

from transform.errors import BadRecord, kind


class Number:
    """A JSON number as its text; it equals only itself, so it is never mistaken for a string."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


def _reject_constant(name: str) -> None:
    raise BadRecord("JSON", name)


_WHITESPACE = " \t\n\r"
_decode = JSONDecoder(
    object_pairs_hook=tuple, parse_int=Number, parse_float=Number, parse_constant=_reject_constant
).raw_decode


def parse_json(json: bytes) -> Any:
    """Return the value of a JSON text in UTF-8, with objects as tuples of pairs."""
    try:
        text = json.decode().strip(_WHITESPACE)
        value, end = _decode(text)
    except BadRecord:
        raise
    except ValueError:
        raise BadRecord("JSON in UTF-8", "other bytes") from None
    if end < len(text):
        raise BadRecord("JSON in UTF-8", "other bytes")
    return value


def decode_base64(text: object) -> bytes:
    r"""Return the bytes of a base64 text; a character outside the alphabet is an error.

    >>> decode_base64("AAEqQQ==")
    b'\x00\x01*A'
    """
    if type(text) is not str:
        raise BadRecord("base64", kind(text))
    try:
        raw = a2b_base64(text)
    except ValueError:
        raise BadRecord("base64", "another string") from None
    # a2b_base64 ignores invalid characters; detect that by the output length.
    if len(text) % 4 or len(raw) != len(text) // 4 * 3 - text.count("=", -2):
        raise BadRecord("base64", "another string")
    return raw


def members(value: object) -> dict[str, Any]:
    """Return the members of a parsed JSON object; each name may occur only once."""
    if type(value) is not tuple:
        raise BadRecord("an object", kind(value))
    by_name = dict(value)
    if len(by_name) != len(value):
        raise BadRecord("distinct names", "a duplicate")
    return by_name


def as_pairs(value: Any) -> Any:
    """Return a value in the form of `parse_json`: mappings as pairs, sequences as lists."""
    if isinstance(value, Mapping):
        return tuple((name, as_pairs(member)) for name, member in value.items())
    if isinstance(value, (list, tuple, set, frozenset)):
        return [as_pairs(member) for member in value]
    return value
