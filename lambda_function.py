"""The function that Firehose calls: it joins the call to `transform`, without a rule of its own."""

import os
from typing import Any

import transform

JSON_PATHS = os.environ.get("JSON_PATHS", "").split()  # Set by setup/05_lambda.py.


def lambda_handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Return Firehose's answer to a batch of records, and log one line of counts."""
    result = transform.transform_batch(event, JSON_PATHS)
    print(result.summary)
    return result.response
