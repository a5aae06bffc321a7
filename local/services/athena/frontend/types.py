"""Trino's types: how Hive, Athena and DuckDB spell them, and which of them mix."""

import re
from dataclasses import dataclass

from sqlglot import exp
from sqlglot.errors import ParseError

DType = exp.DType
Type = exp.DataType

INTEGERS = (DType.TINYINT, DType.SMALLINT, DType.INT, DType.BIGINT)
TEXTS = (DType.VARCHAR, DType.CHAR, DType.TEXT)
MOMENTS = (DType.DATE, DType.TIMESTAMP, DType.TIMESTAMPTZ)
FLOATS = (DType.FLOAT, DType.DOUBLE)
DIGITS = {DType.TINYINT: 3, DType.SMALLINT: 5, DType.INT: 10, DType.BIGINT: 19}


def trino(text: str) -> Type:
    """Return the type that Trino's text names."""
    return Type.build(text, dialect="trino")


UNKNOWN, BOOLEAN, VARCHAR, BIGINT = (trino(t) for t in ("unknown", "boolean", "varchar", "bigint"))
INTEGER, DOUBLE, DATE = (trino(text) for text in ("integer", "double", "date"))
TIMESTAMP, TIMESTAMPTZ = trino("timestamp"), trino("timestamp with time zone")
JSON, NULL, INTERVAL = trino("json"), Type(this=DType.NULL), Type(this=DType.INTERVAL)


@dataclass(frozen=True, slots=True)
class Decimal:
    """A decimal type's precision and scale, never beyond Trino's 38 digits."""

    precision: int
    scale: int

    @property
    def type(self) -> Type:
        """The type itself."""
        return trino(f"decimal({min(38, self.precision)},{self.scale})")


def from_hive(text: str) -> Type:
    """Return the type that a Glue column declares."""
    return Type.build(text, dialect="hive")


_DUCKDBS = {
    DType.TIMESTAMPNTZ: DType.TIMESTAMP,
    DType.TEXT: DType.VARCHAR,
    DType.INT128: DType.BIGINT,
}
"""sqlglot's name of a type of DuckDB → its name of the same type of Trino."""


TUPLE_OR_QUOTED = re.compile(r'"(?:[^"]|"")*"|\bTUPLE\(')


def _build_duckdb(text: str) -> Type:
    """Parse DuckDB's name of a type; sqlglot does not know its TUPLE, a struct without names."""
    structs = TUPLE_OR_QUOTED.sub(
        lambda match: "STRUCT(" if match[0] == "TUPLE(" else match[0], text
    )
    return Type.build(structs, dialect="duckdb")


def from_duckdb(text: str) -> Type:
    """Return the type that DuckDB names; what only DuckDB has is unknown here."""
    try:
        built = _build_duckdb(text)
    except ParseError:
        return UNKNOWN.copy()
    for part in list(built.find_all(Type)):
        part.set("this", _DUCKDBS.get(part.this, part.this))
    return built


def is_unknown(kind: Type | None) -> bool:
    """Tell whether nothing is known of a type, so that nothing can be said against it."""
    return kind is None or kind.this in (DType.UNKNOWN, DType.NULL)


def decimal_of(kind: Type | None) -> Decimal | None:
    """Return the decimal that a decimal or an integer is in arithmetic, or None for other types."""
    if kind is None:
        return None
    if kind.this in DIGITS:
        return Decimal(DIGITS[kind.this], 0)
    if kind.this != DType.DECIMAL:
        return None
    sizes = [int(size.name) for size in kind.expressions]
    return Decimal(*(sizes + [38, 0][len(sizes) :]))


def display(kind: Type | None) -> str:
    """Return a type as Trino writes it in its messages."""
    return kind.sql("trino").lower() if kind is not None else "unknown"


def family(kind: Type) -> object:
    """Return what types must share to be compared: a number with a number, a text with a text."""
    for members in ((*INTEGERS, *FLOATS, DType.DECIMAL), TEXTS, MOMENTS):
        if kind.this in members:
            return members
    return kind.this


def comparable(left: Type | None, right: Type | None) -> bool:
    """Tell whether Trino compares two types without a cast."""
    if left is None or right is None or is_unknown(left) or is_unknown(right):
        return True
    return family(left) == family(right)


def wider(left: Type, right: Type) -> Type:
    """Return the type that holds the values of both, or the left one where none does."""
    if is_unknown(left) or is_unknown(right):
        return right if is_unknown(left) else left
    one, other = decimal_of(left), decimal_of(right)
    if one and other and DType.DECIMAL in (left.this, right.this):
        scale = max(one.scale, other.scale)
        whole = max(one.precision - one.scale, other.precision - other.scale)
        return Decimal(whole + scale, scale).type
    for order in ((*INTEGERS, DType.DECIMAL, *FLOATS), MOMENTS):
        if left.this in order and right.this in order:
            return max(left, right, key=lambda kind: order.index(kind.this))
    return left


ATHENA_NAMES = {
    "INTEGER": ("integer", 10),
    "BIGINT": ("bigint", 19),
    "SMALLINT": ("smallint", 5),
    "TINYINT": ("tinyint", 3),
    "HUGEINT": ("bigint", 19),
    "DOUBLE": ("double", 17),
    "FLOAT": ("float", 17),
    "BOOLEAN": ("boolean", 0),
    "DATE": ("date", 0),
    "TIMESTAMP": ("timestamp", 3),
    "TIMESTAMP WITH TIME ZONE": ("timestamp with time zone", 3),
    "VARCHAR": ("varchar", 2147483647),
    "JSON": ("json", 0),
    "BLOB": ("varbinary", 1073741824),
    "TIME": ("time", 3),
    "INTERVAL": ("interval day to second", 0),
}
"""DuckDB's name of a type → Athena's name and the precision that GetQueryResults gives."""
NESTED = (("STRUCT", "row"), ("TUPLE(", "row"), ("MAP(", "map"))


def athena(duckdb_type: str) -> tuple[str, int, int]:
    """Return Athena's name, precision and scale of a column that DuckDB gives."""
    if duckdb_type.startswith("DECIMAL("):
        precision, scale = duckdb_type[8:-1].split(",")
        return "decimal", int(precision), int(scale)
    if duckdb_type.endswith("]"):
        return "array", 0, 0
    for beginning, name in NESTED:
        if duckdb_type.startswith(beginning):
            return name, 0, 0
    return (*ATHENA_NAMES.get(duckdb_type, (duckdb_type.lower(), 0)), 0)


def hive(duckdb_type: str) -> str:
    """Return the type that Athena writes into Glue for a view's column."""
    built = _build_duckdb(duckdb_type)
    if built.is_type("json", "varchar", "text"):
        return "string"
    return built.sql("hive").lower().replace(", ", ",")
