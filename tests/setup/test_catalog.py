"""The catalog and Athena: additions of crawlers and users survive, their damage is repaired."""

import gzip
import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from operations.status.checks.catalog import check_table
from setup import names
from setup.columns import COLUMNS
from setup.lib import column_limit, run_crawler, views, waiters
from setup.lib.drift import find_drift
from setup.lib.image_columns import days_added_since
from setup.lib.waiters import SetupError
from tests.support.setup_fixture import QUERY, SetupSandbox, aws_client, setup_sandbox
from tests.support.verify_fixture import order_item, stream_row

CATALOG_SCRIPTS = ("03_s3", "04_iam", "10_glue", "11_athena")
NO_DRIFT = "no drift: pipeline sales-cdc matches the scripts"


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[SetupSandbox]:
    with setup_sandbox(tmp_path) as sandbox:
        yield sandbox


@pytest.mark.slow
def test_crawled_columns_survive_as_text(sandbox: SetupSandbox) -> None:
    sandbox.run("03_s3", "04_iam", "10_glue")
    glue = aws_client("glue")
    table = glue.get_table(DatabaseName=names.DATABASE, Name=names.CHANGES)["Table"]
    descriptor = table["StorageDescriptor"]
    descriptor["Columns"] = [
        {"Name": "gift_note", "Type": "string", "Comment": "crawled"},
        {"Name": "total", "Type": "double"},
    ]
    changed = {"Name": names.CHANGES, "StorageDescriptor": descriptor, "TableType": "OTHER"}
    changed["Parameters"] = {"UPDATED_BY_CRAWLER": names.CRAWLER, "projection.enabled": "false"}
    glue.update_table(DatabaseName=names.DATABASE, TableInput=changed)
    sandbox.run("10_glue")
    table = glue.get_table(DatabaseName=names.DATABASE, Name=names.CHANGES)["Table"]
    columns = {column["Name"]: column for column in table["StorageDescriptor"]["Columns"]}
    assert set(columns) == {"gift_note", *COLUMNS}
    assert columns["gift_note"]["Comment"] == "crawled"
    assert {column["Type"] for column in columns.values()} == {"string"}
    assert table["Parameters"]["projection.enabled"] == "true"
    assert table["Parameters"]["UPDATED_BY_CRAWLER"] == names.CRAWLER


@pytest.mark.slow
def test_the_crawl_before_is_not_taken_for_it(sandbox: SetupSandbox) -> None:
    """Glue may say for a moment after the start that the crawler is ready."""
    sandbox.run(*CATALOG_SCRIPTS)
    run_crawler.crawl()
    glue = aws_client("glue")
    before = glue.get_crawler(Name=names.CRAWLER)
    sandbox.stub("GetCrawler", *[before] * 4)
    run_crawler.crawl()
    after = glue.get_crawler(Name=names.CRAWLER)["Crawler"]
    assert after["State"] == "READY"
    assert after["LastCrawl"]["StartTime"] > before["Crawler"]["LastCrawl"]["StartTime"]


@pytest.mark.slow
def test_a_crawl_detects_a_changed_table(sandbox: SetupSandbox) -> None:
    sandbox.run(*CATALOG_SCRIPTS)
    assert run_crawler.run_crawler() == (
        "crawl succeeded: no new columns in table changes; every attribute in the lake has a column"
    )
    table = run_crawler.get_table(aws_client("glue"))
    del table["Parameters"]["projection.enabled"]
    with pytest.raises(SetupError, match=r"changed Parameters of table changes: run .*10_glue"):
        run_crawler.check_table(table)


def test_a_crawl_detects_a_day_before_the_first(sandbox: SetupSandbox) -> None:
    sandbox.run(*CATALOG_SCRIPTS)
    aws_client("s3").put_object(Bucket=names.bucket(), Key="lake/dt=2016-11-18/a.gz", Body=b"")
    with pytest.raises(SetupError, match="predates FIRST_DAY"):
        run_crawler.run_crawler()


@pytest.mark.slow
def test_a_crawl_adds_no_columns_beyond_the_limit(
    sandbox: SetupSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A map that is keyed by data, and the columns that items already had of it."""
    sandbox.run(*CATALOG_SCRIPTS)
    limit = len(COLUMNS) + 10
    monkeypatch.setattr(run_crawler, "MAX_COLUMNS", limit)
    monkeypatch.setattr(column_limit, "WARNING_COLUMNS", len(COLUMNS) - 1)
    assert column_limit.column_warnings() == [
        f"table changes has {len(COLUMNS)} columns of at most 1000: add those that you "
        "query to COLUMNS in setup/own_table.py, and run python setup/10_glue.py"
    ]
    write_row({"gift_note": "For you", **{f"seenby__user{number}": "1" for number in range(60)}})
    message = (
        f"the lake has at least {len(COLUMNS) + 61} columns, more than the {limit} of a table, so "
        "none was added: 60 are members of one map: add 'seenby' to JSON_PATHS in "
        "setup/own_table.py, run python setup, then python -m operations.verify --repair"
    )
    with pytest.raises(SetupError, match=message):
        run_crawler.run_crawler()
    table = run_crawler.get_table(aws_client("glue"))
    assert run_crawler.column_names(table) == list(COLUMNS)
    items = [order_item(n, seenBy={"M": {f"user{n}": {"N": "1"}}}) for n in range(60)]
    write_row({"gift_note": "For you"}, *(stream_row(None, item, 1) for item in items))
    sandbox.calls.clear()
    with pytest.raises(SetupError, match="none was added: 60 are members of one map"):
        run_crawler.run_crawler()
    assert ("glue", "StartCrawler") not in sandbox.calls  # The images show it before.
    monkeypatch.setattr(names, "JSON_PATHS", ("seenby",))
    line = run_crawler.run_crawler()  # The crawler still sees the rows from before.
    assert line.startswith("crawl succeeded: added gift_note, seenby to table changes; every")


@pytest.mark.slow
def test_members_of_a_json_path_are_no_columns(
    sandbox: SetupSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.run(*CATALOG_SCRIPTS)
    write_row({"customer__visits__a": "1", "customer__visits__x_1_": "1", "customer__id": "1"})
    run_crawler.run_crawler()
    monkeypatch.setattr(names, "JSON_PATHS", ("customer__visits",))
    sandbox.calls.clear()
    for _ in range(2):
        sandbox.run("10_glue")
        assert sandbox.writes() == [("glue", "UpdateTable")] * 4  # And those over the copy.
    table = run_crawler.get_table(aws_client("glue"))
    assert run_crawler.column_names(table) == list(COLUMNS)


# Each becomes a change; the crawler reads none of them.
ITEMS: list[dict[str, Any]] = [
    {"refundReason": {"S": "damaged"}, "it's": {"M": {"O'Hara \\": {"N": "1"}}}},
    {"customer": {"M": {"profile": {"M": {"ageGroup": {"N": "3"}, "": {"NULL": True}}}}}},
    {"customer": {"M": {"profile": {"S": "none"}}}, "emptyMap": {"M": {}}, "list": {"L": []}},
    {"seenBy": {"M": {f"user-{number}": {"N": "1"} for number in range(101)}}},
    {"visits": {"M": {"user-1": {"M": {"at": {"N": "1"}}}}}, "Ab": {"S": "1"}, "ab": {"S": "2"}},
    {"note": {"S": "1"}, "NOTE": {"M": {"x": {"S": "\u00e9"}}}},
]


@pytest.mark.slow
def test_a_crawl_finds_what_the_crawler_misses(
    sandbox: SetupSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names, "JSON_PATHS", ("visits",))
    sandbox.run(*CATALOG_SCRIPTS)
    filler = {"note": {"S": "x" * 2**18}}  # Twice in each row: four exceed the crawler's sample.
    items = [order_item(number, **item) for number, item in enumerate([*[filler] * 4, *ITEMS])]
    rows = [stream_row(None, item, 1) for item in items[:-1]]
    rows.append(stream_row(items[-1], None, 1))  # A removal has the columns of its old image.
    write_row(*rows)
    run_crawler.crawl()
    table: Any = run_crawler.get_table(aws_client("glue"))
    assert set(run_crawler.column_names(table)) == {"note", *COLUMNS}
    assert "every attribute in the lake has a column" in run_crawler.run_crawler()
    table = run_crawler.get_table(aws_client("glue"))
    columns_of_rows = {name for row in rows for name in row}
    assert set(run_crawler.column_names(table)) == {*columns_of_rows, *COLUMNS}
    read_until = datetime.fromisoformat(table["Parameters"][run_crawler.READ_UNTIL_PARAMETER])
    assert days_added_since(read_until).days == ("2026-11-18",)
    assert days_added_since(read_until + timedelta(hours=2)).days == ()


@pytest.mark.parametrize(("change", "updates"), [({}, 0), ({"Grouping": {}}, 1)])
def test_a_crawler_is_updated_if_its_meaning_differs(
    sandbox: SetupSandbox, change: dict[str, Any], updates: int
) -> None:
    """AWS spells the configuration's JSON in its own way."""
    sandbox.run("03_s3", "04_iam", "10_glue")
    response = aws_client("glue").get_crawler(Name=names.CRAWLER)
    configuration = json.loads(response["Crawler"]["Configuration"]) | {"More": True} | change
    respelled = json.dumps(dict(reversed(configuration.items())), separators=(",", ":"))
    response["Crawler"]["Configuration"] = respelled
    sandbox.stub("GetCrawler", response)
    sandbox.calls.clear()
    sandbox.run("10_glue")
    assert sandbox.writes() == [("glue", "UpdateCrawler")] * updates


def test_the_users_named_queries_survive(sandbox: SetupSandbox) -> None:
    sandbox.run(*CATALOG_SCRIPTS)
    athena = aws_client("athena")
    common = {"Database": names.DATABASE, "WorkGroup": names.WORKGROUP}
    athena.create_named_query(Name="mine", QueryString="SELECT 1", **common)
    folder = views.ANALYTICS / "queries"
    (folder / "how_many.sql").write_text(QUERY.replace("*", "1"))
    sandbox.run("11_athena")
    query_ids = athena.list_named_queries(WorkGroup=names.WORKGROUP)["NamedQueryIds"]
    queries = [
        athena.get_named_query(NamedQueryId=query_id)["NamedQuery"] for query_id in query_ids
    ]
    assert sorted((query["Name"], query["QueryString"]) for query in queries) == [
        ("how_many", QUERY.replace("*", "1")),
        ("mine", "SELECT 1"),
    ]
    descriptions = {query["Name"]: query.get("Description") for query in queries}
    assert descriptions["how_many"] == "How many changes there are."


def test_a_failed_view_is_reported_with_the_reason(sandbox: SetupSandbox) -> None:
    sandbox.run(*CATALOG_SCRIPTS[:-1])
    write_view("orders", "SELECT nothing FROM lost")
    with pytest.raises(SetupError, match=r"view orders: expected SUCCEEDED, found FAILED: .+"):
        sandbox.run("11_athena")


def write_view(name: str, query: str) -> None:
    """Replace the file of a view."""
    path = views.ANALYTICS / "views" / f"{name}.sql"
    path.write_text(f"CREATE OR REPLACE VIEW {name} AS {query}")


def write_row(*rows: Mapping[str, str | None]) -> None:
    """Write an object with these rows into the lake."""
    body = gzip.compress("\n".join(map(json.dumps, rows)).encode())
    aws_client("s3").put_object(Bucket=names.bucket(), Key="lake/dt=2026-11-18/a.gz", Body=body)


@pytest.mark.slow
def test_a_view_is_pending_until_its_column_exists(
    sandbox: SetupSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.run(*CATALOG_SCRIPTS)
    write_view("orders", "SELECT order_id, gift_note FROM order_changes")
    write_view("order_changes", "SELECT order_id, c.gift_note FROM changes AS c")
    write_view("current_orders", "SELECT order_id FROM changes")
    write_view("order_lines", "SELECT * FROM order_changes")
    message = "pending: table changes has no column gift_note yet"
    [line] = sandbox.run("11_athena")
    assert line.startswith("workgroup sales-cdc has 3 views and 1 named query; ")
    assert line.count(message) == 2
    sandbox.calls.clear()
    assert sandbox.run("11_athena") == [line]
    assert sandbox.writes() == []  # Without a query that is bound to fail.
    assert message in check_table(None).message
    command = import_module("setup.__main__")
    monkeypatch.setattr(command, "SCRIPTS", ["10_glue", "11_athena"])
    assert command.check() == "\n".join([NO_DRIFT, *map(str, views.pending_views())])
    write_row({"gift_note": "For you"})
    assert run_crawler.run_crawler() == (
        "crawl succeeded: added gift_note to table changes; every attribute in the lake has a "
        "column; created view order_changes; created view orders"
    )
    for view in ("orders", "order_lines"):  # One was pending, the other used an older view.
        table: Any = views.describe_table(view)
        columns = [column["Name"] for column in table["StorageDescriptor"]["Columns"]]
        assert columns == ["order_id", "gift_note"]
    assert command.check() == NO_DRIFT


@pytest.mark.slow
def test_a_new_view_waits_for_the_view_it_uses(sandbox: SetupSandbox) -> None:
    sandbox.run(*CATALOG_SCRIPTS[:-1])
    write_view(names.VIEWS[0], "SELECT gift_note FROM changes")
    assert sandbox.run("11_athena")[0].count("no column gift_note yet") == len(names.VIEWS)
    write_view(names.VIEWS[0], "SELECT order_id FROM changes")
    assert sandbox.run("11_athena") == ["workgroup sales-cdc has 5 views and 1 named query"]


@pytest.mark.slow
def test_a_view_is_recreated_with_those_it_uses(sandbox: SetupSandbox) -> None:
    """Athena calls a view stale when the columns that it uses have changed."""
    sandbox.run(*CATALOG_SCRIPTS)
    path = views.ANALYTICS / "views" / f"{names.VIEWS[0]}.sql"
    path.write_text(path.read_text().replace("order_id", "length(order_id) AS order_id"))
    sandbox.run("11_athena")
    glue = aws_client("glue")
    for view in names.VIEWS:
        table = glue.get_table(DatabaseName=names.DATABASE, Name=view)["Table"]
        types = [column["Type"] for column in table["StorageDescriptor"]["Columns"]]
        assert types == ["bigint"], view


@pytest.mark.slow
def test_descriptions_follow_the_files(sandbox: SetupSandbox) -> None:
    header = "-- Orders.\n-- All of them.\n--\n-- order_id: {}\n-- lost: no such column\n"
    path = views.ANALYTICS / "views" / "orders.sql"
    query = path.read_text()
    path.write_text(header.format("ID, first version") + query)
    sandbox.run(*CATALOG_SCRIPTS)
    assert descriptions("orders") == ("Orders. All of them.", ["ID, first version"])
    assert descriptions("order_lines")[1] == [COLUMNS["order_id"]]  # That of order_changes.
    path.write_text(header.format("ID, " + 60 * "very " + "long") + query)
    sandbox.run("11_athena")
    [comment] = descriptions("orders")[1]
    assert comment == ("ID, " + 60 * "very ")[:255]


@pytest.mark.slow
def test_users_descriptions_survive(sandbox: SetupSandbox) -> None:
    sandbox.run(*CATALOG_SCRIPTS)
    for name in (names.CHANGES, "orders"):
        table: Any = views.describe_table(name)
        table["Description"] = "mine"
        table["StorageDescriptor"]["Columns"][0]["Comment"] = "my column"
        table["Parameters"]["my.parameter"] = "1"
        views.update_table(table)
    path = views.ANALYTICS / "views" / "orders.sql"
    path.write_text("-- Theirs.\n--\n-- order_id: their column\n" + path.read_text())
    sandbox.run("10_glue", "11_athena")
    for name in (names.CHANGES, "orders"):
        description, comments = descriptions(name)
        assert (description, comments[0]) == ("mine", "my column")
        assert views.describe_table(name)["Parameters"]["my.parameter"] == "1"
    assert find_drift(["10_glue", "11_athena"]) == []


@pytest.mark.slow
def test_trino_can_read_the_views(sandbox: SetupSandbox) -> None:
    """It needs an owner, and Athena's own comment where a description would be."""
    sandbox.run(*CATALOG_SCRIPTS)
    tables: list[Any] = [views.describe_table(name) for name in names.VIEWS]
    assert {table.get("Owner") for table in tables} == {views.OWNER}
    assert {table["Parameters"]["comment"] for table in tables} == {"Presto View"}
    assert not any(table.get("Description") for table in tables)


@pytest.mark.slow
def test_users_owner_of_a_view_survives(sandbox: SetupSandbox) -> None:
    sandbox.run(*CATALOG_SCRIPTS)
    views.update_table({**views.describe_table("orders"), "Owner": "ann"})
    path = views.ANALYTICS / "views" / "orders.sql"
    path.write_text(path.read_text() + "\n")
    sandbox.run("11_athena")
    assert views.describe_table("orders").get("Owner") == "ann"


def descriptions(name: str) -> tuple[str, list[str]]:
    """Return the catalog's description of a table or view, and the comments of its columns."""
    table: Any = views.describe_table(name)
    columns = table["StorageDescriptor"]["Columns"]
    description = table.get("Description") or table["Parameters"]["description"]
    return description, [column["Comment"] for column in columns]


def test_a_changed_or_replaced_view_is_recreated(sandbox: SetupSandbox) -> None:
    sandbox.run(*CATALOG_SCRIPTS)
    view = {"DatabaseName": names.DATABASE, "Name": "orders"}
    parameters = aws_client("glue").get_table(**view)["Table"]["Parameters"]
    assert parameters["presto_view"] == "true"  # What Athena has set is kept.
    path = views.ANALYTICS / "views" / "orders.sql"
    path.write_text("CREATE OR REPLACE VIEW orders AS SELECT order_id, status FROM changes")
    sandbox.run("11_athena")
    columns = aws_client("glue").get_table(**view)["Table"]["StorageDescriptor"]["Columns"]
    assert [column["Name"] for column in columns] == ["order_id", "status"]
    athena = aws_client("athena")
    query = athena.start_query_execution(
        QueryString="CREATE OR REPLACE VIEW orders AS SELECT 1 AS one",
        QueryExecutionContext={"Database": names.DATABASE, "Catalog": "AwsDataCatalog"},
        WorkGroup=names.WORKGROUP,
    )

    def state() -> str:
        response = athena.get_query_execution(QueryExecutionId=query["QueryExecutionId"])
        return str(response["QueryExecution"]["Status"]["State"])

    waiters.wait_until("the user's view", state, "SUCCEEDED")
    sandbox.run("11_athena")
    assert aws_client("glue").get_table(**view)["Table"]["StorageDescriptor"]["Columns"] == columns
