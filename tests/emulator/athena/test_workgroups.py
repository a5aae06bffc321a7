"""Workgroups of the laptop's Athena: their settings, tags, limits and deletion."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from local.core.server import Cloud
from tests.support.athena_fixture import (
    athena_client,
    athena_cloud,
    execute,
    workgroup_configuration,
)


@pytest.fixture(scope="module", autouse=True)
def cloud() -> Iterator[Cloud]:
    with athena_cloud() as cloud:
        yield cloud


def test_workgroup_sets_the_result_location() -> None:
    requested_location = {"OutputLocation": "s3://lake/mine"}
    athena_client().create_work_group(
        Name="free",
        Configuration=workgroup_configuration("s3://lake/q/", EnforceWorkGroupConfiguration=False),
    )

    def location(group: str, **params: Any) -> str:
        execution = execute("SELECT 1", WorkGroup=group, **params)
        return str(execution["ResultConfiguration"]["OutputLocation"]).rpartition("/")[0]

    assert location("work", ResultConfiguration=requested_location) == "s3://lake/queries"
    assert location("free", ResultConfiguration=requested_location) == "s3://lake/mine"
    assert location("free") == "s3://lake/q"
    with pytest.raises(ClientError, match="No output location provided"):
        execute("SELECT 1", WorkGroup="primary")
    with pytest.raises(ClientError, match="Unable to verify/create output bucket absent"):
        execute(
            "SELECT 1", WorkGroup="primary", ResultConfiguration={"OutputLocation": "s3://absent/"}
        )
    with pytest.raises(ClientError, match="Unable to verify/create output bucket no bucket"):
        execute(
            "SELECT 1", WorkGroup="free", ResultConfiguration={"OutputLocation": "s3://no bucket/"}
        )


def configuration_of(workgroup: str) -> dict[str, Any]:
    response = athena_client().get_work_group(WorkGroup=workgroup)
    configuration: dict[str, Any] = response["WorkGroup"]["Configuration"]
    return configuration


def create_workgroup(name: str, **params: Any) -> None:
    configuration = workgroup_configuration("s3://lake/a/")
    athena_client().create_work_group(Name=name, Configuration=configuration, **params)


def test_workgroups_exist_once() -> None:
    client = athena_client()
    assert client.get_work_group(WorkGroup="primary")["WorkGroup"]["State"] == "ENABLED"
    with pytest.raises(ClientError, match=r"WorkGroup absent is not found\."):
        client.get_work_group(WorkGroup="absent")
    create_workgroup("single")
    with pytest.raises(ClientError, match=r"InvalidRequestException.*already created"):
        create_workgroup("single")
    assert "single" in [group["Name"] for group in client.list_work_groups()["WorkGroups"]]


def test_workgroup_update_keeps_other_settings() -> None:
    create_workgroup("updated")
    update = partial(athena_client().update_work_group, WorkGroup="updated")
    update(
        ConfigurationUpdates={
            "ResultConfigurationUpdates": {"OutputLocation": "s3://lake/b/"},
            "BytesScannedCutoffPerQuery": 20_000_000,
            "EngineVersion": {"SelectedEngineVersion": "Athena engine version 3"},
        }
    )
    configuration = configuration_of("updated")
    assert configuration["ResultConfiguration"] == {"OutputLocation": "s3://lake/b/"}
    assert configuration["BytesScannedCutoffPerQuery"] == 20_000_000
    assert configuration["EnforceWorkGroupConfiguration"] is True
    invalid_updates = {
        "RemoveBytesScannedCutoffPerQuery": True,
        "ResultConfigurationUpdates": {"OutputLocation": "nowhere"},
    }
    with pytest.raises(ClientError, match="Invalid output location nowhere"):
        update(ConfigurationUpdates=invalid_updates)
    assert configuration_of("updated") == configuration
    update(ConfigurationUpdates={"RemoveBytesScannedCutoffPerQuery": True})
    assert "BytesScannedCutoffPerQuery" not in configuration_of("updated")


def test_workgroup_tags_can_be_removed() -> None:
    client = athena_client()
    tags = [{"Key": "pipeline", "Value": "x"}]
    create_workgroup("tagged", Tags=tags)
    arn = "arn:aws:athena:us-east-1:123456789012:workgroup/tagged"
    assert client.list_tags_for_resource(ResourceARN=arn)["Tags"] == tags
    client.untag_resource(ResourceARN=arn, TagKeys=["pipeline"])
    assert client.list_tags_for_resource(ResourceARN=arn)["Tags"] == []


def test_used_workgroup_is_deleted_recursively() -> None:
    client = athena_client()
    create_workgroup("used")
    client.create_named_query(Name="q", Database="sales", QueryString="SELECT 1", WorkGroup="used")
    with pytest.raises(ClientError, match="is not empty"):
        client.delete_work_group(WorkGroup="used")
    client.delete_work_group(WorkGroup="used", RecursiveDeleteOption=True)
    with pytest.raises(ClientError, match="is not found"):
        client.delete_work_group(WorkGroup="used")


def test_limit_below_ten_megabytes_is_rejected() -> None:
    client = boto3.client("athena", config=Config(parameter_validation=False))
    with pytest.raises(ClientError, match="at least 10000000"):
        client.create_work_group(Name="x", Configuration={"BytesScannedCutoffPerQuery": 9_999_999})
