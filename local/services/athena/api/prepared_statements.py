"""Prepared statements of a workgroup, made by a call or by PREPARE."""

from collections.abc import Callable
from typing import Any

from local.core.request import AwsError
from local.services.athena.api.workgroups import Params, invalid


class PreparedStatements:
    """The prepared statements of one workgroup by their names."""

    def __init__(self, workgroup: str, now: Callable[[], float]) -> None:
        self._workgroup = workgroup
        self._now = now
        self._statements: dict[str, Params] = {}

    def create(self, params: Params) -> Params:
        """Create a statement; its name must be new."""
        name = params["StatementName"]
        if name in self._statements:
            message = f"Prepared statement {name} already exists in WorkGroup {self._workgroup}"
            raise invalid(message)
        self.put(name, params["QueryStatement"], params.get("Description"))
        return {}

    def update(self, params: Params) -> Params:
        """Change the text of a statement."""
        self.get(params["StatementName"])
        self.put(params["StatementName"], params["QueryStatement"], params.get("Description"))
        return {}

    def put(self, name: str, sql: str, description: str | None = None) -> None:
        """Create or replace a statement."""
        self._statements[name] = {
            "StatementName": name,
            "QueryStatement": sql,
            "WorkGroupName": self._workgroup,
            "LastModifiedTime": self._now(),
            **({"Description": description} if description else {}),
        }

    def get(self, name: str) -> Params:
        """Return a statement as GetPreparedStatement does."""
        if name not in self._statements:
            raise AwsError(
                "ResourceNotFoundException",
                f"No Prepared Statement with statement name {name} exists in WorkGroup "
                f"{self._workgroup}",
            )
        return self._statements[name]

    def delete(self, name: str) -> Params:
        """Delete a statement."""
        self.get(name)
        del self._statements[name]
        return {}

    def summaries(self) -> list[dict[str, Any]]:
        """Return the name and the time of each statement."""
        names = ("StatementName", "LastModifiedTime")
        return [
            {name: statement[name] for name in names}
            for _, statement in sorted(self._statements.items())
        ]
