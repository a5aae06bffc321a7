"""Environment variables that point clients at the laptop cloud only."""

import os
import shlex
import urllib.request
from unittest.mock import patch

import pytest

from local.environment import CONFLICTING_VARIABLES, client_environment, is_region, shell_lines

ENDPOINT = "http://127.0.0.1:5000"


def test_environment_is_idempotent() -> None:
    environment = client_environment(ENDPOINT, {"NO_PROXY": "example.com"})
    assert client_environment(ENDPOINT, environment) == environment
    assert environment["NO_PROXY"] == "example.com,127.0.0.1"


@pytest.mark.parametrize(
    ("inherited", "direct_hosts"),
    [
        ({}, {"127.0.0.1"}),
        ({"no_proxy": "example.com"}, {"127.0.0.1", "example.com"}),
        ({"NO_PROXY": "a.com, b.com", "no_proxy": "b.com"}, {"127.0.0.1", "a.com", "b.com"}),
        ({"NO_PROXY": "*"}, {"127.0.0.1", "localhost"}),
    ],
)
def test_clients_reach_the_cloud_without_a_proxy(
    inherited: dict[str, str], direct_hosts: set[str]
) -> None:
    with_proxy = {"http_proxy": "http://proxy.corp:3128", **inherited}
    environment = with_proxy | client_environment(ENDPOINT, with_proxy)
    with patch.dict(os.environ, environment, clear=True):
        assert all(urllib.request.proxy_bypass(host) for host in direct_hosts)


def test_missing_or_empty_region_has_a_default() -> None:
    default = client_environment(ENDPOINT, {})
    assert client_environment(ENDPOINT, {"AWS_DEFAULT_REGION": ""}) == default
    assert is_region(default["AWS_DEFAULT_REGION"])


@pytest.mark.parametrize(
    ("name", "exists"), [("eu-west-1", True), ("cn-north-1", True), ("us-east1", False)]
)
def test_regions_are_those_of_aws(name: str, exists: bool) -> None:
    assert is_region(name) == exists


def test_region_is_kept_but_not_credentials() -> None:
    inherited = {"AWS_DEFAULT_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "theirs"}
    environment = client_environment(ENDPOINT, inherited)
    assert environment["AWS_DEFAULT_REGION"] == "eu-west-1"
    assert environment["AWS_ACCESS_KEY_ID"] != "theirs"


def test_shell_lines_unset_and_export_variables() -> None:
    unset, *lines = shell_lines(ENDPOINT).splitlines()
    assert unset.split() == ["unset", *CONFLICTING_VARIABLES]
    assert f"export AWS_ENDPOINT_URL={ENDPOINT}" in lines


def test_shell_lines_quote_their_values() -> None:
    with patch.dict(os.environ, AWS_DEFAULT_REGION="a b; c"):
        _, *lines = shell_lines(ENDPOINT).splitlines()
    assert ["export", "AWS_DEFAULT_REGION=a b; c"] in map(shlex.split, lines)
