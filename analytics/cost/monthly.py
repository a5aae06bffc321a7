"""Costs of a month: for each meter the quantity at a load, and its price."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from analytics.cost import prices
from analytics.cost.load import DAYS, Load
from analytics.cost.prices import KIB, MIB, Price
from setup.names import RECENT_DAYS

HOURS = DAYS * 24
POLLS_PER_SECOND = 4  # Of a pipe, for each shard of the table's stream.
KINESIS_SHARDS = 4  # Of a new stream on demand.
LAMBDA_BATCH_BYTES = 0.2 * MIB
LAMBDA_INTERVAL = 10  # Seconds until an incomplete batch is sent to the function.
# Estimated, at half a GB of memory.
LAMBDA_GB = 0.5
SECONDS_PER_CALL = 0.02
SECONDS_PER_MIB = 0.4
LOG_BYTES_PER_CALL = 650
ALARM_METRICS = 15
MIN_QUESTION_BYTES = 10_000_000
QUESTION_DAYS = 30  # A question reads the rows of so many days.
# With a copy: days that a question reads as JSON, since queries read a copy from the next night on;
# files of the copy; its bytes for each byte of JSON, in the columns that a question reads; and what
# a night's run costs: statements of Athena, and reads of each object of the day.
JSON_DAYS = RECENT_DAYS + 1
COPY_FILES = 6
COPIED_SHARE = 0.25
COPY_STATEMENTS = 8
COPY_READS = 4


@dataclass(frozen=True, slots=True)
class Settings:
    """What of the pipeline's settings changes its costs; the defaults are those of setup."""

    stream_shards: int = 4  # Of a new table on demand.
    flush_seconds: int = 60
    provisioned_shards: int = 0  # Zero for a stream on demand.
    has_alarms: bool = True
    has_recovery: bool = True
    is_partitioned: bool = True
    is_arm: bool = False
    has_copy: bool = False  # operations.compact runs once a night.


DEFAULTS = Settings()


@dataclass(frozen=True, slots=True)
class Cost:
    """What one meter costs in a month."""

    price: Price
    quantity: float

    @property
    def dollars(self) -> float:
        """The price of the quantity."""
        return self.price.cost(self.quantity)


def total(costs: Iterable[Cost]) -> float:
    """Return the sum of the costs."""
    return sum(cost.dollars for cost in costs)


def monthly_costs(load: Load, settings: Settings = DEFAULTS) -> list[Cost]:
    """Return the costs of a month; the table's own writes and storage are not among them."""
    costs = [*costs_at_rest(settings), *costs_of_changes(load, settings)]
    costs += costs_of_questions(load, settings)
    if settings.has_recovery:
        costs.append(Cost(prices.RECOVERY, load.items * load.item_bytes))
    return costs


def costs_at_rest(settings: Settings = DEFAULTS) -> Iterator[Cost]:
    """Yield the costs of a month without any change."""
    if settings.provisioned_shards:
        yield Cost(prices.SHARD_HOURS, settings.provisioned_shards * HOURS)
    else:
        yield Cost(prices.KINESIS_HOURS, HOURS)
    reads = POLLS_PER_SECOND * 3600 * HOURS * settings.stream_shards
    yield Cost(prices.STREAM_READS, reads)
    if settings.has_alarms:
        yield Cost(prices.ALARMS, ALARM_METRICS)
    yield Cost(prices.METRICS, 1)


def least_cost_at_rest() -> float:
    """Return the cost of a month at rest if all free tiers are left, for one shard of the table."""
    free_units = {
        prices.STREAM_READS: prices.FREE_STREAM_READS,
        prices.ALARMS: prices.FREE_ALARM_METRICS,
        prices.METRICS: prices.FREE_METRICS,
    }
    costs = costs_at_rest(replace(DEFAULTS, stream_shards=1))
    return total(
        replace(cost, quantity=max(0, cost.quantity - free_units.get(cost.price, 0)))
        for cost in costs
    )


def costs_of_changes(load: Load, settings: Settings = DEFAULTS) -> Iterator[Cost]:
    """Yield the costs of moving a month's changes into the lake."""
    changes = load.changes
    yield Cost(prices.PIPE, changes * pieces(load, 64 * KIB))
    if settings.provisioned_shards:
        yield Cost(prices.PUT_UNITS, changes * pieces(load, 25 * KIB))
    else:
        rounded_bytes = changes * pieces(load, KIB) * KIB
        yield Cost(prices.KINESIS_IN, rounded_bytes)
        yield Cost(prices.KINESIS_OUT, rounded_bytes)
    firehose_bytes = changes * pieces(load, 5 * KIB) * 5 * KIB
    objects = object_count(load, settings)
    yield Cost(prices.FIREHOSE, firehose_bytes)
    if settings.is_partitioned:
        yield Cost(prices.PARTITIONING, firehose_bytes)
        yield Cost(prices.PARTITIONED_OBJECTS, objects)
    yield from costs_of_function(load, settings)
    yield Cost(prices.S3_PUTS, objects)
    yield Cost(prices.S3_STORAGE, load.lake_bytes)


def costs_of_function(load: Load, settings: Settings) -> Iterator[Cost]:
    """Yield the costs of the function: a batch is complete by its size or by its interval."""
    change_bytes = load.changes * load.change_bytes
    shard_intervals = KINESIS_SHARDS * load.active_hours * 3600 * DAYS / LAMBDA_INTERVAL
    calls = max(change_bytes / LAMBDA_BATCH_BYTES, occupied(load.changes, shard_intervals))
    seconds = calls * SECONDS_PER_CALL + change_bytes / MIB * SECONDS_PER_MIB
    yield Cost(prices.LAMBDA_CALLS, calls)
    price = prices.LAMBDA_TIME_ARM if settings.is_arm else prices.LAMBDA_TIME
    yield Cost(price, seconds * LAMBDA_GB)
    yield Cost(prices.LOGS, calls * LOG_BYTES_PER_CALL)


def costs_of_questions(load: Load, settings: Settings = DEFAULTS) -> Iterator[Cost]:
    """Yield the costs of a month's questions: bytes that Athena reads, and a GET for each file."""
    questions = load.questions_per_day * DAYS
    days = JSON_DAYS if settings.has_copy else QUESTION_DAYS
    scanned_bytes = load.lake_bytes * days / DAYS
    files = object_count(load, settings) * days / DAYS
    copying_bytes = copying_files = 0.0
    if settings.has_copy:
        scanned_bytes += load.lake_bytes * (QUESTION_DAYS - JSON_DAYS) / DAYS * COPIED_SHARE
        files += COPY_FILES
        statement_bytes = max(MIN_QUESTION_BYTES, load.lake_bytes / DAYS)
        copying_bytes = DAYS * COPY_STATEMENTS * statement_bytes
        copying_files = COPY_READS * object_count(load, settings)
    scanned_bytes = max(MIN_QUESTION_BYTES, scanned_bytes)
    yield Cost(prices.ATHENA, questions * scanned_bytes + copying_bytes)
    yield Cost(prices.S3_GETS, questions * files + copying_files)


def costs_of_verification(load: Load) -> list[Cost]:
    """Return the costs of one verification of the whole table, with a month of lake."""
    units = load.items * math.ceil(load.item_bytes / (4 * KIB))
    scanned_bytes = max(MIN_QUESTION_BYTES, load.lake_bytes)
    return [Cost(prices.TABLE_READS, units), Cost(prices.ATHENA, scanned_bytes)]


def object_count(load: Load, settings: Settings = DEFAULTS) -> float:
    """Return how many objects a month's changes make: one for each interval that has changes."""
    intervals = load.active_hours * 3600 * DAYS / settings.flush_seconds
    return occupied(load.changes, intervals)


def occupied(changes: float, intervals: float) -> float:
    """Return how many of the intervals have a change, if changes come at random times."""
    return intervals * -math.expm1(-changes / intervals)


def pieces(load: Load, piece_bytes: int) -> int:
    """Return how many pieces a change is charged for."""
    return math.ceil(load.change_bytes / piece_bytes)
