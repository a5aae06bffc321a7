"""What leads a client to the laptop cloud, and to nowhere else."""

import os
import shlex
import urllib.request
from unittest.mock import patch

import pytest

from local.environment import MISLEADING, exports, is_region, shell_lines

ENDPOINT = "http://127.0.0.1:5000"


def test_entering_twice_is_entering_once() -> None:
    once = exports(ENDPOINT, {"NO_PROXY": "example.com"})
    assert exports(ENDPOINT, once) == once
    assert once["NO_PROXY"] == "example.com,127.0.0.1"


@pytest.mark.parametrize(
    ("inherited", "reached"),
    [
        ({}, {"127.0.0.1"}),
        ({"no_proxy": "example.com"}, {"127.0.0.1", "example.com"}),
        ({"NO_PROXY": "a.com, b.com", "no_proxy": "b.com"}, {"127.0.0.1", "a.com", "b.com"}),
        ({"NO_PROXY": "*"}, {"127.0.0.1", "localhost"}),
    ],
)
def test_no_proxy_stands_between_a_client_and_the_cloud(
    inherited: dict[str, str], reached: set[str]
) -> None:
    proxied = {"http_proxy": "http://proxy.corp:3128", **inherited}
    with patch.dict(os.environ, {**proxied, **exports(ENDPOINT, proxied)}, clear=True):
        assert all(urllib.request.proxy_bypass(host) for host in reached)


def test_without_a_region_or_with_an_empty_one_there_is_still_one() -> None:
    assert exports(ENDPOINT, {"AWS_DEFAULT_REGION": ""}) == exports(ENDPOINT, {})
    assert is_region(exports(ENDPOINT, {})["AWS_DEFAULT_REGION"])


@pytest.mark.parametrize(
    ("name", "exists"), [("eu-west-1", True), ("cn-north-1", True), ("us-east1", False)]
)
def test_a_region_is_one_of_those_that_aws_has(name: str, exists: bool) -> None:
    assert is_region(name) == exists


def test_the_users_region_stays_and_their_credentials_do_not() -> None:
    theirs = {"AWS_DEFAULT_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "theirs"}
    found = exports(ENDPOINT, theirs)
    assert found["AWS_DEFAULT_REGION"] == "eu-west-1"
    assert found["AWS_ACCESS_KEY_ID"] != "theirs"


def test_another_terminal_is_told_what_to_unset_and_where_to_go() -> None:
    unset, *lines = shell_lines(ENDPOINT).splitlines()
    assert unset.split() == ["unset", *MISLEADING]
    assert f"export AWS_ENDPOINT_URL={ENDPOINT}" in lines


def test_what_another_terminal_is_told_is_one_word_for_its_shell() -> None:
    with patch.dict(os.environ, AWS_DEFAULT_REGION="a b; c"):
        _, *lines = shell_lines(ENDPOINT).splitlines()
    assert ["export", "AWS_DEFAULT_REGION=a b; c"] in map(shlex.split, lines)
