"""A fake QuickSight with what setup uses: moto has no data sets and no subscriptions."""

import json
from typing import Any, ClassVar
from urllib.parse import unquote

from local.core.request import ApiRequest, ApiResponse, AwsError, json_response
from local.core.server import Cloud
from local.core.service import Service

# For each path: the member of requests and responses, and the resource type in ARNs.
RESOURCE_TYPES = {"data-sources": ("DataSource", "datasource"), "data-sets": ("DataSet", "dataset")}


class QuickSight(Service):
    """An account's data sources and data sets, if it has a subscription."""

    credential_scopes: ClassVar[tuple[str, ...]] = ("quicksight",)

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.is_subscribed = True
        self.resources: dict[str, dict[str, Any]] = {}
        self.tags: dict[str, list[dict[str, str]]] = {}

    def handle(self, request: ApiRequest) -> ApiResponse:
        """Return QuickSight's response."""
        kind, *name = unquote(request.path).split("/", 3)[1:]
        if kind == "resources":
            tags = self.tags["/".join(name).removesuffix("/tags")]
            if request.method == "POST":
                tags += request.params["Tags"]
            return json_response({"Tags": tags})
        if kind == "account":
            return self._describe_subscription()
        return self._handle_resource(request, *request.path.split("/")[3:])

    def _describe_subscription(self) -> ApiResponse:
        if not self.is_subscribed:
            raise AwsError("ResourceNotFoundException", "no subscription", 404)
        return json_response({"AccountInfo": {"AccountSubscriptionStatus": "ACCOUNT_CREATED"}})

    def _handle_resource(self, request: ApiRequest, kind: str, name: str = "") -> ApiResponse:
        member, resource_type = RESOURCE_TYPES[kind]
        name = name or request.params[f"{member}Id"]
        arn = f"arn:aws:quicksight:{self.cloud.region}:123456789012:{resource_type}/{name}"
        if request.method == "POST":
            params = json.loads(request.body)
            self.tags[arn] = params.pop("Tags")
            self.resources[arn] = params | {"Arn": arn, "Status": "CREATION_SUCCESSFUL"}
        elif arn not in self.resources:
            raise AwsError("ResourceNotFoundException", f"{arn} does not exist", 404)
        elif request.method == "PUT":
            self.resources[arn] |= json.loads(request.body) | {"Status": "UPDATE_SUCCESSFUL"}
        elif request.method == "DELETE":
            del self.resources[arn]
        return json_response({member: self.resources.get(arn)})
