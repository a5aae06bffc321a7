"""Printed output of the demo, with its scripts replaced."""

import pytest

from local import demo
from local.core.server import Cloud
from local.services.firehose import Firehose
from local.services.iam import Iam
from tests.support.laptop_cloud import laptop


def test_slowest_service_excludes_setup_time(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run_script(cloud: Cloud, *command: str) -> None:
        if command == ("setup",):
            cloud.seconds_by_service["Iam"] += 1000
        if command[0] == "data_generator.py":
            cloud.seconds_by_service["Firehose"] += 100

    monkeypatch.setattr(demo, "run_script", run_script)
    monkeypatch.setattr(demo, "verify_lake", lambda _: {"equal": True})
    monkeypatch.setattr(demo, "find_problems", lambda _: [])
    with laptop(Firehose, Iam) as cloud:
        demo.run_demo(cloud, orders=1, seed=1)
    assert "slowest: Firehose, 100.0 s" in capsys.readouterr().out
