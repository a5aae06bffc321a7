"""EventBridge Pipes: their API, and the pipes from a DynamoDB stream to a Kinesis stream."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from moto.utilities.utils import get_partition

from local.core.hop_counts import HopCount
from local.core.metrics import put_metrics
from local.core.request import ApiRequest, ApiResponse, AwsError, json_response
from local.core.server import ACCOUNT, Cloud
from local.core.service import Service
from local.services.pipes.config import (
    PIPE_NAME,
    PRINCIPAL,
    Settings,
    parse_settings,
    validation_error,
    with_defaults,
)
from local.services.pipes.dead_letters import DeadLetters, error_message
from local.services.pipes.poller import CALL_ERRORS, PipePoller

if TYPE_CHECKING:
    from types_boto3_dynamodbstreams.client import DynamoDBStreamsClient

NAMESPACE = "AWS/EventBridge/Pipes"
SUMMARY_FIELDS = ("Name", "Arn", "DesiredState", "CurrentState", "CreationTime", "LastModifiedTime")
LIST_FIELDS = (*SUMMARY_FIELDS, "StateReason", "Source", "Target")
DEFAULT_PAGE_SIZE = 100
MAX_REASON_CHARACTERS = 512
INVALID_INPUT = "Input parameter is invalid from the request due to : "


@dataclass(slots=True)
class Pipe:
    """One pipe: its configuration, its state, and its poller once it has run."""

    name: str
    arn: str
    params: dict[str, Any]
    settings: Settings
    created_at: float
    modified_at: float
    tags: dict[str, str]
    desired_state: str = "RUNNING"
    state: str = "CREATING"
    state_reason: str = ""
    poller: PipePoller | None = field(default=None, repr=False)

    def description(self, state: str = "") -> dict[str, Any]:
        """Return what DescribePipe shows; `state` replaces the state during a transition."""
        reason = self.state_reason or (self.poller.read_error if self.poller else "")
        description = {
            **{name: value for name, value in self.params.items() if name != "Tags"},
            "Name": self.name,
            "Arn": self.arn,
            "DesiredState": self.desired_state,
            "CurrentState": state or self.state,
            "CreationTime": self.created_at,
            "LastModifiedTime": self.modified_at,
            "Tags": self.tags,
        }
        if reason:
            description["StateReason"] = reason[:MAX_REASON_CHARACTERS]
        return description

    def summary(self, state: str) -> dict[str, Any]:
        """Return the response to a call that puts the pipe into a transitional state."""
        description = self.description(state)
        return {name: description[name] for name in SUMMARY_FIELDS}


class Pipes(Service):
    """Every pipe. Transitional states such as CREATING last for one response only."""

    credential_scopes = ("pipes",)

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._pipes: dict[str, Pipe] = {}

    def handle(self, request: ApiRequest) -> ApiResponse | None:
        """Respond to every call of the Pipes API."""
        for method, pattern, operation in ROUTES:
            if request.method == method and (match := re.fullmatch(pattern, request.path)):
                return json_response(operation(self, request, *match.groups()))
        raise AwsError("UnknownOperationException", f"no operation at {request.path}", 404)

    def tick(self) -> bool:
        """Poll for each running pipe, and return whether any made progress."""
        progress = [self._poll(pipe) for pipe in self._running_pipes()]
        return any(progress)

    def next_due_at(self) -> float | None:
        """Return when the first of the waiting batches is due."""
        due_times = [pipe.poller.next_due_at() for pipe in self._running_pipes() if pipe.poller]
        return min((due_at for due_at in due_times if due_at is not None), default=None)

    def counts(self) -> list[HopCount]:
        """Return how many records all pipes have received, delivered, failed and lost."""
        pollers = self._pollers()
        return [
            HopCount(
                "Pipe → Kinesis",
                received=sum(poller.received for poller in pollers),
                delivered=sum(poller.delivered for poller in pollers),
                failed=sum(poller.failed for poller in pollers),
                lost_on_restart=sum(poller.lost_on_restart for poller in pollers),
            )
        ]

    def restart(self) -> None:
        """Continue from each pipe's checkpoints, like a poller that was killed."""
        for poller in self._pollers():
            poller.restart()

    def _pollers(self) -> list[PipePoller]:
        return [pipe.poller for pipe in list(self._pipes.values()) if pipe.poller]

    def _running_pipes(self) -> list[Pipe]:
        return [pipe for pipe in list(self._pipes.values()) if pipe.state == "RUNNING"]

    def _poll(self, pipe: Pipe) -> bool:
        if pipe.poller is None:
            pipe.poller = PipePoller(self.cloud, pipe.arn, pipe.settings)
        made_progress = pipe.poller.tick()
        if values := {name: value for name, value in pipe.poller.metrics.items() if value}:
            dimension = ("PipeName", pipe.name)
            put_metrics(self.cloud.client("cloudwatch"), NAMESPACE, dimension, values)
            pipe.poller.metrics.clear()
        return made_progress

    def _create(self, request: ApiRequest, name: str) -> dict[str, Any]:
        if not PIPE_NAME.fullmatch(name):
            raise validation_error(f"Name: expected 1 to 64 of A-Z a-z 0-9 . - _, found {name!r}")
        params = with_defaults(request.params)
        settings = parse_settings(params)
        if name in self._pipes:
            raise AwsError("ConflictException", f"Pipe {name} already exists.", 409)
        now = self.cloud.clock.now()
        arn = f"arn:{get_partition(request.region)}:pipes:{request.region}:{ACCOUNT}:pipe/{name}"
        pipe = Pipe(name, arn, params, settings, now, now, dict(params.get("Tags", {})))
        self._pipes[name] = pipe
        self._set_state(pipe, params.get("DesiredState", "RUNNING"), "CREATE_FAILED")
        return pipe.summary("CREATING")

    def _update(self, request: ApiRequest, name: str) -> dict[str, Any]:
        pipe = self._find_updatable(name)
        changes = request.params
        if "Source" in changes:
            raise validation_error("Source: the source of a pipe cannot be changed")
        if "RoleArn" not in changes:
            raise validation_error("RoleArn: expected the ARN of an IAM role, found None")
        params = merge_params(pipe.params, changes)
        pipe.settings = parse_settings(params)
        pipe.params = params
        pipe.modified_at = self.cloud.clock.now()
        if pipe.poller:
            pipe.poller.configure(pipe.settings)
        self._set_state(pipe, changes.get("DesiredState", pipe.desired_state), "UPDATE_FAILED")
        return pipe.summary("UPDATING")

    def _describe(self, _: ApiRequest, name: str) -> dict[str, Any]:
        return self._find(name).description()

    def _delete(self, _: ApiRequest, name: str) -> dict[str, Any]:
        return self._pipes.pop(self._find(name).name).summary("DELETING")

    def _start(self, _: ApiRequest, name: str) -> dict[str, Any]:
        pipe = self._find_updatable(name)
        pipe.modified_at = self.cloud.clock.now()
        self._set_state(pipe, "RUNNING", "START_FAILED")
        return pipe.summary("STARTING")

    def _stop(self, _: ApiRequest, name: str) -> dict[str, Any]:
        pipe = self._find_updatable(name)
        pipe.modified_at = self.cloud.clock.now()
        pipe.desired_state = "STOPPED"
        pipe.state = "STOPPED"
        return pipe.summary("STOPPING")

    def _list(self, request: ApiRequest) -> dict[str, Any]:
        pipes = [pipe.description() for _, pipe in sorted(self._pipes.items())]
        for member, parameter, matches in LIST_FILTERS:
            if value := request.query.get(parameter):
                pipes = [pipe for pipe in pipes if matches(pipe[member], value)]
        last_name = request.query.get("NextToken", "")
        remaining = [pipe for pipe in pipes if pipe["Name"] > last_name]
        page = remaining[: int(request.query.get("Limit", DEFAULT_PAGE_SIZE))]
        response: dict[str, Any] = {
            "Pipes": [{name: pipe[name] for name in LIST_FIELDS if name in pipe} for pipe in page]
        }
        if len(remaining) > len(page):
            response["NextToken"] = page[-1]["Name"]
        return response

    def _list_tags(self, _: ApiRequest, arn: str) -> dict[str, Any]:
        return {"tags": self._find_by_arn(arn).tags}

    def _tag(self, request: ApiRequest, arn: str) -> dict[str, Any]:
        self._find_by_arn(arn).tags.update(request.params["tags"])
        return {}

    def _untag(self, request: ApiRequest, arn: str) -> dict[str, Any]:
        tags = self._find_by_arn(arn).tags
        for key in parse_qs(request.environ["QUERY_STRING"])["tagKeys"]:
            tags.pop(key, None)
        return {}

    def _set_state(self, pipe: Pipe, state: str, failed_state: str) -> None:
        """Put a pipe into a state, or into a failed state with its reason."""
        pipe.state_reason = self._creation_error(pipe)[:MAX_REASON_CHARACTERS]
        pipe.desired_state = state
        pipe.state = failed_state if pipe.state_reason else state

    def _creation_error(self, pipe: Pipe) -> str:
        """Return why AWS would not create a pipe, or an empty string.

        AWS checks the source and the dead-letter queue, but not the target.
        """
        settings = pipe.settings
        if error := self._source_error(pipe):
            return (
                f"{INVALID_INPUT}Cannot access stream {settings.source_arn}. "
                f"Please ensure the customer role can perform actions on source stream: {error}"
            )
        if error := DeadLetters(self.cloud, pipe.arn, settings).access_error():
            return (
                f"{INVALID_INPUT}Error occurred while sending message to SQS queue: "
                f"{settings.dead_letter_queue_arn}: {error}"
            )
        return ""

    def _source_error(self, pipe: Pipe) -> str:
        """Return why one of the calls that reading needs fails, or an empty string.

        AWS does not show this; here it follows the message that AWS shows.
        """
        arn = pipe.settings.source_arn
        streams: DynamoDBStreamsClient = self.cloud.client(
            "dynamodbstreams", pipe.settings.role_arn, PRINCIPAL, pipe.arn
        )
        try:
            streams.list_streams(TableName=arn.split("/")[1])
            stream = streams.describe_stream(StreamArn=arn)["StreamDescription"]
            for shard in stream["Shards"][-1:]:
                iterator = streams.get_shard_iterator(
                    StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="LATEST"
                )
                streams.get_records(ShardIterator=iterator["ShardIterator"], Limit=1)
        except CALL_ERRORS as error:
            return error_message(error)
        status = stream["StreamStatus"]
        return "" if status == "ENABLED" else f"the stream is {status}"

    def _find(self, name: str) -> Pipe:
        if name not in self._pipes:
            raise AwsError("NotFoundException", f"Pipe {name} does not exist.", 404)
        return self._pipes[name]

    def _find_updatable(self, name: str) -> Pipe:
        pipe = self._find(name)
        if pipe.state == "CREATE_FAILED":
            message = f"Pipe {name} is in the state CREATE_FAILED: delete it."
            raise AwsError("ConflictException", message, 409)
        return pipe

    def _find_by_arn(self, arn: str) -> Pipe:
        pipe = self._find(arn.rpartition("/")[2])
        if pipe.arn != arn:
            raise AwsError("NotFoundException", f"{arn} does not exist.", 404)
        return pipe


def merge_params(current: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a pipe's parameters after an update.

    DynamoDBStreamParameters are replaced as a whole, and a missing one gets its default; only
    the starting position cannot be updated.
    """
    source = {**current["SourceParameters"], **changes.get("SourceParameters", {})}
    position = current["SourceParameters"]["DynamoDBStreamParameters"]["StartingPosition"]
    source["DynamoDBStreamParameters"] = {
        **source["DynamoDBStreamParameters"],
        "StartingPosition": position,
    }
    return with_defaults({**current, **changes, "SourceParameters": source})


LIST_FILTERS: tuple[tuple[str, str, Callable[[str, str], bool]], ...] = (
    ("Name", "NamePrefix", str.startswith),
    ("Source", "SourcePrefix", str.startswith),
    ("Target", "TargetPrefix", str.startswith),
    ("DesiredState", "DesiredState", str.__eq__),
    ("CurrentState", "CurrentState", str.__eq__),
)
ROUTES: tuple[tuple[str, str, Callable[..., dict[str, Any]]], ...] = (
    ("POST", "/v1/pipes/([^/]+)", Pipes._create),
    ("PUT", "/v1/pipes/([^/]+)", Pipes._update),
    ("GET", "/v1/pipes/([^/]+)", Pipes._describe),
    ("DELETE", "/v1/pipes/([^/]+)", Pipes._delete),
    ("POST", "/v1/pipes/([^/]+)/start", Pipes._start),
    ("POST", "/v1/pipes/([^/]+)/stop", Pipes._stop),
    ("GET", "/v1/pipes", Pipes._list),
    ("GET", "/tags/(arn:.+)", Pipes._list_tags),
    ("POST", "/tags/(arn:.+)", Pipes._tag),
    ("DELETE", "/tags/(arn:.+)", Pipes._untag),
)
