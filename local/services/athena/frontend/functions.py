"""The table of Trino's functions: their arguments, results and names in DuckDB."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlglot import exp

from local.services.athena.frontend import types
from local.services.athena.frontend.types import DType, Type

_TABLE = Path(__file__).with_name("functions.txt")
_UNMODELLED = Path(__file__).with_name("unmodelled_functions.txt")


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
        if word == "time_of_day" and argument == types.YEAR_MONTH:
            return False
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
    "number_or_interval": (*types.NUMERIC_TYPES, DType.INTERVAL),
    "integer": types.INTEGER_TYPES,
    "varchar": types.STRING_TYPES,
    "boolean": (DType.BOOLEAN,),
    "datetime": types.DATETIME_TYPES,
    "time_of_day": (DType.TIMESTAMP, DType.TIMESTAMPTZ, DType.INTERVAL),
    "varchar_or_datetime": (*types.STRING_TYPES, *types.DATETIME_TYPES),
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
    is_kept = argument.this in (DType.DECIMAL, DType.FLOAT, DType.INTERVAL)
    return argument if is_kept else types.DOUBLE


def _sign(arguments: list[Type]) -> Type:
    argument = _argument(arguments)
    return types.DecimalType(1, 0).data_type if argument.this == DType.DECIMAL else argument


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


def _truncated(arguments: list[Type]) -> Type:
    return _argument(arguments) if len(arguments) > 1 else _integral(arguments)


def _real_or_double(arguments: list[Type]) -> Type:
    """Trino coerces to REAL what is no DOUBLE, even integers, where it has a function of both."""
    has_double = any(argument.this == DType.DOUBLE for argument in arguments)
    return types.DOUBLE if has_double else types.REAL


def _geometric_mean(arguments: list[Type]) -> Type:
    is_whole = _argument(arguments).this in types.INTEGER_TYPES
    return types.DOUBLE if is_whole else _real_or_double(arguments)


def _parts(collection: Type) -> list[Type]:
    """Return the types of a map's keys and values, or of the fields of an array's rows."""
    inner = collection.expressions
    if collection.this == DType.ARRAY and inner and inner[0].this == DType.STRUCT:
        inner = [types.field_type(field) for field in inner[0].expressions]
    return [part for part in inner if isinstance(part, Type)] or [types.UNKNOWN, types.UNKNOWN]


def _entries(arguments: list[Type]) -> Type:
    return _nested(DType.ARRAY, _nested(DType.STRUCT, *_parts(_argument(arguments))))


def _zip(arguments: list[Type]) -> Type:
    elements = [types.element_type(argument) for argument in arguments]
    return _nested(DType.ARRAY, _nested(DType.STRUCT, *elements))


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
    is_moment = start.this in types.DATETIME_TYPES
    return _nested(DType.ARRAY, start if is_moment else types.BIGINT)


def _map(arguments: list[Type]) -> Type:
    keys, values = _argument(arguments), _argument(arguments, 1)
    return _nested(DType.MAP, types.element_type(keys), types.element_type(values))


def _array_of_map_part(index: int) -> Callable[[list[Type]], Type]:
    """Return the rule for an array of a map's keys (0) or of its values (1)."""

    def result_type(arguments: list[Type]) -> Type:
        return _nested(DType.ARRAY, _argument(_argument(arguments).expressions, index))

    return result_type


def _array_if(is_array: bool, data_type: Type) -> Type:
    return _nested(DType.ARRAY, data_type) if is_array else data_type


def _percentile(arguments: list[Type]) -> Type:
    return _array_if(_argument(arguments, 1).this == DType.ARRAY, _argument(arguments))


_RESULT_RULES: dict[str, Callable[[list[Type]], Type]] = {
    "arg1": _argument,
    "arg2": lambda arguments: _argument(arguments, 1),
    "arg3": lambda arguments: _argument(arguments, 2),
    "branches": lambda arguments: _common(arguments[1:]),
    "common": _common,
    "sum": _sum,
    "avg": _avg,
    "sign": _sign,
    "integral": _integral,
    "rounded": _rounded,
    "truncated": _truncated,
    "real_or_double": _real_or_double,
    "geometric_mean": _geometric_mean,
    "entries": _entries,
    "map_of_entries": lambda arguments: _nested(DType.MAP, *_parts(_argument(arguments))),
    "map_of_args": lambda arguments: _nested(DType.MAP, *arguments),
    "multimap": lambda arguments: _nested(DType.MAP, arguments[0], _array_of(1)(arguments)),
    "map_of_arg2": lambda arguments: _nested(DType.MAP, arguments[1], _parts(arguments[0])[1]),
    "map_to_arg2": lambda arguments: _nested(DType.MAP, _parts(arguments[0])[0], arguments[1]),
    "zip": _zip,
    "element": _element,
    "sequence": _sequence,
    "extreme": lambda arguments: _array_if(len(arguments) > 1, _argument(arguments)),
    "extreme_by": lambda arguments: _array_if(len(arguments) > 2, _argument(arguments)),
    "array_of_arg1": _array_of(0),
    "array_of_arg2": _array_of(1),
    "array_of_arg3": _array_of(2),
    "array_of_keys": _array_of_map_part(0),
    "array_of_values": _array_of_map_part(1),
    "map": _map,
    "histogram": lambda arguments: _nested(DType.MAP, _argument(arguments), types.BIGINT),
    "percentile": _percentile,
    "random": lambda arguments: _argument(arguments) if arguments else types.DOUBLE,
    "row": lambda arguments: _nested(DType.STRUCT, *arguments),
    "unknown": lambda _: types.UNKNOWN,
}
"""A result's word in functions.txt → its type by those of the arguments; others name a type."""


def lambda_parameters(name: str, arguments: list[Type]) -> list[Type]:
    """Return the types of a lambda's parameters by those of the call's other arguments."""
    first = _argument(arguments)
    if name == "reduce":  # Its last lambda takes only the first of them.
        return [_argument(arguments, 1), types.element_type(first)]
    if first.this == DType.MAP:
        return [part for part in first.expressions if isinstance(part, Type)]
    elements = [types.element_type(argument) for argument in arguments]
    return elements if len(elements) > 1 else elements * 2


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
UNMODELLED_FUNCTIONS = frozenset(_UNMODELLED.read_text(encoding="utf-8").partition("\n")[2].split())
"""Functions that Trino has and the laptop cloud lacks."""


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
