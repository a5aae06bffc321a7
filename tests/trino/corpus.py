"""The corpus: expressions and queries for each function, cast and operator, made of values by type.

A function of functions.txt is called with every value of each of its parameters in turn, and with
values that change all at once. A new function brings its cases along.
"""

from collections.abc import Iterator, Sequence
from itertools import chain, islice

from local.services.athena.frontend.functions import FUNCTIONS, Function
from tests.trino import values
from tests.trino.queries import QUERIES
from tests.trino.typical_arguments import (
    ARGUMENTS,
    COLUMNS,
    JSON_CLAUSES,
    JSON_DOCUMENTS,
    JSON_ITEMS,
    JSON_PATHS,
    PAIRS_OF_COLUMNS,
    PARSED_BY_PATTERN,
)

MIXED = 5
"""Of how many calls of a function all arguments change at once."""
VOLATILE = {"random", "rand", "uuid", "now"}
"""Functions whose value is another one each time."""
ALIASES = {
    "pow",
    "substring",
    "ceiling",
    "week_of_year",
    "yow",
    "dow",
    "doy",
    "day_of_month",
    "every",
}
"""Other names of functions that are called with all values."""
LAST_DIGIT_VARIES = {
    *("acos", "asin", "atan", "atan2", "cbrt", "cos", "cosh", "corr", "exp", "ln", "log", "log10"),
    *("log2", "power", "sin", "sinh", "skewness", "tan", "tanh"),
}
"""Functions whose last digit is another one in Java's library: their results are rounded."""
MAPS_IN_ANY_ORDER = {"histogram", "map_agg", "multimap_agg", "map_union"}
APPROXIMATE = {"approx_percentile", "approx_distinct"}
WITH_CLAUSES = {"json_value", "json_query", "json_exists"}
"""Functions whose arguments are followed by clauses."""


def expressions() -> list[str]:
    """Return the corpus: expressions, and the queries, which begin with SELECT or WITH."""
    parts = [
        *(_calls(function) for function in FUNCTIONS.values()),
        (f"parse_datetime({text}, {pattern})" for text, pattern in PARSED_BY_PATTERN),
        *map(_json_calls, ("JSON_VALUE", "JSON_QUERY", "JSON_EXISTS")),
        _casts(),
        _casts_of_texts(),
        _arithmetic(),
        _comparisons(),
        iter(QUERIES),
    ]
    return list(dict.fromkeys(chain.from_iterable(parts)))


def _calls(function: Function) -> Iterator[str]:
    if function.name in VOLATILE | APPROXIMATE | WITH_CLAUSES:
        return
    if function.kind == "aggregate":
        yield from _aggregates(function)
    elif function.kind == "window":
        yield from _windows(function)
    else:
        count = 3 if function.name in ALIASES else None
        for arguments in islice(_argument_lists(function), count):
            call = f"{function.name}({', '.join(arguments)})"
            yield f"round({call}, 9)" if function.name in LAST_DIGIT_VARIES else call


def _json_calls(name: str) -> Iterator[str]:
    for document, path, clauses in _varied((JSON_DOCUMENTS, JSON_PATHS, ("", *JSON_CLAUSES[name]))):
        yield f"{name}({document}, {path}{clauses})"
    for document in JSON_ITEMS:
        for clauses in JSON_CLAUSES[name]:
            yield f"{name}({document}, 'lax $.a'{clauses})"


def _argument_lists(function: Function) -> Iterator[tuple[str, ...]]:
    special = ARGUMENTS.get(function.name, ())
    words = [parameter.rstrip("?*") for parameter in function.parameters]
    choices = [values.BY_WORD[word] for word in words]
    choices[: len(special)] = special[: len(choices)]
    required = sum(not parameter.endswith(("?", "*")) for parameter in function.parameters)
    for count in range(required, len(choices) + 1):
        yield from _varied(choices[:count])


def _varied(choices: Sequence[Sequence[str]]) -> Iterator[tuple[str, ...]]:
    """Yield lists of arguments in which one differs from the usual ones, and then all do."""
    usual = tuple(options[0] for options in choices)
    yield usual
    for index, options in enumerate(choices):
        for option in options[1:]:
            yield (*usual[:index], option, *usual[index + 1 :])
    if len(choices) > 1:
        for step in range(1, min(MIXED, max(map(len, choices)))):
            yield tuple(
                options[step * (index + 1) % len(options)] for index, options in enumerate(choices)
            )


def _aggregates(function: Function) -> Iterator[str]:
    count = sum(not parameter.endswith(("?", "*")) for parameter in function.parameters)
    if function.name == "count":
        yield "(SELECT count(*) FROM (VALUES 1, NULL) AS t(x))"
    tables = PAIRS_OF_COLUMNS if count == 2 else COLUMNS
    names = "x, y" if count == 2 else "x"
    call = f"{function.name}({names})"
    if function.name in LAST_DIGIT_VARIES:
        call = f"round({call}, 9)"
    if function.name in MAPS_IN_ANY_ORDER:
        call = f"array_sort(map_entries({call}))"
    for rows in tables:
        yield f"(SELECT {call} FROM (VALUES {rows}) AS t({names}))"
    rows = tables[0]
    if function.parameters[-1] == "integer?":
        yield from _aggregates_of_several_values(call, tables, names)
    yield f"(SELECT {call} FROM (VALUES {rows}) AS t({names}) WHERE false)"
    filtered = call.replace(f"({names})", f"({names}) FILTER (WHERE x IS NULL)")
    yield f"(SELECT {filtered} FROM (VALUES {rows}) AS t({names}))"
    if count == 1 and function.name not in {"listagg", *MAPS_IN_ANY_ORDER}:
        over = call.replace("(x)", "(x) OVER (ORDER BY x)")
        for rows in tables[:3]:
            yield (
                f"(SELECT array_agg(w ORDER BY x, w) FROM (SELECT x, {over} AS w "
                f"FROM (VALUES {rows}) AS t(x)))"
            )


def _aggregates_of_several_values(call: str, tables: Sequence[str], names: str) -> Iterator[str]:
    cases = [*((rows, 2) for rows in tables), *((tables[0], count) for count in (0, 9, 10001))]
    for rows, count in cases:
        yield f"(SELECT {call[:-1]}, {count}) FROM (VALUES {rows}) AS t({names}))"


def _windows(function: Function) -> Iterator[str]:
    arguments = {"ntile": ("2",), "nth_value": ("x, 2", "x, 1")}.get(function.name)
    if arguments is None:
        arguments = ("x", "x, 2", "x, 1, 0", "x, 0") if function.name in {"lag", "lead"} else None
    if arguments is None:
        arguments = ("x",) if function.parameters else ("",)
    frames = ("", "DESC", "ROWS BETWEEN 1 PRECEDING AND CURRENT ROW", "DESC NULLS FIRST")
    for argument in arguments:
        for frame in frames:
            for rows in COLUMNS[:2]:
                yield (
                    f"(SELECT array_agg(w ORDER BY x, w) FROM (SELECT x, "
                    f"{function.name}({argument}) OVER (ORDER BY x {frame}) AS w "
                    f"FROM (VALUES {rows}) AS t(x)))"
                )


TARGETS = (
    "varchar",
    "varchar(2)",
    "tinyint",
    "integer",
    "bigint",
    "decimal(5, 2)",
    "decimal(38, 0)",
    "double",
    "real",
    "boolean",
    "date",
    "timestamp",
    "timestamp with time zone",
    "json",
    "ARRAY(varchar)",
    "MAP(varchar, json)",
)


NUMBERS = ("tinyint", "integer", "bigint", "decimal", "double", "real", "boolean")
FROM_NUMBERS = (*NUMBERS, "varchar", "json")


def _casts() -> Iterator[str]:
    for source_type, sources in values.BY_TYPE.items():
        for target in TARGETS:
            for source in sources if _may_cast(source_type, target) else sources[:2]:
                yield f"CAST({source} AS {target})"


def _may_cast(source_type: str, target: str) -> bool:
    """Return whether Trino may have a cast, so that every value of the type is worth a case."""
    target_type = target.partition("(")[0]
    if source_type in NUMBERS:
        return target_type in FROM_NUMBERS
    return source_type in {"varchar", "json"} or target_type not in NUMBERS


NUMBER_TEXTS = ("1", " 1", "-0", "+5", "1e3", "1.", ".5", "1_000", "0x1F", "NaN", "-Infinity")
MORE_NUMBER_TEXTS = ("1E-400", "1.005", "-1.005", "99999999999999999999", "٣", "1\u00a0", "")
DATE_TEXTS = ("2026-11-23", "2026-1-5", " 2026-11-23 ", "2026-02-30", "20261123", "12026-01-01")
TIME_TEXTS = (
    "2026-11-23 10:15:30",
    "2026-11-23 10:15:30.1239",
    "2026-11-23 1:2:3",
    "2026-11-23 10:15",
    "2026-11-23T10:15:30Z",
    "2026-11-23 24:00:00",
    "2026-11-23 10:15:30 UTC",
    "2026-11-23 10:15:30+00:00",
    "2026",
    "-1",
)
WORDS = ("true", "TRUE", "t", "f", "yes", "0", "null")
SCALARS = TARGETS[:13]


def _casts_of_texts() -> Iterator[str]:
    for text in (*NUMBER_TEXTS, *MORE_NUMBER_TEXTS, *DATE_TEXTS, *TIME_TEXTS, *WORDS):
        for target in SCALARS[2:]:
            yield f"TRY_CAST('{text}' AS {target})"


OPERANDS = (
    "7",
    "-2",
    "0",
    "BIGINT '9223372036854775807'",
    "DECIMAL '2.50'",
    "DECIMAL '-0.003'",
    "DECIMAL '99999999999999999999.99'",
    "1.5e0",
    "nan()",
    "REAL '0.1'",
    "CAST(NULL AS integer)",
)
TIMES = (
    "DATE '2026-11-23'",
    "TIMESTAMP '2026-01-31 10:15:30.123'",
    "TIMESTAMP '2026-11-23 10:15:30.123 UTC'",
    "INTERVAL '1' DAY",
    "INTERVAL '1' MONTH",
    "INTERVAL '90' MINUTE",
    "2",
)


def _arithmetic() -> Iterator[str]:
    for operator in "+-*/%":
        for left in OPERANDS:
            yield from (f"{left} {operator} {right}" for right in OPERANDS)
    for operator in "+-":
        for left in TIMES:
            yield from (f"{left} {operator} {right}" for right in TIMES)
    for operand in (*OPERANDS, *TIMES):
        yield f"-({operand})"
        yield f"typeof({operand})"


COMPARED = (
    "1",
    "DECIMAL '1.00'",
    "1e0",
    "nan()",
    "'1'",
    "DATE '2026-11-23'",
    "TIMESTAMP '2026-11-23 00:00:00'",
    "TIMESTAMP '2026-11-23 00:00:00 UTC'",
    "true",
    "ARRAY[1, 2]",
    "ARRAY[1, NULL]",
    "ROW(1, 'a')",
    "JSON '1'",
    "NULL",
)


def _comparisons() -> Iterator[str]:
    for left in COMPARED:
        for right in COMPARED:
            yield f"{left} < {right}"
        yield f"{left} IS DISTINCT FROM 1"
        yield f"NULL IS DISTINCT FROM {left}"
        yield f"{left} IN (1, NULL)"
        yield f"{left} BETWEEN 0 AND 2"
        yield f"CASE WHEN true THEN {left} ELSE DECIMAL '2.5' END"
        yield f"coalesce(NULL, {left}, 2)"
        yield f"{left} || 'x'"
        yield f"nullif({left}, 1)"
