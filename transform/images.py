"""Images: one walk writes both things that the lake keeps of them, canonical JSON and columns.

In canonical DynamoDB JSON two images are equal exactly when their texts are. It is typed as in the
stream, compact, and keeps non-ASCII; names are sorted by code point, sets sorted and without
repeats, numbers in plain digits, bytes in the one base64 that encodes them. A surrogate that stands
alone, which UTF-8 cannot hold, is written as its escape.

As columns, maps become columns and everything else becomes one column of text: lists, sets and
empty maps are plain JSON in theirs, numbers and bytes as texts, without types.
"""

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from transform.columns import Path, distinct, places
from transform.errors import BadRecord
from transform.parsing import as_pairs, members
from transform.values import TEXTS, in_one, quoted

_NOTHING = object()


class Image(NamedTuple):
    """An image: its attributes as parsed, and what was written of them.

    `members` are the members of its canonical JSON by attribute, sorted; `text` is all of it.
    `columns` are JSON labels and values in turn: `,"customer__id":` and `"C-1"`.
    """

    attributes: dict[str, Any]
    members: dict[str, str]
    text: str
    columns: list[str]


def canonical(image: Mapping[str, Any]) -> str:
    """Return the canonical text of an image; bytes may be given as bytes or as base64.

    >>> canonical({"b": {"N": "1.50"}, "a": {"SS": ["y", "x"]}})
    '{"a":{"SS":["x","y"]},"b":{"N":"1.5"}}'
    """
    return image_of(as_pairs(image)).text


def parse_image(text: str) -> dict[str, Any]:
    """Return the image that a canonical text tells, with bytes as base64."""
    return json.loads(text, parse_float=Decimal)


def flattened(image: Mapping[str, Any]) -> dict[str, str | None]:
    """Return the columns of an image.

    >>> flattened({"total": {"N": "19.90"}, "customer": {"M": {"id": {"S": "C-1"}}}})
    {'customer__id': 'C-1', 'total': '19.9'}
    """
    columns = "".join(image_of(as_pairs(image)).columns)
    return json.loads(f"{{{columns[1:]}}}", parse_float=Decimal)


def image_of(value: object) -> Image:
    """Return the image that a parsed map of typed values tells."""
    attributes = members(value)
    columns: list[str] = []
    written = _written(attributes, (), columns)
    labels = columns[::2]
    if len(set(labels)) != len(labels):
        columns[::2] = distinct(labels, list(_paths(attributes)))
    return Image(attributes, written, _text(written), columns)


def text_of(value: object) -> str:
    """Return the canonical text alone of what a parsed map tells."""
    return _text(_written(members(value), (), []))


def image_like(value: object, other: Image) -> Image:
    """Return an image without columns, writing only what another image does not hold alike."""
    attributes = members(value)
    known = other.attributes
    rest = {name: part for name, part in attributes.items() if known.get(name, _NOTHING) != part}
    written = other.members | _written(rest, (), [])
    written = {name: written[name] for name in sorted(attributes)}
    return Image(attributes, written, _text(written), [])


def _text(written: Mapping[str, str]) -> str:
    text = f"{{{','.join(written.values())}}}"
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _written(attributes: Mapping[str, Any], path: Path, columns: list[str]) -> dict[str, str]:
    """Return the members of a map's canonical JSON by name, sorted, and add to its columns."""
    written = {}
    for name, inner, column, label in places(path, tuple(attributes)):
        try:
            value = attributes[name]
            if type(value) is not tuple:
                raise TypeError
            ((tag, content),) = value
            if write := TEXTS.get(tag):
                plain = write(content)
                written[name] = f'{label}{{"{tag}":{plain}}}'
                columns += column, plain
            elif tag == "M" and content:
                nested = _written(members(content), inner, columns)
                written[name] = f'{label}{{"M":{{{",".join(nested.values())}}}}}'
            else:
                typed, plain = in_one(value)
                written[name] = label + typed
                columns += column, plain if plain == "null" else quoted(plain)
        except (TypeError, ValueError) as error:
            # The name of an attribute helps; a name inside a map may be somebody's data.
            raise _bad(error).inside("" if path else name) from None
    return written


def _paths(attributes: Mapping[str, Any], path: Path = ()) -> Iterator[Path]:
    """Yield the path of each column, in the order in which they were written."""
    for name in sorted(attributes):
        ((tag, content),) = attributes[name]
        if tag == "M" and content:
            yield from _paths(dict(content), (*path, name))
        else:
            yield (*path, name)


def _bad(error: Exception) -> BadRecord:
    if isinstance(error, BadRecord):
        return error
    return BadRecord("a value of one of DynamoDB's types", "another")
