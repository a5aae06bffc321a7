"""Column statistics: no table has any, as on AWS until someone computes them."""

from typing import Any

from botocore.exceptions import ClientError

from local.core.request import AwsError
from local.core.server import Cloud

OPERATIONS = ("GetColumnStatisticsForTable", "GetColumnStatisticsForPartition")


def get_column_statistics(cloud: Cloud, params: dict[str, Any]) -> dict[str, Any]:
    """Return the response to one of OPERATIONS: an error for each column of an existing table."""
    glue = cloud.client("glue")
    try:
        glue.get_table(DatabaseName=params["DatabaseName"], Name=params["TableName"])
    except ClientError as error:
        details = error.response["Error"]
        raise AwsError(details["Code"], details["Message"]) from None
    reason = {
        "ErrorCode": "EntityNotFoundException",
        "ErrorMessage": "Statistics do not exist for this column",
    }
    errors = [{"ColumnName": name, "Error": reason} for name in params["ColumnNames"]]
    return {"ColumnStatisticsList": [], "Errors": errors}
