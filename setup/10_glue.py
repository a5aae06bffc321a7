"""Create the catalog's database, the table over the lake, and the crawler that adds new columns.

With --crawl it runs the crawler as well, and checks that it left the table as it must be.
"""

from typing import Any

import boto3
from catalog import changes_table, crawler
from crawl import crawl, crawler_state
from finding import agrees, existing, needed, needed_role
from names import CHANGES, CRAWLER, DATABASE, TAGS, bucket, place
from script import arguments, reported
from waiting import accepted, wait_until


def create() -> str:
    """Create or update database, table and crawler, and say what the table reads."""
    glue = boto3.client("glue")
    needed_role("crawler")
    needed(f"bucket {bucket()}", "03_s3", boto3.client("s3").head_bucket, Bucket=bucket())
    if not existing(glue.get_database, Name=DATABASE):
        glue.create_database(DatabaseInput={"Name": DATABASE}, Tags=TAGS)
    columns = put_table(glue)
    put_crawler(glue)
    return f"table {DATABASE}.{CHANGES} has {columns} columns, crawler {CRAWLER} is ready"


def put_table(glue: Any) -> int:
    """Create the table, or add what it lacks; return its number of columns."""
    found = existing(glue.get_table, DatabaseName=DATABASE, Name=CHANGES)
    if found is None:
        table = changes_table(place())
        glue.create_table(DatabaseName=DATABASE, TableInput=table)
    else:
        now = found["Table"]
        table = changes_table(place(), now["StorageDescriptor"]["Columns"])
        if not agrees(table, now):
            table["Parameters"] = now.get("Parameters", {}) | table["Parameters"]
            glue.update_table(DatabaseName=DATABASE, TableInput=table)
    return len(table["StorageDescriptor"]["Columns"])


def put_crawler(glue: Any) -> None:
    """Create the crawler, or change what differs once it does not run."""
    wanted = crawler(place())
    if (found := existing(glue.get_crawler, Name=CRAWLER)) is None:
        accepted(lambda: glue.create_crawler(**wanted, Tags=TAGS))
    elif not agrees(wanted, found["Crawler"]):
        wait_until(f"crawler {CRAWLER}", lambda: crawler_state(glue), "READY")
        accepted(lambda: glue.update_crawler(**wanted))


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--crawl", action="store_true", help="run the crawler and check its work")
    if parser.parse_args().crawl:
        print(reported(crawl, parser.prog))
    else:
        print(reported(create, parser.prog))
