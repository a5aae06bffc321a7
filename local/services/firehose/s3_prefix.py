"""S3 prefixes of Firehose: their grammar, its validation, and their evaluation.

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
LAMBDA_KEY = "partitionKeyFromLambda"
QUERY_KEY = "partitionKeyFromQuery"
ERROR_TYPE = "!{firehose:error-output-type}"
NAMESPACES = ("timestamp", "firehose", LAMBDA_KEY, QUERY_KEY)
FIREHOSE_VALUES = ("error-output-type", "random-string")
INVALID_PATTERN_LETTERS = frozenset("CIJPRTUVbfijloprt")  # AWS rejects them in a timestamp.
ARRIVAL_FOLDERS = "yyyy/MM/dd/HH/"  # Appended to a prefix without any expression.
MAX_TEXT_LENGTH = 1024
MAX_EVALUATED_LENGTH = 512

FIELDS: dict[str, Callable[[datetime], int]] = {
    "y": lambda time: time.year,
    "M": lambda time: time.month,
    "d": lambda time: time.day,
    "D": lambda time: time.timetuple().tm_yday,
    "H": lambda time: time.hour,
    "m": lambda time: time.minute,
    "s": lambda time: time.second,
}
PATTERN = re.compile(r"'([^']*)'|(([a-zA-Z])\3*)|([^a-zA-Z']+)")


@dataclass(frozen=True, slots=True)
class PrefixContext:
    """The values of expressions; `time` is when the object's oldest record arrived."""

    time: datetime
    partition_keys: Mapping[str, str] = field(default_factory=dict)
    error_type: str = ""


def lambda_partition_keys(prefix: str) -> tuple[str, ...]:
    """Return the partition keys that a prefix takes from the Lambda function's response.

    >>> lambda_partition_keys("lake/dt=!{partitionKeyFromLambda:dt}/")
    ('dt',)
    """
    return tuple(name for namespace, name in EXPRESSION.findall(prefix) if namespace == LAMBDA_KEY)


def evaluate_prefix(prefix: str, context: PrefixContext) -> str:
    """Return the prefix of delivered rows, with each expression replaced by its value."""
    text = EXPRESSION.sub(lambda match: _value(match[1], match[2], context), prefix)
    return text if EXPRESSION.search(prefix) else text + format_time(ARRIVAL_FOLDERS, context.time)


def evaluate_error_prefix(prefix: str, context: PrefixContext) -> str:
    """Return the prefix of failed records: AWS's default folders if none is configured."""
    if not prefix:
        return f"{context.error_type}/{format_time(ARRIVAL_FOLDERS, context.time)}"
    return evaluate_prefix(prefix, context)


def format_time(pattern: str, time: datetime) -> str:
    """Format a time by a pattern of Java's DateTimeFormatter.

    >>> format_time("yyyy/MM/dd/'at' HH", datetime(2026, 11, 23, 9))
    '2026/11/23/at 09'
    """
    return PATTERN.sub(lambda match: _field(match, time), pattern)


def _field(match: re.Match[str], time: datetime) -> str:
    quoted, run, letter, other = match.groups()
    if run is None:
        if quoted is None:
            return other
        return quoted or "'"  # Two quotes are an escaped quote.
    value = FIELDS[letter](time)
    return f"{value % 100:02d}" if run == "yy" else str(value).zfill(len(run))


def _value(namespace: str, name: str, context: PrefixContext) -> str:
    if namespace == "timestamp":
        return format_time(name, context.time)
    if namespace == LAMBDA_KEY:
        return context.partition_keys[name]
    if name == "random-string":
        return "".join(random.choices(string.ascii_lowercase + string.digits, k=11))
    return context.error_type


def check_prefixes(prefix: str, error_prefix: str) -> None:
    """Raise AwsError for prefixes that Firehose rejects."""
    for text, member in ((prefix, "Prefix"), (error_prefix, "ErrorOutputPrefix")):
        _check_grammar(text, member)
        _check_length(text, member)
    if ERROR_TYPE in prefix:
        raise _invalid_argument(f"Prefix must not contain any occurrence of {ERROR_TYPE}")
    if "!{" in prefix and not error_prefix:
        raise _invalid_argument(
            "ErrorOutputPrefix cannot be null or empty when Prefix contains expressions"
        )
    if "!{partitionKeyFrom" in error_prefix:
        raise _invalid_argument(
            "Dynamic Partitioning Namespaces can't be part of an error prefix expression"
        )
    if "!{" in error_prefix and ERROR_TYPE not in error_prefix:
        raise _invalid_argument(
            f"ErrorOutputPrefix must contain at least one occurrence of {ERROR_TYPE}"
        )


def _check_grammar(text: str, member: str) -> None:
    if "!{" in EXPRESSION.sub("", text):
        raise _invalid_argument("Invalid expression usage")
    for namespace, name in EXPRESSION.findall(text):
        if namespace not in NAMESPACES:
            raise _invalid_argument(
                f"Namespace to the left of colon ({namespace}) is an invalid keyword!"
            )
        if namespace == "timestamp":
            _check_time_pattern(name, member)
        if namespace == "firehose" and name not in FIREHOSE_VALUES:
            raise _invalid_conversion(member)


def _check_time_pattern(pattern: str, member: str) -> None:
    letters = _letters(pattern)
    if letters & INVALID_PATTERN_LETTERS:
        raise _invalid_conversion(member)
    if letters - FIELDS.keys() or "MMM" in pattern:
        known = "yyyy yy M MM d dd D H HH m mm s ss"
        feature = f"timestamp:{pattern} with other fields than {known}"
        raise _invalid_argument(not_modelled_message(feature))


def _invalid_conversion(member: str) -> AwsError:
    return _invalid_argument(
        f"Invalid conversion character used in the value of the expression in {member}"
    )


def _letters(pattern: str) -> set[str]:
    return set(filter(str.isalpha, re.sub(r"'[^']*'", "", pattern)))


def _check_length(text: str, member: str) -> None:
    shortest = EXPRESSION.sub("x", text)  # Each expression has at least one character.
    if len(text) > MAX_TEXT_LENGTH or len(shortest) > MAX_EVALUATED_LENGTH:
        name = {"Prefix": "prefix"}.get(member, member)
        raise _invalid_argument(
            f"Length of evaluated {name} cannot be greater than {MAX_EVALUATED_LENGTH}"
        )


def _invalid_argument(message: str) -> AwsError:
    return AwsError("InvalidArgumentException", message)
