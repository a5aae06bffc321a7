"""Table of exchange rates: what `python -m operations.rates` uploads, as JSON lines.

It is always there, and empty without a file of rates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from setup.lib.comparison import matches_desired
from setup.lib.descriptions import Entry, columns_of, with_comments, with_description
from setup.lib.resources import describe_or_none
from setup.names import DATABASE, EXCHANGE_RATES, RATES, bucket

if TYPE_CHECKING:
    from types_boto3_glue.client import GlueClient

DESCRIPTION = (
    "Exchange rates by day: what one unit of a currency is worth in the reporting currency. Each "
    "run of python -m operations.rates replaces all of them."
)
COLUMNS = {
    "day": "Day of the rate, such as 2026-11-23",
    "currency": "Currency that the rate is for, ISO 4217 code",
    "rate": "Worth of one unit of the currency in the reporting currency, a decimal number",
    "reporting_currency": "Currency into which amounts are converted, the same in all rows",
}


def put_rates_table(glue: GlueClient) -> None:
    """Create or update the table."""
    response = describe_or_none(glue.get_table, DatabaseName=DATABASE, Name=EXCHANGE_RATES)
    current: Entry = response["Table"] if response else {}
    desired = table_input(current)
    if response is None:
        glue.create_table(DatabaseName=DATABASE, TableInput=desired)
    elif not matches_desired(desired, current):
        glue.update_table(DatabaseName=DATABASE, TableInput=desired)


# The stubs' types of a table differ between GetTable and UpdateTable.
def table_input(current: Entry) -> Any:
    """Return the table as it should be, given what the catalog has of it."""
    columns = {column["Name"]: column for column in columns_of(current)}
    text_columns = [{**columns.get(name, {}), "Name": name, "Type": "string"} for name in COLUMNS]
    table = {
        "Name": EXCHANGE_RATES,
        "Description": current.get("Description", ""),
        "TableType": "EXTERNAL_TABLE",
        "PartitionKeys": [],
        "Parameters": {
            **current.get("Parameters", {}),
            "EXTERNAL": "TRUE",
            "classification": "json",
        },
        "StorageDescriptor": {
            "Columns": with_comments(text_columns, COLUMNS),
            "Location": f"s3://{bucket()}/{RATES}",
            "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
            "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
            "SerdeInfo": {
                "SerializationLibrary": "org.apache.hive.hcatalog.data.JsonSerDe",
                "Parameters": {"serialization.format": "1"},
            },
        },
    }
    return with_description(table, "Description", DESCRIPTION)
