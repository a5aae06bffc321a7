"""The table over the lake as the Glue catalog should hold it, and how the crawler may change it."""

import json
from collections.abc import Iterable
from typing import Any

from names import CHANGES, COLUMNS, CRAWLER, DATABASE, FIRST_DAY, LAKE, Place

# Every value in the lake is text: read as any other type it would fail.
STRING = {"Type": "string"}
# AWS calls the results of the other JSON SerDe, OpenX's, non-deterministic.
SERDE = {
    "SerializationLibrary": "org.apache.hive.hcatalog.data.JsonSerDe",
    "Parameters": {"serialization.format": "1"},
}


def changes_table(place: Place, found: Iterable[dict[str, Any]] = ()) -> dict[str, Any]:
    """Return the table: the columns that were found stay, those that are missing join them."""
    kept = [{**column, **STRING} for column in found]
    known = {column["Name"] for column in kept}
    return {
        "Name": CHANGES,
        "TableType": "EXTERNAL_TABLE",
        "PartitionKeys": [{"Name": "dt", **STRING}],
        "Parameters": parameters(place),
        "StorageDescriptor": {
            "Columns": kept + [{"Name": name, **STRING} for name in COLUMNS if name not in known],
            "Location": f"s3://{place.bucket()}/{LAKE}",
            "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
            "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
            "Compressed": True,
            "SerdeInfo": SERDE,
        },
    }


def parameters(place: Place) -> dict[str, str]:
    """Return what makes a day's rows visible without a crawl: Athena works out the partitions.

    A day outside the range has no rows and no error, so it begins before any change in a lake
    and ends tomorrow, for clocks that are ahead.
    """
    return {
        "EXTERNAL": "TRUE",
        "classification": "json",
        "compressionType": "gzip",
        "projection.enabled": "true",
        "projection.dt.type": "date",
        "projection.dt.format": "yyyy-MM-dd",
        "projection.dt.range": f"{FIRST_DAY},NOW+1DAY",
        "projection.dt.interval": "1",
        "projection.dt.interval.unit": "DAYS",
        "storage.location.template": f"s3://{place.bucket()}/{LAKE}dt=${{dt}}/",
    }


def crawler(place: Place) -> dict[str, Any]:
    """Return the crawler: it reads the table's own folder, adds new columns and changes none."""
    output = {
        "Partitions": {"AddOrUpdateBehavior": "InheritFromTable"},
        "Tables": {"AddOrUpdateBehavior": "MergeNewColumns"},
    }
    grouping = {"TableGroupingPolicy": "CombineCompatibleSchemas"}
    configuration = {"Version": 1.0, "CrawlerOutput": output, "Grouping": grouping}
    return {
        "Name": CRAWLER,
        "Role": place.role_name("crawler"),
        "Targets": {"CatalogTargets": [{"DatabaseName": DATABASE, "Tables": [CHANGES]}]},
        "SchemaChangePolicy": {"UpdateBehavior": "UPDATE_IN_DATABASE", "DeleteBehavior": "LOG"},
        "RecrawlPolicy": {"RecrawlBehavior": "CRAWL_EVERYTHING"},
        "Configuration": json.dumps(configuration),
    }
