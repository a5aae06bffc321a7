"""Rules of the pipeline, pure: a batch of records in, a batch of rows out.

A record passes through the modules in this order:

    firehose       the batch: each record is returned once, as a row or unchanged as failed
    errors         why a record cannot become a row
    parsing        base64 and JSON, strict and lossless
    changes        the record, validated, under our names
    timestamps     when it happened
    images         canonical JSON (equal items, equal texts), and the attributes as columns
    values         typed and plain JSON of a value
    digits         numbers in plain digits
    masking        values that the lake must not hold
    columns        the names of the columns
    cache          what names and numbers become, bounded in bytes
    row            the line in the lake
    partition      the folder in the lake
    state          the law of state: what the rows say about the table
    gaps           what the rows say about lost changes
    snapshot       the records that backfill and repair send
    row_to_record  the record that a row was made of, for replay
    erasure        what rows and records keep of an item that was erased

The names in `__all__` are the supported API. `column_name`, `flattened` and `state.state_as_of`
are not used by the pipeline: they are for programs that read or check the lake by themselves.
"""

from transform import snapshot, state
from transform.changes import Change, parse_change
from transform.columns import column_name
from transform.errors import BadRecord
from transform.firehose import BatchResult, transform_batch
from transform.images import canonical, canonical_and_flattened, flattened, parse_image
from transform.masking import NO_MASKING, Masking
from transform.row_to_record import record_from_row

__all__ = [
    "NO_MASKING",
    "BadRecord",
    "BatchResult",
    "Change",
    "Masking",
    "canonical",
    "canonical_and_flattened",
    "column_name",
    "flattened",
    "parse_change",
    "parse_image",
    "record_from_row",
    "snapshot",
    "state",
    "transform_batch",
]
