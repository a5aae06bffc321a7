"""The function that Firehose calls: it joins the call to `transform`, without a rule of its own."""

from typing import Any

import transform


def lambda_handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Return Firehose's answer to a batch of records, and log one line of counts."""
    result = transform.transform_batch(event)
    print(result.summary)
    return result.response
