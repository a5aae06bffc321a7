"""Named queries: one SQL file each, whose first lines hold its description and its parameters."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from setup.lib.errors import UserError

QUERY_FOLDER = Path(__file__).with_name("queries")
PARAMETERS = "-- params: "


class InvalidParameter(UserError):
    """A parameter that the query does not have, or that it requires and did not get."""


@dataclass(frozen=True, slots=True)
class NamedQuery:
    """A named query; `parameters` follow its question marks, and None marks a required one."""

    name: str
    description: str
    parameters: Mapping[str, str | None]
    sql: str

    def parameter_values(self, given: Mapping[str, str]) -> list[str]:
        """Return a value for each question mark: the given one, or else the default."""
        known = ", ".join(self.parameters) or "none"
        for name in given.keys() - self.parameters.keys():
            raise InvalidParameter(
                f"{self.name} has no parameter {name}. Available parameters: {known}"
            )
        values = {**self.parameters, **given}
        for name, value in values.items():
            if value is None:
                raise InvalidParameter(f"{self.name} requires --param {name}=VALUE")
        return [value for value in values.values() if value is not None]


def parse_named_query(name: str, sql: str) -> NamedQuery:
    """Return the named query that the text of its file describes."""
    description, declaration, *_ = [*sql.splitlines(), "", ""]
    parameters = _parse_parameters(declaration) if declaration.startswith(PARAMETERS) else {}
    return NamedQuery(name, description.removeprefix("-- "), parameters, sql)


def load_named_queries(folder: Path = QUERY_FOLDER) -> dict[str, NamedQuery]:
    """Return all named queries of a folder by name."""
    paths = sorted(folder.glob("*.sql"))
    return {path.stem: parse_named_query(path.stem, path.read_text("utf-8")) for path in paths}


def _parse_parameters(declaration: str) -> dict[str, str | None]:
    parts = [part.partition("=") for part in declaration.removeprefix(PARAMETERS).split(", ")]
    return {name: default if equals else None for name, equals, default in parts}
