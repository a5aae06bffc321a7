"""Print the statements that the policy of your own key needs, besides those of your account.

Roles and callers are allowed by their own policies, if the key's policy lets IAM decide, as the
default one does. Two services use the key for themselves: CloudWatch Logs, and CloudWatch when an
alarm notifies the topic.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # Makes `setup` importable.

from setup.lib.cli import argument_parser, run_on_aws
from setup.lib.iam_policies import Policy
from setup.names import DELIVERY_LOGS, FUNCTION_LOGS, PIPE_LOGS, PIPELINE, Location, location

LOG_ACTIONS = ("Encrypt", "Decrypt", "ReEncrypt*", "GenerateDataKey*", "DescribeKey")
TOPIC_ACTIONS = ("GenerateDataKey*", "Decrypt")


def build_statements(location: Location) -> list[Policy]:
    """Return the statements, each limited to the pipeline's log groups or alarms."""
    groups = [
        location.arn("logs", f"log-group:{group}")
        for group in (FUNCTION_LOGS, DELIVERY_LOGS, PIPE_LOGS)
    ]
    alarms = location.arn("cloudwatch", f"alarm:{PIPELINE}-*")
    return [
        statement(
            f"logs.{location.region}.amazonaws.com",
            LOG_ACTIONS,
            {"ArnEquals": {"kms:EncryptionContext:aws:logs:arn": groups}},
        ),
        statement(
            "cloudwatch.amazonaws.com", TOPIC_ACTIONS, {"ArnLike": {"aws:SourceArn": alarms}}
        ),
    ]


def statement(service: str, actions: tuple[str, ...], condition: Policy) -> Policy:
    """Return the statement of a key policy that lets a service use the key."""
    return {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": [f"kms:{action}" for action in actions],
        "Resource": "*",  # Of a key's policy: the key.
        "Condition": condition,
    }


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    parser.parse_args()
    run_on_aws(lambda: json.dumps(build_statements(location()), indent=2), parser.prog)
