"""As much of QuickSight as setup uses: moto has no data sets and no subscriptions."""

import json
from typing import Any, ClassVar
from urllib.parse import unquote

from local.core.request import ApiRequest, ApiResponse, AwsError, json_response
from local.core.server import Cloud
from local.core.service import Service

KINDS = {"data-sources": ("DataSource", "datasource"), "data-sets": ("DataSet", "dataset")}


class QuickSight(Service):
    """An account's data sources and data sets, once `subscribed`."""

    credential_scopes: ClassVar[tuple[str, ...]] = ("quicksight",)

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.subscribed = True
        self.things: dict[str, dict[str, Any]] = {}
        self.tags: dict[str, list[dict[str, str]]] = {}

    def handle(self, request: ApiRequest) -> ApiResponse:
        """Return what QuickSight answers."""
        kind, *name = unquote(request.path).split("/", 3)[1:]
        if kind == "resources":
            return json_response({"Tags": self.tags["/".join(name).removesuffix("/tags")]})
        if kind == "account":
            return self._subscription()
        return self._thing(request, *request.path.split("/")[3:])

    def _subscription(self) -> ApiResponse:
        if not self.subscribed:
            raise AwsError("ResourceNotFoundException", "no subscription", 404)
        return json_response({"AccountInfo": {"AccountSubscriptionStatus": "ACCOUNT_CREATED"}})

    def _thing(self, request: ApiRequest, kind: str, name: str = "") -> ApiResponse:
        member, in_arn = KINDS[kind]
        name = name or request.params[f"{member}Id"]
        where = f"arn:aws:quicksight:{self.cloud.region}:123456789012:{in_arn}/{name}"
        if request.method == "POST":
            wanted = json.loads(request.body)
            self.tags[where] = wanted.pop("Tags")
            self.things[where] = wanted | {"Arn": where, "Status": "CREATION_SUCCESSFUL"}
        elif where not in self.things:
            raise AwsError("ResourceNotFoundException", f"{where} does not exist", 404)
        elif request.method == "PUT":
            self.things[where] |= json.loads(request.body) | {"Status": "UPDATE_SUCCESSFUL"}
        elif request.method == "DELETE":
            del self.things[where]
        return json_response({member: self.things.get(where)})
