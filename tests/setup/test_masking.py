"""MASKED: which settings are accepted, and what setup does with them."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setup import deployer_policy, names, operator_policy, own_table
from setup.lib import iam_policies, masking
from setup.lib.cli import run_and_print
from setup.lib.drift import find_drift
from setup.lib.iam_policies import Policy
from setup.lib.teardown_steps import delete_masking_key
from setup.lib.waiters import InvalidSetting
from setup.masked import parse_masked
from setup.names import Location
from tests.setup.test_names import load_names
from tests.support.setup_fixture import (
    SetupError,
    SetupSandbox,
    aws_client,
    setup_sandbox,
    tear_down,
)
from transform import NO_MASKING
from transform.masking import METHODS

HERE = Location("aws", "us-east-1", "123456789012")
RULES = {"customer": {"email": "hash"}, "note": "drop"}
PATHS = st.lists(st.text("ab.", min_size=1, max_size=1), min_size=1, max_size=3).map(tuple)


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SetupSandbox]:
    monkeypatch.setattr(names, "MASKED", RULES)
    with setup_sandbox(tmp_path) as sandbox:
        yield sandbox


def leaves(rules: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield each path of nested rules, with its method."""
    for name, rule in rules.items():
        if isinstance(rule, str):
            yield (*path, name), rule
        else:
            yield from leaves(rule, (*path, name))


@given(st.dictionaries(PATHS, st.sampled_from(METHODS), max_size=4))
def test_rules_have_every_path_or_none(masked: dict[tuple[str, ...], str]) -> None:
    contained = any(
        path != other and other[: len(path)] == path for path in masked for other in masked
    )
    if contained:
        with pytest.raises(ValueError, match="masked"):
            parse_masked(masked)
    else:
        assert dict(leaves(parse_masked(masked))) == masked


@pytest.mark.parametrize(
    ("masked", "message"),
    [
        (["email"], "expected a mapping as in {'customer.email': 'hash'}, found ['email']"),
        ({"email": "sha1"}, "'email': expected hash or drop, found 'sha1'"),
        ({"email": ["hash"]}, "'email': expected hash or drop, found ['hash']"),
        ({"": "hash"}, "'': expected names of attributes, none of them empty"),
        ({"a..b": "hash"}, "'a..b': expected names of attributes, none of them empty"),
        ({(): "hash"}, "expected a path as in 'customer.email', found ()"),
        ({("a", 1): "hash"}, "('a', 1): expected names of attributes, none of them empty"),
        ({7: "hash"}, "expected a path as in 'customer.email', found 7"),
        ({"a": "hash", "a.b": "drop"}, "'a.b' is inside an attribute that is masked as a whole"),
        ({"a.b": "hash", "a": "drop"}, "'a' is masked twice, or another path is inside it"),
        ({"a.b": "hash", ("a", "b"): "drop"}, "('a', 'b') is masked twice, or another path is "),
    ],
)
def test_invalid_settings_are_usage_errors(
    masked: Any, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(own_table, "MASKED", masked)
    with pytest.raises(SystemExit) as exit_info:
        load_names()
    assert exit_info.value.code == 2
    assert capsys.readouterr().err.startswith(f"MASKED in setup/own_table.py: {message}")


def test_a_key_attribute_is_refused(sandbox: SetupSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox.run("01_dynamodb", "04_iam")
    monkeypatch.setattr(names, "MASKED", {"order_id": "hash"})
    with pytest.raises(InvalidSetting) as error_info:
        sandbox.run("05_lambda")
    assert error_info.value.exit_status == 2
    message = (
        f"MASKED in setup/own_table.py: 'order_id' is in the key of table {names.TABLE}, which "
        f"every row shows: remove it, and run python setup/05_lambda.py"
    )
    assert str(error_info.value) == message
    assert aws_client("lambda").list_functions()["Functions"] == []


def test_a_setting_that_cannot_be_is_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    def refuse() -> str:
        raise InvalidSetting("a fact: a fix")

    with pytest.raises(SystemExit) as exit_info, patch("os.dup2"):
        run_and_print(refuse, "setup/05_lambda.py")
    assert exit_info.value.code == 2
    assert capsys.readouterr().err == "setup/05_lambda.py: a fact: a fix\n"


@pytest.mark.slow
def test_the_key_is_made_once_and_deleted(sandbox: SetupSandbox) -> None:
    drift = find_drift(["05_lambda"])
    assert f"secret {names.MASKING_KEY} is missing: run python setup/05_lambda.py" in drift
    sandbox.run("04_iam", "05_lambda")
    manager = aws_client("secretsmanager")
    secret = manager.get_secret_value(SecretId=names.MASKING_KEY)["SecretString"]
    assert len(bytes.fromhex(secret)) == 32
    sandbox.calls.clear()
    sandbox.run("05_lambda")
    assert sandbox.writes() == []
    assert masking.fetch_masking().key == secret.encode()
    assert f", secret {names.MASKING_KEY} and table" in tear_down(delete_data=False)
    assert list(delete_masking_key()) == [f"deleted secret {names.MASKING_KEY}"]
    assert list(delete_masking_key()) == []
    with pytest.raises(SetupError, match="is missing: run python setup/05_lambda"):
        masking.fetch_masking()
    sandbox.run("04_iam", "05_lambda")
    assert manager.get_secret_value(SecretId=names.MASKING_KEY)["SecretString"] != secret


def test_a_key_marked_for_deletion_is_kept(sandbox: SetupSandbox) -> None:
    sandbox.run("04_iam", "05_lambda")
    aws_client("secretsmanager").delete_secret(SecretId=names.MASKING_KEY)
    with pytest.raises(SetupError, match="run aws secretsmanager restore-secret --secret-id sales"):
        sandbox.run("05_lambda")


def test_a_short_key_is_reported(sandbox: SetupSandbox) -> None:
    aws_client("secretsmanager").create_secret(Name=names.MASKING_KEY, SecretString="short")
    with pytest.raises(SetupError, match="secret sales-cdc-masking-key: masking key: expected at"):
        masking.fetch_masking()


def test_the_function_gets_the_rules(
    sandbox: SetupSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.run("04_iam", "05_lambda")
    functions = aws_client("lambda")

    def variables() -> dict[str, str]:
        config = functions.get_function_configuration(FunctionName=names.FUNCTION)
        environment: dict[str, str] = config["Environment"]["Variables"]
        return environment

    assert json.loads(variables()["MASKED"]) == RULES
    assert variables()["MASKING_KEY"] == names.MASKING_KEY
    monkeypatch.setattr(names, "MASKED", {})
    sandbox.run("05_lambda")
    assert variables()["MASKED"] == "{}"


def test_without_rules_nobody_needs_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    assert masking.fetch_masking() is NO_MASKING  # Without a call to AWS.
    action = "secretsmanager:GetSecretValue"
    policies: tuple[Callable[[], Policy], ...] = (
        lambda: iam_policies.role_policies(HERE)["lambda"],
        lambda: operator_policy.build_policy(HERE, ["verify"]),
        lambda: operator_policy.build_policy(HERE, ["repair"]),
        lambda: operator_policy.build_policy(HERE, ["replay"]),
    )
    assert not any(action in json.dumps(policy()) for policy in policies)
    monkeypatch.setattr(names, "MASKED", RULES)
    for policy in policies:
        [statement] = [
            statement for statement in policy()["Statement"] if action in statement["Action"]
        ]
        assert statement["Resource"] == [HERE.arn("secretsmanager", f"secret:{names.MASKING_KEY}*")]
    assert action not in json.dumps(operator_policy.build_policy(HERE, ["gaps", "status"]))


def test_deployers_get_the_secret_with_rules_only(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "secretsmanager" not in json.dumps(deployer_policy.build_policy(HERE))
    monkeypatch.setattr(names, "MASKED", RULES)
    text = json.dumps(deployer_policy.build_policy(HERE)["Statement"], separators=(",", ":"))
    assert "secretsmanager:CreateSecret" in text
    assert "secretsmanager:GetSecretValue" not in text
    assert len(text) + 40 * text.count(names.PIPELINE) < 10_240  # With the longest names.


def test_the_users_key_encrypts_the_secret(
    sandbox: SetupSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = HERE.arn("kms", "key/11111111-2222-3333-4444-555555555555")
    monkeypatch.setattr(names, "KMS_KEY", key)
    masking.ensure_masking_key()
    secret = aws_client("secretsmanager").describe_secret(SecretId=names.MASKING_KEY)
    assert secret["KmsKeyId"] == key
    policy = iam_policies.role_policies(HERE)["lambda"]
    assert iam_policies.allow("kms", ("Decrypt",), key) in policy["Statement"]


def test_the_secret_gets_the_users_tags(
    sandbox: SetupSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    masking.ensure_masking_key()
    monkeypatch.setattr(names, "USER_TAGS", {"team": "data"})
    masking.ensure_masking_key()
    tags = aws_client("secretsmanager").describe_secret(SecretId=names.MASKING_KEY)["Tags"]
    assert {"Key": "team", "Value": "data"} in tags
