"""Metrics of a pipeline as if CloudWatch had returned them."""

from datetime import UTC, datetime, timedelta

from operations.status.metrics import (
    PIPELINE_METRICS,
    Metric,
    MetricHistory,
    Point,
    stream_metrics,
)

NOW = datetime(2026, 11, 29, 12, 2, tzinfo=UTC)
STREAM = stream_metrics("2026-11-29T08:00:00.000")
LONG_AGO = timedelta(minutes=30)
JUST_NOW = timedelta(minutes=2)


def history(
    *points: tuple[Metric, timedelta, float], old_reads: tuple[Point, ...] = ()
) -> MetricHistory:
    """Return metrics with values published some time ago; all others have none."""
    series: dict[Metric, list[Point]] = {metric: [] for metric in (*PIPELINE_METRICS, *STREAM)}
    for metric, age, value in points:
        series[metric].append(Point(NOW - age, value))
    return MetricHistory(
        now=NOW,
        started_at=NOW - timedelta(hours=3),
        settled_at=NOW - timedelta(minutes=5),
        series=series,
        old_reads=list(old_reads),
        stream=STREAM,
    )
