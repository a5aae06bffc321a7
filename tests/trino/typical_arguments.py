"""Arguments of functions for which values by type would say little: units, formats, patterns."""

from tests.trino import values

UNITS = tuple(
    f"'{unit}'"
    for unit in (
        "day",
        "millisecond",
        "second",
        "minute",
        "hour",
        "week",
        "month",
        "quarter",
        "year",
        "DAY",
        "decade",
    )
)
LATER = (
    "TIMESTAMP '2027-03-01 09:00:00.000'",
    "DATE '2027-03-01'",
    "TIMESTAMP '2020-02-29 23:59:59.999'",
    "DATE '2026-11-23'",
    "TIMESTAMP '2027-03-01 09:00:00.000 UTC'",
    "NULL",
)
PATTERNS = (
    "'[a-z]'",
    "'(a)(b)?'",
    "'b*'",
    "''",
    "'^.$'",
    "'(?i)A'",
    "'(?<name>a)'",
    "'\\s+'",
    "'[0-9]+'",
    "'('",
    "'a$'",
    "NULL",
)
MATCHED = (
    "'abc'",
    "''",
    "'a1b22c'",
    "'aab  b'",
    "'ABC abc'",
    "'äöü日本'",
    "'a' || chr(10)",
    "CAST(NULL AS varchar)",
)
PATHS = (
    "'$.a'",
    "'$'",
    "'$.a.b[1]'",
    "'$[0]'",
    "'$[1]'",
    "'$[\"c d\"]'",
    "'$.e'",
    "'$.missing'",
    "'$[-1]'",
    "'a'",
    "'$..a'",
    "'$.*'",
    "NULL",
)
URLS = (
    "'https://user@example.com:8080/a/b%20c?x=1&y=a%20b&x=2#top'",
    "'http://example.com'",
    "'/relative/path?q=1'",
    "'not a url'",
    "''",
    "CAST(NULL AS varchar)",
)
SHORT_INTEGERS = ("2", "1", "0", "-1", "3", "5", "NULL")
FORMATS = tuple(
    f"'{text}'"
    for text in ("%s", "%s %s", "%d", "%.2f", "%05d", "%", "%,d", "%-8.1f|", "%6s|", "%.2s", "%-d")
)
BITS = ("5", "0", "-1", "7", "BIGINT '9223372036854775807'", "NULL")
SHIFTED = (*BITS, "TINYINT '127'", "SMALLINT '-32768'")
SHIFTS = ("2", "0", "1", "-1", "7", "31", "32", "63", "64", "NULL")
BASES = ("10", "2", "16", "36", "1", "37", "NULL")
ISO_TEXTS = tuple(
    f"'{text}'"
    for text in (
        "2026-11-23T10:15:30Z",
        "2026-11-23",
        "2026",
        "5.",
        "-1",
        "2026-11-23T10:15:30.123456Z",
        "2026-11-23T10:15",
        "2026-W48-1",
        "2026-327",
        "2026-11-23 10:15:30",
        "20261123",
        "2026-11-23T24:00:00Z",
        "２０２６-11-23",
        "2026-11-23T10:15:30+00:00",
        "",
        "x",
    )
)
DATE_FORMATS = (
    "'%Y-%m-%d %H:%i:%s'",
    "'%d.%m.%y'",
    "'%M %e %Y, %l:%i %p'",
    "'%a %W %b %j %f %T %r'",
    "'%Y%m%d'",
    "'%x-%v'",
    "'%%'",
    "'%D'",
    "''",
)
JODA_FORMATS = (
    "'yyyy-MM-dd HH:mm:ss'",
    "'yyyyMMdd'",
    "'dd.MM.yy'",
    "'EEE, d MMM yyyy'",
    "'yyyy-MM-dd''T''HH:mm:ss.SSS'",
)
HEX = ("'6162'", "'ABcd'", "''", "'6'", "'xy'", "' 61'", "CAST(NULL AS varchar)")
BASE64 = ("'YWI='", "'YWI'", "''", "'****'", "'YW I='", "CAST(NULL AS varchar)")
FLAT_DOCUMENTS = (
    "'[1, 2.50, \"x\", null, true]'",
    "'[]'",
    "'{\"a\":1}'",
    "'[[1],{\"a\":2}]'",
    "'x'",
    "NULL",
)
NUMBER_LAMBDAS = ("x -> x > 1", "x -> x IS NULL", "x -> NULL", "x -> true", "x -> x + 1")
ENTRY_LAMBDAS = ("(k, v) -> k = 'a'", "(k, v) -> v IS NULL", "(k, v) -> NULL", "(k, v) -> v > 1")
NUMBER_ARRAYS = (
    "ARRAY[1, 2, 3]",
    "ARRAY[1, NULL, 2, 1]",
    "CAST(ARRAY[] AS ARRAY(integer))",
    "ARRAY[NULL, 3]",
    "ARRAY[0]",
    "ARRAY[CAST(NULL AS integer)]",
    "CAST(NULL AS ARRAY(integer))",
)
COMPARATORS = (
    "(x, y) -> CASE WHEN x IS NULL THEN IF(y IS NULL, 0, -1) WHEN y IS NULL THEN 1 "
    "WHEN x > y THEN -1 WHEN x = y THEN 0 ELSE 1 END",
    "(x, y) -> 0",
    "(x, y) -> 2",
    "(x, y) -> NULL",
    "(x, y) -> BIGINT '1'",
    "x -> 1",
)
ELEMENTS = ("1", "2", "NULL", "0", "DECIMAL '1.0'", "'a'")
TRIMMED = ("'xxabcx'", "'abc'", "' a '", "''", "chr(9) || 'a' || chr(10)", "NULL")
ARGUMENTS: dict[str, tuple[tuple[str, ...], ...]] = {
    "all_match": (NUMBER_ARRAYS, NUMBER_LAMBDAS),
    "any_match": (NUMBER_ARRAYS, NUMBER_LAMBDAS),
    "none_match": (NUMBER_ARRAYS, NUMBER_LAMBDAS),
    "filter": (NUMBER_ARRAYS, NUMBER_LAMBDAS),
    "transform": (NUMBER_ARRAYS, (*NUMBER_LAMBDAS, "x -> CAST(x AS varchar)", "x -> ARRAY[x]")),
    "reduce": (
        NUMBER_ARRAYS,
        ("0", "NULL", "DECIMAL '0.5'"),
        ("(s, x) -> s + x", "(s, x) -> coalesce(s, 0) + coalesce(x, 1)", "(s, x) -> NULL"),
        ("s -> s", "s -> CAST(s AS varchar)", "s -> s * 10"),
    ),
    "zip_with": (NUMBER_ARRAYS, NUMBER_ARRAYS, ("(x, y) -> x + y", "(x, y) -> y")),
    "map_filter": (values.MAPS, ENTRY_LAMBDAS),
    "transform_values": (values.MAPS, ("(k, v) -> v", "(k, v) -> NULL", "(k, v) -> k")),
    "transform_keys": (values.MAPS, ("(k, v) -> k", "(k, v) -> NULL", "(k, v) -> 'x'")),
    "array_sort": ((*NUMBER_ARRAYS, "ARRAY['b', 'a', 'b']", "ARRAY[]"), COMPARATORS),
    "array_position": (NUMBER_ARRAYS, ELEMENTS),
    "array_remove": (NUMBER_ARRAYS, ELEMENTS),
    "contains": (NUMBER_ARRAYS, ELEMENTS),
    "array_except": (NUMBER_ARRAYS, NUMBER_ARRAYS),
    "array_intersect": (NUMBER_ARRAYS, NUMBER_ARRAYS),
    "array_union": (NUMBER_ARRAYS, NUMBER_ARRAYS),
    "arrays_overlap": (NUMBER_ARRAYS, NUMBER_ARRAYS),
    "array_join": (values.ARRAYS, ("','", "''", "NULL"), ("'-'", "''", "NULL")),
    "element_at": ((*values.ARRAYS, *values.MAPS), ("1", "-1", "0", "9", "'a'", "'z'", "NULL")),
    "slice": (NUMBER_ARRAYS, SHORT_INTEGERS, SHORT_INTEGERS),
    "repeat": (values.ANYTHING, SHORT_INTEGERS),
    "sequence": (
        ("1", "5", "DATE '2026-02-27'", "TIMESTAMP '2026-02-27 00:00:00'", "NULL"),
        ("3", "1", "DATE '2026-03-02'", "TIMESTAMP '2026-03-02 00:00:00'"),
        ("1", "-2", "0", "INTERVAL '1' DAY", "INTERVAL '1' MONTH"),
    ),
    "map": (
        ("ARRAY['a', 'b']", "ARRAY[1]", "ARRAY[]", "ARRAY['a', 'a']", "ARRAY['a', NULL]", "NULL"),
        ("ARRAY[1, 2]", "ARRAY[NULL, 2]", "ARRAY[]", "ARRAY[ARRAY[1], NULL]", "NULL"),
    ),
    "split_to_map": (
        ("'a=1,b=2'", "''", "'a=1,a=2'", "'a'", "NULL"),
        ("','", "''"),
        ("'='", "','"),
    ),
    "date_trunc": (UNITS,),
    "date_add": (UNITS, ("1", "-1", "0", "1000", "NULL"), values.DATETIMES),
    "date_diff": (UNITS, values.DATETIMES, LATER),
    "date_format": (values.DATETIMES, DATE_FORMATS),
    "date_parse": (
        ("'2026-11-23 10:15:30'", "'23.11.26'", "'20261123'", "'x'", "''", "NULL"),
        DATE_FORMATS,
    ),
    "format_datetime": (values.DATETIMES, JODA_FORMATS),
    "parse_datetime": (("'2026-11-23 10:15:30'", "'20261123'", "'x'", "NULL"), JODA_FORMATS),
    "from_iso8601_timestamp": (ISO_TEXTS,),
    "from_iso8601_date": (ISO_TEXTS,),
    "at_timezone": (values.ZONED, ("'UTC'", "'x'", "NULL")),
    "with_timezone": (values.TIMESTAMPS, ("'UTC'", "'x'", "NULL")),
    "from_unixtime": (values.NUMBERS, ("'UTC'", "NULL")),
    "regexp_like": (MATCHED, PATTERNS),
    "regexp_extract": (MATCHED, PATTERNS, ("1", "0", "2", "9", "-1")),
    "regexp_extract_all": (MATCHED, PATTERNS, ("1", "0", "9")),
    "regexp_replace": (MATCHED, PATTERNS, ("'<$0>'", "'$1'", "'\\'", "'$'", "''", "NULL")),
    "regexp_split": (MATCHED, PATTERNS),
    "regexp_count": (MATCHED, PATTERNS),
    "json_extract": (values.BY_WORD["varchar_or_json"], PATHS),
    "json_extract_scalar": (values.BY_WORD["varchar_or_json"], PATHS),
    "json_size": (values.BY_WORD["varchar_or_json"], PATHS),
    "json_parse": (
        (*values.DOCUMENT_TEXTS, '\'{"b":1,"a":1.50}\'', "'[1e5, 0.1e-7, -0]'", "' [ 1 ] '"),
    ),
    "json_array_get": (FLAT_DOCUMENTS, ("0", "1", "2", "3", "-1", "9", "NULL")),
    "json_array_contains": (FLAT_DOCUMENTS, ("1", "2.5e0", "'x'", "true", "NULL")),
    "json_array_length": ((*FLAT_DOCUMENTS, *values.DOCUMENTS),),
    "is_json_scalar": ((*FLAT_DOCUMENTS, *values.DOCUMENTS, "'1'", "'null'"),),
    "url_extract_fragment": (URLS,),
    "url_extract_host": (URLS,),
    "url_extract_parameter": (URLS, ("'x'", "'y'", "'z'", "NULL")),
    "url_extract_path": (URLS,),
    "url_extract_port": (URLS,),
    "url_extract_protocol": (URLS,),
    "url_extract_query": (URLS,),
    "url_encode": ((*values.TEXTS, "'a b&c=d/é*~-_.'"),),
    "url_decode": (("'a%20b%2Bc+d'", "'%'", "'%zz'", "''", "NULL"),),
    "from_hex": (HEX,),
    "from_base64": (BASE64,),
    "from_base": (("'101'", "'zz'", "'-7'", "''", "'9'", "NULL"), ("2", "10", "16", "36", "1")),
    "to_base": (BITS, BASES),
    "bitwise_and": (BITS, BITS),
    "bitwise_or": (BITS, BITS),
    "bitwise_xor": (BITS, BITS),
    "bitwise_left_shift": (SHIFTED, SHIFTS),
    "bitwise_right_shift": (SHIFTED, SHIFTS),
    "bitwise_right_shift_arithmetic": (SHIFTED, SHIFTS),
    "bit_count": (BITS, ("64", "8", "32", "1")),
    "chr": (("65", "0", "8364", "128512", "-1", "1114112", "NULL"),),
    "codepoint": (("'a'", "'€'", "'🎉'", "''", "'ab'", "NULL"),),
    "concat": (("'a'", "ARRAY[1]", "''", "'日本'", "1", "NULL", "X'61'"), values.ANYTHING),
    "concat_ws": (("'-'", "''", "NULL"), values.TEXTS, ("'x'", "NULL", "''")),
    "split": (MATCHED, ("'b'", "''", "'bc'", "NULL"), ("1", "2", "0", "-1")),
    "split_part": (("'a,b,,c'", "''", "'日,本'", "NULL"), ("','", "''"), SHORT_INTEGERS),
    "strpos": (MATCHED, ("'b'", "''", "'本'", "NULL"), ("1", "2", "-1", "0")),
    "position": (("'b'", "''"), ("'abc'",)),
    "starts_with": (MATCHED, ("'a'", "''", "NULL")),
    "substr": (values.TEXTS, SHORT_INTEGERS, SHORT_INTEGERS),
    "substring": (values.TEXTS, SHORT_INTEGERS, SHORT_INTEGERS),
    "translate": (MATCHED, ("'ab'", "''", "'日本'", "NULL"), ("'x'", "''", "'xyz'", "NULL")),
    "trim": (TRIMMED,),
    "ltrim": (TRIMMED,),
    "rtrim": (TRIMMED,),
    "lpad": (values.TEXTS, SHORT_INTEGERS, ("'*'", "'xy'", "''", "NULL")),
    "rpad": (values.TEXTS, SHORT_INTEGERS, ("'*'", "'xy'", "''", "NULL")),
    "replace": (MATCHED, ("'b'", "''", "'bc'", "NULL"), ("'x'", "''", "NULL")),
    "levenshtein_distance": (values.TEXTS, ("'abd'", "''", "'日本'", "NULL")),
    "hamming_distance": (values.TEXTS, ("'abd'", "''", "'日本'", "NULL")),
    "normalize": (("'e\u0301'", "'ﬁ'", "'２０'", "NULL"),),
    "format": (FORMATS, values.ANYTHING),
    "format_number": (
        ("1000", "999999", "1005", "1125", "12250", "100500", "-123456", "1e15", *values.NUMBERS),
    ),
    "round": (values.NUMBERS, ("1", "0", "2", "-1", "10", "-5", "NULL")),
    "truncate": (values.NUMBERS, ("1", "0", "2", "-1", "10", "NULL")),
    "width_bucket": (("3.5e0", "0e0", "10e0", "-1e0", "nan()", "NULL"), ("0e0",), ("5e0",), ("4",)),
    "log": (("2e0", "10e0", "1e0", "0e0"), ("8e0", "100e0", "0e0", "-1e0")),
    "power": (values.NUMBERS, ("2", "0", "-1", "0.5e0", "DECIMAL '2.0'", "NULL")),
    "if": (values.BOOLEANS, values.ANYTHING, values.ANYTHING),
    "to_utf8": (values.TEXTS,),
}
"""A function → the values of its parameters, the first of which are the usual ones."""
COLUMNS = (
    "1, 3, NULL, 2",
    "DECIMAL '1.005', DECIMAL '2.50'",
    "1.5e0, -2.5e0, NULL, 0.25e0",
    "1, DECIMAL '2.50', NULL",
    "REAL '0.1', REAL '0.2'",
    "BIGINT '9223372036854775807', BIGINT '1'",
    "'b', 'a', NULL, 'a'",
    "true, false, NULL",
    "true, true",
    "DATE '2026-11-23', DATE '2024-02-29'",
    "TIMESTAMP '2026-11-23 10:15:30.123', NULL",
    "INTERVAL '1' DAY, INTERVAL '2' DAY",
    "nan(), 1e0, infinity()",
    "CAST(NULL AS integer)",
    "CAST(NULL AS boolean)",
    "DECIMAL '99999999999999999999999999999999999999', DECIMAL '1'",
    "ARRAY[1], ARRAY[NULL], NULL",
)
"""Rows of VALUES with one column."""
PAIRS_OF_COLUMNS = (
    "(1, 2), (2, 4), (3, 7), (NULL, 1)",
    "(1.5e0, 2e0), (2.5e0, 1e0), (0e0, NULL)",
    "(DECIMAL '1.50', 1), (DECIMAL '2.25', 2)",
    "('a', 1), ('b', 2), (NULL, 3)",
    "('a', NULL), ('b', NULL)",
    "('a', 'x'), ('a', 'y'), ('b', 'z')",
    "(DATE '2026-11-23', 1), (DATE '2024-02-29', 1)",
    "(CAST(NULL AS integer), CAST(NULL AS integer))",
)
"""Rows of VALUES with two columns."""
