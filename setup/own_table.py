"""A table of your own: what setup and the queries know about it.

COLUMNS are its columns, with their descriptions. JSON_PATHS are the columns of maps that are keyed
by data, such as user ids: each stays one column of JSON. VIEWS are files of analytics/views, each
of which may use those before it. `python -m analytics.propose --save` adds what the lake has.
"""

COLUMNS: dict[str, str] = {}
JSON_PATHS: tuple[str, ...] = ()
VIEWS: tuple[str, ...] = ()
