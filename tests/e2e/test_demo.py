"""Demo of `python -m local`: verification, failures, and servers in other processes."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from analytics.dashboard.page import decompress
from local import __main__ as command
from local import demo
from local.core.server import Cloud
from tests.support.laptop_cloud import laptop
from tests.support.paths import PROJECT
from tests.support.scripts import call_script
from tests.support.status_sabotage import deploy
from tests.support.whole_chain import create_pipeline, raising_function


@pytest.mark.slow
def test_the_demo_verifies_the_lake(tmp_path: Path) -> None:
    summary = tmp_path / "summary.json"
    run = subprocess.run(
        [sys.executable, "-m", "local", "--orders", "30", "--summary", str(summary)],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stdout
    outcome = json.loads(summary.read_text())
    assert outcome["verify"]["equal"]
    assert {hop["received"] - hop["delivered"] - hop["failed"] for hop in outcome["hops"]} == {0}
    orders = outcome["verify"]["table"]
    assert f"lake equals table: {orders} items" in run.stdout
    dashboard = PROJECT / "dashboard.html"
    assert f"dashboard: {dashboard}" in run.stdout
    (facts,) = re.findall('id="facts">(.*)</script>', dashboard.read_text("utf-8"))
    verify = decompress(facts)["verify"]
    assert (verify["state"], verify["table_items"]) == ("equal", orders)


@pytest.mark.slow
def test_the_demo_reports_problems_and_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    run_script = demo.run_script

    def run_with_raising_function(cloud: Cloud, *script: str) -> None:
        if script == ("setup",):
            create_pipeline()
            deploy(raising_function())
        elif script[0] == "data_generator.py":
            run_script(cloud, *script)

    summary = tmp_path / "summary.json"
    monkeypatch.setattr(demo, "run_script", run_with_raising_function)
    monkeypatch.setattr(demo, "call_script", call_script)
    monkeypatch.setattr(sys, "argv", ["local", "--orders", "5", "--summary", str(summary)])
    with laptop():
        assert command.main() == 1
    output = capfd.readouterr().out
    assert "Lambda.FunctionError" in output
    assert "lake differs from table: 5 missing" in output
    assert not json.loads(summary.read_text())["verify"]["equal"]


def test_an_unwritable_summary_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "parent" / "deleted"
    folder.mkdir(parents=True)

    def delete_folder(*_: object) -> demo.Outcome:
        shutil.rmtree(folder.parent)
        return demo.Outcome(0, 0.0, (), {"equal": True})

    monkeypatch.setattr(command, "run_demo", delete_folder)
    monkeypatch.setattr(sys, "argv", ["local", "--summary", str(folder / "summary.json")])
    with laptop():
        assert command.main() == 1
    (error,) = capsys.readouterr().err.splitlines()
    assert "No such file or directory" in error


@pytest.mark.slow
def test_a_closed_pipe_ends_the_demo_silently() -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    command_line = [sys.executable, "-m", "local", "--empty"]
    run = subprocess.run(
        command_line, cwd=PROJECT, stdout=write_end, stderr=subprocess.PIPE, timeout=60, check=False
    )
    os.close(write_end)
    assert (run.returncode, run.stderr) == (1, b"")


def test_an_unknown_region_is_rejected(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east1")
    monkeypatch.setattr(sys, "argv", ["local"])
    with pytest.raises(SystemExit, match="2"):
        command.main()
    assert "expected a region such as us-east-1, found 'us-east1'" in capsys.readouterr().err
