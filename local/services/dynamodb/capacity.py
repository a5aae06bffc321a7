"""Consumed capacity, as ReturnConsumedCapacity reports it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from moto.dynamodb.models.table import Table

from local.services.dynamodb.keys import indexes_of
from local.services.dynamodb.language.index import Index
from local.services.dynamodb.language.values import Image, image_size

READ_UNIT = 4096
WRITE_UNIT = 1024


@dataclass(slots=True)
class Capacity:
    """The capacity that one table and its indexes have consumed."""

    table_name: str
    table: float = 0.0
    indexes: dict[str, dict[str, float]] = field(default_factory=dict)

    def add_index(self, index: Index, units: float) -> None:
        """Add what an index has consumed."""
        kind = "GlobalSecondaryIndexes" if index.is_global else "LocalSecondaryIndexes"
        arm = self.indexes.setdefault(kind, {})
        arm[index.name] = arm.get(index.name, 0.0) + units

    def add(self, other: "Capacity") -> None:
        """Add what another call has consumed of the same table."""
        self.table += other.table
        for kind, arm in other.indexes.items():
            own = self.indexes.setdefault(kind, {})
            for name, units in arm.items():
                own[name] = own.get(name, 0.0) + units

    def report(self, mode: str, transaction: str = "") -> dict[str, Any]:
        """Return the response's member; `transaction` is Read or Write in a transaction."""

        def units(number: float) -> dict[str, float]:
            split = {f"{transaction}CapacityUnits": number} if transaction else {}
            return {"CapacityUnits": number, **split}

        total = self.table + sum(sum(arm.values()) for arm in self.indexes.values())
        reported: dict[str, Any] = {"TableName": self.table_name, **units(total)}
        if mode == "INDEXES":
            reported["Table"] = units(self.table)
            for kind, arm in self.indexes.items():
                reported[kind] = {name: units(number) for name, number in arm.items()}
        return reported


def read_units(size: int, *, is_consistent: bool) -> float:
    """Return the units of one read of this many bytes."""
    return max(1, ceil(size / READ_UNIT)) * (1.0 if is_consistent else 0.5)


def read_capacity(
    table_name: str, size: int, *, is_consistent: bool, index: Index | None = None
) -> Capacity:
    """Return the capacity of reading this many bytes, at least one unit of them."""
    units = read_units(size, is_consistent=is_consistent)
    capacity = Capacity(table_name)
    if index is None or not index.name:
        capacity.table = units
    else:
        capacity.add_index(index, units)
    return capacity


def write_capacity(table: Table, old: Image | None, new: Image | None) -> Capacity:
    """Return the capacity of replacing one item by another, in the table and its indexes."""
    capacity = Capacity(table.name, max(_units(old), _units(new), 1.0))
    for index in indexes_of(table):
        before, after = index.view(old), index.view(new)
        if before != after:
            same_key = (before and after) and all(
                before[name] == after[name] for name in index.key_names
            )
            units = (_units(before), _units(after))
            capacity.add_index(index, max(units) if same_key else sum(units))
    return capacity


def _units(image: Image | None) -> float:
    return float(ceil(image_size(image) / WRITE_UNIT)) if image else 0.0


def capacity_member(params: Mapping[str, Any], capacity: Capacity) -> dict[str, Any]:
    """Return the ConsumedCapacity of a response on one table, if the request asks for it."""
    mode = params.get("ReturnConsumedCapacity", "NONE")
    return {} if mode == "NONE" else {"ConsumedCapacity": capacity.report(mode)}


def capacity_members(
    params: Mapping[str, Any], capacities: Iterable[Capacity], transaction: str = ""
) -> dict[str, Any]:
    """Return the ConsumedCapacity of a response on several tables, if the request asks for it."""
    mode = params.get("ReturnConsumedCapacity", "NONE")
    if mode == "NONE":
        return {}
    totals: dict[str, Capacity] = {}
    for capacity in capacities:
        totals.setdefault(capacity.table_name, Capacity(capacity.table_name)).add(capacity)
    return {"ConsumedCapacity": [total.report(mode, transaction) for total in totals.values()]}
