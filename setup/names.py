"""Names that the scripts share; region, credentials and endpoint are left to boto3."""

import os
import re
import sys
from dataclasses import dataclass
from functools import cache
from typing import Any, NoReturn

import boto3
from botocore.exceptions import BotoCoreError, NoRegionError

from setup import own_table
from setup.masked import parse_masked
from setup.user_tags import parse_tags


def _exit_with_usage_error(message: str) -> NoReturn:
    print(message, file=sys.stderr)
    raise SystemExit(2)  # The status of wrong arguments; nothing has been created yet.


PIPELINE = os.environ.get("PIPELINE_NAME") or "sales-cdc"
# The bucket is `NAME-lake-ACCOUNT-REGION`, at most 63 characters, and S3 reserves two prefixes.
# The database is the name with underscores, which Athena accepts unquoted. Every account already
# has a workgroup `primary` and a database `default` for other uses.
PIPELINE_PATTERN = r"(?!sthree-|amzn-s3-|(primary|default)$)(?=.{3,28}$)[a-z][a-z0-9]*(-[a-z0-9]+)*"
if not re.fullmatch(PIPELINE_PATTERN, PIPELINE):
    _exit_with_usage_error(
        f"PIPELINE_NAME: expected 3 to 28 characters a-z, 0-9 and single inner dashes, starting "
        f"with a letter and not with 'sthree-' or 'amzn-s3-', and neither 'primary' nor 'default', "
        f"found {PIPELINE!r}"
    )

TABLE = os.environ.get("TABLE_NAME") or f"{PIPELINE}-orders"
TABLE_IS_ADOPTED = (
    f"{PIPELINE}-orders" != TABLE
)  # Setup only adds a stream to it; teardown keeps it.
if not re.fullmatch(r"[a-zA-Z0-9_.-]{3,255}", TABLE):
    _exit_with_usage_error(
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
CHANGES = "changes"  # The table over the lake.
# The tables over its copy, and that over the days that are not copied yet.
HISTORY = "history"
STATE = "state"
RECENT = "recent"
EXCHANGE_RATES = "exchange_rates"  # The table that `python -m operations.rates` fills.
ROWS_VIEW = "order_rows"  # The other views read it; it may have a change twice.
VIEWS = (
    ROWS_VIEW,
    "order_changes",
    "orders",
    "current_orders",
    "order_lines",
    *own_table.VIEWS,
)  # Each may use those before.
# Prefixes in the bucket.
LAKE = "lake/"
ERRORS = "errors/"
REPLAYED = "replayed/"
QUERIES = "queries/"
TABLES = "tables/"  # The copy.
RATES = "rates/"  # The exchange rates.
LAKE_ID = "lake-id/"
BACKFILLS = "backfills/"
FIRST_DAY = "2026-01-01"  # Athena reads no earlier day, so no change may be older.
# Only today is not copied, since changes still arrive for it; another day would cost each question
# its files, one for each minute, and a fourth of its bytes.
RECENT_DAYS = 1
FLUSH_SECONDS = 60  # Firehose's buffer interval: the minimum with dynamic partitioning.
FUNCTION_LOGS = f"/aws/lambda/{FUNCTION}"
DELIVERY_LOGS = f"/aws/kinesisfirehose/{DELIVERY}"
PIPE_LOGS = f"/aws/vendedlogs/pipes/{PIPE}"  # AWS lets its services write under this prefix.
DELIVERY_LOG_STREAM = "delivery"
FAILED_RECORDS = "FailedRecords"  # The metric, in the namespace PIPELINE.
UNMET_EXPECTATIONS = "UnmetExpectations"  # Likewise; `analytics.check --publish` sends it.
ALARM_TOPIC = f"{PIPELINE}-alarms"
try:
    USER_TAGS = parse_tags(os.environ.get("PIPELINE_TAGS", ""))
except ValueError as error:
    _exit_with_usage_error(f"PIPELINE_TAGS: {error}")
# How the shop divides time into days, weeks and years. The lake's partitions are days in UTC.
BUSINESS_TIME_ZONE = os.environ.get("BUSINESS_TIME_ZONE") or "UTC"
if not re.fullmatch(r"UTC|[A-Z][A-Za-z]+(/[A-Z][A-Za-z_+-]*)+", BUSINESS_TIME_ZONE):
    _exit_with_usage_error(
        f"BUSINESS_TIME_ZONE: expected UTC or a name such as Europe/Berlin, found "
        f"{BUSINESS_TIME_ZONE!r}"
    )
WEEK_START = os.environ.get("WEEK_START") or "1"  # 1 for Monday to 7 for Sunday.
FISCAL_YEAR_START = os.environ.get("FISCAL_YEAR_START") or "1"  # A month: 1 to 12.
if not re.fullmatch("[1-7]", WEEK_START):
    _exit_with_usage_error(f"WEEK_START: expected a number from 1 to 7, found {WEEK_START!r}")
if not re.fullmatch("[1-9]|1[0-2]", FISCAL_YEAR_START):
    _exit_with_usage_error(
        f"FISCAL_YEAR_START: expected a number from 1 to 12, found {FISCAL_YEAR_START!r}"
    )
# The user's key for bucket, stream, logs, queue, topic and query results; empty without one.
KMS_KEY = os.environ.get("KMS_KEY_ARN", "")
if KMS_KEY and not re.fullmatch(r"arn:aws[\w-]*:kms:[\w-]+:\d{12}:key/[\w-]+", KMS_KEY):
    _exit_with_usage_error(
        f"KMS_KEY_ARN: expected the ARN of a key, as in arn:aws:kms:us-east-1:123456789012:key/…, "
        f"found {KMS_KEY!r}"
    )
PIPELINE_TAG = {"pipeline": PIPELINE}  # Teardown deletes only what has it.
TAGS = {**PIPELINE_TAG, **USER_TAGS}
# The same for APIs that take a list, whose stubs each have a type of their own for a tag.
TAG_LIST: list[Any] = [{"Key": key, "Value": value} for key, value in TAGS.items()]

MASKING_KEY = f"{PIPELINE}-masking-key"  # The secret, only with MASKED.
try:
    MASKED = parse_masked(own_table.MASKED)
except ValueError as error:
    _exit_with_usage_error(f"MASKED in setup/own_table.py: {error}")
JSON_PATHS = own_table.JSON_PATHS


def _check_json_paths(paths: object) -> None:
    """Exit if the paths are not names of columns, as if one is spelled like its attribute."""
    is_valid = isinstance(paths, tuple) and all(
        isinstance(path, str) and re.fullmatch("[a-z][a-z0-9_]*", path) for path in paths
    )
    if not is_valid:
        _exit_with_usage_error(
            f"JSON_PATHS: expected names of columns, as in ('customer__visits',), found {paths!r}"
        )


_check_json_paths(JSON_PATHS)


@dataclass(frozen=True, slots=True)
class Location:
    """The partition, region and account of a pipeline, and the ARNs that follow from them."""

    partition: str
    region: str
    account: str

    def arn(self, service: str, resource: str) -> str:
        """Return the ARN of a regional resource."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"

    def role_name(self, service: str) -> str:
        """Return the name of a service's role; it contains the region, since IAM is global."""
        return f"{PIPELINE}-{service}-{self.region}"

    def role_arn(self, service: str) -> str:
        """Return the ARN of a service's role."""
        return f"arn:{self.partition}:iam::{self.account}:role/{self.role_name(service)}"

    def bucket(self) -> str:
        """Return the name of the lake's bucket, which is unique in all of AWS."""
        return f"{PIPELINE}-lake-{self.account}-{self.region}"

    def dashboard(self) -> str:
        """Return the name of the dashboard; it contains the region, since all regions share it."""
        return f"{PIPELINE}-{self.region}"

    def dashboard_arn(self) -> str:
        """Return the ARN of the dashboard."""
        return f"arn:{self.partition}:cloudwatch::{self.account}:dashboard/{self.dashboard()}"

    def bucket_arn(self, key: str = "") -> str:
        """Return the ARN of the lake's bucket, or of objects in it."""
        bucket = f"arn:{self.partition}:s3:::{self.bucket()}"
        return f"{bucket}/{key}" if key else bucket

    def service_host(self, service: str) -> str:
        """Return a service's host name, as the condition key kms:ViaService spells it."""
        suffix = "amazonaws.com.cn" if self.partition == "aws-cn" else "amazonaws.com"
        return f"{service}.{self.region}.{suffix}"


def region() -> str:
    """Return the region that boto3 uses."""
    name = boto3.Session().region_name
    if not name:
        raise NoRegionError
    return str(name)


@cache
def account() -> str:
    """Return the id of the account that the credentials belong to."""
    return str(boto3.client("sts").get_caller_identity()["Account"])


@cache
def location() -> Location:
    """Return the location that boto3's environment selects."""
    aws_region = region()
    return Location(boto3.client("sts").meta.partition, aws_region, account())


def arn(service: str, resource: str) -> str:
    """Return the ARN of a resource of this account and region."""
    return location().arn(service, resource)


def role_arn(service: str) -> str:
    """Return the ARN of a service's role: `pipe`, `firehose`, `lambda` or `crawler`."""
    return location().role_arn(service)


def bucket() -> str:
    """Return the name of the lake's bucket."""
    return location().bucket()


def _check_region(aws_region: str) -> None:
    """Exit if AWS_REGION, which other tools read, is not the region that boto3 uses."""
    try:
        boto3_region = boto3.Session().region_name
    except BotoCoreError:
        return  # Each script reports it.
    if aws_region != boto3_region:
        _exit_with_usage_error(
            f"AWS_REGION is {aws_region}, but boto3 does not read it and uses "
            f"{boto3_region or 'no region'}: run export AWS_DEFAULT_REGION={aws_region}, or unset "
            f"AWS_REGION"
        )


if os.environ.get("AWS_REGION"):
    _check_region(os.environ["AWS_REGION"])
