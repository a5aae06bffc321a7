"""EventBridge Pipes: their API, and the pipes from a DynamoDB stream to a Kinesis stream."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from moto.utilities.utils import get_partition

from local.core.hop_counts import HopCount
from local.core.metrics import put_metrics
from local.core.request import ApiRequest, ApiResponse, AwsError, json_response
from local.core.server import ACCOUNT, Cloud
from local.core.service import Service
from local.services.pipes.config import NAME, PRINCIPAL, Settings, complete, refusal, settings
from local.services.pipes.dead_letters import DeadLetters, reason
from local.services.pipes.poller import FAILURES, Flow

NAMESPACE = "AWS/EventBridge/Pipes"
SUMMARY = ("Name", "Arn", "DesiredState", "CurrentState", "CreationTime", "LastModifiedTime")
LISTED = (*SUMMARY, "StateReason", "Source", "Target")
PAGE = 100


@dataclass(slots=True)
class Pipe:
    """One pipe: what it was given, what became of it, and its moving once it has run."""

    name: str
    arn: str
    params: dict[str, Any]
    settings: Settings
    created: float
    modified: float
    tags: dict[str, str]
    desired: str = "RUNNING"
    state: str = "CREATING"
    reason: str = ""
    flow: Flow | None = field(default=None, repr=False)

    def description(self, state: str = "") -> dict[str, Any]:
        """Return the pipe as DescribePipe shows it, in a state that passes or in its own."""
        trouble = self.flow.trouble if self.flow else ""
        reason = self.reason or trouble
        shown = {
            **{name: value for name, value in self.params.items() if name != "Tags"},
            "Name": self.name,
            "Arn": self.arn,
            "DesiredState": self.desired,
            "CurrentState": state or self.state,
            "CreationTime": self.created,
            "LastModifiedTime": self.modified,
            "Tags": self.tags,
        }
        return {**shown, "StateReason": reason[:512]} if reason else shown

    def summary(self, state: str) -> dict[str, Any]:
        """Return what a call that changes the pipe answers, while the change goes on."""
        return {name: value for name, value in self.description(state).items() if name in SUMMARY}


class Pipes(Service):
    """Every pipe; the states in which AWS is busy show in one answer and are over then."""

    credential_scopes = ("pipes",)

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._pipes: dict[str, Pipe] = {}

    def handle(self, request: ApiRequest) -> ApiResponse | None:
        """Return the reply to a call of Pipes."""
        for method, pattern, answer in ROUTES:
            if request.method == method and (found := re.fullmatch(pattern, request.path)):
                return json_response(answer(self, request, *found.groups()))
        raise AwsError("UnknownOperationException", f"no operation at {request.path}", 404)

    def tick(self) -> bool:
        """Bring each running pipe a batch further, and return whether any moved."""
        moved = [self._step(pipe) for pipe in self._running()]
        return any(moved)

    def next_due_at(self) -> float | None:
        """Return when the first of the waiting batches is due."""
        times = [pipe.flow.next_due_at() for pipe in self._running() if pipe.flow]
        return min((at for at in times if at is not None), default=None)

    def counts(self) -> list[HopCount]:
        """Return what the pipes have read, delivered and given up."""
        counts = ("received", "delivered", "failed", "lost_on_restart")
        totals = [sum(getattr(flow, count) for flow in self._flows()) for count in counts]
        return [HopCount("Pipe → Kinesis", *totals)]

    def restart(self) -> None:
        """Go on from what each pipe has settled, as a poller does that was killed."""
        for flow in self._flows():
            flow.restart()

    def _flows(self) -> list[Flow]:
        return [pipe.flow for pipe in list(self._pipes.values()) if pipe.flow]

    def _running(self) -> list[Pipe]:
        return [pipe for pipe in list(self._pipes.values()) if pipe.state == "RUNNING"]

    def _step(self, pipe: Pipe) -> bool:
        if pipe.flow is None:
            pipe.flow = Flow(self.cloud, pipe.arn, pipe.settings)
        moved = pipe.flow.tick()
        if values := {name: value for name, value in pipe.flow.metrics.items() if value}:
            dimension = ("PipeName", pipe.name)
            put_metrics(self.cloud.client("cloudwatch"), NAMESPACE, dimension, values)
            pipe.flow.metrics.clear()
        return moved

    def _create(self, request: ApiRequest, name: str) -> dict[str, Any]:
        if not NAME.fullmatch(name):
            raise refusal(f"Name: expected 1 to 64 of A-Z a-z 0-9 . - _, found {name!r}")
        params, now = complete(request.params), self.cloud.clock.now()
        wanted = settings(params)
        if name in self._pipes:
            raise AwsError("ConflictException", f"Pipe {name} already exists.", 409)
        arn = f"arn:{get_partition(request.region)}:pipes:{request.region}:{ACCOUNT}:pipe/{name}"
        pipe = Pipe(name, arn, params, wanted, now, now, dict(params.get("Tags", {})))
        self._pipes[name] = pipe
        self._aim(pipe, params.get("DesiredState", "RUNNING"), "CREATE_FAILED")
        return pipe.summary("CREATING")

    def _update(self, request: ApiRequest, name: str) -> dict[str, Any]:
        pipe, given = self._changeable(name), request.params
        if "Source" in given:
            raise refusal("Source: the source of a pipe cannot be changed")
        if "RoleArn" not in given:
            raise refusal("RoleArn: expected the ARN of an IAM role, found None")
        pipe.settings = settings(params := _updated(pipe.params, given))
        pipe.params, pipe.modified = params, self.cloud.clock.now()
        if pipe.flow:
            pipe.flow.configure(pipe.settings)
        self._aim(pipe, given.get("DesiredState", pipe.desired), "UPDATE_FAILED")
        return pipe.summary("UPDATING")

    def _describe(self, _: ApiRequest, name: str) -> dict[str, Any]:
        return self._pipe(name).description()

    def _delete(self, _: ApiRequest, name: str) -> dict[str, Any]:
        return self._pipes.pop(self._pipe(name).name).summary("DELETING")

    def _start(self, _: ApiRequest, name: str) -> dict[str, Any]:
        pipe = self._changeable(name)
        pipe.modified = self.cloud.clock.now()
        self._aim(pipe, "RUNNING", "START_FAILED")
        return pipe.summary("STARTING")

    def _stop(self, _: ApiRequest, name: str) -> dict[str, Any]:
        pipe = self._changeable(name)
        pipe.modified = self.cloud.clock.now()
        pipe.desired = pipe.state = "STOPPED"
        return pipe.summary("STOPPING")

    def _list(self, request: ApiRequest) -> dict[str, Any]:
        found = [pipe.description() for _, pipe in sorted(self._pipes.items())]
        for member, key, matches in FILTERS:
            if wanted := request.query.get(key):
                found = [pipe for pipe in found if matches(pipe[member], wanted)]
        after = request.query.get("NextToken", "")
        rest = [pipe for pipe in found if pipe["Name"] > after]
        page = rest[: int(request.query.get("Limit", PAGE))]
        shown = [{name: pipe[name] for name in LISTED if name in pipe} for pipe in page]
        more = {"NextToken": page[-1]["Name"]} if len(rest) > len(page) else {}
        return {"Pipes": shown, **more}

    def _tags(self, _: ApiRequest, arn: str) -> dict[str, Any]:
        return {"tags": self._by_arn(arn).tags}

    def _tag(self, request: ApiRequest, arn: str) -> dict[str, Any]:
        self._by_arn(arn).tags.update(request.params["tags"])
        return {}

    def _untag(self, request: ApiRequest, arn: str) -> dict[str, Any]:
        tags = self._by_arn(arn).tags
        for key in parse_qs(request.environ["QUERY_STRING"])["tagKeys"]:
            tags.pop(key, None)
        return {}

    def _aim(self, pipe: Pipe, state: str, failure: str) -> None:
        """Bring a pipe into a state, or into a failed one with its reason."""
        pipe.reason = "".join(self._obstacles(pipe))[:512]
        pipe.desired = state
        pipe.state = failure if pipe.reason else state

    def _obstacles(self, pipe: Pipe) -> Iterator[str]:
        """Yield the first thing that keeps a pipe from being; its target is not looked at."""
        head = "Input parameter is invalid from the request due to : "
        wanted = pipe.settings
        if flaw := self._source_flaw(pipe):
            yield (
                f"{head}Cannot access stream {wanted.source}. "
                f"Please ensure the customer role can perform actions on source stream: {flaw}"
            )
        elif flaw := DeadLetters(self.cloud, pipe.arn, wanted).flaw():
            queue = wanted.dead_letters
            yield f"{head}Error occurred while sending message to SQS queue: {queue}: {flaw}"

    def _source_flaw(self, pipe: Pipe) -> str:
        """Return why one of the calls that reading takes fails, or nothing.

        AWS does not tell it; here it ends the text that AWS does tell.
        """
        arn, role = pipe.settings.source, pipe.settings.role
        streams = self.cloud.client("dynamodbstreams", role, PRINCIPAL, pipe.arn)
        try:
            streams.list_streams(TableName=arn.split("/")[1])
            stream = streams.describe_stream(StreamArn=arn)["StreamDescription"]
            for shard in stream["Shards"][-1:]:
                shard_id = shard["ShardId"]
                iterator = streams.get_shard_iterator(
                    StreamArn=arn, ShardId=shard_id, ShardIteratorType="LATEST"
                )
                streams.get_records(ShardIterator=iterator["ShardIterator"], Limit=1)
        except FAILURES as error:
            return reason(error)
        status = stream["StreamStatus"]
        return "" if status == "ENABLED" else f"the stream is {status}"

    def _pipe(self, name: str) -> Pipe:
        if name not in self._pipes:
            raise AwsError("NotFoundException", f"Pipe {name} does not exist.", 404)
        return self._pipes[name]

    def _changeable(self, name: str) -> Pipe:
        pipe = self._pipe(name)
        if pipe.state == "CREATE_FAILED":
            text = f"Pipe {name} is in the state CREATE_FAILED: delete it."
            raise AwsError("ConflictException", text, 409)
        return pipe

    def _by_arn(self, arn: str) -> Pipe:
        pipe = self._pipe(arn.rpartition("/")[2])
        if pipe.arn != arn:
            raise AwsError("NotFoundException", f"{arn} does not exist.", 404)
        return pipe


def _updated(held: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a pipe's parameters after an update.

    DynamoDBStreamParameters are replaced as a whole, what is not given by its default; only
    where to start is not up to an update.
    """
    source = {**held["SourceParameters"], **given.get("SourceParameters", {})}
    start = held["SourceParameters"]["DynamoDBStreamParameters"]["StartingPosition"]
    stream = {**source["DynamoDBStreamParameters"], "StartingPosition": start}
    source["DynamoDBStreamParameters"] = stream
    return complete({**held, **given, "SourceParameters": source})


FILTERS: tuple[tuple[str, str, Callable[[str, str], bool]], ...] = (
    ("Name", "NamePrefix", str.startswith),
    ("Source", "SourcePrefix", str.startswith),
    ("Target", "TargetPrefix", str.startswith),
    ("DesiredState", "DesiredState", str.__eq__),
    ("CurrentState", "CurrentState", str.__eq__),
)
ROUTES = (
    ("POST", "/v1/pipes/([^/]+)", Pipes._create),
    ("PUT", "/v1/pipes/([^/]+)", Pipes._update),
    ("GET", "/v1/pipes/([^/]+)", Pipes._describe),
    ("DELETE", "/v1/pipes/([^/]+)", Pipes._delete),
    ("POST", "/v1/pipes/([^/]+)/start", Pipes._start),
    ("POST", "/v1/pipes/([^/]+)/stop", Pipes._stop),
    ("GET", "/v1/pipes", Pipes._list),
    ("GET", "/tags/(arn:.+)", Pipes._tags),
    ("POST", "/tags/(arn:.+)", Pipes._tag),
    ("DELETE", "/tags/(arn:.+)", Pipes._untag),
)
