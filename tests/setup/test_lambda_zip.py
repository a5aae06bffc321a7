"""The function's zip: reproducible, complete, and deployable by hand."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from base64 import b64encode
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import xform_name

from setup import names
from setup.lib.comparison import matches_desired
from setup.lib.lambda_zip import build_zip, write_zip
from setup.lib.waiters import SetupError
from tests.support.paths import PROJECT
from tests.support.setup_fixture import setup_sandbox

DOCS = PROJECT / "docs" / "aws.md"

INVOKE_SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
import json, lambda_function
record = {"recordId": "1", "data": "bm90IGpzb24="}
print(json.dumps(lambda_function.lambda_handler({"records": [record]}, None)))
"""


def test_equal_sources_give_equal_bytes(tmp_path: Path) -> None:
    first = build_zip()
    for source in PROJECT.joinpath("transform").glob("*.py"):
        os.utime(source)
    assert build_zip() == first
    write_zip(tmp_path / "deep" / "lambda.zip")
    assert (tmp_path / "deep" / "lambda.zip").read_bytes() == first


def test_the_build_environment_does_not_matter(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    ignored = shutil.ignore_patterns("__pycache__")
    for folder in ("setup", "terminal", "transform"):
        shutil.copytree(PROJECT / folder, copy / folder, ignore=ignored)
    shutil.copy(PROJECT / "lambda_function.py", copy)
    for source in copy.rglob("*.py"):
        source.chmod(0o600)
    build = (
        "import os; os.umask(0o77); "
        "from setup.lib.lambda_zip import *; write_zip(Path('lambda.zip'))"
    )
    environment = {**os.environ, "TZ": "Pacific/Apia", "PYTHONPATH": str(copy)}
    subprocess.run([sys.executable, "-c", build], check=True, cwd=tmp_path, env=environment)
    assert (tmp_path / "lambda.zip").read_bytes() == build_zip()


def test_it_contains_handler_and_transform() -> None:
    entries = zipfile.ZipFile(io.BytesIO(build_zip())).infolist()
    sources = sorted(path.name for path in (PROJECT / "transform").glob("*.py"))
    expected = ["lambda_function.py", *(f"transform/{name}" for name in sources)]
    assert [entry.filename for entry in entries] == expected
    for entry in entries:
        assert (entry.create_system, entry.external_attr >> 16) == (3, 0o100644)
        assert entry.date_time == (1980, 1, 1, 0, 0, 0)


def test_it_runs_without_other_packages(tmp_path: Path) -> None:
    write_zip(tmp_path / "lambda.zip")
    command = [sys.executable, "-I", "-S", "-c", INVOKE_SCRIPT, str(tmp_path / "lambda.zip")]
    process = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    log_line, response = map(json.loads, process.stdout.splitlines())
    assert (log_line["in"], log_line["ok"], log_line["failed"]) == (1, 0, 1)
    assert [record["recordId"] for record in response["records"]] == ["1"]


def test_an_unwritable_path_is_reported(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="the zip cannot be written"):
        write_zip(tmp_path)


def test_the_documented_commands_deploy_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "analytics").mkdir()
    with setup_sandbox(tmp_path / "analytics") as sandbox:
        monkeypatch.chdir(tmp_path)
        write_zip(Path("build/lambda.zip"))
        sandbox.run("04_iam")
        for command in re.findall(
            r"^aws lambda (?!wait)(.+)$", DOCS.read_text("utf-8"), re.MULTILINE
        ):
            response = run_aws_command(boto3.client("lambda"), *command.split())
            assert response["CodeSha256"] == b64encode(sha256(build_zip()).digest()).decode()
        config = boto3.client("lambda").get_function_configuration(FunctionName=names.FUNCTION)
        assert config["Role"] == names.role_arn("lambda")
        assert matches_desired(import_module("setup.05_lambda").SETTINGS, config)


# The operation is any of the client's.
def run_aws_command(client: Any, command: str, *options: str) -> Any:
    """Make the call that the aws CLI makes for a command, and return the response."""
    method = command.replace("-", "_")
    operation = client.meta.method_to_api_mapping[method]
    shape = client.meta.service_model.operation_model(operation).input_shape
    member_names = {f"--{xform_name(name, '-')}": name for name in shape.members}
    arguments = dict(zip(options[::2], options[1::2], strict=True))
    zip_file = Path(arguments.pop("--zip-file").removeprefix("fileb://")).read_bytes()
    params: dict[str, Any] = {}
    if command == "create-function":
        params["Code"] = {"ZipFile": zip_file}
    else:
        params["ZipFile"] = zip_file
    for option, text in arguments.items():
        name = member_names[option]
        params[name] = int(text) if shape.members[name].type_name == "integer" else text
    return getattr(client, method)(**params)
