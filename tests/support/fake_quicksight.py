"""As much of QuickSight as setup uses: moto has no data sets and no subscriptions."""

import json
from typing import Any, ClassVar
from urllib.parse import unquote

from local.core.request import AwsError, Call, Reply, json_reply
from local.core.server import Cloud
from local.core.service import Part

KINDS = {"data-sources": ("DataSource", "datasource"), "data-sets": ("DataSet", "dataset")}


class QuickSight(Part):
    """An account's data sources and data sets, once `subscribed`."""

    services: ClassVar[tuple[str, ...]] = ("quicksight",)

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.subscribed = True
        self.things: dict[str, dict[str, Any]] = {}
        self.tags: dict[str, list[dict[str, str]]] = {}

    def answer(self, call: Call) -> Reply:
        """Return what QuickSight answers."""
        kind, *name = unquote(call.path).split("/", 3)[1:]
        if kind == "resources":
            return json_reply({"Tags": self.tags["/".join(name).removesuffix("/tags")]})
        if kind == "account":
            return self._subscription()
        return self._thing(call, *call.path.split("/")[3:])

    def _subscription(self) -> Reply:
        if not self.subscribed:
            raise AwsError("ResourceNotFoundException", "no subscription", 404)
        return json_reply({"AccountInfo": {"AccountSubscriptionStatus": "ACCOUNT_CREATED"}})

    def _thing(self, call: Call, kind: str, name: str = "") -> Reply:
        member, in_arn = KINDS[kind]
        name = name or call.params[f"{member}Id"]
        where = f"arn:aws:quicksight:{self.cloud.region}:123456789012:{in_arn}/{name}"
        if call.method == "POST":
            wanted = json.loads(call.body)
            self.tags[where] = wanted.pop("Tags")
            self.things[where] = wanted | {"Arn": where, "Status": "CREATION_SUCCESSFUL"}
        elif where not in self.things:
            raise AwsError("ResourceNotFoundException", f"{where} does not exist", 404)
        elif call.method == "PUT":
            self.things[where] |= json.loads(call.body) | {"Status": "UPDATE_SUCCESSFUL"}
        elif call.method == "DELETE":
            del self.things[where]
        return json_reply({member: self.things.get(where)})
