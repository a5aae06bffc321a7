"""A table of your own: what setup and the queries know about it.

COLUMNS are its columns, with their descriptions. JSON_PATHS are the columns of maps that are keyed
by data, such as user ids: each stays one column of JSON. VIEWS are files of analytics/views, each
of which may use those before it. `python -m analytics.propose --save` adds what the lake has.

MASKED are attributes whose values the lake does not get, each with "hash" (a token in place of the
value) or "drop": {"customer.email": "hash", ("customer", "name.of.birth"): "drop"}. Members of
maps follow a dot, or are listed in a tuple. docs/own-table.md says what this protects.
"""

COLUMNS: dict[str, str] = {}
JSON_PATHS: tuple[str, ...] = ()
VIEWS: tuple[str, ...] = ()
MASKED: dict[str | tuple[str, ...], str] = {}
