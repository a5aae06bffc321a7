"""The whole chain on the laptop: what is written through it, what it keeps, what verify says."""

import json
from base64 import b64decode
from collections.abc import Iterator
from typing import Any

from local.core.server import Cloud
from local.demo import run_script
from operations.verify import command as verify
from setup import names
from tests.campaign.chain import told
from tests.support.laptop_cloud import zip_code


def write_orders(cloud: Cloud, orders: int, seed: int) -> None:
    """Let the generator write, and the chain come to rest."""
    run_script(cloud, "data_generator.py", "--orders", str(orders), "--seed", str(seed))
    cloud.run_until_idle()


def verified(*options: str) -> tuple[int, dict[str, Any]]:
    """Return the exit status and the verdict of operations.verify."""
    return told(verify.main, "--wait", "0", *options)


def raising_function() -> bytes:
    """Return the zip of a function that fails on every batch."""
    code = "def lambda_handler(event, context):\n    raise ValueError\n"
    return zip_code(code, "lambda_function.py")


def kept_originals(cloud: Cloud) -> Iterator[bytes]:
    """Yield the bytes of every record that lies in the error folder."""
    s3, where = cloud.client("s3"), {"Bucket": names.bucket()}
    for entry in s3.list_objects_v2(Prefix=names.ERRORS, **where)["Contents"]:
        body = s3.get_object(Key=entry["Key"], **where)["Body"].read()
        yield from (b64decode(json.loads(line)["rawData"]) for line in body.splitlines())
