"""Create the catalog's database, the table over the lake, and the crawler that adds new columns.

With --crawl it runs the crawler as well, and checks that it left the table as it must be.
"""

import json
import sys
from pathlib import Path
from typing import Any

import boto3

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # `setup` is importable.

from setup.lib.cli import arguments, report
from setup.lib.resources import (
    crawler_state,
    describe_or_none,
    matches_desired,
    require_bucket,
    require_role,
)
from setup.lib.waiters import retry_until_accepted, wait_until
from setup.names import CHANGES, COLUMNS, CRAWLER, DATABASE, FIRST_DAY, LAKE, TAGS, bucket, location

STRING = {"Type": "string"}  # Every value in the lake is text: read as another type it would fail.
NEW_COLUMNS = {
    "Partitions": {"AddOrUpdateBehavior": "InheritFromTable"},
    "Tables": {"AddOrUpdateBehavior": "MergeNewColumns"},
}
ONE_TABLE = {"TableGroupingPolicy": "CombineCompatibleSchemas"}
RULES = {"Version": 1.0, "CrawlerOutput": NEW_COLUMNS, "Grouping": ONE_TABLE}


def create() -> str:
    """Create or update database, table and crawler, and say what the table reads."""
    glue = boto3.client("glue")
    require_role("crawler")
    require_bucket()
    if not describe_or_none(glue.get_database, Name=DATABASE):
        glue.create_database(DatabaseInput={"Name": DATABASE}, Tags=TAGS)
    columns = put_table(glue)
    put_crawler(glue)
    return f"table {DATABASE}.{CHANGES} has {columns} columns, crawler {CRAWLER} is ready"


def put_table(glue: Any) -> int:
    """Create the table, or add what it lacks; return its number of columns."""
    found = describe_or_none(glue.get_table, DatabaseName=DATABASE, Name=CHANGES)
    now = found["Table"] if found else {"StorageDescriptor": {"Columns": []}}
    wanted = table(now["StorageDescriptor"]["Columns"])
    if not found:
        glue.create_table(DatabaseName=DATABASE, TableInput=wanted)
    elif not matches_desired(wanted, now):
        wanted["Parameters"] = now.get("Parameters", {}) | wanted["Parameters"]
        glue.update_table(DatabaseName=DATABASE, TableInput=wanted)
    return len(wanted["StorageDescriptor"]["Columns"])


def table(found: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the table over the lake: columns that were found stay, those it lacks join them."""
    kept = [{**column, **STRING} for column in found]
    lacking = [name for name in COLUMNS if name not in [column["Name"] for column in kept]]
    where = f"s3://{bucket()}/{LAKE}"
    return {
        "Name": CHANGES,
        "TableType": "EXTERNAL_TABLE",
        "PartitionKeys": [{"Name": "dt", **STRING}],
        "Parameters": {
            "EXTERNAL": "TRUE",
            "classification": "json",
            "compressionType": "gzip",
            # Athena works the days out, so that their rows show without a crawl. A day out of range
            # has no rows and no error: it begins before any change, and ends for clocks ahead.
            "projection.enabled": "true",
            "projection.dt.type": "date",
            "projection.dt.format": "yyyy-MM-dd",
            "projection.dt.range": f"{FIRST_DAY},NOW+1DAY",
            "projection.dt.interval": "1",
            "projection.dt.interval.unit": "DAYS",
            "storage.location.template": f"{where}dt=${{dt}}/",
        },
        "StorageDescriptor": {
            "Columns": kept + [{"Name": name, **STRING} for name in lacking],
            "Location": where,
            "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
            "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
            "Compressed": True,
            "SerdeInfo": {  # AWS calls the results of the other one, OpenX's, non-deterministic.
                "SerializationLibrary": "org.apache.hive.hcatalog.data.JsonSerDe",
                "Parameters": {"serialization.format": "1"},
            },
        },
    }


def put_crawler(glue: Any) -> None:
    """Create the crawler, or change what differs once it does not run."""
    wanted = {
        "Name": CRAWLER,
        "Role": location().role_name("crawler"),
        "Targets": {"CatalogTargets": [{"DatabaseName": DATABASE, "Tables": [CHANGES]}]},
        "SchemaChangePolicy": {"UpdateBehavior": "UPDATE_IN_DATABASE", "DeleteBehavior": "LOG"},
        "RecrawlPolicy": {"RecrawlBehavior": "CRAWL_EVERYTHING"},
    }
    told = wanted | {"Configuration": json.dumps(RULES)}
    if (found := describe_or_none(glue.get_crawler, Name=CRAWLER)) is None:
        retry_until_accepted(lambda: glue.create_crawler(**told, Tags=TAGS))
        return
    rules = json.loads(found["Crawler"].get("Configuration") or "{}")  # AWS writes it anew.
    if not (matches_desired(wanted, found["Crawler"]) and matches_desired(RULES, rules)):
        wait_until(f"crawler {CRAWLER}", crawler_state, "READY")
        retry_until_accepted(lambda: glue.update_crawler(**told))


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--crawl", action="store_true", help="run the crawler and check its work")
    told, step = parser.parse_args(), create
    if told.crawl:
        from setup.lib.run_crawler import crawl as step  # It compares with what this script makes.
    report(step, parser.prog)
