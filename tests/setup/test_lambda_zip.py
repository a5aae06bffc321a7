"""The function's zip: the same bytes whenever it is built, and all that Lambda needs in it."""

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

from tests.support.setup_fixture import PROJECT, a_world, names

archive = import_module("setup.lib.lambda_zip")
matches_desired = import_module("setup.lib.resources").matches_desired
DOCS = PROJECT / "docs" / "aws.md"

CALL = """
import sys
sys.path.insert(0, sys.argv[1])
import json, lambda_function
record = {"recordId": "1", "data": "bm90IGpzb24="}
print(json.dumps(lambda_function.lambda_handler({"records": [record]}, None)))
"""


def test_the_same_sources_give_the_same_bytes(tmp_path: Path) -> None:
    first = archive.build_zip()
    for source in archive.PROJECT.joinpath("transform").glob("*.py"):
        os.utime(source)
    assert archive.build_zip() == first
    archive.write_zip(tmp_path / "deep" / "lambda.zip")
    assert (tmp_path / "deep" / "lambda.zip").read_bytes() == first


def test_where_and_how_it_is_built_does_not_show(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    ignored = shutil.ignore_patterns("__pycache__")
    for folder in ("setup", "transform"):
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
    assert (tmp_path / "lambda.zip").read_bytes() == archive.build_zip()


def test_it_holds_the_handler_and_the_transform_readable_by_all() -> None:
    entries = zipfile.ZipFile(io.BytesIO(archive.build_zip())).infolist()
    sources = sorted(path.name for path in (PROJECT / "transform").glob("*.py"))
    expected = ["lambda_function.py", *(f"transform/{name}" for name in sources)]
    assert [entry.filename for entry in entries] == expected
    for entry in entries:
        assert (entry.create_system, entry.external_attr >> 16) == (3, 0o100644)
        assert entry.date_time == (1980, 1, 1, 0, 0, 0)


def test_it_answers_in_an_interpreter_that_has_nothing_else(tmp_path: Path) -> None:
    archive.write_zip(tmp_path / "lambda.zip")
    command = [sys.executable, "-I", "-S", "-c", CALL, str(tmp_path / "lambda.zip")]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    line, answer = map(json.loads, ended.stdout.splitlines())
    assert (line["in"], line["ok"], line["failed"]) == (1, 0, 1)
    assert [record["recordId"] for record in answer["records"]] == ["1"]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        import_module("setup.lib.waiters").SetupError, match="the zip cannot be written"
    ):
        archive.write_zip(tmp_path)


def test_it_can_be_deployed_by_hand_with_the_commands_of_the_docs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "analytics").mkdir()
    with a_world(tmp_path / "analytics") as world:
        monkeypatch.chdir(tmp_path)
        archive.write_zip(Path("build/lambda.zip"))
        world.run("04_iam")
        for command in re.findall(r"^aws lambda (?!wait)(.+)$", DOCS.read_text("utf-8"), re.M):
            answered = called(boto3.client("lambda"), *command.split())
            assert (
                answered["CodeSha256"] == b64encode(sha256(archive.build_zip()).digest()).decode()
            )
        made = boto3.client("lambda").get_function_configuration(FunctionName=names.FUNCTION)
        assert made["Role"] == names.role_arn("lambda")
        assert matches_desired(import_module("setup.05_lambda").SETTINGS, made)


def called(client: Any, operation: str, *options: str) -> dict[str, Any]:
    """Return what AWS answers to the request that the aws CLI makes of a command."""
    told = dict(zip(options[::2], options[1::2], strict=True))
    shape = client.meta.service_model.operation_model(
        client.meta.method_to_api_mapping[operation.replace("-", "_")]
    ).input_shape
    spelled = {f"--{xform_name(name, '-')}": name for name in shape.members}
    zip_file = Path(told.pop("--zip-file").removeprefix("fileb://")).read_bytes()
    new = operation == "create-function"
    asked: dict[str, Any] = {"Code": {"ZipFile": zip_file}} if new else {"ZipFile": zip_file}
    for option, text in told.items():
        member = shape.members[spelled[option]]
        asked[spelled[option]] = int(text) if member.type_name == "integer" else text
    return getattr(client, operation.replace("-", "_"))(**asked)
