"""Masking of values before the lake: the secret with the key of the tokens, and who reads it."""

from __future__ import annotations

import secrets

import boto3

from setup import names
from setup.lib.resources import describe_or_none, require
from setup.lib.tags import ensure_tags
from setup.lib.waiters import InvalidSetting, SetupError
from setup.names import MASKING_KEY, TABLE
from transform import NO_MASKING, Masking

LABEL = f"secret {MASKING_KEY}"
KEY_BYTES = 32


def ensure_masking_key() -> None:
    """Create the secret with a random key; an existing one is kept, since its tokens are in use."""
    manager = boto3.client("secretsmanager")
    secret = describe_or_none(manager.describe_secret, SecretId=MASKING_KEY)
    if secret is None:
        manager.create_secret(
            Name=MASKING_KEY,
            Description="Key of the tokens that replace masked values in the lake.",
            SecretString=secrets.token_hex(KEY_BYTES),
            Tags=names.TAG_LIST,
            **({"KmsKeyId": names.KMS_KEY} if names.KMS_KEY else {}),
        )
    elif "DeletedDate" in secret:
        restore = f"aws secretsmanager restore-secret --secret-id {MASKING_KEY}"
        raise SetupError(
            f"{LABEL} is scheduled for deletion: run {restore}, then python setup/05_lambda.py"
        )
    ensure_tags("secretsmanager", MASKING_KEY)


def require_readable_keys() -> None:
    """Raise InvalidSetting if MASKED names a key attribute: the key of each row would show it."""
    table = describe_or_none(boto3.client("dynamodb").describe_table, TableName=TABLE)
    schema = table["Table"]["KeySchema"] if table else []
    for element in schema:
        name = element["AttributeName"]
        if name in names.MASKED:
            raise InvalidSetting(
                f"MASKED in setup/own_table.py: {name!r} is in the key of table {TABLE}, which "
                f"every row shows: remove it, and run python setup/05_lambda.py"
            )


def fetch_masking() -> Masking:
    """Return the masking as the function does it, with the key from the secret."""
    if not names.MASKED:
        return NO_MASKING
    get_value = boto3.client("secretsmanager").get_secret_value
    secret = require(LABEL, "05_lambda", get_value, SecretId=MASKING_KEY)
    try:
        return Masking(names.MASKED, secret["SecretString"].encode())
    except ValueError as error:
        raise SetupError(f"{LABEL}: {error}: put back the key that the function had") from None
