"""What a crawler may be: the rules by which CreateCrawler and UpdateCrawler refuse one."""

import json
from collections.abc import Mapping
from typing import Any

from local.core.request import AwsError
from local.services.glue.catalog_updates import Behavior

Definition = Mapping[str, Any]

DEFAULTS: Definition = {
    "Classifiers": [],
    "LineageConfiguration": {"CrawlerLineageSettings": "DISABLE"},
    "RecrawlPolicy": {"RecrawlBehavior": "CRAWL_EVERYTHING"},
}
POLICY = {"UpdateBehavior": "UPDATE_IN_DATABASE", "DeleteBehavior": "DEPRECATE_IN_DATABASE"}
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

# What AWS does with more of these than this value, the laptop cloud does not.
_ONLY_MODELLED: Mapping[str, Any] = {
    **DEFAULTS,
    "Schedule": "",
    "CrawlerSecurityConfiguration": "",
    "LakeFormationConfiguration": {"UseLakeFormationCredentials": False, "AccountId": ""},
}

# The form of `Configuration`: each key's form, or the values that it may have, or their type.
_CONFIGURATION: Mapping[str, Any] = {
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


def checked(definition: Definition) -> Definition:
    """Return the definition, its defaults filled in; raise what AWS would answer if it is wrong."""
    full = {**DEFAULTS, **definition}
    full["SchemaChangePolicy"] = {**POLICY, **definition.get("SchemaChangePolicy", {})}
    _check_targets(full["Targets"])
    _check_policies(full)
    _check_configuration(full.get("Configuration", ""))
    for member, value in _ONLY_MODELLED.items():
        if full.get(member) not in (None, value):
            raise invalid(f"{member} {full[member]!r} is not modelled by the laptop cloud.")
    return full


def tables(definition: Definition) -> list[tuple[str, str]]:
    """Return the (database, table) pairs of the catalog targets."""
    return [
        (target["DatabaseName"].lower(), name.lower())
        for target in definition["Targets"]["CatalogTargets"]
        for name in target["Tables"]
    ]


def behavior(definition: Definition) -> Behavior:
    """Return what a crawl by this definition may write."""
    output = json.loads(definition.get("Configuration") or "{}").get("CrawlerOutput", {})
    return Behavior(
        crawler=definition["Name"],
        updates=definition["SchemaChangePolicy"]["UpdateBehavior"] == "UPDATE_IN_DATABASE",
        merges_new_columns="AddOrUpdateBehavior" in output.get("Tables", {}),
        partitions_inherit="AddOrUpdateBehavior" in output.get("Partitions", {}),
    )


def invalid(message: str) -> AwsError:
    """Return the error that Glue answers a wrong parameter with."""
    return AwsError("InvalidInputException", message)


def _check_targets(targets: Mapping[str, Any]) -> None:
    kinds = [kind for kind in TARGET_KINDS if targets.get(kind)]
    if not kinds:
        raise invalid("At least one target must be specified.")
    if "CatalogTargets" not in kinds:
        raise invalid(f"{kinds[0]} are not modelled by the laptop cloud: use CatalogTargets.")
    if len(kinds) > 1:
        raise invalid(f"CatalogTargets cannot be combined with {kinds[0]} in one crawler.")
    for target in targets["CatalogTargets"]:
        if not target.get("DatabaseName") or not target.get("Tables"):
            raise invalid("A catalog target must name a database and at least one table.")


def _check_policies(definition: Definition) -> None:
    for member, value in definition["SchemaChangePolicy"].items():
        if value not in POLICY_CHOICES.get(member, ()):
            raise invalid(f"SchemaChangePolicy: {member} may not be {value!r}.")
    if definition["SchemaChangePolicy"]["DeleteBehavior"] != "LOG":
        raise invalid(
            "The SchemaChangePolicy for catalog target can have only LOG DeleteBehavior value."
        )
    if definition["RecrawlPolicy"].get("RecrawlBehavior") == "CRAWL_NEW_FOLDERS_ONLY":
        raise invalid(
            'RecrawlBehavior "Crawl new folders only" can only apply to Amazon S3 target.'
        )


def _check_configuration(text: str) -> None:
    if not text:
        return
    try:
        configuration = json.loads(text)
    except ValueError:
        raise invalid("Configuration is not valid JSON.") from None
    if not isinstance(configuration, dict) or "Version" not in configuration:
        raise invalid("Configuration must be a JSON object with a Version.")
    _check_form("Configuration", configuration, _CONFIGURATION)


def _check_form(path: str, found: Any, form: Any) -> None:
    """Raise unless what was found has the form: an object's, one of some values, or a type."""
    if isinstance(form, type) and not isinstance(found, form):
        raise invalid(f"{path} must be of type {form.__name__}.")
    if isinstance(form, tuple) and found not in form:
        raise invalid(f"{path} may not be {found!r}.")
    if not isinstance(form, dict):
        return
    if not isinstance(found, dict):
        raise invalid(f"{path} must be an object.")
    if unknown := sorted(set(found) - set(form)):
        raise invalid(f"{path} contains unsupported keys: {', '.join(unknown)}.")
    for key, value in found.items():
        _check_form(key if path == "Configuration" else f"{path}.{key}", value, form[key])
