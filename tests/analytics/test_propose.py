"""Proposals for a table: every value fits its type, and no attribute's name becomes SQL or code."""

import ast
import re
from decimal import Decimal, localcontext
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from analytics.propose import __main__ as command
from analytics.propose import files
from analytics.propose.attributes import Attribute, AttributeCollector
from analytics.propose.view import describe, readable_aliases, value_type, view_statement
from setup.lib.descriptions import parse_header
from tests.strategies import records
from tests.support.paths import PROJECT
from transform import canonical, flattened, parse_image
from transform.columns import MAX_MAP_MEMBERS, column_name

HOSTILE = (
    "Quantité",
    "Unit Price (£)",
    "B2B?",
    "b2b!",
    "select",
    "cdc_key",
    "dt",
    "日本",
    "2nd",
    '"; DROP VIEW orders; --',
    "a\n; DROP TABLE changes --",
    "a\r\u2028\u0085*/ SELECT '",
    "\\N{BULLET}",
    '"""',
)
names = records.names() | st.sampled_from(HOSTILE)
paths = st.lists(names, min_size=1, max_size=3).map(tuple)


def collect(*images: dict[str, Any]) -> AttributeCollector:
    """Return the collector of the images, as the lake has them."""
    collector = AttributeCollector()
    for image in images:
        collector.add_image(parse_image(canonical(image)))
    return collector


@given(st.lists(records.items(), max_size=3))
@example([{"userId": {"N": "1"}, "userid": {"N": "2"}}])  # They share a column in other items.
def test_each_column_of_the_images_is_an_attribute(images: list[dict[str, Any]]) -> None:
    columns = {column for image in images for column in flattened(image)}
    assert collect(*images).attributes.keys() == columns


@given(st.lists(records.numbers(), min_size=1, max_size=5))
@example(["1", "0.99999"])
@example(["9" * 18])
def test_every_number_fits_the_proposed_type(numbers: list[str]) -> None:
    [attribute] = collect(*({"n": {"N": text}} for text in numbers)).attributes.values()
    athena_type = value_type(attribute)
    if athena_type == "varchar":
        return
    precision, scale = map(int, re.findall(r"\d+", athena_type.replace("bigint", "(18, 0)")))
    for text in numbers:
        number = Decimal(text)
        with localcontext(prec=400):
            assert number == round(number, scale)
        assert number.copy_abs() < 10 ** (precision - scale)


@given(st.sets(paths, max_size=8))
@example({(name,) for name in HOSTILE})
@example({("Größe",), ("grosse",), ("Größe", "x"), ("CDC_", "cdc_x")})
def test_no_name_becomes_sql_or_code(all_paths: set[tuple[str, ...]]) -> None:
    attributes = {column_name(path): path for path in all_paths}
    listed = [Attribute(column, {path}) for column, path in attributes.items()]
    aliases = readable_aliases(listed)
    assert len(set(aliases.values())) == len(aliases) == len(listed)
    assert all(re.fullmatch("(?!cdc_)[a-z][a-z0-9_]{0,254}", name) for name in aliases.values())
    statement = view_statement("current_t", "t", listed, aliases)
    header, _, sql = statement.partition("CREATE OR REPLACE VIEW current_t AS\n")
    assert all(line.startswith("--") for line in header.splitlines())
    assert re.fullmatch(r"""[A-Za-z0-9_ ,.()*/$=>\n[\]^'"|-]+""", sql)
    assert set(re.findall('"([^"]*)"', sql)) == {*attributes, *aliases.values()}
    comments = parse_header(statement)[1]
    described = {aliases[attribute.column]: describe(attribute).strip() for attribute in listed}
    assert comments == {alias: described[alias] for alias in described.keys() - attributes.keys()}
    columns = {attribute.column: describe(attribute) for attribute in listed}
    masked: dict[str | tuple[str, ...], str] = {"a.b": "hash", ("a", "b.c"): "drop"}
    code = ast.parse(files.own_table_file(columns, ["seen"], ["current_t"], masked).text)
    statements = [node for node in code.body if isinstance(node, ast.AnnAssign)]
    values = [ast.literal_eval(ast.unparse(node.value or node)) for node in statements]
    assert values == [columns, ("seen",), ("current_t",), masked]


def test_retail_names_are_readable() -> None:
    retail = ("Invoice No", "Quantité", "Unit Price (£)", "B2B?", "b2b", "unitCost", "日本")
    listed = [Attribute(column_name([name]), {(name,)}) for name in retail]
    aliases = readable_aliases(listed)
    assert [aliases[attribute.column] for attribute in listed] == [
        "invoice_no",
        "quantite",
        "unit_price",
        "b2b_2",
        "b2b",
        "unitcost",
        column_name(["日本"]),
    ]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([{"S": "2026-11-23T10:00:00Z"}, {"S": "2026-11-23T10:00:00.123+01:00"}], "timestamp"),
        ([{"S": "2026-11-23T10:00:00Z"}, {"S": "2026-11-31T10:00:00Z"}], "varchar"),
        ([{"S": "2026-11-23T10:00:00.123456Z"}], "varchar"),
        ([{"S": "12/1/2010 8:26"}], "varchar"),
        ([{"N": "1"}, {"S": "1"}], "varchar"),
        ([{"N": "1"}, {"NULL": True}], "bigint"),
        ([{"BOOL": True}], "boolean"),
        ([{"NULL": True}], "varchar"),
        ([{"SS": ["a"]}, {"L": []}, {"M": {}}], "varchar"),
    ],
)
def test_a_type_keeps_every_value(values: list[dict[str, Any]], expected: str) -> None:
    [attribute] = collect(*({"a": value} for value in values)).attributes.values()
    assert value_type(attribute) == expected


def test_a_map_keyed_by_data_is_one_column() -> None:
    visits = [{f"user{number}": {"M": {"n": {"N": "1"}}}} for number in range(MAX_MAP_MEMBERS + 2)]
    images = [{"Shop": {"M": {"visits": {"M": members}, "id": {"S": "1"}}}} for members in visits]
    collector = collect(*images)
    assert collector.json_paths == {"shop__visits"}
    assert collector.attributes.keys() == {"shop__visits", "shop__id"}
    assert collector.attributes["shop__visits"].types == {"M": len(images)}


def test_the_shipped_file_is_an_empty_proposal() -> None:
    text = (PROJECT / files.OWN_TABLE).read_text("utf-8")
    assert files.own_table_file({}, (), (), {}).text == text


def test_too_many_attributes_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analytics.propose.attributes.MAX_ATTRIBUTES", 2)
    collector = collect({"a": {"N": "1"}, "b": {"N": "1"}, "c": {"N": "1"}})
    assert (list(collector.attributes), collector.omitted) == (["a", "b"], 1)


@pytest.mark.parametrize("image", ["{", '{"a":1}', '{"a":{"S":"x","N":"1"}}'])
def test_an_image_of_another_form_is_reported(image: str) -> None:
    with pytest.raises(command.InvalidImage, match=r"the image of key is not .*operations\.verify"):
        command.add_image(AttributeCollector(), "key", image)


def test_an_empty_lake_names_the_backfill(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "fetch_images", lambda _: iter(()))
    with pytest.raises(command.EmptyLake, match=r"run python -m .*backfill"):
        command.propose(10)
