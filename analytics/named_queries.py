"""Named queries: one SQL file each, whose first lines hold its description and its parameters."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from setup import names
from setup.lib.errors import UserError

QUERY_FOLDER = Path(__file__).with_name("queries")
PARAMETERS = "-- params: "
BUSINESS_TIME = {
    "zone": names.BUSINESS_TIME_ZONE,
    "week_start": names.WEEK_START,
    "fiscal_year_start": names.FISCAL_YEAR_START,
}
"""Defaults that replace those in the files."""


class InvalidParameter(UserError):
    """A parameter that the query does not have, or that it requires and did not get."""


@dataclass(frozen=True, slots=True)
class NamedQuery:
    """A named query; `parameters` follow its question marks, and None marks a required one.

    A parameter that is declared as `period=month|day` takes one of these values; the first is the
    default.
    """

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
        return [self._value(name, given.get(name)) for name in self.parameters]

    def _value(self, name: str, given: str | None) -> str:
        default, *others = (self.parameters[name] or "").split("|")
        value = default if given is None and self.parameters[name] is not None else given
        if value is None:
            raise InvalidParameter(f"{self.name} requires --param {name}=VALUE")
        if others and value not in (default, *others):
            choices = ", ".join((default, *others))
            raise InvalidParameter(
                f"{self.name} --param {name}: expected {choices}, found {value!r}"
            )
        return value


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
    defaults = {name: default if equals else None for name, equals, default in parts}
    return {name: BUSINESS_TIME.get(name, default) for name, default in defaults.items()}
