"""Images: one walk writes both forms that the lake keeps, canonical JSON and columns.

Two images are equal exactly if their canonical DynamoDB JSON is. It is typed as in the stream,
compact, and keeps non-ASCII characters; names are sorted by code point, sets are sorted and
without duplicates, numbers are in plain digits, bytes in standard base64. A lone surrogate, which
UTF-8 cannot encode, is written as its escape.

As columns, maps become several columns (`columns` has the rule) and everything else one column of
text: lists, sets and other maps as plain JSON, numbers and bytes as strings, without types.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from transform.columns import (
    NO_JSON_PATHS,
    JsonPaths,
    Path,
    column_layouts,
    disambiguated,
    is_split,
)
from transform.errors import as_bad_record
from transform.masking import NO_MASKING, Masking
from transform.parsing import as_pairs, members
from transform.values import TEXT_ENCODERS, quote_json, typed_and_plain

_MISSING = object()


class Image(NamedTuple):
    """An image: its parsed attributes, canonical JSON and columns.

    `members` maps each attribute, sorted, to its member of the canonical JSON `text`. `columns`
    alternates JSON labels and values: `,"customer__id":` and `"C-1"`.
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
    return build_image(as_pairs(image)).text


def parse_image(text: str) -> dict[str, Any]:
    """Return the image of a canonical text, with bytes as base64."""
    image: dict[str, Any] = json.loads(text, parse_float=Decimal)
    return image


def flattened(image: Mapping[str, Any], json_paths: Collection[str] = ()) -> dict[str, str | None]:
    """Return the columns of an image; a map stays one column if `json_paths` has its column.

    >>> order = {"total": {"N": "19.90"}, "customer": {"M": {"id": {"S": "C-1"}}}}
    >>> flattened(order)
    {'customer__id': 'C-1', 'total': '19.9'}
    >>> flattened(order, json_paths={"customer"})
    {'customer': '{"id":"C-1"}', 'total': '19.9'}
    """
    return canonical_and_flattened(image, json_paths)[1]


def canonical_and_flattened(
    image: Mapping[str, Any], json_paths: Collection[str] = (), masking: Masking = NO_MASKING
) -> tuple[str, dict[str, str | None]]:
    """Return the canonical text and the columns of an image, masked, of one walk."""
    built = build_image(as_pairs(image), frozenset(json_paths), masking)
    columns: dict[str, str | None] = json.loads(
        f"{{{''.join(built.columns)[1:]}}}", parse_float=Decimal
    )
    return built.text, columns


def build_image(
    value: object, json_paths: JsonPaths = NO_JSON_PATHS, masking: Masking = NO_MASKING
) -> Image:
    """Return the image of a parsed map of typed values, masked."""
    attributes = masking.apply(members(value))
    columns: list[str] = []
    encoded = _encode(attributes, (), json_paths, columns)
    labels = columns[::2]
    if len(set(labels)) != len(labels):
        columns[::2] = disambiguated(labels, list(_paths(attributes, (), json_paths)))
    return Image(attributes, encoded, _join(encoded), columns)


def canonical_text(value: object) -> str:
    """Return only the canonical text of a parsed map of typed values."""
    return _join(_encode(members(value), (), NO_JSON_PATHS, []))


def image_reusing(
    value: object,
    similar: Image,
    json_paths: JsonPaths = NO_JSON_PATHS,
    masking: Masking = NO_MASKING,
) -> Image:
    """Return an image without columns, encoding only what differs from a similar image."""
    attributes = masking.apply(members(value))
    known = similar.attributes
    changed = {
        name: value for name, value in attributes.items() if known.get(name, _MISSING) != value
    }
    encoded = similar.members | _encode(changed, (), json_paths, [])
    encoded = {name: encoded[name] for name in sorted(attributes)}
    return Image(attributes, encoded, _join(encoded), [])


def _join(encoded: Mapping[str, str]) -> str:
    text = f"{{{','.join(encoded.values())}}}"
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _encode(
    attributes: Mapping[str, Any], path: Path, json_paths: JsonPaths, columns: list[str]
) -> dict[str, str]:
    """Return the members of a map's canonical JSON by name, sorted, and append its columns."""
    encoded = {}
    layout = column_layouts[path, tuple(attributes), json_paths]
    for name, member_path, is_json_path, column, label in layout:
        try:
            value = attributes[name]
            if type(value) is not tuple:
                raise TypeError  # noqa: TRY301 - handled like an encoder's own.
            ((tag, content),) = value
            if encode := TEXT_ENCODERS.get(tag):
                plain = encode(content)
                encoded[name] = f'{label}{{"{tag}":{plain}}}'
                columns += column, plain
            elif is_split(tag, content, is_json_path):
                nested = _encode(members(content), member_path, json_paths, columns)
                encoded[name] = f'{label}{{"M":{{{",".join(nested.values())}}}}}'
            else:
                typed, plain = typed_and_plain(value)
                encoded[name] = label + typed
                columns += column, plain if plain == "null" else quote_json(plain)
        except (TypeError, ValueError) as error:
            # An attribute's name helps; a name inside a map may be personal data.
            raise as_bad_record(error).with_prefix("" if path else name) from None
    return encoded


def _paths(attributes: Mapping[str, Any], path: Path, json_paths: JsonPaths) -> Iterator[Path]:
    """Yield the path of each column, in the order of the columns."""
    layout = column_layouts[path, tuple(attributes), json_paths]
    for name, member_path, is_json_path, *_ in layout:
        ((tag, content),) = attributes[name]
        if is_split(tag, content, is_json_path):
            yield from _paths(dict(content), member_path, json_paths)
        else:
            yield member_path
