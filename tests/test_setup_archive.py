"""The function's zip: the same bytes whenever it is built, and all that Lambda needs in it."""

import io
import json
import os
import subprocess
import sys
import zipfile
from importlib import import_module
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT / "setup"))
archive = import_module("archive")

CALL = """
import sys
sys.path.insert(0, sys.argv[1])
import json, lambda_function
record = {"recordId": "1", "data": "bm90IGpzb24="}
print(json.dumps(lambda_function.lambda_handler({"records": [record]}, None)))
"""


def test_the_same_sources_give_the_same_bytes(tmp_path: Path) -> None:
    first = archive.archive()
    for source in archive.PROJECT.joinpath("transform").glob("*.py"):
        os.utime(source)
    assert archive.archive() == first
    archive.written(tmp_path / "deep" / "lambda.zip")
    assert (tmp_path / "deep" / "lambda.zip").read_bytes() == first


def test_it_holds_the_handler_and_the_transform_readable_by_all() -> None:
    entries = zipfile.ZipFile(io.BytesIO(archive.archive())).infolist()
    sources = sorted(path.name for path in (PROJECT / "transform").glob("*.py"))
    expected = ["lambda_function.py", *(f"transform/{name}" for name in sources)]
    assert [entry.filename for entry in entries] == expected
    for entry in entries:
        assert (entry.create_system, entry.external_attr >> 16) == (3, 0o100644)
        assert entry.date_time == (1980, 1, 1, 0, 0, 0)


def test_it_answers_in_an_interpreter_that_has_nothing_else(tmp_path: Path) -> None:
    archive.written(tmp_path / "lambda.zip")
    command = [sys.executable, "-I", "-S", "-c", CALL, str(tmp_path / "lambda.zip")]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    line, answer = map(json.loads, ended.stdout.splitlines())
    assert (line["in"], line["ok"], line["failed"]) == (1, 0, 1)
    assert [record["recordId"] for record in answer["records"]] == ["1"]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(import_module("waiting").Refusal, match="the zip cannot be written"):
        archive.written(tmp_path)
