"""Column statistics of the laptop's Glue: none, as on AWS until someone computes them."""

from collections.abc import Iterator
from typing import Any

import pytest

from local.services.glue.service import Glue
from tests.support.laptop_cloud import aws, code_of, laptop


@pytest.fixture(scope="module", autouse=True)
def cloud() -> Iterator[None]:
    with laptop(Glue):
        aws("glue").create_database(DatabaseInput={"Name": "sales"})
        aws("glue").create_table(DatabaseName="sales", TableInput={"Name": "changes"})
        yield


TABLE = {"DatabaseName": "sales", "TableName": "changes", "ColumnNames": ["id", "total"]}


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("get_column_statistics_for_table", TABLE),
        ("get_column_statistics_for_partition", {**TABLE, "PartitionValues": ["2026-11-23"]}),
    ],
)
def test_no_column_has_statistics(operation: str, params: dict[str, Any]) -> None:
    response = getattr(aws("glue"), operation)(**params)
    assert response["ColumnStatisticsList"] == []
    errors = {error["ColumnName"]: error["Error"]["ErrorCode"] for error in response["Errors"]}
    assert errors == dict.fromkeys(["id", "total"], "EntityNotFoundException")


def test_unknown_table_has_no_statistics() -> None:
    get_statistics = aws("glue").get_column_statistics_for_table
    params = {**TABLE, "TableName": "unknown"}
    assert code_of(get_statistics, **params) == "EntityNotFoundException"
