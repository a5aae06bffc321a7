"""The files of a proposal: the module of setup about your own table, and the view."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analytics.atomic_write import write_atomically
from setup.lib.errors import UserError

PROJECT = Path(__file__).resolve().parents[2]
OWN_TABLE = "setup/own_table.py"
OWN_TABLE_TEXT = '''\
"""A table of your own: what setup and the queries know about it.

COLUMNS are its columns, with their descriptions. JSON_PATHS are the columns of maps that are keyed
by data, such as user ids: each stays one column of JSON. VIEWS are files of analytics/views, each
of which may use those before it. `python -m analytics.propose --save` adds what the lake has.

MASKED are attributes whose values the lake does not get, each with "hash" (a token in place of the
value) or "drop": {{"customer.email": "hash", ("customer", "name.of.birth"): "drop"}}. Members of
maps follow a dot, or are listed in a tuple. docs/own-table.md says what this protects.
"""

COLUMNS: dict[str, str] = {columns}
JSON_PATHS: tuple[str, ...] = {json_paths}
VIEWS: tuple[str, ...] = {views}
MASKED: dict[str | tuple[str, ...], str] = {masked}
'''


class ExistingView(UserError):
    """The view's file exists, and may hold what its user wrote."""


@dataclass(frozen=True, slots=True)
class ProposedFile:
    """A file of the project, by its path, and the proposed text of it."""

    path: str
    text: str


def own_table_file(
    columns: Mapping[str, str],
    json_paths: Iterable[str],
    views: Iterable[str],
    masked: Mapping[str | tuple[str, ...], str],
) -> ProposedFile:
    """Return the module of setup with these values."""
    text = OWN_TABLE_TEXT.format(
        columns=_dict_literal(columns),
        json_paths=_tuple_literal(json_paths),
        views=_tuple_literal(views),
        masked=_dict_literal(masked),
    )
    return ProposedFile(OWN_TABLE, text)


def view_file(view: str, statement: str) -> ProposedFile:
    """Return the file of a view."""
    return ProposedFile(f"analytics/views/{view}.sql", statement)


def require_no_view(view: str) -> None:
    """Raise ExistingView if the view has a file."""
    path = view_file(view, "").path
    if (PROJECT / path).exists():
        raise ExistingView(f"{path} exists: move it away, or leave out --save and copy what is new")


def save(files: Iterable[ProposedFile]) -> None:
    """Write the files into the project."""
    for file in files:
        write_atomically(PROJECT / file.path, file.text)


def _dict_literal(texts: Mapping[Any, str]) -> str:
    lines = [f"    {_name_literal(name)}: {_literal(text)},\n" for name, text in texts.items()]
    return f"{{\n{''.join(lines)}}}" if lines else "{}"


def _tuple_literal(names: Iterable[str]) -> str:
    lines = [f"    {_literal(name)},\n" for name in names]
    return f"(\n{''.join(lines)})" if lines else "()"


def _name_literal(name: str | tuple[str, ...]) -> str:
    """Return the literal of a name, or of a path."""
    return _literal(name) if isinstance(name, str) else repr(name)


def _literal(text: str) -> str:
    """Return Python's literal of a printable text, which JSON's is too."""
    return json.dumps(text, ensure_ascii=False)
