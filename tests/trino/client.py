"""Client of a Trino server: runs SQL, and returns values in the text form of Athena's results."""

import json
from base64 import b64decode
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.request import Request, urlopen

Signature = dict[str, Any]
"""Trino's description of a type: its `rawType` and `arguments`."""
Row = tuple[str | None, ...]


class TrinoError(Exception):
    """A query failed: Trino's error code and message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


@dataclass(frozen=True, slots=True)
class Client:
    """A client of the server at `endpoint`, whose queries use one schema of a catalog."""

    endpoint: str
    catalog: str = "awsdatacatalog"
    schema: str = "default"

    def query(self, sql: str) -> list[Row]:
        """Run a query, and return its rows as text, NULL as None."""
        page = self._request("/v1/statement", sql)
        rows: list[list[Any]] = []
        columns: list[Signature] = []
        while True:
            rows += page.get("data") or []
            columns = page.get("columns") or columns
            if "error" in page:
                raise TrinoError(page["error"]["errorName"], page["error"]["message"])
            if "nextUri" not in page:
                return [_texts(columns, row) for row in rows]
            page = self._request(page["nextUri"].removeprefix(self.endpoint))

    def has_started(self) -> bool:
        """Return whether the server answers queries."""
        try:
            return not self._request("/v1/info")["starting"]
        except OSError:
            return False

    def _request(self, path: str, sql: str | None = None) -> Any:
        headers = {
            "X-Trino-User": "laptop",
            "X-Trino-Catalog": self.catalog,
            "X-Trino-Schema": self.schema,
            "X-Trino-Time-Zone": "UTC",
        }
        body = sql.encode() if sql is not None else None
        request = Request(self.endpoint + path, body, headers)
        with urlopen(request, timeout=120) as response:
            # The text of a number has the digits that Trino gave it.
            return json.load(response, parse_float=str)


def _texts(columns: Iterable[Signature], row: Iterable[Any]) -> Row:
    pairs = zip(columns, row, strict=True)
    return tuple(athena_text(column["typeSignature"], value) for column, value in pairs)


def athena_text(signature: Signature, value: Any) -> str | None:
    """Return a value of Trino's protocol as Athena's results show it."""
    if value is None:
        return None
    form = _FORMS.get(signature["rawType"])
    return form(signature["arguments"], value) if form else str(value)


def _boolean(_: Any, value: Any) -> str:
    return "true" if value else "false"


def _varbinary(_: Any, value: Any) -> str:
    return b64decode(value).hex(" ")


def _array(arguments: Any, value: Any) -> str:
    return "[" + ", ".join(_inner(arguments[0]["value"], element) for element in value) + "]"


def _map(arguments: Any, value: Any) -> str:
    value_type = arguments[1]["value"]
    # JSON has every key as a text.
    return "{" + ", ".join(f"{key}={_inner(value_type, value[key])}" for key in value) + "}"


def _row(arguments: Any, value: Any) -> str:
    fields = []
    for index, (argument, field) in enumerate(zip(arguments, value, strict=True)):
        name = (argument["value"].get("fieldName") or {}).get("name", f"field{index}")
        fields.append(f"{name}={_inner(argument['value']['typeSignature'], field)}")
    return "{" + ", ".join(fields) + "}"


def _inner(signature: Signature, value: Any) -> str:
    text = athena_text(signature, value)
    return "null" if text is None else text


_FORMS: dict[str, Callable[[Any, Any], str]] = {
    "boolean": _boolean,
    "varbinary": _varbinary,
    "array": _array,
    "map": _map,
    "row": _row,
}
"""Trino's name of a type → the function that writes a value of it; others are plain text."""
