"""Monkeypatches for moto's CloudWatch: dashboards have tags, which moto ignores or rejects."""

from typing import Any

from moto.cloudwatch.models import CloudWatchBackend
from moto.cloudwatch.responses import CloudWatchResponse

from local.core.patches import Patches

_put_dashboard = CloudWatchResponse.put_dashboard
_tag_resource = CloudWatchBackend.tag_resource


def put_tagged_dashboard(response: CloudWatchResponse) -> Any:
    """Create or update a dashboard; as on AWS, only its creation sets its tags."""
    backend = response.cloudwatch_backend
    name = response._get_param("DashboardName")
    is_new = backend.get_dashboard(name) is None
    result = _put_dashboard(response)
    dashboard = backend.get_dashboard(name)
    if is_new and dashboard is not None:
        backend.tagger.delete_all_tags_for_resource(dashboard.arn)
        backend.tagger.tag_resource(dashboard.arn, response._get_param("Tags", []))
    return result


def tag_any_resource(backend: CloudWatchBackend, arn: str, tags: dict[str, str]) -> None:
    """Tag an alarm or a dashboard; moto knows only of alarms."""
    if arn in {dashboard.arn for dashboard in backend.list_dashboards()}:
        backend.tagger.tag_resource(arn, backend.tagger.convert_dict_to_tags_input(tags))
    else:
        _tag_resource(backend, arn, tags)


_PATCHES = Patches(
    (CloudWatchResponse, "put_dashboard", put_tagged_dashboard),
    (CloudWatchBackend, "tag_resource", tag_any_resource),
)
apply = _PATCHES.apply
undo = _PATCHES.undo
