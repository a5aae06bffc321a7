"""Validation of crawler definitions, and of the version of a table that is updated."""

import json
from collections.abc import Mapping
from typing import Any

from local.core.errors import not_modelled_message
from local.core.request import AwsError
from local.services.glue.catalog_updates import Behavior

Definition = Mapping[str, Any]

DEFAULTS: Definition = {
    "Classifiers": [],
    "LineageConfiguration": {"CrawlerLineageSettings": "DISABLE"},
    "RecrawlPolicy": {"RecrawlBehavior": "CRAWL_EVERYTHING"},
}
DEFAULT_POLICY = {"UpdateBehavior": "UPDATE_IN_DATABASE", "DeleteBehavior": "DEPRECATE_IN_DATABASE"}
POLICY_CHOICES = {
    "UpdateBehavior": ("LOG", "UPDATE_IN_DATABASE"),
    "DeleteBehavior": ("LOG", "DELETE_FROM_DATABASE", "DEPRECATE_IN_DATABASE"),
}
TARGET_KINDS = (
    "S3Targets",
    "JdbcTargets",
    "MongoDBTargets",
    "DynamoDBTargets",
    "CatalogTargets",
    "DeltaTargets",
    "IcebergTargets",
    "HudiTargets",
)

# The laptop cloud models no other value of these members.
_MODELLED_VALUES: Mapping[str, Any] = {
    **DEFAULTS,
    "Schedule": "",
    "CrawlerSecurityConfiguration": "",
    "LakeFormationConfiguration": {"UseLakeFormationCredentials": False, "AccountId": ""},
}

# The schema of `Configuration`: a dict of members, a tuple of allowed values, or a type.
_CONFIGURATION_SCHEMA: Mapping[str, Any] = {
    "Version": (1.0,),
    "CrawlerOutput": {
        "Partitions": {"AddOrUpdateBehavior": ("InheritFromTable",)},
        "Tables": {"AddOrUpdateBehavior": ("MergeNewColumns",), "TableThreshold": int},
    },
    "Grouping": {
        "TableGroupingPolicy": ("CombineCompatibleSchemas",),
        "TableLevelConfiguration": int,
    },
    "CreatePartitionIndex": (False,),
}


def validate_definition(definition: Definition) -> Definition:
    """Return the definition with its defaults, or raise the error with which AWS rejects it."""
    complete = {**DEFAULTS, **definition}
    complete["SchemaChangePolicy"] = {**DEFAULT_POLICY, **definition.get("SchemaChangePolicy", {})}
    _check_targets(complete["Targets"])
    _check_policies(complete)
    _check_configuration(complete.get("Configuration", ""))
    for member, value in _MODELLED_VALUES.items():
        if complete.get(member) not in (None, value):
            raise invalid_input(not_modelled_message(f"{member} {complete[member]!r}"))
    return complete


def target_tables(definition: Definition) -> list[tuple[str, str]]:
    """Return the (database, table) pairs of the catalog targets."""
    return [
        (target["DatabaseName"].lower(), name.lower())
        for target in definition["Targets"]["CatalogTargets"]
        for name in target["Tables"]
    ]


def crawl_behavior(definition: Definition) -> Behavior:
    """Return what a crawl with this definition may write."""
    output = json.loads(definition.get("Configuration") or "{}").get("CrawlerOutput", {})
    return Behavior(
        crawler=definition["Name"],
        updates_table=definition["SchemaChangePolicy"]["UpdateBehavior"] == "UPDATE_IN_DATABASE",
        merges_new_columns="AddOrUpdateBehavior" in output.get("Tables", {}),
        partitions_inherit="AddOrUpdateBehavior" in output.get("Partitions", {}),
    )


def invalid_input(message: str) -> AwsError:
    """Return Glue's error for an invalid parameter."""
    return AwsError("InvalidInputException", message)


def _check_targets(targets: Mapping[str, Any]) -> None:
    kinds = [kind for kind in TARGET_KINDS if targets.get(kind)]
    if not kinds:
        raise invalid_input("At least one target must be specified.")
    if "CatalogTargets" not in kinds:
        raise invalid_input(f"{not_modelled_message(kinds[0])}: use CatalogTargets")
    if len(kinds) > 1:
        raise invalid_input(f"CatalogTargets cannot be combined with {kinds[0]} in one crawler.")
    for target in targets["CatalogTargets"]:
        if not target.get("DatabaseName") or not target.get("Tables"):
            raise invalid_input("A catalog target must name a database and at least one table.")


def _check_policies(definition: Definition) -> None:
    for member, value in definition["SchemaChangePolicy"].items():
        if value not in POLICY_CHOICES.get(member, ()):
            raise invalid_input(f"SchemaChangePolicy: {member} may not be {value!r}.")
    if definition["SchemaChangePolicy"]["DeleteBehavior"] != "LOG":
        raise invalid_input(
            "The SchemaChangePolicy for catalog target can have only LOG DeleteBehavior value."
        )
    if definition["RecrawlPolicy"].get("RecrawlBehavior") == "CRAWL_NEW_FOLDERS_ONLY":
        raise invalid_input(
            'RecrawlBehavior "Crawl new folders only" can only apply to Amazon S3 target.'
        )


def _check_configuration(text: str) -> None:
    if not text:
        return
    try:
        configuration = json.loads(text)
    except ValueError:
        raise invalid_input("Configuration is not valid JSON.") from None
    if not isinstance(configuration, dict) or "Version" not in configuration:
        raise invalid_input("Configuration must be a JSON object with a Version.")
    _check_schema("Configuration", configuration, _CONFIGURATION_SCHEMA)


def _check_schema(path: str, value: Any, schema: Any) -> None:
    """Raise an error unless a value matches its schema."""
    if isinstance(schema, type) and not isinstance(value, schema):
        raise invalid_input(f"{path} must be of type {schema.__name__}.")
    if isinstance(schema, tuple) and value not in schema:
        raise invalid_input(f"{path} may not be {value!r}.")
    if not isinstance(schema, dict):
        return
    if not isinstance(value, dict):
        raise invalid_input(f"{path} must be an object.")
    unknown_keys = sorted(set(value) - set(schema))
    if unknown_keys:
        raise invalid_input(f"{path} contains unsupported keys: {', '.join(unknown_keys)}.")
    for key, member in value.items():
        member_path = key if path == "Configuration" else f"{path}.{key}"
        _check_schema(member_path, member, schema[key])


def require_current_version(glue: Any, params: Mapping[str, Any]) -> None:
    """Reject UpdateTable if it names another version than the table has; moto ignores it."""
    version = params.get("VersionId")
    if version is None:
        return
    table = glue.get_table(DatabaseName=params["DatabaseName"], Name=params["TableInput"]["Name"])
    if table["Table"]["VersionId"] != version:
        raise AwsError(
            "ConcurrentModificationException",
            "Update table failed due to concurrent modifications.",
        )
