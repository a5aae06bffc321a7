"""Parts of the copy: partitions of `history` and `state`, each written once and never changed.

The parameters of a partition say which days the part has, with the digest of each day's listing.
They are written last, when the part is proven: a part without them is as good as none.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate
from typing import Any

import boto3
from botocore.exceptions import ClientError

from operations.lake_copy.days import Day
from setup.lib.copy_tables import COPIED_UNTIL_PARAMETER, json_parameters
from setup.lib.descriptions import Entry
from setup.lib.views import describe_table, update_table
from setup.names import DATABASE, FIRST_DAY, HISTORY, RECENT, STATE, TABLES, bucket

COMPACT = "python -m operations.compact"
REBUILD = f"{COMPACT} --rebuild"
DAY_PARAMETER = "day."
GENERATION_PARAMETER = "generation"  # Of `recent`, and of each part as it was marked.
PART_TIME = "%Y%m%dT%H%M%S"


@dataclass(frozen=True, slots=True)
class Part:
    """A part, and the digests of the days that it has; names sort as the parts were begun."""

    name: str
    marks: Mapping[str, str]

    @property
    def begun_at(self) -> datetime:
        """When the part was begun, UTC."""
        return datetime.strptime(f"{self.name[:15]}+0000", f"{PART_TIME}%z")


class PartDropped(Exception):
    """Another run, or operations.erase, has dropped a part."""


class RecentChanged(Exception):
    """Another run, operations.erase or setup has changed `recent`."""


class CopyTable:
    """A table of the copy."""

    def __init__(self, name: str) -> None:
        self._glue = boto3.client("glue")
        self.name = name

    def columns(self) -> list[str]:
        """Return the names of the table's columns."""
        table = describe_table(self.name)
        return [column["Name"] for column in table["StorageDescriptor"]["Columns"]]

    def parts(self, generation: str | None = None) -> list[Part]:
        """Return the parts that queries read, the oldest first.

        Given a generation, parts of another one have no marks: they are about to be dropped.
        """
        pages = self._glue.get_paginator("get_partitions").paginate(
            DatabaseName=DATABASE, TableName=self.name
        )
        partitions = [partition for page in pages for partition in page["Partitions"]]
        parts = [
            Part(entry["Values"][0], _marks(entry.get("Parameters") or {}, generation))
            for entry in partitions
        ]
        return sorted(parts, key=lambda part: part.name)

    def has_parts(self, names: Iterable[str]) -> bool:
        """Return whether queries read all these parts."""
        return {*names} <= {part.name for part in self.parts()}

    @property
    def prefix(self) -> str:
        """The prefix of the objects of all parts."""
        return f"{TABLES}{self.name}/"

    def location(self, part: str) -> str:
        """Return the folder of a part's objects, as a URI."""
        return f"s3://{bucket()}/{self.prefix}{part}/"

    def publish(self, part: str) -> None:
        """Let queries read a part that is written."""
        self._glue.create_partition(
            DatabaseName=DATABASE, TableName=self.name, PartitionInput=self._partition(part)
        )

    def mark(self, part: str, marks: Mapping[str, str], generation: str) -> None:
        """Say which days a proven part has; raise PartDropped if it is not a part any more."""
        parameters = {f"{DAY_PARAMETER}{day}": mark for day, mark in marks.items()}
        try:
            self._glue.update_partition(
                DatabaseName=DATABASE,
                TableName=self.name,
                PartitionValueList=[part],
                PartitionInput=self._partition(
                    part, {**parameters, GENERATION_PARAMETER: generation}
                ),
            )
        except self._glue.exceptions.EntityNotFoundException:
            raise PartDropped from None

    def drop(self, part: str) -> None:
        """Let queries no longer read a part; its objects stay for those that have begun."""
        with suppress(self._glue.exceptions.EntityNotFoundException):  # Another run has dropped it.
            self._glue.delete_partition(
                DatabaseName=DATABASE, TableName=self.name, PartitionValues=[part]
            )

    # The stubs' types of a storage descriptor differ between GetTable and CreatePartition.
    def _partition(self, part: str, parameters: Mapping[str, str] | None = None) -> Any:
        storage = describe_table(self.name)["StorageDescriptor"]
        return {
            "Values": [part],
            "Parameters": parameters or {},
            "StorageDescriptor": {**storage, "Location": self.location(part)},
        }


def new_part_name() -> str:
    """Return a name for a part that is begun now."""
    return f"{datetime.now(UTC):{PART_TIME}}-{secrets.token_hex(4)}"


def _marks(parameters: Mapping[str, str], generation: str | None) -> dict[str, str]:
    if generation not in (None, parameters.get(GENERATION_PARAMETER, "")):
        return {}
    return {
        name.removeprefix(DAY_PARAMETER): digest
        for name, digest in parameters.items()
        if name.startswith(DAY_PARAMETER)
    }


def marked_days(parts: Iterable[Part], days: Mapping[str, Day]) -> set[str]:
    """Return the days that a part has as they are listed now."""
    return {
        name
        for part in parts
        for name, mark in part.marks.items()
        if name in days and days[name].digest == mark
    }


def copied_days(parts_by_table: Iterable[Iterable[Part]], days: Mapping[str, Day]) -> set[str]:
    """Return the days that every table has as they are listed now, given the parts of each."""
    return set.intersection(*(marked_days(parts, days) for parts in parts_by_table))


def smallest_within(parts: Iterable[Part], sizes: Mapping[str, int], limit: int) -> list[Part]:
    """Return as many of the smallest parts as together have fewer bytes than a limit."""
    by_size = sorted(parts, key=lambda part: sizes.get(part.name, 0))
    totals = accumulate(sizes.get(part.name, 0) for part in by_size)
    return [part for part, total in zip(by_size, totals, strict=True) if total < limit]


def superseded(parts: Iterable[Part], days: Mapping[str, Day]) -> list[Part]:
    """Return the parts whose every day is in a newer part, or not in the lake any more.

    The parts must have been read before the days: else a part could have rows of a late object
    that the newer part lacks, and the listing does not show.
    """
    newer_days: set[str] = set()
    superseded_parts = []
    for part in sorted(parts, key=lambda part: part.name, reverse=True):
        if part.marks and all(day in newer_days or day not in days for day in part.marks):
            superseded_parts.append(part)
        else:
            newer_days |= marked_days([part], days)
    return superseded_parts


def drop_copy() -> None:
    """Let queries read the JSON of all days again.

    The parts there are do not count any more before the first is dropped: so whenever this ends, no
    compaction lets `recent` begin after days that only those have. Later parts are not dropped.
    """
    tables = (CopyTable(HISTORY), CopyTable(STATE))
    parts = [(table, part.name) for table in tables for part in table.parts()]
    _begin_generation()
    for table, part in parts:
        table.drop(part)


def _begin_generation() -> None:
    """Let `recent` begin at the first day of all, and no part count that there is now."""
    while True:
        recent = describe_table(RECENT)
        recent["Parameters"][GENERATION_PARAMETER] = secrets.token_hex(4)
        with suppress(RecentChanged):
            move_first_recent_day(FIRST_DAY, recent)
            return


def first_recent_day() -> str:
    """Return the first day that `recent` reads."""
    return first_day_of(describe_table(RECENT))


def first_day_of(recent: Entry) -> str:
    """Return the first day that `recent` reads, given what the catalog has of it."""
    first_day: str = recent["Parameters"]["projection.dt.range"].partition(",")[0]
    return first_day


def current_generation() -> str:
    """Return the generation of the parts that count."""
    return generation_of(describe_table(RECENT))


def generation_of(recent: Entry) -> str:
    """Return the generation of the parts that count, given what the catalog has of `recent`."""
    generation: str = recent["Parameters"].get(GENERATION_PARAMETER, "")
    return generation


def move_first_recent_day(day: str, recent: Entry) -> None:
    """Let `recent` begin at this day: queries read the copy of those before it.

    Given what the catalog had of `recent`, raise RecentChanged if that has changed since.
    """
    parameters = {**recent["Parameters"], **json_parameters(day), COPIED_UNTIL_PARAMETER: day}
    try:
        update_table({**recent, "Parameters": parameters}, VersionId=recent["VersionId"])
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConcurrentModificationException":
            raise
        raise RecentChanged from None
