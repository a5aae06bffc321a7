"""Catalog updates: what a crawl found in a table's files, and how it is written to the catalog."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from local.services.glue.schema_inference import Fields, hive_type, merge_fields

if TYPE_CHECKING:
    from types_boto3_glue.client import GlueClient

PARTITIONS_PER_WRITE = 100  # BatchCreatePartition and BatchUpdatePartition accept no more.
PARTITIONS_PER_LOOKUP = 1000  # BatchGetPartition accepts no more.

# The members of GetTable's response that UpdateTable accepts; Glue sets the others itself.
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
    """The reason why a crawl failed, as its LastCrawl shows it."""


@dataclass(frozen=True, slots=True)
class Behavior:
    """What a crawl may write, according to the crawler's policy and configuration."""

    crawler: str
    updates_table: bool
    merges_new_columns: bool
    partitions_inherit: bool


@dataclass(frozen=True, slots=True)
class Changes:
    """How many tables and partitions a crawl wrote to the catalog."""

    tables_updated: int = 0
    partitions_added: int = 0
    partitions_updated: int = 0

    def __add__(self, other: Changes) -> Changes:
        return Changes(
            self.tables_updated + other.tables_updated,
            self.partitions_added + other.partitions_added,
            self.partitions_updated + other.partitions_updated,
        )

    def counts(self) -> dict[str, dict[str, int]]:
        """Return the counts by kind and action, without the zeros."""
        all_counts = {
            "TABLE": {"UPDATE": self.tables_updated},
            "PARTITION": {"ADD": self.partitions_added, "UPDATE": self.partitions_updated},
        }
        nonzero = {
            kind: {action: count for action, count in counts.items() if count}
            for kind, counts in all_counts.items()
        }
        return {kind: counts for kind, counts in nonzero.items() if counts}

    def summary(self) -> str:
        """Return the JSON that ListCrawls shows as a crawl's summary."""
        return json.dumps(self.counts())

    def log_lines(self) -> Iterator[str]:
        """Yield the lines that the crawler logs about the changes."""
        for kind, counts in self.counts().items():
            yield f"Run Summary For {kind}:"
            for action, count in counts.items():
                yield f"{action}: {count}"


@dataclass(frozen=True, slots=True)
class Partition:
    """The values of a folder such as `dt=2026-11-23/`, and the folder as it is spelled."""

    values: Values
    folder: str


@dataclass(slots=True)
class Target:
    """A catalog table, and the fields inferred from the files of each of its partitions."""

    database: str
    table: Mapping[str, Any]
    fields_by_partition: dict[Partition, Fields] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The table's name."""
        return str(self.table["Name"])

    @property
    def storage(self) -> dict[str, Any]:
        """The table's storage descriptor."""
        return dict(self.table["StorageDescriptor"])

    @property
    def parameters(self) -> dict[str, str]:
        """The table's parameters."""
        return dict(self.table.get("Parameters", {}))

    @property
    def partition_keys(self) -> list[str]:
        """The names of the partition keys, in lower case."""
        return [key["Name"].lower() for key in self.table.get("PartitionKeys", ())]

    @property
    def location(self) -> tuple[str, str]:
        """The bucket, and the prefix that ends with the table's folder."""
        location: str = self.storage["Location"]
        bucket, _, path = location.removeprefix("s3://").partition("/")
        prefix = path.strip("/")
        return bucket, f"{prefix}/" if prefix else ""

    def add_fields(self, partition: Partition, fields: Fields) -> None:
        """Merge the fields of one file into those of its partition."""
        known = self.fields_by_partition.get(partition, {})
        self.fields_by_partition[partition] = merge_fields(known, fields)

    def inferred_columns(self) -> list[Column]:
        """Return the columns of all partitions together, without the partition keys."""
        all_fields: Fields = {}
        for fields in self.fields_by_partition.values():
            all_fields = merge_fields(all_fields, fields)
        for key in self.partition_keys:
            all_fields.pop(key, None)
        return _to_columns(all_fields)


def _to_columns(fields: Fields) -> list[Column]:
    return [{"Name": name, "Type": hive_type(type_)} for name, type_ in fields.items()]


def write_table(glue: GlueClient, target: Target, behavior: Behavior, log: Log) -> Changes:
    """Write what is new about a table and its partitions, and return what was written."""
    tables_updated = 0
    if behavior.updates_table and _update_table(glue, target, behavior):
        tables_updated = 1
        log(
            f"INFO : Table {target.name} in database {target.database} "
            "has been updated with new schema"
        )
    existing = _existing_partitions(glue, target)
    added = _add_partitions(glue, target, behavior, existing)
    updated = _update_partitions(glue, target, existing) if behavior.partitions_inherit else 0
    return Changes(tables_updated, added, updated)


def _update_table(glue: GlueClient, target: Target, behavior: Behavior) -> bool:
    """Update the table if something is new, and return whether it was."""
    old_columns = target.storage["Columns"]
    new_columns = _merge_columns(old_columns, target.inferred_columns(), behavior)
    parameters = {**target.parameters, "UPDATED_BY_CRAWLER": behavior.crawler}
    if new_columns == old_columns and parameters == target.parameters:
        return False
    storage = {**target.storage, "Columns": new_columns}
    target.table = {**target.table, "StorageDescriptor": storage, "Parameters": parameters}
    table_input: Any = {
        member: target.table[member] for member in TABLE_INPUT if member in target.table
    }
    glue.update_table(DatabaseName=target.database, TableInput=table_input)
    return True


def _merge_columns(old: list[Column], inferred: list[Column], behavior: Behavior) -> list[Column]:
    """Return a table's columns after a crawl; merging keeps the existing ones unchanged."""
    if not behavior.merges_new_columns:
        return inferred or old
    names = {column["Name"].lower() for column in old}
    return [*old, *(column for column in inferred if column["Name"] not in names)]


def _existing_partitions(glue: GlueClient, target: Target) -> dict[Values, Mapping[str, Any]]:
    """Return the crawled partitions that the catalog already has."""
    # botocore's stubs require their own type for these keys.
    keys: list[Any] = [
        {"Values": list(partition.values)}
        for partition in target.fields_by_partition
        if partition.values
    ]
    existing: dict[Values, Mapping[str, Any]] = {}
    for chunk in _chunks(keys, PARTITIONS_PER_LOOKUP):
        response = glue.batch_get_partition(
            DatabaseName=target.database, TableName=target.name, PartitionsToGet=chunk
        )
        for partition in response["Partitions"]:
            existing[tuple(partition["Values"])] = partition
    return existing


def _add_partitions(
    glue: GlueClient, target: Target, behavior: Behavior, existing: Mapping[Values, Any]
) -> int:
    """Create the partitions that the catalog lacks, and return how many."""
    missing = [
        _partition_input(target, partition, behavior)
        for partition in target.fields_by_partition
        if partition.values and partition.values not in existing
    ]
    for chunk in _chunks(missing, PARTITIONS_PER_WRITE):
        response = glue.batch_create_partition(
            DatabaseName=target.database, TableName=target.name, PartitionInputList=chunk
        )
        _raise_first_error(response)
    return len(missing)


def _partition_input(target: Target, partition: Partition, behavior: Behavior) -> Any:
    if behavior.partitions_inherit:
        columns = target.storage["Columns"]
    else:
        columns = _to_columns(target.fields_by_partition[partition])
    location = f"{target.storage['Location'].rstrip('/')}/{partition.folder}"
    return {
        "Values": list(partition.values),
        "StorageDescriptor": {**target.storage, "Columns": columns, "Location": location},
        "Parameters": {
            name: value for name, value in target.parameters.items() if name in PARTITION_PARAMETERS
        },
    }


def _update_partitions(glue: GlueClient, target: Target, existing: Mapping[Values, Any]) -> int:
    """Give the table's columns to partitions that have others, and return how many."""
    columns = target.storage["Columns"]
    entries: list[Any] = []
    for partition in existing.values():
        storage = partition.get("StorageDescriptor", {})
        if storage.get("Columns") == columns:
            continue
        partition_input = {
            "Values": partition["Values"],
            "StorageDescriptor": {**storage, "Columns": columns},
            "Parameters": partition.get("Parameters", {}),
        }
        entries.append(
            {"PartitionValueList": partition["Values"], "PartitionInput": partition_input}
        )
    for chunk in _chunks(entries, PARTITIONS_PER_WRITE):
        response = glue.batch_update_partition(
            DatabaseName=target.database, TableName=target.name, Entries=chunk
        )
        _raise_first_error(response)
    return len(entries)


def _raise_first_error(response: Mapping[str, Any]) -> None:
    """Raise the first error of a batch, except for a partition that exists by now."""
    for error in response.get("Errors", ()):
        detail = error["ErrorDetail"]
        if detail["ErrorCode"] != "AlreadyExistsException":
            raise CrawlFailed(f"{detail['ErrorCode']}: {detail.get('ErrorMessage', '')}")


def _chunks(items: list[Any], size: int) -> Iterator[list[Any]]:
    return (items[start : start + size] for start in range(0, len(items), size))
