"""Trino's types: their spelling in Hive, Athena and DuckDB, and which of them are comparable."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from sqlglot import exp
from sqlglot.errors import ParseError

DType = exp.DType
Type = exp.DataType

INTEGER_TYPES = (DType.TINYINT, DType.SMALLINT, DType.INT, DType.BIGINT)
FLOAT_TYPES = (DType.FLOAT, DType.DOUBLE)
NUMERIC_TYPES = (*INTEGER_TYPES, *FLOAT_TYPES, DType.DECIMAL)
STRING_TYPES = (DType.VARCHAR, DType.CHAR, DType.TEXT)
DATETIME_TYPES = (DType.DATE, DType.TIMESTAMP, DType.TIMESTAMPTZ)
_INTEGER_DIGITS = {DType.TINYINT: 3, DType.SMALLINT: 5, DType.INT: 10, DType.BIGINT: 19}
_MAX_PRECISION = 38


def from_trino(text: str) -> Type:
    """Parse the name of a type in Trino's spelling."""
    return Type.build(text, dialect="trino")


UNKNOWN = from_trino("unknown")
BOOLEAN = from_trino("boolean")
INTEGER = from_trino("integer")
BIGINT = from_trino("bigint")
DOUBLE = from_trino("double")
REAL = from_trino("real")
VARCHAR = from_trino("varchar")
VARBINARY = from_trino("varbinary")
JSON = from_trino("json")
DATE = from_trino("date")
TIMESTAMP = from_trino("timestamp")
TIMESTAMPTZ = from_trino("timestamp with time zone")
DAY_TIME = Type(this=DType.INTERVAL, expressions=[exp.var("day to second")])
YEAR_MONTH = Type(this=DType.INTERVAL, expressions=[exp.var("year to month")])
NULL = Type(this=DType.NULL)


@dataclass(frozen=True, slots=True)
class DecimalType:
    """The precision and scale of a decimal type."""

    precision: int
    scale: int

    @property
    def data_type(self) -> Type:
        """The decimal type, its precision cut to Trino's maximum."""
        return from_trino(f"decimal({min(_MAX_PRECISION, self.precision)},{self.scale})")


def from_hive(text: str) -> Type:
    """Parse the type of a Glue column."""
    return Type.build(text, dialect="hive")


_TRINO_BY_DUCKDB = {
    DType.TIMESTAMPNTZ: DType.TIMESTAMP,
    DType.TEXT: DType.VARCHAR,
    DType.INT128: DType.BIGINT,
}
"""sqlglot's name of a DuckDB type → its name of the same type in Trino."""


_TYPE_PART = re.compile(r'"(?:[^"]|"")*"|TUPLE\(|[(),]|[^"(),]+')


def _build_duckdb(text: str) -> Type:
    """Parse DuckDB's name of a type; the fields of a TUPLE are named field0, field1 as in Trino."""
    words: list[str] = []
    numbers: list[int | None] = []  # Of the next field of each open bracket, if it is a TUPLE's.
    for part in _TYPE_PART.findall(text):
        word = {"TUPLE(": "STRUCT(field0 ", '"NULL"': "INTEGER"}.get(part, part)
        if part.endswith("("):
            numbers.append(1 if part == "TUPLE(" else None)
        elif part == ")":
            numbers.pop()
        elif part == "," and numbers[-1] is not None:
            word = f", field{numbers[-1]} "
            numbers[-1] += 1
        words.append(word)
    return Type.build("".join(words), dialect="duckdb")


def from_duckdb(text: str) -> Type:
    """Parse a type in DuckDB's spelling; a type that only DuckDB has becomes UNKNOWN."""
    return _parse_duckdb(text).copy()


@lru_cache(maxsize=1_000)
def _parse_duckdb(text: str) -> Type:
    try:
        data_type = _build_duckdb(text)
    except ParseError:
        return UNKNOWN
    for part in list(data_type.find_all(Type)):
        part.set("this", _TRINO_BY_DUCKDB.get(part.this, part.this))
    return data_type


def type_of(node: exp.Expr) -> Type:
    """Return the inferred type of a node, UNKNOWN if it was not inferred."""
    return node.type or UNKNOWN


def dtype_of(node: exp.Expr) -> DType:
    """Return the inferred type of a node without its parameters."""
    dtype: DType = type_of(node).this
    return dtype


def is_unknown(data_type: Type) -> bool:
    """Return whether a type is UNKNOWN or NULL, which every check accepts."""
    return data_type.this in (DType.UNKNOWN, DType.NULL)


def element_type(data_type: Type) -> Type:
    """Return the type of an array's elements or of a map's values."""
    inner = data_type.expressions[-1] if data_type.expressions else None
    return inner if isinstance(inner, Type) else UNKNOWN


def field_type(field: exp.Expr | None = None) -> Type:
    """Return the type of a row's field, which may have a name."""
    if isinstance(field, exp.ColumnDef):
        return field.kind or UNKNOWN
    return field if isinstance(field, Type) else UNKNOWN


def as_decimal(data_type: Type) -> DecimalType | None:
    """Return the decimal that a decimal or integer type counts as in arithmetic, else None."""
    if data_type.this in _INTEGER_DIGITS:
        return DecimalType(_INTEGER_DIGITS[data_type.this], 0)
    if data_type.this != DType.DECIMAL:
        return None
    sizes = [int(size.name) for size in data_type.expressions]
    precision = sizes[0] if sizes else _MAX_PRECISION
    scale = sizes[1] if len(sizes) > 1 else 0
    return DecimalType(precision, scale)


def require_decimal(data_type: Type) -> DecimalType:
    """Return `as_decimal` of a type that is known to be a decimal or an integer."""
    decimal = as_decimal(data_type)
    if decimal is None:
        raise TypeError(f"{display_name(data_type)} is neither a decimal nor an integer")
    return decimal


_DECIMAL_SIZES = re.compile(r"decimal\((\d+), (\d+)\)")


def display_name(data_type: Type) -> str:
    """Return the name of a type as Trino shows it."""
    if data_type.this == DType.INTERVAL:
        return " ".join(["interval", *(part.name for part in data_type.expressions)])
    name = _DECIMAL_SIZES.sub(r"decimal(\1,\2)", data_type.sql("trino").lower())
    return name.replace("timestamp", "timestamp(3)")


def _family(data_type: Type) -> object:
    """Return what two types must have in common to be comparable."""
    for members in (NUMERIC_TYPES, STRING_TYPES, DATETIME_TYPES):
        if data_type.this in members:
            return members
    if data_type.this == DType.INTERVAL:
        return display_name(data_type)
    return data_type.this


def is_comparable(left: Type, right: Type) -> bool:
    """Return whether Trino compares two types without a cast."""
    return is_unknown(left) or is_unknown(right) or _family(left) == _family(right)


_WIDENING_ORDERS = ((*INTEGER_TYPES, DType.DECIMAL, *FLOAT_TYPES), DATETIME_TYPES)


def common_type(left: Type, right: Type) -> Type:
    """Return the type that both are coerced to, or the left one if they have no common type."""
    if is_unknown(left):
        return right
    if is_unknown(right):
        return left
    left_decimal, right_decimal = as_decimal(left), as_decimal(right)
    if left_decimal and right_decimal and DType.DECIMAL in (left.this, right.this):
        return _common_decimal(left_decimal, right_decimal).data_type
    for order in _WIDENING_ORDERS:
        if left.this in order and right.this in order:
            return max(left, right, key=lambda data_type: order.index(data_type.this))
    return left


def concatenation(operands: Sequence[Type]) -> Type:
    """Return the type of a concatenation: an array's, if one of the operands is an array."""
    arrays = [operand for operand in operands if operand.this == DType.ARRAY]
    return next(iter(arrays), operands[0])


def _common_decimal(left: DecimalType, right: DecimalType) -> DecimalType:
    scale = max(left.scale, right.scale)
    integer_digits = max(left.precision - left.scale, right.precision - right.scale)
    return DecimalType(integer_digits + scale, scale)


_ATHENA_TYPES = {
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
"""A DuckDB type → Athena's name of it and the precision that GetQueryResults reports."""


def to_athena(duckdb_type: str) -> tuple[str, int, int]:
    """Return name, precision and scale that GetQueryResults reports for a DuckDB type."""
    if duckdb_type.startswith("DECIMAL("):
        sizes = [int(size) for size in duckdb_type[8:-1].split(",")]
        return "decimal", sizes[0], sizes[1]
    if duckdb_type.endswith("]"):
        return "array", 0, 0
    if duckdb_type.startswith(("STRUCT", "TUPLE(")):
        return "row", 0, 0
    if duckdb_type.startswith("MAP("):
        return "map", 0, 0
    name, precision = _ATHENA_TYPES.get(duckdb_type, (duckdb_type.lower(), 0))
    return name, precision, 0


def to_hive(duckdb_type: str) -> str:
    """Return the type that Athena writes into Glue for a column of a view."""
    return hive_name(from_duckdb(duckdb_type))


def hive_name(data_type: Type) -> str:
    """Return a type in Glue's spelling."""
    for part in list(data_type.find_all(Type)):
        if part.this in (DType.JSON, DType.VARCHAR) and not part.expressions:
            part.set("this", DType.TEXT)
    return re.sub("([,:]) ", r"\1", data_type.sql("hive").lower())
