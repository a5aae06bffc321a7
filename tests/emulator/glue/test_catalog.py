"""The Glue catalog on the laptop: the search of tables, and limits of calls."""

from collections.abc import Iterator
from typing import Any

import pytest

from local.core.server import Cloud
from local.services.glue import Glue
from tests.support.laptop_cloud import aws, error_of, laptop

BIG = "x" * 300
VIOLATIONS: dict[str, tuple[str, dict[str, Any], str]] = {
    "long name": (
        "create_database",
        {"DatabaseInput": {"Name": BIG}},
        f"Value '{BIG}' at 'databaseInput.name' failed to satisfy constraint: Member must have "
        "length less than or equal to 255",
    ),
    "page size": (
        "get_tables",
        {"DatabaseName": "sales", "MaxResults": 101},
        "Value '101' at 'maxResults' failed to satisfy constraint: Member must have value less "
        "than or equal to 100",
    ),
    "long list": (
        "batch_delete_partition",
        {
            "DatabaseName": "sales",
            "TableName": "orders",
            "PartitionsToDelete": [{"Values": ["a"]}] * 26,
        },
        "Value at 'partitionsToDelete' failed to satisfy constraint: Member must have length less "
        "than or equal to 25",
    ),
    "comment in a list": (
        "create_table",
        {
            "DatabaseName": "sales",
            "TableInput": {
                "Name": "t",
                "StorageDescriptor": {"Columns": [{"Name": "a", "Comment": BIG}]},
            },
        },
        "at 'tableInput.storageDescriptor.columns.1.member.comment' failed to satisfy constraint: "
        "Member must have length less than or equal to 255",
    ),
}


@pytest.fixture(scope="module", autouse=True)
def cloud() -> Iterator[Cloud]:
    with laptop(Glue) as cloud:
        glue = aws("glue")
        for database, names in (("sales", ("orders", "changes")), ("shop", ("orders",))):
            glue.create_database(DatabaseInput={"Name": database})
            for name in names:
                columns = [{"Name": "total", "Type": "int", "Comment": f"Euro of {name}"}]
                glue.create_table(
                    DatabaseName=database,
                    TableInput={"Name": name, "StorageDescriptor": {"Columns": columns}},
                )
        yield cloud


def search(**params: Any) -> list[str]:
    """Return the database and the name of each table on all pages of a search."""
    names: list[str] = []
    page: dict[str, Any] = {"NextToken": "0"}
    while "NextToken" in page:
        page = dict(aws("glue").search_tables(**params, NextToken=page["NextToken"]))
        names += [f"{table['DatabaseName']}.{table['Name']}" for table in page["TableList"]]
    return names


def test_tables_are_searched() -> None:
    everything = ["sales.changes", "sales.orders", "shop.orders"]
    assert sorted(search()) == everything
    assert sorted(search(SearchText="total ORD")) == ["sales.orders", "shop.orders"]
    assert search(SearchText='"changes"') == ["sales.changes"]
    assert search(SearchText='"change"') == []
    in_shop = {"Key": "DatabaseName", "Value": "shop"}
    assert search(SearchText="euro", Filters=[in_shop]) == ["shop.orders"]
    descending = [{"FieldName": "Name", "Sort": "DESC"}]
    assert search(SortCriteria=descending, MaxResults=2)[2:] == ["sales.changes"]


def test_unknown_searches_are_rejected() -> None:
    for params in (
        {"Filters": [{"Key": "DatabaseName", "Value": "s", "Comparator": "LESS_THAN"}]},
        {"Filters": [{"Key": "Colour", "Value": "s"}]},
        {"NextToken": "x"},
    ):
        code, _ = error_of(aws("glue").search_tables, **params)
        assert code == "InvalidInputException"


@pytest.mark.parametrize("name", VIOLATIONS)
def test_limits_of_the_service_model_hold(name: str) -> None:
    operation, params, expected = VIOLATIONS[name]
    code, message = error_of(getattr(aws("glue"), operation), **params)
    assert code == "ValidationException"
    assert expected in message


def test_a_stale_version_is_not_updated() -> None:
    glue = aws("glue")
    glue.create_table(DatabaseName="sales", TableInput={"Name": "versions"})
    call = {"DatabaseName": "sales", "TableInput": {"Name": "Versions"}}
    version = glue.get_table(DatabaseName="sales", Name="versions")["Table"]["VersionId"]
    glue.update_table(**call, VersionId=version)
    code, message = error_of(glue.update_table, **call, VersionId=version)
    assert code == "ConcurrentModificationException"
    assert message == "Update table failed due to concurrent modifications."
    glue.update_table(**call)
    glue.delete_table(DatabaseName="sales", Name="versions")
