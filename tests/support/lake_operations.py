"""Operations on the lake in this process: the copy of all its days, and its items as of a time."""

from datetime import UTC, datetime, timedelta
from unittest.mock import patch

from local.core.server import Cloud
from operations.compact import compaction
from operations.restore.table_restore import TableRestore
from operations.state_as_of import StateAsOf
from operations.table_writer import TableWriter
from setup import names
from tests.support.laptop_cloud import aws, create_table

# The calls of a compaction that change something.
COMPACT_WRITES = {
    *("StartQueryExecution", "CreatePartition", "UpdatePartition", "DeletePartition"),
    "UpdateTable",
}
MAX_RATE = 1e6  # items per second


def copy_all_days(cloud: Cloud) -> compaction.Outcome:
    """Run a compaction as if all days of the lake were old, and gather all parts."""
    now = datetime.fromtimestamp(cloud.clock.now(), UTC)
    today = (now + timedelta(days=names.RECENT_DAYS)).date()
    gathered = dict.fromkeys(compaction.GATHERED, (1, 1 << 20))
    with patch.object(compaction, "GATHERED", gathered):
        return compaction.Compaction(today, lambda _: None).run()


def items_as_of(time: datetime) -> dict[str, str]:
    """Restore the lake as of a time into another table, and return what that table has."""
    dynamodb = aws("dynamodb")
    name = f"{names.TABLE}-as-of"
    create_table(dynamodb, name, {"order_id": "S"})
    try:
        restore = TableRestore.into(StateAsOf(time), name)
        restore.run(TableWriter(restore.table, MAX_RATE))
        return dict(restore.table.scan_items())
    finally:
        dynamodb.delete_table(TableName=name)
