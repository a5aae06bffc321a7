"""Environment variables that point every AWS client at the laptop cloud."""

import os
from collections.abc import Mapping
from shlex import quote

import boto3

from local.core.server import HOST

REGION = "us-east-1"

# These would point a client at the user's own account, or past the endpoint.
CONFLICTING_VARIABLES = (
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


def client_environment(endpoint: str, inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that point a client at this cloud only.

    An inherited region and the endpoints of single services (`AWS_ENDPOINT_URL_DYNAMODB`, …) are
    kept; the user's own credentials and configuration files are not read.
    """
    no_proxy = _no_proxy(inherited)
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": inherited.get("AWS_DEFAULT_REGION") or REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": no_proxy,
        "no_proxy": no_proxy,  # Clients prefer this spelling.
    }


def _no_proxy(inherited: Mapping[str, str]) -> str:
    """Return the hosts to reach without a proxy, from either spelling, and this one."""
    listed = ",".join(inherited.get(name, "") for name in ("NO_PROXY", "no_proxy"))
    hosts = dict.fromkeys(host.strip() for host in f"{listed},{HOST}".split(","))
    return "*" if "*" in hosts else ",".join(filter(None, hosts))


def use_cloud(endpoint: str) -> None:
    """Make this process and its children clients of the cloud at `endpoint`."""
    for name in CONFLICTING_VARIABLES:
        os.environ.pop(name, None)
    os.environ.update(client_environment(endpoint, os.environ))


def shell_lines(endpoint: str) -> str:
    """Return the shell commands that do the same in another terminal."""
    variables = client_environment(endpoint, os.environ)
    lines = [f"export {name}={quote(value)}" for name, value in variables.items()]
    return "\n".join([f"unset {' '.join(CONFLICTING_VARIABLES)}", *lines])
