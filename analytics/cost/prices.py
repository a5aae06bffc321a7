"""Prices: list prices of us-east-1 in US dollars, the one table that every figure comes from.

They were read in public sources, not on a bill. A price is for one unit: `per` says of how many.
"""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB
TIB = 1024 * GIB
MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Price:
    """The price of a meter, for as many units as `per` says."""

    meter: str
    dollars: float
    per: int
    unit: str

    def cost(self, quantity: float) -> float:
        """Return the price of a quantity."""
        return self.dollars * quantity / self.per


STREAM_READS = Price("table's stream", 0.02, 100_000, "reads")
RECOVERY = Price("point-in-time recovery", 0.20, GIB, "byte-months")
TABLE_READS = Price("table, reading", 0.125, MILLION, "units of 4 KB")
PIPE = Price("pipe", 0.40, MILLION, "pieces of 64 KB")
KINESIS_HOURS = Price("Kinesis, on demand", 0.04, 1, "hours")
KINESIS_IN = Price("Kinesis, in", 0.08, GIB, "bytes")
KINESIS_OUT = Price("Kinesis, out", 0.04, GIB, "bytes")
SHARD_HOURS = Price("Kinesis, provisioned", 0.015, 1, "shard-hours")
PUT_UNITS = Price("Kinesis, provisioned, in", 0.014, MILLION, "units of 25 KB")
FIREHOSE = Price("Firehose", 0.029, GIB, "bytes")
PARTITIONING = Price("dynamic partitioning", 0.02, GIB, "bytes")
PARTITIONED_OBJECTS = Price("dynamic partitioning, objects", 0.005, 1000, "objects")
LAMBDA_CALLS = Price("Lambda, calls", 0.20, MILLION, "calls")
LAMBDA_TIME = Price("Lambda, time", 0.0000166667, 1, "GB-seconds")
LAMBDA_TIME_ARM = Price("Lambda, time on arm64", 0.0000133334, 1, "GB-seconds")
LOGS = Price("logs", 0.50, GIB, "bytes")
S3_PUTS = Price("S3, writing", 0.005, 1000, "objects")
S3_GETS = Price("S3, reading", 0.0004, 1000, "objects")
S3_STORAGE = Price("S3, storage", 0.023, GIB, "byte-months")
ATHENA = Price("Athena", 5.0, TIB, "bytes")
ALARMS = Price("alarms", 0.10, 1, "alarm metrics")
METRICS = Price("failed-records metric", 0.30, 1, "metric")

# What AWS does not charge each month, as far as it matters to a pipeline at rest.
FREE_STREAM_READS = 2_500_000
FREE_ALARM_METRICS = 10
FREE_METRICS = 10
