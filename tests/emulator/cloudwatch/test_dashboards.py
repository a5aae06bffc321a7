"""Dashboards: their tags, which moto ignores at creation and does not let be added."""

import pytest
from botocore.exceptions import ClientError

from local.services.cloudwatch import CloudWatch
from tests.support.laptop_cloud import laptop

ARN = "arn:aws:cloudwatch::123456789012:dashboard/d"
BODY = '{"widgets": []}'


def test_creation_sets_the_tags_of_a_dashboard() -> None:
    with laptop(CloudWatch) as cloud:
        cloudwatch = cloud.client("cloudwatch")
        for value in ("first", "later"):
            tags = [{"Key": "pipeline", "Value": value}]
            cloudwatch.put_dashboard(DashboardName="d", DashboardBody=BODY, Tags=tags)
        expected = [{"Key": "pipeline", "Value": "first"}]
        assert cloudwatch.list_tags_for_resource(ResourceARN=ARN)["Tags"] == expected
        cloudwatch.tag_resource(ResourceARN=ARN, Tags=[{"Key": "team", "Value": "data"}])
        tags = cloudwatch.list_tags_for_resource(ResourceARN=ARN)["Tags"]
        assert {"Key": "team", "Value": "data"} in tags
        with pytest.raises(ClientError):
            cloudwatch.tag_resource(ResourceARN=f"{ARN}2", Tags=tags)
