"""Which objects belong to which partition: by projection, by the catalog, or to none at all."""

import re
from calendar import monthrange
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from local.services.athena.errors import QueryFailed, not_modelled
from local.services.athena.storage.glue_catalog import Catalog, Table

Values = tuple[str, ...]
ValuesOf = Callable[["Place", str], "Values | None"]


@dataclass(frozen=True, slots=True)
class Place:
    """A bucket and the beginning of a key in it."""

    bucket: str
    prefix: str


def place(location: str) -> Place:
    """Return the place that an s3:// location names; a folder ends with a slash."""
    found = re.fullmatch(r"s3[an]?://([^/]+)/?(.*)", location)
    if not found:
        raise QueryFailed("HIVE_METASTORE_ERROR", f"Table location is not in S3: '{location}'")
    prefix = found[2]
    return Place(found[1], prefix if not prefix or prefix.endswith("/") else prefix + "/")


class Layout:
    """Where a table's objects lie, and the partition values that a key stands for."""

    def __init__(self, places: Iterable[Place], values_of: ValuesOf) -> None:
        self.places = tuple(dict.fromkeys(places))
        self.values_of = values_of


def layout(table: Table, catalog: Catalog, now: datetime) -> Layout:
    """Return where the objects of a table lie."""
    if not table.keys:
        return Layout([place(table.location)], lambda _, key: ())
    if table.parameters.get("projection.enabled", "").lower() == "true":
        return _projected(table, now)
    return _registered(table, catalog)


def _registered(table: Table, catalog: Catalog) -> Layout:
    found = {place(location): values for values, location in catalog.partitions(table)}
    return Layout(found, lambda where, key: found[where])


def _projected(table: Table, now: datetime) -> Layout:
    names = [column.name for column in table.keys]
    rules = [projection(table, name, now) for name in names]
    template = table.parameters.get("storage.location.template") or (
        place_text(table.location) + "".join(f"{name}=${{{name}}}/" for name in names)
    )
    missing = [name for name in names if f"${{{name}}}" not in template]
    if missing:
        raise QueryFailed(
            "HIVE_METASTORE_ERROR",
            f"Table {table.database}.{table.name} storage.location.template does not contain "
            f"partition column {missing[0]}",
        )
    root = place(template.partition("${")[0].rpartition("/")[0])
    pattern = _pattern(template)

    def values_of(where: Place, key: str) -> Values | None:
        found = pattern.match(f"s3://{where.bucket}/{key}")
        if not found:
            return None
        values = tuple(found[name] for name in names)
        fits = all(rule(value) for rule, value in zip(rules, values, strict=True))
        return values if fits else None

    return Layout([root], values_of)


def place_text(location: str) -> str:
    """Return a location with the slash that ends a folder."""
    where = place(location)
    return f"s3://{where.bucket}/{where.prefix}"


def _pattern(template: str) -> re.Pattern[str]:
    pieces = re.split(r"\$\{(\w+)\}", template if template.endswith("/") else template + "/")
    seen: set[str] = set()
    text = ""
    for number, piece in enumerate(pieces):
        if number % 2 == 0:
            text += re.escape(piece)
        else:
            text += f"(?P={piece})" if piece in seen else f"(?P<{piece}>[^/]+)"
            seen.add(piece)
    return re.compile(text)


def projection(table: Table, column: str, now: datetime) -> Callable[[str], bool]:
    """Return whether a value of a column is one that its projection gives."""
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
    if kind not in _KINDS:
        raise not_modelled(f"partition projection of type {kind}")
    try:
        return _KINDS[kind](settings, now)
    except (ValueError, OverflowError) as error:
        raise QueryFailed(
            "HIVE_METASTORE_ERROR",
            f"Table {table.database}.{table.name} has an invalid projection.{column}: {error}",
        ) from None


def _enum(settings: dict[str, str], _: datetime) -> Callable[[str], bool]:
    allowed = {value.strip() for value in settings.get("values", "").split(",")}
    return allowed.__contains__


def _integer(settings: dict[str, str], _: datetime) -> Callable[[str], bool]:
    low, high = map(int, _range(settings))
    step, digits = _step(settings), int(settings.get("digits", "1"))

    def fits(value: str) -> bool:
        if not re.fullmatch(r"-?\d+", value):
            return False
        number = int(value)
        return (
            low <= number <= high
            and (number - low) % step == 0
            and value == format(number, f"0{digits}d")
        )

    return fits


def _range(settings: dict[str, str]) -> list[str]:
    bounds = [bound.strip() for bound in settings.get("range", "").split(",")]
    if len(bounds) != 2:
        raise ValueError(f"its range must be two bounds, as in 1,9, not {settings.get('range')!r}")
    return bounds


def _step(settings: dict[str, str]) -> int:
    step = settings.get("interval", "1")
    if not re.fullmatch(r"[1-9]\d{0,8}", step):
        raise ValueError(f"its interval must be a whole number above 0, not {step!r}")
    return int(step)


_JAVA = (("yyyy", "%Y"), ("MM", "%m"), ("dd", "%d"), ("HH", "%H"), ("mm", "%M"), ("ss", "%S"))
_SECONDS = {"SECOND": 1, "MINUTE": 60, "HOUR": 3600, "DAY": 86400, "WEEK": 604800}
_MONTHS = {"MONTH": 1, "YEAR": 12}


def _date(settings: dict[str, str], now: datetime) -> Callable[[str], bool]:
    pattern = _strptime(settings.get("format", ""))
    low, high = (_bound(text, pattern, now) for text in _range(settings))
    unit = _unit(settings.get("interval.unit", _finest(pattern)))
    step = _step(settings)

    def fits(value: str) -> bool:
        moment = _moment(value, pattern)
        return moment is not None and low <= moment <= high and _on_grid(moment - low, unit, step)

    return fits


def _unit(text: str) -> str:
    unit = text.upper().rstrip("S")
    if unit not in (*_SECONDS, *_MONTHS):
        raise ValueError(f"{text!r} is no unit of time")
    return unit


def _strptime(pattern: str) -> str:
    if not pattern:
        raise ValueError("its format is missing, as yyyy-MM-dd is one")
    for java, python in _JAVA:
        pattern = pattern.replace(java, python)
    pattern = pattern.replace("'", "")
    if re.search(r"(?<!%)[A-Za-z]", pattern):
        raise not_modelled(f"the projected date format {pattern!r}")
    return pattern


def _finest(pattern: str) -> str:
    if "%d" not in pattern:
        return "MONTH"
    return "DAY" if "%H" not in pattern else "HOUR"


def _moment(value: str, pattern: str) -> datetime | None:
    try:
        moment = datetime.strptime(value, pattern)
    except ValueError:
        return None
    return moment if moment.strftime(pattern) == value else None


def _bound(text: str, pattern: str, now: datetime) -> datetime:
    relative = re.fullmatch(r"NOW\s*(?:([+-])\s*(\d+)\s*([A-Za-z]+))?", text)
    if relative is None:
        moment = _moment(text, pattern)
        if moment is None:
            raise ValueError(f"the bound {text!r} of its range is no date of its format")
        return moment
    moment = now.replace(tzinfo=None)
    if relative[1]:
        sign = 1 if relative[1] == "+" else -1
        moment = _shifted(moment, sign * int(relative[2]), _unit(relative[3]))
    return _moment(moment.strftime(pattern), pattern) or moment


def _shifted(moment: datetime, count: int, unit: str) -> datetime:
    if unit in _SECONDS:
        return moment + timedelta(seconds=count * _SECONDS[unit])
    year, month = divmod(moment.year * 12 + moment.month - 1 + count * _MONTHS[unit], 12)
    last = monthrange(year, month + 1)[1]  # The 31st of a shorter month is its last day.
    return moment.replace(year=year, month=month + 1, day=min(moment.day, last))


def _on_grid(distance: timedelta, unit: str, step: int) -> bool:
    if unit not in _SECONDS:
        return step == 1 or bool(_refuse_step(unit))
    return distance.total_seconds() % (step * _SECONDS[unit]) == 0


def _refuse_step(unit: str) -> None:
    raise not_modelled(f"a projection interval of more than one {unit.lower()}")


_KINDS = {"enum": _enum, "integer": _integer, "date": _date}
