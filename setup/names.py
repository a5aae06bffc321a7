"""Every name that two scripts share. Region, credentials and endpoint are boto3's own business."""

import os
from functools import cache

import boto3

PIPELINE = os.environ.get("PIPELINE_NAME", "sales-cdc")
TABLE = os.environ.get("TABLE_NAME", f"{PIPELINE}-orders")
TTL_ATTRIBUTE = "expires_at"
STREAM = f"{PIPELINE}-changes"
FUNCTION = f"{PIPELINE}-transform"
DELIVERY = f"{PIPELINE}-delivery"
PIPE = f"{PIPELINE}-pipe"
DEAD_LETTERS = f"{PIPELINE}-dead-letters"
CRAWLER = f"{PIPELINE}-crawler"
WORKGROUP = PIPELINE
DATABASE = PIPELINE.replace("-", "_")
CHANGES = "changes"  # The table over the lake; the views are named after what they show.
LAKE, ERRORS, REPLAYED, QUERIES = "lake/", "errors/", "replayed/", "queries/"
TAGS = {"pipeline": PIPELINE}


def region() -> str:
    """Return the region that boto3 uses."""
    return boto3.Session().region_name


@cache
def account() -> str:
    """Return the id of the account that the credentials belong to."""
    return boto3.client("sts").get_caller_identity()["Account"]


def bucket() -> str:
    """Return the lake's bucket; its name is unique in all of AWS."""
    return f"{PIPELINE}-lake-{account()}-{region()}"
