"""What leads a client to the laptop cloud, and to nowhere else."""

from local.environment import MISLEADING, exports, shell_lines

ENDPOINT = "http://127.0.0.1:5000"


def test_entering_twice_is_entering_once() -> None:
    once = exports(ENDPOINT, {"NO_PROXY": "example.com"})
    assert exports(ENDPOINT, once) == once
    assert once["NO_PROXY"] == "example.com,127.0.0.1"


def test_the_users_region_stays_and_their_credentials_do_not() -> None:
    theirs = {"AWS_DEFAULT_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "theirs"}
    found = exports(ENDPOINT, theirs)
    assert found["AWS_DEFAULT_REGION"] == "eu-west-1"
    assert found["AWS_ACCESS_KEY_ID"] != "theirs"


def test_another_terminal_is_told_what_to_unset_and_where_to_go() -> None:
    unset, *lines = shell_lines(ENDPOINT).splitlines()
    assert unset.split() == ["unset", *MISLEADING]
    assert f"export AWS_ENDPOINT_URL={ENDPOINT}" in lines
