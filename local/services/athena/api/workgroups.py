"""Workgroups, their tags, and the named queries in them."""

import re
import uuid
from collections.abc import Callable
from typing import Any

from local.core.errors import not_modelled_message
from local.core.request import AwsError

ENGINE = {
    "SelectedEngineVersion": "AUTO",
    "EffectiveEngineVersion": "Athena engine version 3",
}
_MIN_SCAN_LIMIT = 10_000_000
_UNMODELLED_SETTINGS = (
    "ManagedQueryResultsConfiguration",
    "IdentityCenterConfiguration",
    "ExecutionRole",
)
Params = dict[str, Any]


def invalid(message: str) -> AwsError:
    """Return Athena's error for an invalid request."""
    return AwsError("InvalidRequestException", message)


class WorkGroups:
    """The workgroups of an account; `primary` always exists."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._groups: dict[str, Params] = {}
        self._tags: dict[str, dict[str, str]] = {}
        configuration = {"EnforceWorkGroupConfiguration": False}
        self.create({"Name": "primary", "Configuration": configuration})

    def get(self, name: str) -> Params:
        """Return a workgroup as GetWorkGroup does."""
        if name not in self._groups:
            raise invalid(f"WorkGroup {name} is not found.")
        return self._groups[name]

    def create(self, params: Params) -> Params:
        """Create a workgroup."""
        name = params["Name"]
        if not re.fullmatch(r"[a-zA-Z0-9._-]{1,128}", name):
            raise invalid(f"Workgroup name {name} does not match [a-zA-Z0-9._-]{{1,128}}")
        if name in self._groups:
            raise invalid("WorkGroup is already created")
        self._groups[name] = {
            "Name": name,
            "State": "ENABLED",
            "Description": params.get("Description", ""),
            "CreationTime": self._now(),
            "Configuration": _validated_configuration(params.get("Configuration", {})),
        }
        self._tags[name] = {tag["Key"]: tag["Value"] for tag in params.get("Tags", [])}
        return {}

    def update(self, params: Params) -> Params:
        """Update a workgroup; settings that are not given are kept."""
        group = self.get(params["WorkGroup"])
        updates = dict(params.get("ConfigurationUpdates", {}))
        result_updates = updates.pop("ResultConfigurationUpdates", {})
        configuration = dict(group["Configuration"])
        if updates.pop("RemoveBytesScannedCutoffPerQuery", False):
            configuration.pop("BytesScannedCutoffPerQuery", None)
        configuration |= updates
        configuration["ResultConfiguration"] = _merge_results(
            configuration.get("ResultConfiguration", {}), result_updates
        )
        group["Configuration"] = _validated_configuration(configuration)
        group.update({key: params[key] for key in ("Description", "State") if key in params})
        return {}

    def delete(self, params: Params, is_used: bool) -> Params:
        """Delete a workgroup; one with queries needs RecursiveDeleteOption."""
        name = params["WorkGroup"]
        self.get(name)
        if name == "primary":
            raise invalid("Cannot delete primary workgroup")
        if is_used and not params.get("RecursiveDeleteOption"):
            raise invalid(f"WorkGroup {name} is not empty")
        del self._groups[name], self._tags[name]
        return {}

    def summaries(self) -> list[Params]:
        """Return a summary of each workgroup."""
        return [
            {
                **{key: group[key] for key in ("Name", "State", "Description", "CreationTime")},
                "EngineVersion": group["Configuration"]["EngineVersion"],
            }
            for _, group in sorted(self._groups.items())
        ]

    def tags(self, arn: str) -> dict[str, str]:
        """Return the tags of a workgroup, to be read or changed."""
        name = arn.rpartition(":workgroup/")[2]
        if ":workgroup/" not in arn or name not in self._groups:
            raise AwsError("ResourceNotFoundException", f"Resource {arn} is not found.")
        return self._tags[name]


def _validated_configuration(settings: Params) -> Params:
    """Return a configuration with AWS's defaults, or raise the error for an invalid one."""
    for name in _UNMODELLED_SETTINGS:
        if settings.get(name) and settings[name] != {"Enabled": False}:
            raise invalid(not_modelled_message(name))
    limit = settings.get("BytesScannedCutoffPerQuery")
    if limit is not None and limit < _MIN_SCAN_LIMIT:
        raise invalid(f"BytesScannedCutoffPerQuery must be at least {_MIN_SCAN_LIMIT}, not {limit}")
    location = settings.get("ResultConfiguration", {}).get("OutputLocation", "")
    if location and not re.match(r"s3://[^/]+", location):
        raise invalid(f"Invalid output location {location}: it must begin with s3://")
    defaults = {
        "ResultConfiguration": {},
        "EnforceWorkGroupConfiguration": True,
        "PublishCloudWatchMetricsEnabled": True,
        "RequesterPaysEnabled": False,
    }
    version = settings.get("EngineVersion", {}).get("SelectedEngineVersion", "AUTO")
    return {**defaults, **settings, "EngineVersion": {**ENGINE, "SelectedEngineVersion": version}}


def _merge_results(results: Params, updates: Params) -> Params:
    merged_results = dict(results)
    for name, value in updates.items():
        if not name.startswith("Remove"):
            merged_results[name] = value
        elif value:
            merged_results.pop(name.removeprefix("Remove"), None)
    return merged_results


class NamedQueries:
    """The named queries of an account."""

    def __init__(self) -> None:
        self._queries: dict[str, Params] = {}
        self._tokens: dict[str, str] = {}

    def create(self, params: Params) -> Params:
        """Create a named query; a repeated token returns the id of the first."""
        token = params.get("ClientRequestToken", "")
        if not token or token not in self._tokens:
            key = str(uuid.uuid4())
            names = ("Name", "Description", "Database", "QueryString")
            query = {name: params[name] for name in names if name in params}
            group = params.get("WorkGroup", "primary")
            self._queries[key] = {**query, "NamedQueryId": key, "WorkGroup": group}
            self._tokens[token] = key
        return {"NamedQueryId": self._tokens[token]}

    def get(self, key: str) -> Params:
        """Return one named query."""
        if key not in self._queries:
            raise invalid(f"NamedQuery {key} is not found.")
        return self._queries[key]

    def update(self, params: Params) -> Params:
        """Change a query's name, text and description."""
        names = ("Name", "Description", "QueryString")
        self.get(params["NamedQueryId"]).update(
            {name: params[name] for name in names if name in params}
        )
        return {}

    def delete(self, key: str) -> Params:
        """Delete a named query."""
        self.get(key)
        self._forget(key)
        return {}

    def _forget(self, key: str) -> None:
        del self._queries[key]
        self._tokens = {token: id_ for token, id_ in self._tokens.items() if id_ != key}

    def ids_in_workgroup(self, group: str) -> list[str]:
        """Return the ids of a workgroup's queries."""
        return [key for key, query in self._queries.items() if query["WorkGroup"] == group]

    def delete_in_workgroup(self, group: str) -> None:
        """Delete the named queries of a workgroup."""
        for key in self.ids_in_workgroup(group):
            self._forget(key)
