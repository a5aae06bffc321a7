"""The function that Firehose calls: it joins the call to `transform`, without a rule of its own."""

import json
import os
from functools import cache
from typing import Any

import transform

# Set by setup/05_lambda.py.
JSON_PATHS = os.environ.get("JSON_PATHS", "").split()
MASKED = json.loads(os.environ.get("MASKED", "{}"))
MASKING_KEY = os.environ.get("MASKING_KEY", "")


def lambda_handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Return Firehose's answer to a batch of records, and log one line of counts."""
    result = transform.transform_batch(event, JSON_PATHS, masking())
    print(result.summary)
    return result.response


@cache
def masking() -> transform.Masking:
    """Return which values are masked, with the key from the secret.

    If it cannot be read, the call fails: Firehose tries again, then keeps the records in errors/.
    """
    if not MASKED:
        return transform.NO_MASKING
    import boto3  # noqa: PLC0415 - Lambda has it, and without MASKED it would delay each start.

    secret = boto3.client("secretsmanager").get_secret_value(SecretId=MASKING_KEY)
    return transform.Masking(MASKED, secret["SecretString"].encode())
