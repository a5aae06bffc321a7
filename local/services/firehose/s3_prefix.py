"""Firehose's S3 prefixes: their grammar, what is refused of it, and what they come to.

https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html
"""

import random
import re
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from local.core.errors import not_modelled_message
from local.core.request import AwsError

EXPRESSION = re.compile(r"!\{([a-zA-Z]+):([^{}]*)\}")
LAMBDA_KEY, QUERY_KEY = "partitionKeyFromLambda", "partitionKeyFromQuery"
ERROR_TYPE = "!{firehose:error-output-type}"
NAMESPACES = ("timestamp", "firehose", LAMBDA_KEY, QUERY_KEY)
FIREHOSE_VALUES = ("error-output-type", "random-string")
NO_PATTERN_LETTERS = frozenset("CIJPRTUVbfijloprt")  # What AWS refuses in a timestamp.
ARRIVAL = "yyyy/MM/dd/HH/"  # Appended to a prefix without any expression.
TEXT_LIMIT, EVALUATED_LIMIT = 1024, 512

FIELDS: dict[str, Callable[[datetime], int]] = {
    "y": lambda at: at.year,
    "M": lambda at: at.month,
    "d": lambda at: at.day,
    "D": lambda at: at.timetuple().tm_yday,
    "H": lambda at: at.hour,
    "m": lambda at: at.minute,
    "s": lambda at: at.second,
}
PATTERN = re.compile(r"'([^']*)'|(([a-zA-Z])\3*)|([^a-zA-Z']+)")


@dataclass(frozen=True, slots=True)
class Scope:
    """What expressions are evaluated with: `at` is when the object's oldest record arrived."""

    at: datetime
    keys: Mapping[str, str] = field(default_factory=dict)
    error_type: str = ""


def lambda_keys(prefix: str) -> tuple[str, ...]:
    """Return the partition keys that a prefix takes from the Lambda function's answer.

    >>> lambda_keys("lake/dt=!{partitionKeyFromLambda:dt}/")
    ('dt',)
    """
    return tuple(value for space, value in EXPRESSION.findall(prefix) if space == LAMBDA_KEY)


def evaluated(prefix: str, scope: Scope) -> str:
    """Return a prefix of data with each expression replaced by its value."""
    text = EXPRESSION.sub(lambda found: _value(found[1], found[2], scope), prefix)
    return text if EXPRESSION.search(prefix) else text + formatted(ARRIVAL, scope.at)


def evaluated_error(prefix: str, scope: Scope) -> str:
    """Return a prefix of failed records; without a prefix of their own they get AWS's folders."""
    if not prefix:
        return f"{scope.error_type}/{formatted(ARRIVAL, scope.at)}"
    return evaluated(prefix, scope)


def formatted(pattern: str, at: datetime) -> str:
    """Return a time in the pattern of Java's DateTimeFormatter.

    >>> formatted("yyyy/MM/dd/'at' HH", datetime(2026, 11, 23, 9))
    '2026/11/23/at 09'
    """
    return PATTERN.sub(lambda found: _field(found, at), pattern)


def _field(found: re.Match[str], at: datetime) -> str:
    quoted, run, letter, other = found.groups()
    if run is None:
        return other if quoted is None else quoted or "'"
    value = FIELDS[letter](at)
    return f"{value % 100:02d}" if run == "yy" else str(value).zfill(len(run))


def _value(space: str, value: str, scope: Scope) -> str:
    if space == "timestamp":
        return formatted(value, scope.at)
    if space == LAMBDA_KEY:
        return scope.keys[value]
    if value == "random-string":
        return "".join(random.choices(string.ascii_lowercase + string.digits, k=11))
    return scope.error_type


def check_prefixes(prefix: str, error_prefix: str) -> None:
    """Refuse prefixes that Firehose refuses, whether or not it partitions."""
    for text, member in ((prefix, "Prefix"), (error_prefix, "ErrorOutputPrefix")):
        _check_grammar(text, member)
        _check_length(text, member)
    if ERROR_TYPE in prefix:
        raise _refusal(f"Prefix must not contain any occurrence of {ERROR_TYPE}")
    if "!{" in prefix and not error_prefix:
        raise _refusal("ErrorOutputPrefix cannot be null or empty when Prefix contains expressions")
    if "!{partitionKeyFrom" in error_prefix:
        text = "Dynamic Partitioning Namespaces can't be part of an error prefix expression"
        raise _refusal(text)
    if "!{" in error_prefix and ERROR_TYPE not in error_prefix:
        raise _refusal(f"ErrorOutputPrefix must contain at least one occurrence of {ERROR_TYPE}")


def _check_grammar(text: str, member: str) -> None:
    if "!{" in EXPRESSION.sub("", text):
        raise _refusal("Invalid expression usage")
    for space, value in EXPRESSION.findall(text):
        if space not in NAMESPACES:
            raise _refusal(f"Namespace to the left of colon ({space}) is an invalid keyword!")
        wrong_letter = space == "timestamp" and _letters(value) & NO_PATTERN_LETTERS
        if wrong_letter or (space == "firehose" and value not in FIREHOSE_VALUES):
            where = f"used in the value of the expression in {member}"
            raise _refusal(f"Invalid conversion character {where}")
        if space == "timestamp" and (_letters(value) - FIELDS.keys() or "MMM" in value):
            known = "yyyy yy M MM d dd D H HH m mm s ss"
            feature = f"timestamp:{value} with other fields than {known}"
            raise _refusal(not_modelled_message(feature))


def _letters(pattern: str) -> set[str]:
    return set(filter(str.isalpha, re.sub(r"'[^']*'", "", pattern)))


def _check_length(text: str, member: str) -> None:
    shortest = EXPRESSION.sub("x", text)  # Each expression comes to one character at least.
    if len(text) > TEXT_LIMIT or len(shortest) > EVALUATED_LIMIT:
        name = {"Prefix": "prefix"}.get(member, member)
        raise _refusal(f"Length of evaluated {name} cannot be greater than {EVALUATED_LIMIT}")


def _refusal(text: str) -> AwsError:
    return AwsError("InvalidArgumentException", text)
