"""The rules of the pipeline, pure: the bytes of a batch in, the bytes of a batch out.

A record meets the modules in this order:

    firehose    the batch: each record comes back once, as a row or as it came
    errors      what is said of a record that cannot become a row
    parsing     base64 and JSON, with nothing lost
    changes     the record, checked and named in our words
    times       when it happened
    images      canonical JSON: equal items, equal texts; and the attributes as columns
    values      the values that are the same with and without their types
    digits      numbers in plain digits
    columns     the columns' names
    row         the line in the lake
    partition   the folder in the lake
    state       what the lake's rows say of the table
    snapshot    the records that backfill and repair send the same way
    record      the record that a row was made of, for replay
"""

from transform import partition, snapshot, state
from transform.changes import Change, parse_change
from transform.columns import column_name
from transform.errors import BadRecord
from transform.firehose import BatchResult, transform_batch
from transform.images import canonical, flattened, parse_image
from transform.row_to_record import record_from_row

__all__ = [
    "BadRecord",
    "BatchResult",
    "Change",
    "canonical",
    "column_name",
    "flattened",
    "parse_change",
    "parse_image",
    "partition",
    "record_from_row",
    "snapshot",
    "state",
    "transform_batch",
]
