"""Every name that two scripts share. Region, credentials and endpoint are boto3's own business."""

import os
import re
import sys
from dataclasses import dataclass
from functools import cache
from typing import NoReturn

import boto3
from botocore.exceptions import BotoCoreError, NoRegionError


def _refuse(reason: str) -> NoReturn:
    """End the program as for wrong arguments, before anything is made."""
    print(reason, file=sys.stderr)
    raise SystemExit(2)


PIPELINE = os.environ.get("PIPELINE_NAME") or "sales-cdc"
# The bucket is `NAME-lake-ACCOUNT-REGION`, at most 63 characters, and S3 keeps two beginnings for
# itself; the database is the name with underscores, which Athena reads unquoted. Every account has
# a workgroup `primary` and a database `default` already, and others use them.
FORM = r"(?!sthree-|amzn-s3-|(primary|default)$)(?=.{3,28}$)[a-z][a-z0-9]*(-[a-z0-9]+)*"
if not re.fullmatch(FORM, PIPELINE):
    _refuse(
        f"PIPELINE_NAME: expected 3 to 28 characters a-z, 0-9 and single inner dashes, starting "
        f"with a letter and not with 'sthree-' or 'amzn-s3-', and neither 'primary' nor 'default', "
        f"found {PIPELINE!r}"
    )

TABLE = os.environ.get("TABLE_NAME") or f"{PIPELINE}-orders"
TABLE_IS_ADOPTED = (
    f"{PIPELINE}-orders" != TABLE
)  # TABLE_NAME is the user's own table: it stays theirs.
if not re.fullmatch(r"[a-zA-Z0-9_.-]{3,255}", TABLE):
    _refuse(
        f"TABLE_NAME: expected 3 to 255 characters a-z, A-Z, 0-9, '_', '.' and '-', found {TABLE!r}"
    )

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
VIEWS = ("order_changes", "orders", "current_orders", "order_lines")  # Each may use those before.
LAKE, ERRORS, REPLAYED, QUERIES = "lake/", "errors/", "replayed/", "queries/"
FIRST_DAY = "2026-01-01"  # Athena looks for no day before: no change in the lake is older.
FLUSH_SECONDS = 60  # How long Firehose gathers rows; with dynamic partitioning no less is allowed.
FUNCTION_LOGS = f"/aws/lambda/{FUNCTION}"
DELIVERY_LOGS, DELIVERY_LOG_STREAM = f"/aws/kinesisfirehose/{DELIVERY}", "delivery"
FAILED_RECORDS = "FailedRecords"  # The metric, in the namespace PIPELINE.
ALARM_TOPIC = f"{PIPELINE}-alarms"
TAGS = {"pipeline": PIPELINE}
TAG_LIST = [{"Key": "pipeline", "Value": PIPELINE}]  # The same for services that want a list.

# The table's first columns, all of them `string`. A crawler adds what orders have besides.
COLUMNS = (
    *("cdc_operation", "cdc_key", "cdc_source", "cdc_sequence", "cdc_snapshot_at"),
    *("cdc_event_id", "cdc_changed_at", "cdc_expired", "cdc_changed"),
    *("cdc_old_image", "cdc_new_image"),
    *("order_id", "status", "placed_at", "paid_at", "payment_failed_at", "shipped_at"),
    *("delivered_at", "cancelled_at", "returned_at", "updated_at"),
    *("customer__id", "customer__name", "customer__email"),
    *("customer__address__street", "customer__address__city"),
    *("customer__address__postal_code", "customer__address__country"),
    *("items", "currency", "region", "channel"),
    *("subtotal", "discount", "shipping_fee", "tax", "total"),
    *("payment__method", "payment__attempts", "test_order", "expires_at"),
    *("coupon", "carrier", "tracking_number"),
)


@dataclass(frozen=True, slots=True)
class Location:
    """Where the pipeline lives: what an ARN needs besides the resource's own name."""

    partition: str
    region: str
    account: str

    def arn(self, service: str, resource: str) -> str:
        """Return the ARN of a resource here."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"

    def role_name(self, service: str) -> str:
        """Return the name of a service's role; IAM is global, so it carries the region."""
        return f"{PIPELINE}-{service}-{self.region}"

    def role_arn(self, service: str) -> str:
        """Return the ARN of a service's role."""
        return f"arn:{self.partition}:iam::{self.account}:role/{self.role_name(service)}"

    def bucket(self) -> str:
        """Return the lake's bucket; its name is unique in all of AWS."""
        return f"{PIPELINE}-lake-{self.account}-{self.region}"

    def bucket_arn(self, key: str = "") -> str:
        """Return the ARN of the lake's bucket, or of a key in it."""
        bucket = f"arn:{self.partition}:s3:::{self.bucket()}"
        return f"{bucket}/{key}" if key else bucket

    def service_host(self, service: str) -> str:
        """Return the host name by which KMS knows a service here."""
        suffix = "amazonaws.com.cn" if self.partition == "aws-cn" else "amazonaws.com"
        return f"{service}.{self.region}.{suffix}"


def region() -> str:
    """Return the region that boto3 uses."""
    if not (name := boto3.Session().region_name):
        raise NoRegionError
    return name


@cache
def account() -> str:
    """Return the id of the account that the credentials belong to."""
    return boto3.client("sts").get_caller_identity()["Account"]


@cache
def location() -> Location:
    """Return where boto3's environment leads."""
    return Location(boto3.Session().get_partition_for_region(region()), region(), account())


def arn(service: str, resource: str) -> str:
    """Return the ARN of a resource of this account and region."""
    return location().arn(service, resource)


def role_arn(service: str) -> str:
    """Return the ARN of a service's role: `pipe`, `firehose`, `lambda` or `crawler`."""
    return location().role_arn(service)


def bucket() -> str:
    """Return the lake's bucket; its name is unique in all of AWS."""
    return location().bucket()


def _check_region() -> None:
    """Refuse an AWS_REGION that other tools obey and boto3 does not."""
    told = os.environ.get("AWS_REGION")
    try:
        used = boto3.Session().region_name
    except BotoCoreError:
        return  # Each script says so itself.
    if told and told != used:
        _refuse(
            f"AWS_REGION is {told} but boto3, which does not read it, uses {used or 'no region'}: "
            f"run export AWS_DEFAULT_REGION={told}, or unset AWS_REGION"
        )


if os.environ.get("AWS_REGION"):
    _check_region()
