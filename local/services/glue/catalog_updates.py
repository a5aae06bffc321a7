"""What a crawl found, and how that is written down in the catalog."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from local.services.glue.schema_inference import Type, hive, joined

AT_ONCE = 100  # partitions that BatchCreatePartition and BatchUpdatePartition take
LOOKED_UP_AT_ONCE = 1000  # partitions that BatchGetPartition takes

# What UpdateTable takes of that which GetTable answers; the rest is Glue's own.
TABLE_INPUT = (
    "Name",
    "Description",
    "Owner",
    "Retention",
    "StorageDescriptor",
    "PartitionKeys",
    "ViewOriginalText",
    "ViewExpandedText",
    "TableType",
    "Parameters",
    "TargetTable",
)

PARTITION_PARAMETERS = ("classification", "compressionType", "typeOfData")

Values = tuple[str, ...]
Column = Mapping[str, str]
Log = Callable[[str], None]


class CrawlFailed(Exception):
    """Why a crawl could not go on, in the words that its LastCrawl shows."""


@dataclass(frozen=True, slots=True)
class Behavior:
    """What a crawl may write, by the crawler's policy and configuration."""

    crawler: str
    updates: bool
    merges_new_columns: bool
    partitions_inherit: bool


@dataclass(frozen=True, slots=True)
class Changes:
    """What a crawl wrote into the catalog."""

    tables_updated: int = 0
    partitions_added: int = 0
    partitions_updated: int = 0

    def __add__(self, other: "Changes") -> "Changes":
        return Changes(
            self.tables_updated + other.tables_updated,
            self.partitions_added + other.partitions_added,
            self.partitions_updated + other.partitions_updated,
        )

    def counts(self) -> dict[str, dict[str, int]]:
        """Return what was done to tables and to partitions, without the zeros."""
        done = {
            "TABLE": {"UPDATE": self.tables_updated},
            "PARTITION": {"ADD": self.partitions_added, "UPDATE": self.partitions_updated},
        }
        return {
            kind: counts
            for kind, each in done.items()
            if (counts := {action: count for action, count in each.items() if count})
        }

    def summary(self) -> str:
        """Return the JSON text that ListCrawls gives as a crawl's summary."""
        return json.dumps(self.counts())

    def lines(self) -> Iterator[str]:
        """Return what the crawler's log says of it."""
        for kind, counts in self.counts().items():
            yield f"Run Summary For {kind}:"
            yield from (f"{action}: {count}" for action, count in counts.items())


@dataclass(frozen=True, slots=True)
class Partition:
    """The values of a folder such as `dt=2026-11-23/`, and the folder as it is spelt."""

    values: tuple[str, ...]
    folder: str


@dataclass(slots=True)
class Target:
    """A catalog table, and what was found under its location, by partition."""

    database: str
    table: Mapping[str, Any]
    found: dict[Partition, dict[str, Type]] = field(default_factory=dict)

    @property
    def place(self) -> dict[str, str]:
        """The parameters that name the table in Glue's calls."""
        return {"DatabaseName": self.database, "TableName": self.table["Name"]}

    @property
    def keys(self) -> list[str]:
        """The names of its partition keys, in lower case."""
        return [key["Name"].lower() for key in self.table.get("PartitionKeys", ())]

    @property
    def location(self) -> tuple[str, str]:
        """The bucket, and the prefix that ends with the table's folder."""
        location = self.table["StorageDescriptor"]["Location"].removeprefix("s3://")
        bucket, _, path = location.partition("/")
        prefix = path.strip("/")
        return bucket, f"{prefix}/" if prefix else ""

    def columns_found(self) -> list[Column]:
        """Return the columns of all partitions together, partition keys excepted."""
        everything: dict[str, Type] = {}
        for found in self.found.values():
            everything = joined(everything, found)
        keys = self.keys
        return _as_columns({name: each for name, each in everything.items() if name not in keys})


def _as_columns(fields: Mapping[str, Type]) -> list[Column]:
    return [{"Name": name, "Type": hive(kind)} for name, kind in fields.items()]


def written(glue: Any, target: Target, behavior: Behavior, log: Log) -> Changes:
    """Write what is new about a table into the catalog, and return what that was."""
    updated = _update_table(glue, target, behavior, log) if behavior.updates else 0
    present = _partitions(glue, target)
    added = _add_partitions(glue, target, behavior, present)
    refreshed = _refresh_partitions(glue, target, present) if behavior.partitions_inherit else 0
    return Changes(updated, added, refreshed)


def _update_table(glue: Any, target: Target, behavior: Behavior, log: Log) -> int:
    """Write the table if there is something new, and return how many tables were written."""
    before = target.table["StorageDescriptor"]["Columns"]
    after = _columns_after(before, target.columns_found(), behavior)
    parameters = {**target.table.get("Parameters", {}), "UPDATED_BY_CRAWLER": behavior.crawler}
    if after == before and parameters == target.table.get("Parameters"):
        return 0
    storage = {**target.table["StorageDescriptor"], "Columns": after}
    target.table = {**target.table, "StorageDescriptor": storage, "Parameters": parameters}
    known = {name: target.table[name] for name in TABLE_INPUT if name in target.table}
    glue.update_table(DatabaseName=target.database, TableInput=known)
    name = target.table["Name"]
    log(f"INFO : Table {name} in database {target.database} has been updated with new schema")
    return 1


def _columns_after(before: list[Column], found: list[Column], behavior: Behavior) -> list[Column]:
    """Return a table's columns after a crawl: merging keeps all that are there, as they are."""
    if not behavior.merges_new_columns:
        return found or before
    names = {column["Name"].lower() for column in before}
    return [*before, *(column for column in found if column["Name"] not in names)]


def _partitions(glue: Any, target: Target) -> dict[Values, Mapping[str, Any]]:
    """Return those of the found partitions that the catalog already has."""
    wanted = [{"Values": list(each.values)} for each in target.found if each.values]
    there: dict[Values, Mapping[str, Any]] = {}
    for chunk in _chunks(wanted, LOOKED_UP_AT_ONCE):
        answer = glue.batch_get_partition(**target.place, PartitionsToGet=chunk)
        there |= {tuple(each["Values"]): each for each in answer["Partitions"]}
    return there


def _add_partitions(
    glue: Any, target: Target, behavior: Behavior, present: Mapping[Values, Any]
) -> int:
    """Create the partitions that the catalog lacks, and return how many that were."""
    missing = [
        _partition_input(target, partition, behavior)
        for partition in target.found
        if partition.values and partition.values not in present
    ]
    for chunk in _chunks(missing, AT_ONCE):
        _raise_first(glue.batch_create_partition(**target.place, PartitionInputList=chunk))
    return len(missing)


def _partition_input(target: Target, partition: Partition, behavior: Behavior) -> dict[str, Any]:
    storage, told = target.table["StorageDescriptor"], target.table.get("Parameters", {})
    inherits = behavior.partitions_inherit
    own = storage["Columns"] if inherits else _as_columns(target.found[partition])
    location = f"{storage['Location'].rstrip('/')}/{partition.folder}"
    return {
        "Values": list(partition.values),
        "StorageDescriptor": {**storage, "Columns": own, "Location": location},
        "Parameters": {name: told[name] for name in PARTITION_PARAMETERS if name in told},
    }


def _refresh_partitions(glue: Any, target: Target, present: Mapping[Values, Any]) -> int:
    """Give the table's columns to partitions that have others, and return how many had."""
    wanted = target.table["StorageDescriptor"]["Columns"]
    own = {values: each.get("StorageDescriptor", {}) for values, each in present.items()}
    stale = [each for values, each in present.items() if own[values].get("Columns") != wanted]
    entries = [
        {
            "PartitionValueList": each["Values"],
            "PartitionInput": {
                "Values": each["Values"],
                "StorageDescriptor": {**own[tuple(each["Values"])], "Columns": wanted},
                "Parameters": each.get("Parameters", {}),
            },
        }
        for each in stale
    ]
    for chunk in _chunks(entries, AT_ONCE):
        _raise_first(glue.batch_update_partition(**target.place, Entries=chunk))
    return len(stale)


def _raise_first(answer: Mapping[str, Any]) -> None:
    """Fail on the first error of a batch; a partition that somebody else just made is none."""
    for error in answer.get("Errors", ()):
        detail = error["ErrorDetail"]
        if detail["ErrorCode"] != "AlreadyExistsException":
            raise CrawlFailed(f"{detail['ErrorCode']}: {detail.get('ErrorMessage', '')}")


def _chunks(items: list[Any], size: int) -> Iterator[list[Any]]:
    return (items[start : start + size] for start in range(0, len(items), size))
