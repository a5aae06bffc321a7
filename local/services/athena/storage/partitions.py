"""Partitions: where a table's objects are, and the partition values that each key stands for."""

import re
from calendar import monthrange
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from local.services.athena.errors import QueryFailed, not_modelled
from local.services.athena.storage.glue_catalog import Catalog, Table

PartitionValues = tuple[str, ...]
ValuesOf = Callable[["S3Prefix", str], "PartitionValues | None"]
"""Returns the partition values of a key below a prefix, None if it belongs to no partition."""
ValueCheck = Callable[[str], bool]
"""Returns whether a partition projection includes a value."""
Settings = dict[str, str]
"""The projection.COLUMN.* parameters of a column, without that prefix."""
_ESCAPED = re.compile(r"[\x00-\x1f\x7f\"#%'*/:=?\\{\[\]^]")
"""What Hive escapes in the folder name of a partition."""


@dataclass(frozen=True, slots=True)
class S3Prefix:
    """A bucket and a prefix of keys in it."""

    bucket: str
    key_prefix: str

    @property
    def location(self) -> str:
        """The s3:// location of the prefix."""
        return f"s3://{self.bucket}/{self.key_prefix}"


def parse_location(location: str) -> S3Prefix:
    """Parse an s3:// location; a slash is added at its end."""
    match = re.fullmatch(r"s3[an]?://([^/]+)/?(.*)", location)
    if not match:
        raise QueryFailed("HIVE_METASTORE_ERROR", f"Table location is not in S3: '{location}'")
    bucket, path = match[1], match[2].removesuffix("/")
    return S3Prefix(bucket, f"{path}/" if match[2] else "")


class Layout:
    """The prefixes of a table's objects, and the partition values that a key stands for."""

    def __init__(self, prefixes: Iterable[S3Prefix], values_of: ValuesOf) -> None:
        self.prefixes = tuple(dict.fromkeys(prefixes))
        self.values_of = values_of


def layout_of(table: Table, catalog: Catalog, now: datetime) -> Layout:
    """Return the layout of a table: unpartitioned, projected or registered in the catalog."""
    if not table.keys:
        return Layout([parse_location(table.location)], lambda _prefix, _key: ())
    if table.parameters.get("projection.enabled", "").lower() == "true":
        return _projected_layout(table, now)
    return _registered_layout(table, catalog)


def partition_location(table: Table, values: PartitionValues) -> str:
    """Return where a new partition's objects go: by the table's template, or below the table."""
    names = [key.name for key in table.keys]
    location = table.parameters.get("storage.location.template") or (
        parse_location(table.location).location + "".join(f"{name}=${{{name}}}/" for name in names)
    )
    for name, value in zip(names, values, strict=True):
        location = location.replace(f"${{{name}}}", _ESCAPED.sub(_escape, value))
    return location


def _escape(match: re.Match[str]) -> str:
    return f"%{ord(match[0]):02X}"


def _registered_layout(table: Table, catalog: Catalog) -> Layout:
    values_by_prefix = {
        parse_location(location): values for values, location in catalog.list_partitions(table)
    }
    return Layout(values_by_prefix, lambda prefix, _key: values_by_prefix[prefix])


def _projected_layout(table: Table, now: datetime) -> Layout:
    names = [column.name for column in table.keys]
    checks = [projection_check(table, name, now) for name in names]
    template = table.parameters.get("storage.location.template") or (
        parse_location(table.location).location + "".join(f"{name}=${{{name}}}/" for name in names)
    )
    missing = [name for name in names if f"${{{name}}}" not in template]
    if missing:
        raise QueryFailed(
            "HIVE_METASTORE_ERROR",
            f"Table {table.database}.{table.name} storage.location.template does not contain "
            f"partition column {missing[0]}",
        )
    root = parse_location(template.partition("${")[0].rpartition("/")[0])
    pattern = _template_pattern(template)

    def values_of(prefix: S3Prefix, key: str) -> PartitionValues | None:
        match = pattern.match(f"s3://{prefix.bucket}/{key}")
        if not match:
            return None
        values = tuple(match[name] for name in names)
        is_projected = all(check(value) for check, value in zip(checks, values, strict=True))
        return values if is_projected else None

    return Layout([root], values_of)


def _template_pattern(template: str) -> re.Pattern[str]:
    pieces = re.split(r"\$\{(\w+)\}", template if template.endswith("/") else template + "/")
    names: set[str] = set()
    pattern = ""
    for index, piece in enumerate(pieces):
        if index % 2 == 0:  # Literal text and names alternate.
            pattern += re.escape(piece)
        else:
            pattern += f"(?P={piece})" if piece in names else f"(?P<{piece}>[^/]+)"
            names.add(piece)
    return re.compile(pattern)


def projection_check(table: Table, column: str, now: datetime) -> ValueCheck:
    """Return the check of whether the projection of a column includes a value."""
    settings = {
        name.removeprefix(f"projection.{column}."): value
        for name, value in table.parameters.items()
        if name.startswith(f"projection.{column}.")
    }
    kind = settings.get("type", "").lower()
    if not kind:
        raise QueryFailed(
            "HIVE_METASTORE_ERROR",
            f"Table {table.database}.{table.name} is configured for partition projection, but the "
            f"following partition columns are missing projection configuration: [{column}]",
        )
    if kind not in _PROJECTION_CHECKS:
        raise not_modelled(f"partition projection of type {kind}")
    try:
        return _PROJECTION_CHECKS[kind](settings, now)
    except (ValueError, OverflowError) as error:
        raise QueryFailed(
            "HIVE_METASTORE_ERROR",
            f"Table {table.database}.{table.name} has an invalid projection.{column}: {error}",
        ) from None


def _enum_check(settings: Settings, _: datetime) -> ValueCheck:
    allowed_values = {value.strip() for value in settings.get("values", "").split(",")}

    def is_projected(value: str) -> bool:
        return value in allowed_values

    return is_projected


def _integer_check(settings: Settings, _: datetime) -> ValueCheck:
    low, high = map(int, _range(settings))
    step = _step(settings)
    digits = int(settings.get("digits", "1"))

    def is_projected(value: str) -> bool:
        if not re.fullmatch(r"-?\d+", value):
            return False
        number = int(value)
        return (
            low <= number <= high
            and (number - low) % step == 0
            and value == format(number, f"0{digits}d")
        )

    return is_projected


def _range(settings: Settings) -> list[str]:
    bounds = [bound.strip() for bound in settings.get("range", "").split(",")]
    if len(bounds) != 2:
        raise ValueError(f"range must be two bounds such as 1,9, not {settings.get('range')!r}")
    return bounds


def _step(settings: Settings) -> int:
    step = settings.get("interval", "1")
    if not re.fullmatch(r"[1-9]\d{0,8}", step):
        raise ValueError(f"interval must be a positive integer, not {step!r}")
    return int(step)


_JAVA_DIRECTIVES = (
    ("yyyy", "%Y"),
    ("MM", "%m"),
    ("dd", "%d"),
    ("HH", "%H"),
    ("mm", "%M"),
    ("ss", "%S"),
)
"""Java's date pattern letters and strptime's directive for each."""
_UNIT_SECONDS = {"SECOND": 1, "MINUTE": 60, "HOUR": 3600, "DAY": 86400, "WEEK": 604800}
_UNIT_MONTHS = {"MONTH": 1, "YEAR": 12}


def _date_check(settings: Settings, now: datetime) -> ValueCheck:
    pattern = _to_strptime(settings.get("format", ""))
    low, high = (_parse_bound(text, pattern, now) for text in _range(settings))
    unit = _unit(settings.get("interval.unit", _default_unit(pattern)))
    step = _step(settings)

    def is_projected(value: str) -> bool:
        date = _parse_date(value, pattern)
        return date is not None and low <= date <= high and _is_on_grid(date - low, unit, step)

    return is_projected


def _unit(text: str) -> str:
    unit = text.upper().rstrip("S")
    if unit not in (*_UNIT_SECONDS, *_UNIT_MONTHS):
        raise ValueError(f"{text!r} is not a unit of time")
    return unit


def _to_strptime(pattern: str) -> str:
    if not pattern:
        raise ValueError("format is missing: set one such as yyyy-MM-dd")
    for java, python in _JAVA_DIRECTIVES:
        pattern = pattern.replace(java, python)
    pattern = pattern.replace("'", "")
    if re.search(r"(?<!%)[A-Za-z]", pattern):
        raise not_modelled(f"the projected date format {pattern!r}")
    return pattern


def _default_unit(pattern: str) -> str:
    if "%d" not in pattern:
        return "MONTH"
    return "DAY" if "%H" not in pattern else "HOUR"


def _parse_date(value: str, pattern: str) -> datetime | None:
    try:
        date = datetime.strptime(value, pattern)  # noqa: DTZ007 - a partition has no zone.
    except ValueError:
        return None
    return date if date.strftime(pattern) == value else None


def _parse_bound(text: str, pattern: str, now: datetime) -> datetime:
    relative = re.fullmatch(r"NOW\s*(?:([+-])\s*(\d+)\s*([A-Za-z]+))?", text)
    if relative is None:
        date = _parse_date(text, pattern)
        if date is None:
            raise ValueError(f"range bound {text!r} does not match the format")
        return date
    date = now.replace(tzinfo=None)
    if relative[1]:
        sign = 1 if relative[1] == "+" else -1
        date = _add_units(date, sign * int(relative[2]), _unit(relative[3]))
    return _parse_date(date.strftime(pattern), pattern) or date


def _add_units(date: datetime, count: int, unit: str) -> datetime:
    if unit in _UNIT_SECONDS:
        return date + timedelta(seconds=count * _UNIT_SECONDS[unit])
    year, month = divmod(date.year * 12 + date.month - 1 + count * _UNIT_MONTHS[unit], 12)
    last_day = monthrange(year, month + 1)[1]
    return date.replace(year=year, month=month + 1, day=min(date.day, last_day))


def _is_on_grid(distance: timedelta, unit: str, step: int) -> bool:
    if unit in _UNIT_SECONDS:
        return distance.total_seconds() % (step * _UNIT_SECONDS[unit]) == 0
    if step > 1:
        raise not_modelled(f"a projection interval of more than one {unit.lower()}")
    return True


_PROJECTION_CHECKS: dict[str, Callable[[Settings, datetime], ValueCheck]] = {
    "enum": _enum_check,
    "integer": _integer_check,
    "date": _date_check,
}
