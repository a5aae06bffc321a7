"""Checks of the pipeline's parts, in the order in which a change passes them."""

from operations.status.check import Check
from operations.status.checks import (
    alarms,
    backfill,
    catalog,
    copy,
    failures,
    firehose,
    function,
    kinesis,
    lake,
    objects,
    pipe,
    policies,
    table,
)

CHECKS = (
    Check("table", "01_dynamodb", table.check),
    Check("pipe", "07_pipe", pipe.check),
    Check("Kinesis", "02_kinesis", kinesis.check),
    Check("Firehose", "06_firehose", firehose.check),
    Check("function", "05_lambda", function.check),
    Check("dead letters", "07_pipe", failures.check_dead_letters),
    Check("error objects", "03_s3", failures.check_error_objects),
    Check("lake", "03_s3", lake.check),
    Check("lake objects", "03_s3", objects.check),
    Check("backfill", "01_dynamodb", backfill.check),
    Check("catalog", "10_glue", catalog.check_table),
    Check("last crawl", "10_glue", catalog.check_crawler),
    Check("copy", "10_glue", copy.check),
    Check("Athena", "11_athena", catalog.check_workgroup),
    Check("alarms", "09_alarms", alarms.check),
    Check("policies", "04_iam", policies.check),
)
