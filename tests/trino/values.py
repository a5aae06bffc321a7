"""Values of each type for the corpus: NULL, edges, other scripts, odd texts."""

INTEGERS = (
    "1",
    "0",
    "-7",
    "42",
    "2147483647",
    "BIGINT '9223372036854775807'",
    "TINYINT '127'",
    "SMALLINT '-32768'",
    "CAST(NULL AS integer)",
)
DECIMALS = (
    "DECIMAL '2.50'",
    "DECIMAL '-0.005'",
    "DECIMAL '0.00'",
    "DECIMAL '19.99'",
    "DECIMAL '12345678901234567890.12345'",
    "DECIMAL '-99999999999999999999999999999999999999'",
    "CAST(NULL AS decimal(5, 2))",
)
DOUBLES = (
    "1.5e0",
    "-2.5e0",
    "0e0",
    "0.1e0",
    "123456789.125e0",
    "1e300",
    "-1e-300",
    "nan()",
    "infinity()",
    "CAST(NULL AS double)",
)
REALS = ("REAL '0.1'", "REAL '-1.5'", "REAL '16777217'", "CAST(nan() AS real)")
TEXTS = (
    "'abc'",
    "''",
    "' a b '",
    "'Straße ÄÖü'",
    "'日本語'",
    "'🎉 e\u0301'",
    "'２０２６'",
    "'a' || chr(10) || 'b'",
    "'12.50'",
    "CAST(NULL AS varchar)",
)
BOOLEANS = ("true", "false", "CAST(NULL AS boolean)")
DATES = (
    "DATE '2026-11-23'",
    "DATE '2024-02-29'",
    "DATE '1969-12-31'",
    "DATE '0001-01-01'",
    "DATE '9999-12-31'",
    "CAST(NULL AS date)",
)
TIMESTAMPS = (
    "TIMESTAMP '2026-11-23 10:15:30.123'",
    "TIMESTAMP '1969-12-31 23:59:59.999'",
    "TIMESTAMP '2024-02-29 00:00:00'",
    "CAST(NULL AS timestamp)",
)
ZONED = ("TIMESTAMP '2026-11-23 10:15:30.123 UTC'", "CAST(NULL AS timestamp with time zone)")
INTERVALS = ("INTERVAL '1' DAY", "INTERVAL '-90' MINUTE", "INTERVAL '14' MONTH")
DOCUMENTS = (
    'JSON \'{"b":{"c":[1]},"a":"x"}\'',
    "JSON '[1,2.50,\"x\",null]'",
    "JSON 'null'",
    "JSON '\"text\"'",
    "JSON '1.50'",
    "JSON 'true'",
    "JSON '12345678901234567890'",
    "CAST(NULL AS json)",
)
DOCUMENT_TEXTS = (
    """'{"a":{"b":[1,2.50,"x"]},"c d":null,"e":true}'""",
    '\'[1,2.50,"x",null,{"a":1}]\'',
    '\'{"a":1,"a":2}\'',
    "'\"text\"'",
    "'1.50'",
    "'not json'",
    "'{\"a\":1'",
    "''",
    "CAST(NULL AS varchar)",
)
BINARIES = ("X'6162'", "X''", "X'00ff80'", "to_utf8('日本')", "CAST(NULL AS varbinary)")
ARRAYS = (
    "ARRAY[1, 2, 3]",
    "ARRAY[2, NULL, 1, 2]",
    "ARRAY[]",
    "ARRAY['b', 'a', '', NULL]",
    "ARRAY[1.5e0, nan(), -1e0]",
    "ARRAY[DECIMAL '1.50', DECIMAL '-2.25']",
    "ARRAY[ARRAY[1], ARRAY[], ARRAY[2, 3]]",
    "ARRAY[DATE '2026-11-23', DATE '2024-02-29']",
    "ARRAY[true, NULL]",
    "ARRAY[NULL]",
    "CAST(NULL AS ARRAY(integer))",
)
MAPS = (
    "map(ARRAY['a', 'b'], ARRAY[1, 2])",
    "map(ARRAY['a'], ARRAY[CAST(NULL AS integer)])",
    "map(ARRAY[1, 2], ARRAY['x', 'y'])",
    "map()",
    "CAST(NULL AS MAP(varchar, integer))",
)
NUMBERS = (*INTEGERS, *DECIMALS, *DOUBLES, *REALS)
DATETIMES = (*DATES, *TIMESTAMPS, *ZONED)
ANYTHING = (
    "1",
    "'abc'",
    "DECIMAL '2.50'",
    "1.5e0",
    "true",
    "DATE '2026-11-23'",
    "TIMESTAMP '2026-11-23 10:15:30.123'",
    "ARRAY[1, NULL]",
    "CAST(NULL AS integer)",
    "NULL",
)
BY_WORD = {
    "any": ANYTHING,
    "number": NUMBERS,
    "integer": ("1", "2", "0", "-1", "100", "BIGINT '9223372036854775807'", "NULL"),
    "varchar": TEXTS,
    "boolean": BOOLEANS,
    "datetime": DATETIMES,
    "time_of_day": (*TIMESTAMPS, *ZONED, *INTERVALS),
    "json": DOCUMENTS,
    "varchar_or_json": (*DOCUMENT_TEXTS, *DOCUMENTS),
    "array": ARRAYS,
    "map": MAPS,
    "array_or_map": (*ARRAYS, *MAPS),
    "array_or_string": (*TEXTS, *ARRAYS, *BINARIES[:2]),
    "number_or_interval": (*NUMBERS, *INTERVALS),
    "varchar_or_datetime": (*TEXTS, *DATETIMES),
    "varbinary": BINARIES,
    "lambda": ("x -> x",),
}
"""A parameter's word in functions.txt → its values, the first of which is the usual one."""
BY_TYPE = {
    "integer": INTEGERS,
    "decimal": DECIMALS,
    "double": DOUBLES,
    "real": REALS,
    "varchar": TEXTS,
    "boolean": BOOLEANS,
    "date": DATES,
    "timestamp": TIMESTAMPS,
    "timestamp with time zone": ZONED,
    "interval": INTERVALS,
    "json": DOCUMENTS,
    "varbinary": BINARIES,
    "array": ARRAYS,
    "map": MAPS,
}
