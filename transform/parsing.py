"""Text in, values out: base64 and JSON, strictly, with nothing lost on the way.

A JSON object is read as a tuple of its (name, value) pairs and a JSON number as its text, so that
neither a name given twice nor a digit is lost before anybody looks. All else is as ever.
"""

from binascii import a2b_base64
from collections.abc import Mapping
from json import JSONDecoder
from typing import Any

from transform.errors import BadRecord, kind


class Number:
    """A JSON number as its text; it equals nothing but itself, so it passes for nothing else."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


def _no_constant(name: str) -> None:
    raise BadRecord("JSON", name)


_SPACE = " \t\n\r"
_decode = JSONDecoder(
    object_pairs_hook=tuple, parse_int=Number, parse_float=Number, parse_constant=_no_constant
).raw_decode


def parsed(json: bytes) -> Any:
    """Return the value of a JSON text in UTF-8, with objects as tuples of pairs."""
    try:
        text = json.decode().strip(_SPACE)
        value, end = _decode(text)
    except BadRecord:
        raise
    except ValueError:
        raise BadRecord("JSON in UTF-8", "other bytes") from None
    if end < len(text):
        raise BadRecord("JSON in UTF-8", "other bytes")
    return value


def decoded(text: object) -> bytes:
    """Return the bytes of a base64 text; a character outside the alphabet is an error, not skipped.

    >>> decoded("AAEqQQ==")
    b'\\x00\\x01*A'
    """
    if type(text) is not str:
        raise BadRecord("base64", kind(text))
    try:
        raw = a2b_base64(text)
    except ValueError:
        raise BadRecord("base64", "another text") from None
    # a2b_base64 skips what it does not know: then the bytes are fewer than the characters promise.
    if len(text) % 4 or len(raw) != len(text) // 4 * 3 - text.count("=", -2):
        raise BadRecord("base64", "another text")
    return raw


def members(value: object) -> dict[str, Any]:
    """Return the members of a parsed JSON object by their names, each given once."""
    if type(value) is not tuple:
        raise BadRecord("an object", kind(value))
    named = dict(value)
    if len(named) != len(value):
        raise BadRecord("each name once", "one twice")
    return named


def as_pairs(value: Any) -> Any:
    """Return a value in the form that `parsed` gives it: mappings as pairs, sequences as lists."""
    if isinstance(value, Mapping):
        return tuple((name, as_pairs(member)) for name, member in value.items())
    if isinstance(value, (list, tuple, set, frozenset)):
        return [as_pairs(member) for member in value]
    return value
