"""The table of Trino's functions: their arguments, results and names in DuckDB."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlglot import exp

from local.services.athena.frontend import types
from local.services.athena.frontend.types import DType, Type

_TABLE = Path(__file__).with_name("functions.txt")


@dataclass(frozen=True, slots=True)
class Function:
    """One row of functions.txt; `target` is a function of DuckDB or a macro of macros.sql."""

    name: str
    kind: str
    parameters: tuple[str, ...]
    result: str
    casts_result: bool
    target: str

    def accepts(self, arguments: list[Type]) -> bool:
        """Return whether Trino accepts arguments of these types."""
        if len(arguments) < self._min_arguments():
            return False
        return all(self._accepts_at(index, argument) for index, argument in enumerate(arguments))

    def result_type(self, arguments: list[Type]) -> Type:
        """Return the type of the result for arguments of these types."""
        if self.result in _RESULT_RULES:
            return _RESULT_RULES[self.result](arguments)
        return types.from_trino(self.result)

    def _min_arguments(self) -> int:
        return sum(not parameter.endswith(("?", "*")) for parameter in self.parameters)

    def _accepts_at(self, index: int, argument: Type) -> bool:
        word = self._parameter(index)
        if word is None:
            return False
        accepted_types = _ACCEPTED_TYPES.get(word)
        return (
            accepted_types is None or types.is_unknown(argument) or argument.this in accepted_types
        )

    def _parameter(self, index: int) -> str | None:
        """Return the word for the parameter at an index, or None past the last one."""
        if index < len(self.parameters):
            return self.parameters[index].rstrip("?*")
        if self.parameters and self.parameters[-1].endswith("*"):
            return self.parameters[-1].rstrip("*")
        return None


_ACCEPTED_TYPES = {
    "number": types.NUMERIC_TYPES,
    "integer": types.INTEGER_TYPES,
    "varchar": types.STRING_TYPES,
    "boolean": (DType.BOOLEAN,),
    "datetime": types.DATETIME_TYPES,
    "timestamp_or_interval": (DType.TIMESTAMP, DType.TIMESTAMPTZ, DType.INTERVAL),
    "json": (DType.JSON,),
    "varchar_or_json": (*types.STRING_TYPES, DType.JSON),
    "array": (DType.ARRAY,),
    "map": (DType.MAP,),
    "array_or_map": (DType.ARRAY, DType.MAP),
    "array_or_string": (DType.ARRAY, *types.STRING_TYPES, DType.VARBINARY),
    "varbinary": (DType.VARBINARY,),
}
"""A parameter's word in functions.txt → the types it accepts; other words accept every type."""


def _argument(arguments: list[Type], index: int = 0) -> Type:
    return arguments[index] if index < len(arguments) else types.UNKNOWN


def _common(arguments: list[Type]) -> Type:
    result = types.NULL
    for argument in arguments:
        result = types.common_type(result, argument)
    return result


def _sum(arguments: list[Type]) -> Type:
    argument = _argument(arguments)
    if argument.this in types.INTEGER_TYPES:
        return types.BIGINT
    decimal = types.as_decimal(argument)
    return types.DecimalType(38, decimal.scale).data_type if decimal else argument


def _avg(arguments: list[Type]) -> Type:
    argument = _argument(arguments)
    return argument if argument.this in (DType.DECIMAL, DType.FLOAT) else types.DOUBLE


def _integral(arguments: list[Type]) -> Type:
    argument = _argument(arguments)
    if argument.this != DType.DECIMAL:
        return argument
    decimal = types.require_decimal(argument)
    carry = min(decimal.scale, 1)
    return types.DecimalType(decimal.precision - decimal.scale + carry, 0).data_type


def _rounded(arguments: list[Type]) -> Type:
    argument = _argument(arguments)
    if argument.this != DType.DECIMAL or len(arguments) == 1:
        return _integral(arguments)
    decimal = types.require_decimal(argument)
    return types.DecimalType(decimal.precision + 1, decimal.scale).data_type


def _element(arguments: list[Type]) -> Type:
    return types.element_type(_argument(arguments))


def _nested(dtype: DType, *inner: Type) -> Type:
    return Type(this=dtype, expressions=[part.copy() for part in inner], nested=True)


def _array_of(index: int) -> Callable[[list[Type]], Type]:
    def result_type(arguments: list[Type]) -> Type:
        return _nested(DType.ARRAY, _argument(arguments, index))

    return result_type


def _sequence(arguments: list[Type]) -> Type:
    start = _argument(arguments)
    return _nested(DType.ARRAY, types.BIGINT if start.this in types.INTEGER_TYPES else start)


def _map(arguments: list[Type]) -> Type:
    return _nested(DType.MAP, *(types.element_type(argument) for argument in arguments))


def _array_of_map_part(index: int) -> Callable[[list[Type]], Type]:
    """Return the rule for an array of a map's keys (0) or of its values (1)."""

    def result_type(arguments: list[Type]) -> Type:
        return _nested(DType.ARRAY, _argument(_argument(arguments).expressions, index))

    return result_type


def _percentile(arguments: list[Type]) -> Type:
    value = _argument(arguments)
    percentage = _argument(arguments, 1)
    return _nested(DType.ARRAY, value) if percentage.this == DType.ARRAY else value


_RESULT_RULES: dict[str, Callable[[list[Type]], Type]] = {
    "arg1": _argument,
    "arg2": lambda arguments: _argument(arguments, 1),
    "arg3": lambda arguments: _argument(arguments, 2),
    "branches": lambda arguments: _common(arguments[1:]),
    "common": _common,
    "sum": _sum,
    "avg": _avg,
    "integral": _integral,
    "rounded": _rounded,
    "element": _element,
    "sequence": _sequence,
    "array_of_arg1": _array_of(0),
    "array_of_arg2": _array_of(1),
    "array_of_keys": _array_of_map_part(0),
    "array_of_values": _array_of_map_part(1),
    "map": _map,
    "histogram": lambda arguments: _nested(DType.MAP, _argument(arguments), types.BIGINT),
    "percentile": _percentile,
    "random": lambda arguments: _argument(arguments) if arguments else types.DOUBLE,
    "unknown": lambda _: types.UNKNOWN,
}
"""A result's word in functions.txt → its type by those of the arguments; others name a type."""


def _parse_row(line: str) -> Function:
    name, kind, parameters, result, target = (cell.strip() for cell in line.split("|", 4))
    return Function(
        name=name,
        kind=kind,
        parameters=tuple(parameters.split()),
        result=result.rstrip("!"),
        casts_result=result.endswith("!"),
        target=target,
    )


def _read_table() -> dict[str, Function]:
    lines = _TABLE.read_text(encoding="utf-8").splitlines()
    rows = [_parse_row(line) for line in lines if line and not line.startswith("#")]
    return {function.name: function for function in rows}


FUNCTIONS = _read_table()


def find_function(node: exp.Anonymous) -> Function | None:
    """Return the function that a call names, or None if it is not in the table."""
    return FUNCTIONS.get(node.name.lower()) if isinstance(node.this, str) else None


def require_function(node: exp.Anonymous) -> Function:
    """Return the function that a checked call names."""
    return FUNCTIONS[node.name.lower()]


def is_aggregate(node: exp.Anonymous) -> bool:
    """Return whether a call names an aggregate function."""
    function = find_function(node)
    return function is not None and function.kind == "aggregate"
