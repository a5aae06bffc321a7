"""Masking: values that the lake must not hold become tokens, or are left out.

A token is a string: a prefix, half a keyed hash (HMAC-SHA-256) of the value's canonical JSON, and
half a keyed hash of that half. Equal values have equal tokens, so a masked image can be compared,
joined and repaired as any other. Without the key nobody can find a value by guessing.

The second half proves that a token was made with this key. So a token is never masked again, and a
masked row makes the same row when it is replayed; but no other value can pass for a token. The two
hashes never have the same input: JSON of a value begins with a brace, a hash does not.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Union

from transform.errors import as_bad_record
from transform.parsing import members
from transform.values import typed_and_plain

HASH = "hash"
DROP = "drop"
METHODS = (HASH, DROP)
MIN_KEY_BYTES = 32
PREFIX = "masked:"
_HALF = 32  # Characters of a hash in hexadecimal digits: 128 bits.

# By attribute: a method, or the rules for the members of a map.
Rules = Mapping[str, Union[str, "Rules"]]


@dataclass(frozen=True)
class Masking:
    """Which attributes are masked, how, and the key of the tokens.

    Without a rule nothing is masked, and there is no key.
    """

    rules: Rules
    key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if self.rules and len(self.key) < MIN_KEY_BYTES:
            raise ValueError(f"masking key: expected at least {MIN_KEY_BYTES} bytes, found fewer")

    def apply(self, attributes: dict[str, Any]) -> dict[str, Any]:
        """Return the parsed attributes of an image, masked."""
        return _masked(attributes, self.rules, self.key) if self.rules else attributes


NO_MASKING = Masking({}, b"")


def _masked(attributes: dict[str, Any], rules: Rules, key: bytes) -> dict[str, Any]:
    masked = dict(attributes)
    for name, rule in rules.items():
        if name not in attributes:
            continue
        if rule == DROP:
            del masked[name]
        else:
            masked[name] = _masked_value(name, attributes[name], rule, key)
    return masked


def _masked_value(name: str, value: Any, rule: str | Rules, key: bytes) -> Any:
    try:
        return _token(value, key) if isinstance(rule, str) else _masked_map(value, rule, key)
    except (TypeError, ValueError) as error:
        raise as_bad_record(error).with_prefix(name) from None


def _masked_map(value: Any, rules: Rules, key: bytes) -> Any:
    """Return a value with its members masked if it is a map; any other has none."""
    if type(value) is not tuple:
        raise TypeError
    ((tag, content),) = value
    if tag != "M":
        return value
    return (("M", tuple(_masked(members(content), rules, key).items())),)


def _token(value: Any, key: bytes) -> Any:
    typed, _ = typed_and_plain(value)
    if _is_token(value, key):
        return value
    first_half = _half_hash(typed, key)
    return (("S", f"{PREFIX}{first_half}{_half_hash(first_half, key)}"),)


def _is_token(value: Any, key: bytes) -> bool:
    ((tag, content),) = value
    if tag != "S" or not content.startswith(PREFIX) or not content.isascii():
        return False
    token = content.removeprefix(PREFIX)
    return hmac.compare_digest(token[_HALF:], _half_hash(token[:_HALF], key))


def _half_hash(text: str, key: bytes) -> str:
    message = text.encode("utf-8", "backslashreplace")  # Escapes lone surrogates.
    return hmac.digest(key, message, "sha256").hex()[:_HALF]
