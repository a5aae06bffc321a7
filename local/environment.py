"""The environment in which every AWS client finds the laptop cloud."""

import os
from collections.abc import Mapping
from shlex import quote

import boto3

from local.core.server import HOST

REGION = "us-east-1"

# What would lead a client elsewhere: to the user's own account, or past the endpoint.
MISLEADING = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_REGION",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_USE_FIPS_ENDPOINT",
)


def is_region(name: str) -> bool:
    """Return whether AWS has a region of that name, in any of its partitions."""
    session = boto3.Session(region_name=REGION)
    partitions = session.get_available_partitions()
    return any(
        name in session.get_available_regions("dynamodb", partition) for partition in partitions
    )


def exports(endpoint: str, inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that lead a client to this cloud and to nowhere else.

    A region and the endpoints of single services (`AWS_ENDPOINT_URL_DYNAMODB`, …) that are set
    already stay as they are; the user's own credentials and configuration files are not read.
    """
    unproxied = _unproxied(inherited)
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": inherited.get("AWS_DEFAULT_REGION") or REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": unproxied,
        "no_proxy": unproxied,  # Of the two spellings clients prefer this one.
    }


def _unproxied(inherited: Mapping[str, str]) -> str:
    """Return the hosts that are asked without a proxy, by either spelling, this one included."""
    given = ",".join(inherited.get(name, "") for name in ("NO_PROXY", "no_proxy"))
    hosts = dict.fromkeys(host.strip() for host in f"{given},{HOST}".split(","))
    return "*" if "*" in hosts else ",".join(filter(None, hosts))


def enter(endpoint: str) -> None:
    """Make this process, and those that it starts, clients of the cloud at `endpoint`."""
    for name in MISLEADING:
        os.environ.pop(name, None)
    os.environ.update(exports(endpoint, os.environ))


def shell_lines(endpoint: str) -> str:
    """Return the lines that do the same to another terminal's shell."""
    wanted = exports(endpoint, os.environ)
    lines = [f"export {name}={quote(value)}" for name, value in wanted.items()]
    return "\n".join([f"unset {' '.join(MISLEADING)}", *lines])
