"""The view of a table's current items, with types and readable names, as text to save.

Attributes have names of any characters. What reaches the SQL of them are the names of columns and
aliases, which are letters, digits and underscores, in double quotes, since a word like `order` is
reserved. Their own names stand only in comments, without characters that could end a line.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

from analytics.propose.attributes import Attribute
from analytics.rank import IMAGES_CONTENT_LENGTH, IMAGES_CONTENT_SQL, RANK_SQL
from setup.names import RECENT, STATE

MAX_INTEGER_DIGITS = 18  # Of Athena's bigint, which has 19 in part.
MAX_DECIMAL_DIGITS = 38
SPARE_DIGITS = 3  # For values that are longer than those seen.
MIN_DECIMAL_PLACES = 4
MAX_ALIAS_LENGTH = 100
TYPE_WORDS = {
    "S": "text",
    "N": "number",
    "B": "binary in base64",
    "BOOL": "true or false",
    "L": "JSON list",
    "M": "JSON map",
    "SS": "JSON list of a set of texts",
    "NS": "JSON list of a set of numbers",
    "BS": "JSON list of a set of binaries",
}
# The texts that every engine reads alike; any other is null. The views' files have the same ones.
TIME_PATTERN = r"^[1-9][-0-9]{9}(T[0-9:.]{5,18}(Z|[-+][0-9:]{5})?)?\z"
AMOUNT_PATTERN = r"^[-+]?[0-9.]+([eE][-+]?[0-9]+)?\z"
WHOLE_PATTERN = r"^[-+]?[0-9]+\z"
TIME_SQL = """CAST(TRY(from_iso8601_timestamp(regexp_extract(
    {}, '{}'
  ))) AT TIME ZONE 'UTC' AS timestamp)"""
NUMBER_SQL = "TRY_CAST(regexp_extract({}, '{}') AS {})"
CAST_SQL = "TRY_CAST({} AS {})"
# As in the view order_rows: the copy of the lake, and the JSON of the days that it lacks.
VIEW_SQL = """{header}
CREATE OR REPLACE VIEW {view} AS
SELECT
{columns}
  cdc_key,
  TRY_CAST(cdc_changed_at AS timestamp) AS cdc_changed_at,
  cdc_new_image
FROM (
  SELECT
    *,
    row_number() OVER (
      PARTITION BY cdc_key
      ORDER BY
        {rank},
        cdc_content DESC
    ) AS cdc_recency
  FROM (
    SELECT
      {sources},
      {row_columns},
      substr(cdc_content, 1, {content_length}) AS cdc_content
    FROM {state}
    UNION ALL
    SELECT
      {sources},
      {row_columns},
      {content}
    FROM {recent}
  )
)
-- From 1 on there is a new image. The image itself is read only if a query asks for it.
WHERE cdc_recency = 1 AND cdc_content >= '1'
"""
ROW_COLUMNS = """cdc_key, cdc_source, cdc_sequence, cdc_snapshot_at, cdc_event_id, cdc_changed_at,
      cdc_new_image"""


def view_name(table: str) -> str:
    """Return the name of the view of a table's current items.

    >>> view_name("Shop.Orders-2")
    'current_shop_orders_2'
    """
    return f"current_{re.sub('[^a-z0-9]+', '_', table.lower()).strip('_')}"


def view_statement(
    view: str, table: str, attributes: Sequence[Attribute], aliases: Mapping[str, str]
) -> str:
    """Return the text of the view's file."""
    header = [f"-- The items that are in table {table} now.", "--"]
    header += [
        f"-- {aliases[attribute.column]}: {describe(attribute)}"
        for attribute in attributes
        if aliases[attribute.column] != attribute.column
    ]
    columns = [f"  {column_sql(attribute, aliases[attribute.column])}," for attribute in attributes]
    return VIEW_SQL.format(
        header="\n".join(header),
        view=view,
        columns="\n".join(columns),
        rank=RANK_SQL,
        sources=",\n      ".join(f'"{attribute.column}"' for attribute in attributes),
        row_columns=ROW_COLUMNS,
        content=IMAGES_CONTENT_SQL,
        content_length=IMAGES_CONTENT_LENGTH,
        state=STATE,
        recent=RECENT,
    )


def column_sql(attribute: Attribute, alias: str) -> str:
    """Return the SQL of a column of the view: the attribute's value with its type, and its name."""
    column = f'"{attribute.column}"'
    athena_type = value_type(attribute)
    if athena_type == "timestamp":
        value = TIME_SQL.format(column, TIME_PATTERN)
    elif athena_type == "bigint":
        value = NUMBER_SQL.format(column, WHOLE_PATTERN, athena_type)
    elif athena_type.startswith("decimal"):
        value = NUMBER_SQL.format(column, AMOUNT_PATTERN, athena_type)
    elif athena_type != "varchar":
        value = CAST_SQL.format(column, athena_type)
    else:
        value = column
    return column if value == column and alias == attribute.column else f'{value} AS "{alias}"'


def value_type(attribute: Attribute) -> str:
    """Return Athena's type that holds every value exactly; text if there is no other."""
    types = attribute.value_types
    if types == {"N"}:
        return number_type(attribute.integer_digits, attribute.decimal_places)
    if types == {"BOOL"}:
        return "boolean"
    if types == {"S"} and attribute.has_only_times:
        return "timestamp"
    return "varchar"


def number_type(integer_digits: int, decimal_places: int) -> str:
    """Return Athena's type for numbers of as many digits before and after the decimal point.

    >>> number_type(3, 0), number_type(3, 2), number_type(20, 2), number_type(1, 40)
    ('bigint', 'decimal(18, 4)', 'decimal(38, 4)', 'varchar')
    """
    if decimal_places == 0 and integer_digits <= MAX_INTEGER_DIGITS:
        return "bigint"
    scale = max(decimal_places, MIN_DECIMAL_PLACES)
    for precision in (MAX_INTEGER_DIGITS, MAX_DECIMAL_DIGITS):
        if integer_digits + SPARE_DIGITS + scale <= precision:
            return f"decimal({precision}, {scale})"
    if integer_digits + decimal_places <= MAX_DECIMAL_DIGITS:
        return f"decimal({MAX_DECIMAL_DIGITS}, {decimal_places})"
    return "varchar"


def describe(attribute: Attribute) -> str:
    """Return a description of an attribute: its name and its values, on one line."""
    words = [word for tag, word in TYPE_WORDS.items() if tag in attribute.value_types]
    return f"Attribute {attribute.label}: {' or '.join(words) or 'always null'}"


def readable_aliases(attributes: Iterable[Attribute]) -> dict[str, str]:
    """Return a name for each column: its own, or a readable one if it contains a hash."""
    ordered = sorted(attributes, key=lambda attribute: attribute.column)
    aliases = {attribute.column: attribute.column for attribute in ordered if is_plain(attribute)}
    taken = set(aliases)
    for attribute in ordered:
        if attribute.column not in aliases:
            alias = unused_name(readable_name(attribute), taken)
            aliases[attribute.column] = alias
            taken.add(alias)
    return aliases


def is_plain(attribute: Attribute) -> bool:
    """Return whether the column is named like the attribute, but for its case."""
    return "__".join(attribute.path).lower() == attribute.column


def readable_name(attribute: Attribute) -> str:
    """Return the path of an attribute in letters, digits and underscores, without a hash.

    >>> readable_name(Attribute("unit_price_c924b3fbee09dcdc_", {("Unit Price (£)",)}))
    'unit_price'
    """
    words = "__".join(filter(None, map(_ascii_words, attribute.path)))[:MAX_ALIAS_LENGTH]
    if not words:
        return attribute.column
    is_usable = words[0].isalpha() and not f"{words}_".startswith("cdc_")
    return words if is_usable else f"x_{words}"


def unused_name(name: str, taken: set[str]) -> str:
    """Return the name, with a number if it is taken."""
    number = 1
    candidate = name
    while candidate in taken:
        number += 1
        candidate = f"{name}_{number}"
    return candidate


def _ascii_words(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text.casefold())
    without_accents = "".join(char for char in letters if not unicodedata.combining(char))
    return re.sub("[^a-z0-9]+", "_", without_accents).strip("_")
