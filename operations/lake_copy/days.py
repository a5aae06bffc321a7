"""Days of the lake: the digest of each day's listing says whether a copy of it is up to date."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from operations.digest import digest
from operations.lake_objects import list_objects
from setup.names import FIRST_DAY, LAKE, RECENT_DAYS, bucket

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

MAX_DAYS = 50  # In a part.
MAX_BYTES = 256 << 20  # Of JSON, compressed: as much in Parquet.
DAY_FOLDER = re.compile(rf"{LAKE}dt=([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})/")


@dataclass(frozen=True, slots=True)
class Day:
    """A day of the lake: the digest of its objects and of the table's columns, and its size."""

    name: str
    digest: str
    size: int


def list_days(s3: S3Client, columns: Iterable[str]) -> dict[str, Day]:
    """Return the days that queries can read, by name.

    Firehose never rewrites an object, and S3 lists each as soon as it is there: so an equal digest
    means equal rows. With other columns, the days have to be copied again.
    """
    lines_by_day: dict[str, list[str]] = defaultdict(list)
    sizes: dict[str, int] = defaultdict(int)
    for entry in list_objects(s3, bucket(), LAKE):
        day = _day_of(entry["Key"])
        if day is not None:
            lines_by_day[day].append(f"{entry['Key']} {entry['ETag']}")
            sizes[day] += entry["Size"]
    header = ",".join(sorted(columns))
    return {
        day: Day(day, digest("\n".join([header, *sorted(lines)])), sizes[day])
        for day, lines in sorted(lines_by_day.items())
    }


def _day_of(key: str) -> str | None:
    folder = DAY_FOLDER.match(key)
    if folder is None or folder[1] < FIRST_DAY:
        return None
    try:
        date.fromisoformat(folder[1])
    except ValueError:
        return None
    return folder[1]


def oldest_recent_day(today: date) -> str:
    """Return the first of the days that are not copied, since late changes may still arrive."""
    return str(today - timedelta(days=RECENT_DAYS - 1))


def chunks(days: Iterable[Day]) -> Iterator[Sequence[Day]]:
    """Yield the days in groups, each small enough for one part."""
    chunk: list[Day] = []
    for day in days:
        if len(chunk) == MAX_DAYS or (chunk and sum(d.size for d in chunk) + day.size > MAX_BYTES):
            yield chunk
            chunk = []
        chunk.append(day)
    if chunk:
        yield chunk
