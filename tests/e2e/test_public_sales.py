"""Public data sets: files of their shape give known answers to the questions."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from local.core.server import Cloud
from local.services.registry import SERVICES
from sales.order_lifecycle import OrderChange
from setup import names
from tests.support.lake_fixture import deliver, lake_with_views, replace_lake, run_named_query
from tests.support.laptop_cloud import aws, create_table, laptop
from tests.support.paths import PROJECT

SCRIPT = PROJECT / "examples" / "public_sales" / "load_sales.py"
CDNOW = """\
 00001 19970101  1   11.77
 00002 19970112  1   12.00
 00002 19970112  5   77.00
 00003 19970102  2   20.76
 00003 19970330  2   20.76
 00003 19970402  2   19.54
"""
HEADER = (
    "Row ID,Order ID,Order Date,Ship Date,Customer ID,Customer Name,Region,Product ID,Category,"
    "Product Name,Sales,Quantity\n"
)
SUPERSTORE = (
    HEADER
    + """\
1,CA-1,11/8/2016,11/11/2016,CG-1,Claire,South,FUR-1,Furniture,Bookcase,261.96,2
2,CA-1,11/8/2016,11/11/2016,CG-1,Claire,South,FUR-2,Furniture,"Chairs, stacked",731.94,3
3,CA-2,6/12/2016,6/16/2016,DV-1,Darrin,West,OFF-1,Office Supplies,Labels,"1,014.62",2
4,CA-3,1/5/2017,1/6/2017,CG-1,Claire,South,OFF-1,Office Supplies,Labels,957.5775,5
"""
)


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """The module of the script, which is in no package."""
    spec = spec_from_file_location("load_sales", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def lake() -> Iterator[Cloud]:
    """A cloud with the views, and an empty lake."""
    with lake_with_views() as cloud:
        yield cloud


def put_file(script: Any, path: Path, content: bytes) -> None:
    """Fill the lake with the orders of a file."""
    path.write_bytes(content)
    changed_at = datetime(2026, 3, 1, tzinfo=UTC)
    orders = script.read_orders(path)
    replace_lake(
        deliver([OrderChange(order["order_id"], changed_at, None, order) for order in orders])
    )


@pytest.mark.slow
def test_cdnow_gives_known_answers(lake: Cloud, script: ModuleType, tmp_path: Path) -> None:
    put_file(script, tmp_path / "CDNOW_master.txt", CDNOW.encode())
    assert run_named_query("revenue_by_period", period="year") == [
        ("1997-01-01", "USD", "6", "161.83", None, None)
    ]
    assert run_named_query("cohort_retention") == [
        ("1997-01-01", "0", "3", "3", "100.0"),
        ("1997-01-01", "2", "3", "1", "33.3"),
        ("1997-01-01", "3", "3", "1", "33.3"),
    ]
    assert run_named_query("time_to_second_order") == [(None, "3", "2", "66.7", "0.00", "87.00")]


@pytest.mark.slow
def test_superstore_gives_known_answers(lake: Cloud, script: ModuleType, tmp_path: Path) -> None:
    content = SUPERSTORE.replace("Claire", "Claïre").encode("cp1252")
    put_file(script, tmp_path / "superstore.csv", content)
    assert run_named_query("revenue_by_region") == [
        ("South", None, "USD", "2", "1", "1951.48"),
        ("West", None, "USD", "1", "1", "1014.62"),
    ]
    products = [(row[2], *row[5:]) for row in run_named_query("top_products")]
    assert products == [
        ("OFF-1", "7.000", "1972.20"),
        ("FUR-2", "3.000", "731.94"),
        ("FUR-1", "2.000", "261.96"),
    ]
    (customer, *_) = run_named_query("customers_by_lifetime_value")
    assert customer[2:4] == ("CG-1", "Claïre")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "found an empty file"),
        ("1 19970101 1 11.77\n2 1997 1 1.00\n", "line 2: expected customer, YYYYMMDD"),
        ("1 19970101 1 11,77\n", "line 1: expected customer"),
        ("Order ID,Order Date\nCA-1,1/1/2016\n", "line 1: expected the column 'Category'"),
        (SUPERSTORE.replace("11/8/2016", "2016-11-08"), "order CA-1: time data '2016-11-08'"),
    ],
)
def test_another_file_is_rejected(
    script: ModuleType, tmp_path: Path, content: str, message: str
) -> None:
    path = tmp_path / "file"
    path.write_text(content)
    with pytest.raises(script.InvalidLine) as raised:
        script.read_orders(path)
    assert message in str(raised.value)


def test_the_orders_are_written_into_the_table(
    script: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "CDNOW_master.txt"
    path.write_text(CDNOW)
    monkeypatch.setattr(sys, "argv", ["load_sales.py", str(path)])
    with laptop(*SERVICES) as cloud:
        create_table(cloud.client("dynamodb"), names.TABLE, {"order_id": "S"})
        assert script.main() == 0
        assert aws("dynamodb").scan(TableName=names.TABLE)["Count"] == 6
    assert capsys.readouterr().out.startswith("6 changes written to table sales-cdc-orders")
