"""The functions of Trino that the laptop knows: what they take and return, and who computes."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlglot import exp

from local.services.athena.frontend import types
from local.services.athena.frontend.types import DType, Type

_TABLE = Path(__file__).with_name("functions.txt")


@dataclass(frozen=True, slots=True)
class Function:
    """One function: `target` names DuckDB's own or a macro of macros.sql."""

    name: str
    parameters: tuple[str, ...]
    result: str
    cast: bool
    target: str

    @property
    def fewest(self) -> int:
        """The number of arguments that must be given."""
        return sum(not parameter.endswith(("?", "*")) for parameter in self.parameters)

    def parameter(self, place: int) -> str | None:
        """Return what the argument in that place must be, or None past the last."""
        if place < len(self.parameters):
            return self.parameters[place].rstrip("?*")
        repeated = self.parameters and self.parameters[-1].endswith("*")
        return self.parameters[-1].rstrip("*") if repeated else None

    def takes(self, arguments: list[Type]) -> bool:
        """Tell whether Trino would take arguments of these types."""
        wanted = [self.parameter(place) for place in range(len(arguments))]
        return len(arguments) >= self.fewest and all(
            kind is not None and _fits(kind, argument)
            for kind, argument in zip(wanted, arguments, strict=True)
        )

    def returns(self, arguments: list[Type]) -> Type:
        """Return the type of the result for arguments of these types."""
        if self.result in _RESULTS:
            return _RESULTS[self.result](arguments)
        return types.trino(_SPELLED.get(self.result, self.result))


_NUMBERS = (*types.INTEGERS, *types.FLOATS, DType.DECIMAL)
_KINDS = {
    "number": _NUMBERS,
    "integer": types.INTEGERS,
    "varchar": types.TEXTS,
    "boolean": (DType.BOOLEAN,),
    "moment": types.MOMENTS,
    "time": (DType.TIMESTAMP, DType.TIMESTAMPTZ, DType.INTERVAL),
    "json": (DType.JSON,),
    "text_or_json": (*types.TEXTS, DType.JSON),
    "array": (DType.ARRAY,),
    "map": (DType.MAP,),
    "list_or_map": (DType.ARRAY, DType.MAP),
    "list_or_varchar": (DType.ARRAY, *types.TEXTS, DType.VARBINARY),
    "varbinary": (DType.VARBINARY,),
}
_SPELLED = {"timestamptz": "timestamp with time zone", "varchars": "array(varchar)"}


def _fits(kind: str, argument: Type) -> bool:
    return kind not in _KINDS or types.is_unknown(argument) or argument.this in _KINDS[kind]


def _first(arguments: list[Type], place: int = 0) -> Type:
    return arguments[place] if place < len(arguments) else types.UNKNOWN


def _common(arguments: list[Type]) -> Type:
    result = types.NULL
    for argument in arguments:
        result = types.wider(result, argument)
    return result


def _sum(arguments: list[Type]) -> Type:
    kind = _first(arguments)
    if kind.this in types.INTEGERS:
        return types.BIGINT
    size = types.decimal_of(kind)
    return types.Decimal(38, size.scale).type if size else kind


def _average(arguments: list[Type]) -> Type:
    kind = _first(arguments)
    return kind if kind.this in (DType.DECIMAL, DType.FLOAT) else types.DOUBLE


def _whole(arguments: list[Type]) -> Type:
    kind = _first(arguments)
    if kind.this != DType.DECIMAL:
        return kind
    size = types.decimal_of(kind)
    return types.Decimal(size.precision - size.scale + min(size.scale, 1), 0).type


def _rounded(arguments: list[Type]) -> Type:
    kind = _first(arguments)
    if kind.this != DType.DECIMAL or len(arguments) == 1:
        return _whole(arguments)
    size = types.decimal_of(kind)
    return types.Decimal(size.precision + 1, size.scale).type


def _element(arguments: list[Type]) -> Type:
    inner = _first(arguments).expressions
    return inner[-1] if inner and isinstance(inner[-1], Type) else types.UNKNOWN


def _nested(kind: DType, *inner: Type) -> Type:
    return Type(this=kind, expressions=[part.copy() for part in inner], nested=True)


def _list_of(place: int) -> Callable[[list[Type]], Type]:
    return lambda arguments: _nested(DType.ARRAY, _first(arguments, place))


def _sequence(arguments: list[Type]) -> Type:
    kind = _first(arguments)
    return _nested(DType.ARRAY, types.BIGINT if kind.this in types.INTEGERS else kind)


def _map(arguments: list[Type]) -> Type:
    return _nested(DType.MAP, *(_element([argument]) for argument in arguments))


def _part(place: int) -> Callable[[list[Type]], Type]:
    """Return the list of a map's keys or of its values."""
    return lambda arguments: _nested(DType.ARRAY, _first(_first(arguments).expressions, place))


def _percentile(arguments: list[Type]) -> Type:
    several = _first(arguments, 1).this == DType.ARRAY
    return _nested(DType.ARRAY, _first(arguments)) if several else _first(arguments)


_RESULTS: dict[str, Callable[[list[Type]], Type]] = {
    "same": _first,
    "arg2": lambda arguments: _first(arguments, 1),
    "arg3": lambda arguments: _first(arguments, 2),
    "branch": lambda arguments: _common(arguments[1:]),
    "common": _common,
    "sum": _sum,
    "average": _average,
    "whole": _whole,
    "rounded": _rounded,
    "element": _element,
    "list": _list_of(0),
    "sequence": _sequence,
    "repeated": _list_of(0),
    "transformed": _list_of(1),
    "keys": _part(0),
    "values": _part(1),
    "map": _map,
    "histogram": lambda arguments: _nested(DType.MAP, _first(arguments), types.BIGINT),
    "percentile": _percentile,
    "random": lambda arguments: _first(arguments) if arguments else types.DOUBLE,
    "unknown": lambda _: types.UNKNOWN,
}
"""What the table says of a result → the type, by the types of the arguments."""


def _row(line: str) -> Function:
    name, parameters, result, target = (cell.strip() for cell in line.split("|", 3))
    return Function(
        name, tuple(parameters.split()), result.rstrip("!"), result.endswith("!"), target
    )


FUNCTIONS = {
    row.name: row for row in map(_row, _TABLE.read_text(encoding="utf-8").splitlines()[2:])
}
AGGREGATES = frozenset(
    list(FUNCTIONS)[list(FUNCTIONS).index("sum") : list(FUNCTIONS).index("row_number")]
)


def function_of(node: exp.Anonymous) -> Function | None:
    """Return the function that a call names, or None where Trino or the laptop has none."""
    return FUNCTIONS.get(node.name.lower()) if isinstance(node.this, str) else None
